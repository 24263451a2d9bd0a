//! A row of features: the request, and what is known of the service for requests like it.

use super::request::RouteRequest;

/// Features of a row.
pub(super) const WIDTH: usize = 12;

/// Their names, in the order of a row.
pub(super) const NAMES: [&str; WIDTH] = [
    "size",
    "complexity",
    "hour_sin",
    "hour_cos",
    "class_latency",
    "latency_of_class_here",
    "success_of_class_here",
    "resource_of_class_here",
    "service_latency",
    "service_success",
    "latency_of_context_here",
    "service_load",
];

/// What a row says of the request alone: size and complexity as logarithms, the hour as a point on a circle.
pub(super) fn of_request(request: &RouteRequest) -> [f32; 4] {
    let amount = |value: f64| if value.is_finite() { value.clamp(0.0, 1e15).ln_1p() as f32 } else { 0.0 };
    let day_share = if request.day_share.is_finite() { request.day_share } else { 0.0 };
    let (sin, cos) = (day_share.fract() * std::f64::consts::TAU).sin_cos();
    [amount(request.size), amount(request.complexity), sin as f32, cos as f32]
}

/// Where a row's profile begins: what it says of a service beside context and load.
pub(super) const PROFILE: usize = 4;
/// Of the class everywhere and here (latency, success, resource), and of the service (latency, success).
pub(super) type Profile = [f32; 6];
/// Where how the context fares here stands, and the load.
pub(super) const CONTEXT: usize = 10;
/// See [`CONTEXT`].
pub(super) const LOAD: usize = 11;

/// The feature of what is in flight at a service over its weight.
pub(super) fn of_load(load: f64) -> f32 {
    if load.is_finite() { load.clamp(0.0, 1e6).ln_1p() as f32 } else { 0.0 }
}

/// A whole row; `load` is what is in flight at the service over its weight.
pub(super) fn row(request: &[f32; 4], profile: &Profile, context: f32, load: f64) -> [f32; WIDTH] {
    let mut row = [0.0; WIDTH];
    row[..PROFILE].copy_from_slice(request);
    row[PROFILE..CONTEXT].copy_from_slice(profile);
    (row[CONTEXT], row[LOAD]) = (context, of_load(load));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_finite_whatever_comes() {
        for value in [0.0, 1e300, -5.0, f64::NAN, f64::INFINITY] {
            let request = RouteRequest { class: 1, context: None, size: value, complexity: value, day_share: value };
            let row = row(&of_request(&request), &[0.0; 6], 0.0, value);
            assert!(row.iter().all(|feature| feature.is_finite()), "{row:?}");
        }
        let noon = RouteRequest { class: 1, context: None, size: 0.0, complexity: 0.0, day_share: 0.5 };
        assert!((of_request(&noon)[3] + 1.0).abs() < 1e-6);
    }
}

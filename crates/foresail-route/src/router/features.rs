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
    "latency_of_context_here",
    "service_latency",
    "service_success",
    "service_load",
];

/// What a row says of the request alone: size and complexity as logarithms, the hour as a point on a circle.
pub(super) fn of_request(request: &RouteRequest) -> [f32; 4] {
    let amount = |value: f64| if value.is_finite() { value.clamp(0.0, 1e15).ln_1p() as f32 } else { 0.0 };
    let day_share = if request.day_share.is_finite() { request.day_share } else { 0.0 };
    let (sin, cos) = (day_share.fract() * std::f64::consts::TAU).sin_cos();
    [amount(request.size), amount(request.complexity), sin as f32, cos as f32]
}

/// What a row says of a service beside the load: of the class everywhere and here, of the context here, of the service.
pub(super) type Profile = [f32; 7];

/// A whole row; `load` is what is in flight at the service over its weight.
pub(super) fn row(request: &[f32; 4], profile: &Profile, load: f64) -> [f32; WIDTH] {
    let mut row = [0.0; WIDTH];
    row[..4].copy_from_slice(request);
    row[4..11].copy_from_slice(profile);
    row[11] = load.clamp(0.0, 1e6).ln_1p() as f32;
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_finite_whatever_comes() {
        for value in [0.0, 1e300, -5.0, f64::NAN, f64::INFINITY] {
            let request = RouteRequest { class: 1, context: None, size: value, complexity: value, day_share: value };
            let row = row(&of_request(&request), &[0.0; 7], 3.0);
            assert!(row.iter().all(|feature| feature.is_finite()), "{row:?}");
        }
        let noon = RouteRequest { class: 1, context: None, size: 0.0, complexity: 0.0, day_share: 0.5 };
        assert!((of_request(&noon)[3] + 1.0).abs() < 1e-6);
    }
}

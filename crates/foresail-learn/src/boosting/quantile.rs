//! A quantile of unsorted values.

/// The `level` quantile (within 0 and 1) of finite `values`, at least one, whose order is lost: of `n` values, the one at
/// place `level · n` counted from 1, with straight lines between places, as LightGBM takes the percentile of a leaf. O(n).
pub(super) fn quantile(values: &mut [f64], level: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        debug_assert!(false, "a leaf has rows");
        return 0.0;
    };
    let place = level * values.len() as f64 - 1.0;
    let low = (place.max(0.0) as usize).min(last);
    let share = (place - low as f64).clamp(0.0, 1.0);
    let (_, at, above) = values.select_nth_unstable_by(low, f64::total_cmp);
    let next = if share > 0.0 { above.iter().copied().fold(f64::INFINITY, f64::min) } else { *at };
    if next.is_finite() { *at + (next - *at) * share } else { *at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], level: f64, expected: f64) {
        let got = quantile(&mut values.to_vec(), level);
        assert!((got - expected).abs() < 1e-12, "{level} of {values:?}: {got}");
    }

    #[test]
    fn places_are_counted_and_interpolated() {
        check(&[7.0], 0.9, 7.0);
        check(&[3.0, 1.0, 2.0, 4.0], 0.5, 2.0);
        check(&[3.0, 1.0, 2.0, 4.0], 0.6, 2.4);
        check(&[3.0, 1.0, 2.0], 0.5, 1.5);
        check(&[3.0, 1.0, 2.0], 0.01, 1.0);
        check(&[3.0, 1.0, 2.0], 0.99, 2.97);
    }
}

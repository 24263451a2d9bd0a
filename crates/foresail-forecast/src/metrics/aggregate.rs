//! Figures of many series made one. A mean of ratios is ruled by the few series that went worst, so ratios are joined by
//! their geometric mean, and the median is printed beside it.

/// Geometric mean of positive values; none if there is no value or one is not positive and finite.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sum = 0.0;
    let mut count = 0_usize;
    for value in values {
        if !(value > 0.0 && value.is_finite()) {
            return None;
        }
        sum += value.ln();
        count += 1;
    }
    (count > 0).then(|| (sum / count as f64).exp())
}

/// Geometric mean of `figures` each divided by that of the baseline on the same series; none as for
/// [`geometric_mean`].
pub fn relative(figures: &[f64], baseline: &[f64]) -> Option<f64> {
    debug_assert_eq!(figures.len(), baseline.len());
    geometric_mean(figures.iter().zip(baseline).map(|(figure, base)| figure / base))
}

/// Median of finite values; the mean of the middle two of an even count.
pub fn median(values: &[f64]) -> Option<f64> {
    super::percentile(values, 0.5)
}

/// Mean of `(value, weight)` pairs; none if the weights do not sum to something positive.
pub fn weighted_mean(pairs: impl IntoIterator<Item = (f64, f64)>) -> Option<f64> {
    let (sum, weight) = pairs.into_iter().fold((0.0, 0.0), |(sum, total), (v, w)| (sum + v * w, total + w));
    (weight > 0.0).then(|| sum / weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn geometric_means_by_hand() {
        assert!((geometric_mean([1.0, 4.0, 16.0]).unwrap() - 4.0).abs() < 1e-12);
        assert!((relative(&[1.0, 8.0], &[2.0, 4.0]).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(geometric_mean([1.0, 0.0]), None);
        assert_eq!(geometric_mean([]), None);
        assert_eq!(median(&[5.0, 1.0, 2.0, 4.0]), Some(3.0));
        assert_eq!(weighted_mean([(1.0, 1.0), (4.0, 2.0)]), Some(3.0));
        assert_eq!(weighted_mean([(1.0, 0.0)]), None);
    }
}

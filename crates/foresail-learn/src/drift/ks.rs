//! The two-sample test of Kolmogorov and Smirnov.

/// The largest distance between the empirical distribution functions of two ascending samples, 0 to 1; 0 if one is empty.
pub fn ks_distance(a: &[f64], b: &[f64]) -> f64 {
    debug_assert!(a.is_sorted() && b.is_sorted());
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut most) = (0, 0, 0.0_f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        i += a[i..].iter().take_while(|v| **v <= value).count();
        j += b[j..].iter().take_while(|v| **v <= value).count();
        most = most.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    most
}

/// How likely a distance as large is between samples of one distribution that are worth `n` and `m` independent points
/// (Numerical Recipes, 3rd ed., §14.3.3, with Stephens's correction for few points); 0 to 1.
pub fn kolmogorov_tail(distance: f64, n: f64, m: f64) -> f64 {
    if n < 1.0 || m < 1.0 {
        return 1.0;
    }
    let root = (n * m / (n + m)).sqrt();
    let x = (root + 0.12 + 0.11 / root) * distance;
    if x < 0.2 {
        // The series converges slowly there, to 1 in any digit that matters.
        return 1.0;
    }
    let term = |k: f64| (-2.0 * (k * x).powi(2)).exp();
    let sum: f64 = (1..=100).map(|k| if k % 2 == 1 { term(f64::from(k)) } else { -term(f64::from(k)) }).sum();
    (2.0 * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn distances_and_probabilities_are_those_of_scipy() {
        assert_eq!(ks_distance(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), 0.5);
        assert_eq!(ks_distance(&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), 0.0);
        assert_eq!(ks_distance(&[], &[1.0]), 0.0);
        // The limiting law: scipy.special.kolmogorov(1.0) = 0.26999967, of 1.36 = 0.04948588.
        let far = 1e12;
        let at = |x: f64| kolmogorov_tail(x / (far / 2.0_f64).sqrt(), far, far);
        assert!((at(1.0) - 0.269_999_67).abs() < 1e-5 && (at(1.36) - 0.049_485_88).abs() < 1e-5);
        assert_eq!(kolmogorov_tail(0.9, 0.5, 100.0), 1.0);
    }

    proptest! {
        #[test]
        fn distances_are_symmetric_and_within_bounds(
            mut a in prop::collection::vec(-9.0..9.0_f64, 0..40),
            mut b in prop::collection::vec(-9.0..9.0_f64, 0..40),
        ) {
            a.sort_by(f64::total_cmp);
            b.sort_by(f64::total_cmp);
            let distance = ks_distance(&a, &b);
            prop_assert!((0.0..=1.0).contains(&distance));
            prop_assert!((distance - ks_distance(&b, &a)).abs() < 1e-12);
            prop_assert!((0.0..=1.0).contains(&kolmogorov_tail(distance, a.len() as f64, b.len() as f64)));
        }
    }
}

//! Random quantities that load is made of.

use foresail_core::SeededRng;

/// A Poisson count: Knuth's product of uniforms below a mean of 30, above it the normal approximation, whose error is
/// far below the noise of any load.
pub(super) fn poisson(mean: f64, rng: &mut SeededRng) -> f64 {
    if mean > 30.0 {
        return (mean + mean.sqrt() * rng.normal()).round().max(0.0);
    }
    let limit = (-mean.max(0.0)).exp();
    let mut product = rng.uniform();
    let mut count = 0.0;
    while product > limit {
        product *= rng.uniform();
        count += 1.0;
    }
    count
}

/// A Pareto size of at least 1 with tail index `alpha`, cut at `most`: mean α/(α−1) before the cut.
pub(super) fn pareto(alpha: f64, most: f64, rng: &mut SeededRng) -> f64 {
    (1.0 - rng.uniform()).powf(-1.0 / alpha).min(most)
}

/// A factor with median 1 whose logarithm has standard deviation `sigma`.
pub(super) fn log_normal(sigma: f64, rng: &mut SeededRng) -> f64 {
    (sigma * rng.normal()).exp()
}

/// Uniform on [low, high).
pub(super) fn between(low: f64, high: f64, rng: &mut SeededRng) -> f64 {
    low + (high - low) * rng.uniform()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = (0..20_000).map(|_| draw()).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        (mean, variance)
    }

    #[test]
    fn a_poisson_count_has_its_mean_for_variance() {
        let mut rng = SeededRng::seed_from_u64(3);
        for expected in [0.5, 8.0, 200.0] {
            let (mean, variance) = moments(|| poisson(expected, &mut rng));
            assert!((mean / expected - 1.0).abs() < 0.05 && (variance / expected - 1.0).abs() < 0.08, "{expected}");
        }
        assert_eq!(poisson(0.0, &mut rng), 0.0);
    }

    #[test]
    fn a_pareto_size_has_its_mean_and_its_bound() {
        let mut rng = SeededRng::seed_from_u64(4);
        let (mean, _) = moments(|| pareto(3.0, 1e9, &mut rng));
        assert!((mean - 1.5).abs() < 0.03);
        assert!((0..10_000).all(|_| (1.0..=50.0).contains(&pareto(1.1, 50.0, &mut rng))));
    }
}

//! What came of a run.

use foresail_core::SeededRng;

use super::story::BAD;

/// What clients saw after the warm-up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Latencies of successes in ms, ascending.
    pub latencies_ms: Vec<f32>,
    /// Requests that failed.
    pub failures: u64,
    /// Requests sent to each endpoint, of all that arrived.
    pub picks: Vec<u64>,
    /// The same in the last fifth of the run.
    pub late_picks: Vec<u64>,
}

impl Outcome {
    /// Of the successes, in ms; NaN if there are none.
    pub fn mean_ms(&self) -> f64 {
        self.latencies_ms.iter().map(|ms| f64::from(*ms)).sum::<f64>() / self.latencies_ms.len() as f64
    }

    /// A quantile of the successes, 0 to 1, in ms; NaN if there are none.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        let last = self.latencies_ms.len().saturating_sub(1);
        self.latencies_ms.get(((last as f64) * quantile).round() as usize).map_or(f64::NAN, |ms| f64::from(*ms))
    }

    /// Share of the answers that are failures.
    pub fn error_rate(&self) -> f64 {
        self.failures as f64 / (self.failures as f64 + self.latencies_ms.len() as f64).max(1.0)
    }

    /// Share of the picks in the last fifth of the run that went to the endpoint that turned bad.
    pub fn late_share_of_bad(&self) -> f64 {
        let all: u64 = self.late_picks.iter().sum();
        self.late_picks.get(BAD).map_or(0.0, |bad| *bad as f64 / (all as f64).max(1.0))
    }
}

/// The 95 % percentile bootstrap interval of the mean of `values` (Efron 1979), over `resamples` draws.
pub fn bootstrap_interval(values: &[f64], resamples: usize, rng: &mut SeededRng) -> (f64, f64) {
    if values.is_empty() || resamples == 0 {
        return (f64::NAN, f64::NAN);
    }
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| (0..values.len()).map(|_| values[rng.below(values.len())]).sum::<f64>() / values.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    let at = |quantile: f64| means[((resamples - 1) as f64 * quantile).round() as usize];
    (at(0.025), at(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_intervals() {
        let outcome = Outcome { latencies_ms: vec![1.0, 2.0, 3.0], failures: 1, ..Outcome::default() };
        assert_eq!((outcome.mean_ms(), outcome.quantile_ms(0.5), outcome.error_rate()), (2.0, 2.0, 0.25));
        assert!(Outcome::default().mean_ms().is_nan() && Outcome::default().quantile_ms(0.9).is_nan());
        let mut rng = SeededRng::seed_from_u64(3);
        let values: Vec<f64> = (0..400).map(|_| 5.0 + rng.normal()).collect();
        let (low, high) = bootstrap_interval(&values, 500, &mut rng);
        assert!(low < 5.1 && high > 4.9 && (high - low - 0.196).abs() < 0.05, "{low} {high}");
    }
}

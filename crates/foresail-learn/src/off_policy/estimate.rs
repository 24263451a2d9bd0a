//! An estimate and how much it is worth.

use serde::{Deserialize, Serialize};

/// Consecutive batches whose means make the standard error.
const BATCHES: usize = 30;
/// The 97.5 % quantile of Student's t with 29 degrees of freedom.
const T: f64 = 2.045;

/// The value of a policy: its mean reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The mean reward.
    pub value: f64,
    /// Its standard error, by batch means; infinite for a log of one decision.
    pub standard_error: f64,
    /// The 95 % interval of the value.
    pub interval: (f64, f64),
    /// How many unweighted decisions the weighted ones are worth: (Σw)² / Σw² (Kish 1965).
    pub effective_samples: f64,
    /// Share of the decisions whose weight was clipped.
    pub clipped: f64,
}

impl Estimate {
    /// With each decision's own contribution to the value, its weight and what weights were clipped to.
    pub(super) fn of(value: f64, contributions: &[f64], weights: &[f64], clip: f64) -> Self {
        let standard_error = standard_error(contributions);
        let (sum, squares) = weights.iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        let clipped = weights.iter().filter(|weight| **weight >= clip).count();
        Self {
            value,
            standard_error,
            interval: (value - T * standard_error, value + T * standard_error),
            effective_samples: if squares > 0.0 { sum * sum / squares } else { 0.0 },
            clipped: clipped as f64 / weights.len() as f64,
        }
    }
}

/// Of the mean: from consecutive batches where there are enough, else from single values.
fn standard_error(values: &[f64]) -> f64 {
    let size = (values.len() / BATCHES).max(1);
    let means: Vec<f64> = values.chunks_exact(size).map(|batch| batch.iter().sum::<f64>() / size as f64).collect();
    let n = means.len() as f64;
    if n < 2.0 {
        return f64::INFINITY;
    }
    let mean = means.iter().sum::<f64>() / n;
    let variance = means.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / (n - 1.0);
    (variance / n).sqrt()
}

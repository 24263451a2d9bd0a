//! Estimates by weighting alone.

use super::{Estimate, Logged, weights};
use crate::Error;

/// Inverse propensity scores: the mean of weight times reward. `target` holds the target policy's probabilities, decisions ×
/// `arms`; weights are clipped to `clip`, which may be infinite.
///
/// # Errors
/// A log that is empty or has a bad propensity, arm or reward; probabilities of another length or range; a bad `clip`.
pub fn ips(log: &[Logged], target: &[f64], arms: usize, clip: f64) -> Result<Estimate, Error> {
    let weights = weights(log, target, arms, clip)?;
    let scores: Vec<f64> = log.iter().zip(&weights).map(|(decision, weight)| weight * decision.reward).collect();
    let value = scores.iter().sum::<f64>() / scores.len() as f64;
    Ok(Estimate::of(value, &scores, &weights, clip))
}

/// Inverse propensity scores over the sum of the weights: never beyond the rewards seen, of less variance, and biased by
/// little. 0 with an infinite error if the target policy never pulls what was logged.
///
/// # Errors
/// As [`ips`].
pub fn self_normalised(log: &[Logged], target: &[f64], arms: usize, clip: f64) -> Result<Estimate, Error> {
    let weights = weights(log, target, arms, clip)?;
    let sum: f64 = weights.iter().sum();
    let earned: f64 = log.iter().zip(&weights).map(|(decision, weight)| weight * decision.reward).sum();
    if sum <= 0.0 {
        let nothing = Estimate::of(0.0, &[], &weights, clip);
        return Ok(nothing);
    }
    let (value, mean_weight) = (earned / sum, sum / weights.len() as f64);
    // The delta method: a ratio of means varies as its residuals do.
    let residual = |(decision, weight): (&Logged, &f64)| value + weight * (decision.reward - value) / mean_weight;
    let contributions: Vec<f64> = log.iter().zip(&weights).map(residual).collect();
    Ok(Estimate::of(value, &contributions, &weights, clip))
}

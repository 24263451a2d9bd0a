//! What a policy would have earned, from the log of another that explored: off-policy estimates for contextual bandits.
//!
//! A log holds, for every decision, the arm that was pulled, the probability with which it was (its propensity) and the
//! reward. A target policy is given by its probabilities of all arms at each of these decisions.
//!
//! - [`ips`]: inverse propensity scores (Horvitz and Thompson 1952), unbiased but of great variance.
//! - [`self_normalised`]: the same divided by the mean weight (Swaminathan and Joachims 2015, "The Self-Normalized Estimator
//!   for Counterfactual Learning", NeurIPS).
//! - [`doubly_robust`]: a model of the reward corrected by weighted residuals (Dudík, Langford and Li 2011, "Doubly Robust
//!   Policy Evaluation and Learning", ICML), unbiased if either the propensities or the model are right. [`cross_fit`] fits
//!   the model to each part of the log on the others, so that it has not seen what it is corrected by.
//!
//! Weights are clipped from above. Neighbours in a log of requests share their queues, so intervals are from means of
//! consecutive batches. What no estimate of this kind sees is how the target policy would have changed the contexts: a policy
//! that would drown an endpoint is judged by the queues that the logging policy left.

mod doubly_robust;
mod estimate;
mod weighting;

pub use doubly_robust::{cross_fit, doubly_robust};
pub use estimate::Estimate;
pub use weighting::{ips, self_normalised};

use serde::{Deserialize, Serialize};

use crate::Error;

/// One decision of the logging policy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// The arm that was pulled.
    pub arm: usize,
    /// The probability with which the logging policy pulled it, above 0.
    pub propensity: f64,
    /// What it earned; more is better.
    pub reward: f64,
}

/// A target policy's weight of each decision: its probability of the arm over the propensity, at most `clip`.
fn weights(log: &[Logged], target: &[f64], arms: usize, clip: f64) -> Result<Vec<f64>, Error> {
    check(log, target.len(), arms)?;
    if clip.is_nan() || clip <= 0.0 {
        return Err(Error::BadParameter { parameter: "clip", value: clip.to_string(), range: "above 0" });
    }
    let weight = |(decision, row): (&Logged, &[f64])| {
        let probability = row[decision.arm];
        if !(0.0..=1.0 + 1e-9).contains(&probability) {
            let value = probability.to_string();
            return Err(Error::BadParameter { parameter: "a target's probability", value, range: "0 to 1" });
        }
        Ok((probability / decision.propensity).min(clip))
    };
    log.iter().zip(target.chunks_exact(arms)).map(weight).collect()
}

/// That the log is sound and `values` hold one for each of its decisions and arms.
fn check(log: &[Logged], values: usize, arms: usize) -> Result<(), Error> {
    if log.is_empty() || arms == 0 {
        return Err(Error::NoRows);
    }
    if values != log.len() * arms {
        return Err(Error::LengthMismatch { rows: values / arms, targets: log.len() });
    }
    for (row, decision) in log.iter().enumerate() {
        if !decision.reward.is_finite() {
            return Err(Error::NonFiniteTarget { row });
        }
        let bad = |parameter, value: String, range| Err(Error::BadParameter { parameter, value, range });
        if !(decision.propensity > 0.0 && decision.propensity <= 1.0 + 1e-9) {
            return bad("propensity", decision.propensity.to_string(), "above 0, at most 1");
        }
        if decision.arm >= arms {
            return bad("arm", decision.arm.to_string(), "below the number of arms");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

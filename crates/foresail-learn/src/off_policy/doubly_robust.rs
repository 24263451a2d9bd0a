//! A model of the reward, corrected by what it missed.

use super::{Estimate, Logged, check, weights};
use crate::Error;
use crate::linear::RecursiveLeastSquares;

/// Variance of the weights before anything is learned: hardly a penalty.
const PRIOR: f64 = 1e6;

/// The doubly robust estimate. `target` holds the target policy's probabilities and `predicted` a model's rewards, both
/// decisions × `arms`; weights are clipped to `clip`.
///
/// # Errors
/// As [`ips`](super::ips); predictions of another length, or that are not finite.
pub fn doubly_robust(
    log: &[Logged],
    target: &[f64],
    predicted: &[f64],
    arms: usize,
    clip: f64,
) -> Result<Estimate, Error> {
    let weights = weights(log, target, arms, clip)?;
    check(log, predicted.len(), arms)?;
    if let Some(at) = predicted.iter().position(|value| !value.is_finite()) {
        return Err(Error::NonFiniteTarget { row: at / arms });
    }
    let rows = target.chunks_exact(arms).zip(predicted.chunks_exact(arms));
    let scores: Vec<f64> = log
        .iter()
        .zip(&weights)
        .zip(rows)
        .map(|((decision, weight), (target, predicted))| {
            let modelled: f64 = target.iter().zip(predicted).map(|(p, reward)| p * reward).sum();
            modelled + weight * (decision.reward - predicted[decision.arm])
        })
        .collect();
    let value = scores.iter().sum::<f64>() / scores.len() as f64;
    Ok(Estimate::of(value, &scores, &weights, clip))
}

/// Rewards predicted for every decision and arm, decisions × `arms`: for each of `folds` consecutive parts of the log by
/// linear models, one an arm, of the other parts. `features` is decisions × `arms` × width. An arm that the other parts do
/// not know is predicted their mean reward.
///
/// # Errors
/// A log that is not sound, features that do not fill its rows or are not finite, fewer than two folds.
pub fn cross_fit(log: &[Logged], features: &[f64], arms: usize, folds: usize) -> Result<Vec<f64>, Error> {
    let cells = log.len() * arms;
    check(log, cells, arms)?;
    if folds < 2 {
        return Err(Error::BadParameter { parameter: "folds", value: folds.to_string(), range: "2 or more" });
    }
    let width = features.len() / cells;
    if width == 0 || width * cells != features.len() {
        return Err(Error::RaggedMatrix { values: features.len(), width: arms });
    }
    if let Some(at) = features.iter().position(|value| !value.is_finite()) {
        return Err(Error::NonFiniteTarget { row: at / (width * arms) });
    }
    let row = |decision: usize, arm: usize| {
        let start = (decision * arms + arm) * width;
        let mut row = vec![1.0];
        row.extend(&features[start..start + width]);
        row
    };
    let part = log.len().div_ceil(folds);
    let mut predicted = vec![0.0; cells];
    for start in (0..log.len()).step_by(part) {
        let held_out = start..(start + part).min(log.len());
        let mut models = vec![RecursiveLeastSquares::new(vec![0.0; width + 1], PRIOR, 1.0); arms];
        let (mut sum, mut counts) = (0.0, vec![0_usize; arms]);
        for (at, decision) in log.iter().enumerate().filter(|(at, _)| !held_out.contains(at)) {
            models[decision.arm].update(&row(at, decision.arm), decision.reward);
            counts[decision.arm] += 1;
            sum += decision.reward;
        }
        let mean = sum / counts.iter().sum::<usize>().max(1) as f64;
        for at in held_out {
            for arm in 0..arms {
                let is_known = counts[arm] > 2 * (width + 1);
                predicted[at * arms + arm] = if is_known { models[arm].predict(&row(at, arm)) } else { mean };
            }
        }
    }
    Ok(predicted)
}

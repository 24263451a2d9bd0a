//! How far off members and their combination are.

use serde::{Deserialize, Serialize};

use super::trials::{Origin, Trials, Weighed};
use crate::intervals::{LEVELS, ScoreWindow};

/// Errors that a step's scale is told from lie within this share of the horizon around it.
const REACH: f64 = 0.125;
/// By how much the combination's spread may be stretched.
const STRETCHES: [f64; 11] = [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.15, 1.3, 1.6, 2.0];

/// The spread of one member's errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// Mean magnitude of errors, by step.
    scale: Vec<f64>,
    /// Quantiles at [`LEVELS`] of errors over their scale.
    shape: Vec<f64>,
}

/// The spreads of all members, and how the combination's stands to them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spreads {
    pub(super) members: Vec<Spread>,
    /// By how much the lower and the upper half of the combined quantiles are stretched.
    pub(super) stretch: [f64; 2],
}

impl Spread {
    /// From the errors of each origin, by step, NaN where there is none.
    fn of(errors: &[Vec<f64>], horizon: usize) -> Self {
        let reach = ((REACH * horizon as f64) as usize).max(1);
        let scale: Vec<f64> = (0..horizon)
            .map(|step| {
                let near = step.saturating_sub(reach)..(step + reach + 1).min(horizon);
                let seen = errors.iter().flat_map(|of_origin| of_origin.get(near.clone()).unwrap_or(&[]));
                mean(seen.filter(|error| error.is_finite()).map(|error| error.abs()))
            })
            .collect();
        let mut scores = ScoreWindow::new(errors.len() * horizon);
        for (error, scale) in errors.iter().flat_map(|of_origin| of_origin.iter().zip(&scale)) {
            if error.is_finite() && *scale > 0.0 {
                scores.push(error / scale);
            }
        }
        Self { scale, shape: LEVELS.iter().map(|level| scores.quantile(*level)).collect() }
    }

    /// Quantiles around `mean` at `step`, counted from 0; steps beyond those tried are wider by the root of time.
    pub(super) fn around(&self, mean: f64, step: usize) -> impl Iterator<Item = f64> + '_ {
        let tried = self.scale.len();
        let wider = ((step + 1) as f64 / tried.max(1) as f64).sqrt().max(1.0);
        let scale = self.scale.get(step.min(tried.max(1) - 1)).map_or(0.0, |scale| scale * wider);
        self.shape.iter().map(move |score| (mean + scale * score).clamp(f64::MIN, f64::MAX))
    }

    pub(super) fn is_sound(&self) -> bool {
        self.shape.len() == LEVELS.len()
    }
}

impl Spreads {
    pub(super) fn of(trials: &Trials, weighed: &Weighed) -> Self {
        let errors = |member: usize| -> Vec<Vec<f64>> {
            let of_origin = |origin: &Origin| {
                origin.means[member].iter().zip(&origin.actual).map(|(mean, actual)| actual - mean).collect()
            };
            trials.origins.iter().map(of_origin).collect()
        };
        let members = (0..trials.members).map(|member| Spread::of(&errors(member), trials.horizon)).collect();
        let mut spreads = Self { members, stretch: [1.0; 2] };
        spreads.stretch = spreads.best_stretch(trials, weighed);
        spreads
    }

    /// The quantiles at [`LEVELS`] of one member at a step: its own if it gave any, else those of its errors.
    pub(super) fn member(&self, member: usize, mean: f64, own: Option<&Vec<f64>>, step: usize) -> Vec<f64> {
        own.cloned().unwrap_or_else(|| self.members[member].around(mean, step).collect())
    }

    /// The stretches under which past origins, each combined by the weights of the others, were told best.
    fn best_stretch(&self, trials: &Trials, weighed: &Weighed) -> [f64; 2] {
        let mut losses = [[0.0; STRETCHES.len()]; 2];
        for (origin, weights) in trials.origins.iter().zip(&weighed.held_out) {
            for (step, actual) in origin.actual.iter().enumerate().filter(|(_, actual)| !actual.is_nan()) {
                let mut combined = vec![0.0; LEVELS.len()];
                let mut mean = 0.0;
                for (member, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
                    let Some(said) = origin.means[member].get(step) else { continue };
                    mean += weight * said;
                    let quantiles = self.member(member, *said, origin.quantiles[member].get(step), step);
                    combined.iter_mut().zip(quantiles).for_each(|(sum, quantile)| *sum += weight * quantile);
                }
                for (level, quantile) in LEVELS.iter().zip(&combined) {
                    let side = usize::from(*level > 0.5);
                    for (loss, stretch) in losses[side].iter_mut().zip(STRETCHES) {
                        let over = actual - (mean + stretch * (quantile - mean));
                        *loss += if over > 0.0 { level * over } else { (level - 1.0) * over };
                    }
                }
            }
        }
        losses.map(|losses| {
            let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
            losses.iter().position(|loss| *loss <= best).map_or(1.0, |at| STRETCHES[at])
        })
    }
}

/// Kept as a running mean, which no sum can overflow.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.zip(1_u32..).fold(0.0, |mean, (value, count)| mean + (value - mean) / f64::from(count))
}

//! What an ensemble is to answer, and how far off it is.

use serde::{Deserialize, Serialize};

use super::quantile::quantile;
use crate::Error;

/// What an ensemble is to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The mean.
    SquaredError,
    /// Quantiles of these levels, ascending, within (0, 1); the median alone minimises the absolute error.
    Quantiles(Vec<f64>),
}

impl Objective {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self::Quantiles(levels) = self else { return Ok(()) };
        let inside = levels.iter().all(|level| *level > 0.0 && *level < 1.0);
        if levels.is_empty() || !inside || levels.windows(2).any(|pair| pair[0] >= pair[1]) {
            let value = format!("{levels:?}");
            return Err(Error::BadParameter { parameter: "levels", value, range: "ascending, within 0 and 1" });
        }
        Ok(())
    }

    /// Values of an answer.
    pub(super) fn heads(&self) -> usize {
        match self {
            Self::SquaredError => 1,
            Self::Quantiles(levels) => levels.len(),
        }
    }

    /// The head whose gradient a round follows: all take turns, from the middle outwards.
    pub(super) fn turn(&self, round: usize) -> usize {
        let heads = self.heads();
        let (turn, middle) = (round % heads, heads / 2);
        if turn % 2 == 0 { middle + turn / 2 } else { middle - turn.div_ceil(2) }.min(heads - 1)
    }

    /// By how much each score should fall.
    pub(super) fn gradients(&self, head: usize, targets: &[f64], scores: &[f64], gradients: &mut [f64]) {
        let pairs = gradients.iter_mut().zip(targets.iter().zip(scores));
        match self {
            Self::SquaredError => pairs.for_each(|(gradient, (target, score))| *gradient = score - target),
            Self::Quantiles(levels) => {
                let level = levels[head];
                pairs.for_each(|(gradient, (target, score))| {
                    *gradient = if score > target { 1.0 - level } else { -level };
                });
            }
        }
    }

    /// What to add to the score of rows with these residuals; their order is lost.
    pub(super) fn leaf(&self, head: usize, residuals: &mut [f64], l2: f64) -> f64 {
        match self {
            Self::SquaredError => residuals.iter().sum::<f64>() / (residuals.len() as f64 + l2),
            Self::Quantiles(levels) => quantile(residuals, levels[head]),
        }
    }

    /// Mean loss.
    pub(super) fn loss(&self, head: usize, targets: &[f64], scores: &[f64]) -> f64 {
        let errors = targets.iter().zip(scores).map(|(target, score)| target - score);
        let sum: f64 = match self {
            Self::SquaredError => errors.map(|error| error * error).sum(),
            Self::Quantiles(levels) => {
                let level = levels[head];
                errors.map(|error| if error >= 0.0 { level * error } else { (level - 1.0) * error }).sum()
            }
        };
        sum / targets.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_take_turns_from_the_middle_outwards() {
        let turns = |heads: usize| -> Vec<usize> {
            let levels = (1..=heads).map(|i| i as f64 / 100.0).collect();
            let objective = Objective::Quantiles(levels);
            (0..heads).map(|round| objective.turn(round)).collect()
        };
        assert_eq!(turns(1), [0]);
        assert_eq!(turns(2), [1, 0]);
        assert_eq!(turns(5), [2, 1, 3, 0, 4]);
        let mut all = turns(9);
        all.sort_unstable();
        assert_eq!(all, (0..9).collect::<Vec<_>>());
    }
}

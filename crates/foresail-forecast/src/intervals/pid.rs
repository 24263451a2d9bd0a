//! Conformal PID control of scores, with their bias taken out.
//!
//! Angelopoulos, Candès & Tibshirani, "Conformal PID control for time series prediction" (arXiv 2307.16895): each quantile
//! is tracked by steps on its own pinball loss (P, §2.1), misses are integrated through a saturating tangent (I, §2.2), and
//! a forecast of the scores goes before both (D, §2.3); here that is the scale every score was divided by, and the bias.
//! Lade, Sai Krishna & Kumar, "Bias-corrected adaptive conformal inference" (arXiv 2604.13253): the decaying mean of
//! signed scores re-centres the interval, unless it lies within what noise makes of it.

use serde::{Deserialize, Serialize};

use super::LEVELS;
use super::track::{CLIP, Curve, Hits, WARM};

/// A step of a tracked quantile, in usual magnitudes of a score: while little is known, and in the long run. The paper takes
/// a tenth of the largest recent score throughout; scores are scaled here already, so less suffices.
const FIRST_STEP: f64 = 0.2;
const STEP: f64 = 0.02;
/// Saturation of the integrator: the paper's C_sat for a horizon of 10⁴ rounds and a tolerated deviation of 0.01.
const SATURATION: f64 = 0.57;
/// An angle of the tangent that is still tame.
const STEEPEST: f64 = 1.45;
/// Half-life of the bias in rows, in horizons of this step ahead: what lies closer together is one and the same error.
const BIAS_HORIZONS: f64 = 8.0;
const BIAS_LEAST: f64 = 64.0;
/// A bias within so many standard errors of zero is noise.
const DEAD_ZONE: f64 = 2.5;

/// What is learned of the scores at one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pid {
    /// P: one a level.
    quantiles: [f64; 19],
    /// I: misses below and above, less those wanted, and the rounds behind them.
    misses: [f64; 2],
    rounds: f64,
    /// Decaying mean of scores and of their magnitude.
    bias: f64,
    usual: f64,
    scored: f64,
    bias_keep: f64,
    /// Scores that say the same: as many as the steps ahead.
    overlapping: f64,
    warm: f64,
}

impl Pid {
    /// For forecasts `steps` ahead; `day` in rows.
    pub(super) fn new(steps: usize, day: f64) -> Self {
        let laplace = |p: f64| if p < 0.5 { (2.0 * p).ln() } else { -(2.0 * (1.0 - p)).ln() };
        let half_life = (BIAS_HORIZONS * steps as f64).max(BIAS_LEAST);
        Self {
            quantiles: LEVELS.map(laplace),
            misses: [0.0; 2],
            rounds: 0.0,
            bias: 0.0,
            usual: 1.0,
            scored: 0.0,
            bias_keep: 0.5_f64.powf(1.0 / half_life),
            overlapping: steps as f64,
            warm: (WARM as f64).max(day / 2.0),
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.bias_keep > 0.0 && self.bias_keep <= 1.0
    }

    /// The bias to take out, in scales; 0 where it may be noise.
    pub(super) fn bias(&self) -> f64 {
        let effective = (1.0 + self.bias_keep) / (1.0 - self.bias_keep);
        let rounds = self.scored.min(effective) / self.overlapping;
        // The magnitude of a Laplace error is its standard deviation over the root of two.
        let noise = self.usual * (2.0 / rounds.max(1.0)).sqrt();
        let beyond = (self.bias.abs() - DEAD_ZONE * noise).max(0.0);
        beyond.copysign(self.bias)
    }

    /// `score` is what came without any bias taken out; `removed` is what was taken out of the bounds as issued.
    pub(super) fn learn(&mut self, score: f64, removed: f64, hits: Hits) {
        let score = score.clamp(-CLIP, CLIP);
        self.scored += 1.0;
        let toward = (1.0 / self.scored).max(1.0 - self.bias_keep);
        self.bias += (score - self.bias) * toward;
        self.usual += (score.abs() - self.usual) * toward;
        let step = self.usual * (FIRST_STEP / self.scored.sqrt()).max(STEP);
        let centred = score - removed;
        for (quantile, level) in self.quantiles.iter_mut().zip(LEVELS) {
            *quantile += step * if centred > *quantile { level } else { level - 1.0 };
        }
        if self.scored > self.warm {
            self.rounds += 1.0;
            for (sum, missed) in self.misses.iter_mut().zip(hits) {
                *sum += missed.map_or(0.0, |missed| f64::from(u8::from(missed)) - 0.05);
            }
        }
    }

    /// Quantiles of scores as controlled.
    pub(super) fn curve(&self) -> Curve<'_> {
        let unit = (self.quantiles[18] - self.quantiles[0]).max(0.0) / 4.0;
        let time = self.rounds + 2.0;
        let moved = |sum: f64| (sum * time.ln() / (SATURATION * time)).clamp(-STEEPEST, STEEPEST).tan();
        Curve::Tracked {
            quantiles: &self.quantiles,
            bias: self.bias(),
            below: unit * moved(self.misses[0]),
            above: unit * moved(self.misses[1]),
        }
    }
}

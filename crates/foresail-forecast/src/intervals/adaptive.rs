//! A window of scores, and integrators of what it gets wrong.
//!
//! Quantiles of the window already follow the series; what they still get wrong is taken up by integrators of the misses
//! of the bounds as issued, which is adaptive conformal inference (Gibbs & Candès, "Adaptive conformal inference under
//! distribution shift", 2021) written as the saturating integral term of conformal PID control (Angelopoulos, Candès &
//! Tibshirani, arXiv 2307.16895, §2.2). We depart from both in two ways. Forecasts that overlap share their misses and
//! learn of them late, so there is one integrator a phase (the target's row modulo the horizon): a phase's forecasts do
//! not overlap, each learns of the one before, and coverage comes out right for whoever forecasts once a horizon as well
//! as for whoever does at every row (Joulani, György & Szepesvári, "Online learning under delayed feedback", 2013, §3).
//! And a value equal to a bound moves nothing, since no bound can split a tie.

use serde::{Deserialize, Serialize};

use super::ScoreWindow;
use super::track::{CLIP, Curve, Hits, WARM};

/// Scores a window holds.
const CAPACITY: usize = 512;
/// Misses beyond those wanted that move both bounds by one unit, a quarter of the distance of the outer quantiles (0.8
/// standard deviations of a normal). A few are chance and move them little: the response is their square. After many
/// rounds chance amounts to more: then this share of the rounds.
const TOLERATED: f64 = 5.0;
const TOLERATED_SHARE: f64 = 0.005;
/// How many times as many misses of one side beyond those of the other are tolerated: coverage comes before balance.
const BALANCE: f64 = 3.0;
/// Misses count up to this many times what is tolerated, and move a bound by so many units at most: inwards, most of the
/// way to the middle.
const REACH: f64 = 2.0;
const INWARDS: f64 = -1.7;
const OUTWARDS: f64 = 8.0;

/// What is learned of the scores at one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Adaptive {
    window: ScoreWindow,
    /// Every how many scores the window takes one, so that it spans about a day.
    stride: usize,
    scored: usize,
    /// Rows that must have been scored before the integrators start.
    warm: usize,
    /// Misses below and above, less those wanted, of each phase.
    phases: Vec<[f64; 2]>,
}

impl Adaptive {
    /// `day` in rows, `phases` the horizon in rows.
    pub(super) fn new(phases: usize, day: f64) -> Self {
        let mut window = ScoreWindow::new(CAPACITY);
        // Until scores come, errors are taken to be Laplace: 19 of its quantiles, which soon leave.
        for twentieth in 1..20 {
            let p = f64::from(twentieth) / 20.0;
            window.push(if p < 0.5 { (2.0 * p).ln() } else { -(2.0 * (1.0 - p)).ln() });
        }
        Self {
            window,
            stride: ((day / CAPACITY as f64).ceil() as usize).max(1),
            scored: 0,
            warm: WARM.max((day / 2.0) as usize),
            phases: vec![[0.0; 2]; phases.max(1)],
        }
    }

    pub(super) fn is_sound(&self, phases: usize) -> bool {
        self.phases.len() == phases && self.stride > 0
    }

    pub(super) fn learn(&mut self, score: f64, hits: Hits, phase: usize) {
        if self.window.len() < WARM || self.scored.is_multiple_of(self.stride) {
            self.window.push(score.clamp(-CLIP, CLIP));
        }
        self.scored += 1;
        if self.scored > self.warm {
            let most = REACH * self.tolerated();
            for (excess, missed) in self.phases[phase].iter_mut().zip(hits) {
                if let Some(missed) = missed {
                    *excess = (*excess + f64::from(u8::from(missed)) - 0.05).clamp(-most, most);
                }
            }
        }
    }

    /// Quantiles of scores as corrected for `phase`: the integrators move the outer bounds in full and the levels between
    /// in proportion to their distance from the median.
    pub(super) fn curve(&self, phase: usize) -> Curve<'_> {
        let unit = (self.window.quantile(0.95) - self.window.quantile(0.05)) / 4.0;
        let (below, above) = self.moves(phase);
        Curve::Window { window: &self.window, below: unit * below, above: unit * above }
    }

    /// By how many units misses move the lower and the upper bound outwards.
    fn moves(&self, phase: usize) -> (f64, f64) {
        let response = |excess: f64, tolerated: f64| excess * excess.abs() / (tolerated * tolerated);
        let [below, above] = self.phases[phase];
        let both = response(below + above, self.tolerated());
        let apart = response(above - below, BALANCE * self.tolerated());
        ((both - apart).clamp(INWARDS, OUTWARDS), (both + apart).clamp(INWARDS, OUTWARDS))
    }

    fn tolerated(&self) -> f64 {
        TOLERATED.max(TOLERATED_SHARE * self.scored as f64 / self.phases.len() as f64)
    }
}

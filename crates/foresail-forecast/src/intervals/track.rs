//! What is learned of the errors at one step ahead.
//!
//! Scores are signed errors over the scale that was expected of them, so one window of them serves quiet and busy hours.
//! Quantiles of that window already follow the series; what they still get wrong is taken up by integrators of the misses
//! of the bounds as issued, which is adaptive conformal inference (Gibbs & Candès, "Adaptive conformal inference under
//! distribution shift", 2021) written as the saturating integral term of conformal PID control (Angelopoulos, Candès &
//! Tibshirani, arXiv 2307.16895, §2.2). We depart from both in two ways. Forecasts that overlap share their misses and
//! learn of them late, so there is one integrator a phase (the target's row modulo the horizon): a phase's forecasts do
//! not overlap, each learns of the one before, and coverage comes out right for whoever forecasts once a horizon as well
//! as for whoever does at every row (Joulani, György & Szepesvári, "Online learning under delayed feedback", 2013, §3).
//! And a value equal to a bound moves nothing, since no bound can split a tie. A separate correction of bias was tried
//! and dropped: signed scores already carry it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ScoreWindow;
use super::scale::{Context, Features, Scale};

/// Scores a window holds.
const CAPACITY: usize = 512;
/// A score counts no more than this many scales.
const CLIP: f64 = 50.0;
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
/// Scores before the integrators start.
const WARM: usize = 64;

/// A forecast on its way to being judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Issued {
    center: f64,
    scale: f64,
    features: Features,
    low: f64,
    high: f64,
}

/// State of one step ahead; values are on the bent scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Forecasts awaiting their actual, that of the next row first: as many as the steps ahead, and one fewer between
    /// [`Track::judge`] and [`Track::issue`], which take turns. It starts with `issue`.
    pending: VecDeque<Option<Issued>>,
    scale: Scale,
    window: ScoreWindow,
    /// Every how many scores the window takes one, so that it spans about a day.
    stride: usize,
    scored: usize,
    /// Rows that must have been scored before the integrators start.
    warm: usize,
    /// Misses below and above, less those wanted, of each phase.
    phases: Vec<[f64; 2]>,
}

impl Track {
    /// For forecasts `steps` ahead; `day` in rows, `phases` the horizon in rows, `guess` the error to expect at first.
    pub(super) fn new(steps: usize, phases: usize, day: f64, guess: f64) -> Self {
        let mut window = ScoreWindow::new(CAPACITY);
        // Until scores come, errors are taken to be Laplace: 19 of its quantiles, which soon leave.
        for twentieth in 1..20 {
            let p = f64::from(twentieth) / 20.0;
            window.push(if p < 0.5 { (2.0 * p).ln() } else { -(2.0 * (1.0 - p)).ln() });
        }
        Self {
            pending: (1..steps).map(|_| None).collect(),
            scale: Scale::new(day, guess),
            window,
            stride: ((day / CAPACITY as f64).ceil() as usize).max(1),
            scored: 0,
            warm: WARM.max((day / 2.0) as usize),
            phases: vec![[0.0; 2]; phases.max(1)],
        }
    }

    /// Whether restored state keeps what the code relies on.
    pub(super) fn is_sound(&self, steps: usize, phases: usize) -> bool {
        self.pending.len() == steps && self.phases.len() == phases && self.stride > 0
    }

    /// Error usual at this step, whatever the time of day.
    pub(super) fn usual_error(&self) -> f64 {
        self.scale.usual()
    }

    /// The next row has come: judges the forecast that was made for it, if there is one and the row was observed. Gives
    /// the magnitude of the error over the usual one.
    pub(super) fn judge(&mut self, actual: Option<f64>, phase: usize) -> Option<f64> {
        let issued = self.pending.pop_front().flatten();
        let (issued, actual) = (issued?, actual?);
        let error = actual - issued.center;
        let relative = (self.scale.usual() > 0.0).then(|| error.abs() / self.scale.usual());
        if issued.scale > 0.0 {
            if self.window.len() < WARM || self.scored.is_multiple_of(self.stride) {
                self.window.push((error / issued.scale).clamp(-CLIP, CLIP));
            }
            self.scored += 1;
            if self.scored > self.warm {
                let bounds =
                    [(actual == issued.low, actual < issued.low), (actual == issued.high, actual > issued.high)];
                let most = REACH * self.tolerated();
                for (excess, (tie, missed)) in self.phases[phase].iter_mut().zip(bounds) {
                    if !tie {
                        *excess = (*excess + f64::from(u8::from(missed)) - 0.05).clamp(-most, most);
                    }
                }
            }
        }
        self.scale.learn(&issued.features, issued.scale, error.abs());
        relative
    }

    /// Takes in a forecast of this many steps ahead, for the row in `phase`; none leaves that row unjudged.
    pub(super) fn issue(&mut self, context: Option<Context>, phase: usize) {
        let issued = context.map(|context| {
            let features = self.scale.features(&context);
            let scale = self.scale.predict(&features);
            let bound = |level: f64| context.center + scale * self.threshold(level, phase);
            Issued { center: context.center, scale, features, low: bound(0.05), high: bound(0.95) }
        });
        self.pending.push_back(issued);
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

    /// Scale of a forecast made now.
    pub(super) fn scale(&self, context: &Context) -> f64 {
        self.scale.predict(&self.scale.features(context))
    }

    /// The `level` quantile of scores as corrected for `phase`: the integrators move the outer bounds in full and the
    /// levels between in proportion to their distance from the median.
    pub(super) fn threshold(&self, level: f64, phase: usize) -> f64 {
        let unit = (self.window.quantile(0.95) - self.window.quantile(0.05)) / 4.0;
        let outward = (level - 0.5) / 0.45;
        let (below, above) = self.moves(phase);
        let moved = if outward < 0.0 { below * outward } else { above * outward };
        self.window.quantile(level) + unit * moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// Even if every score in the window is useless, the integrators bring coverage to what was asked.
    #[test]
    fn misses_as_issued_come_to_one_in_twenty_on_either_side() {
        let mut rng = SeededRng::seed_from_u64(5);
        let context = Context { center: 0.0, last: 0.0, level: 1.0, time_of_day: 1.0, time_of_hour: 1.0 };
        let mut track = Track::new(1, 1, 64.0, 1.0);
        let (mut below, mut above, rows) = (0, 0, 8000);
        for row in 0..rows {
            track.issue(Some(context), 0);
            let drift = 1.0 + f64::from(row % 1000) / 200.0;
            let actual = drift * (rng.exponential() - 0.3);
            let issued = track.pending[0].clone().expect("just issued");
            below += i32::from(actual < issued.low);
            above += i32::from(actual > issued.high);
            track.judge(Some(actual), 0);
        }
        let share = |count: i32| f64::from(count) / f64::from(rows);
        assert!((0.04..0.06).contains(&share(below)), "{}", share(below));
        assert!((0.04..0.06).contains(&share(above)), "{}", share(above));
    }

    #[test]
    fn ties_and_gaps_move_nothing() {
        let context = Context { center: 0.0, last: 0.0, level: 1.0, time_of_day: 1.0, time_of_hour: 1.0 };
        let mut track = Track::new(1, 1, 64.0, 0.0);
        for _ in 0..500 {
            track.issue(Some(context), 0);
            assert_eq!(track.judge(Some(0.0), 0), None);
        }
        assert_eq!(track.phases, [[0.0; 2]]);
        track.issue(None, 0);
        assert_eq!(track.judge(Some(1.0), 0), None);
        track.issue(Some(context), 0);
        assert_eq!(track.judge(None, 0), None);
    }
}

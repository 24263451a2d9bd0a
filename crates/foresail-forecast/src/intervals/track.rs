//! What is learned of the errors at one step ahead.
//!
//! Scores are signed errors over the scale that was expected of them, so that quiet and busy hours are one distribution.
//! How quantiles of scores are kept is one of two ways to calibrate: [`super::adaptive`] or [`super::pid`].

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::adaptive::Adaptive;
use super::calibrated::Method;
use super::pid::Pid;
use super::scale::{Context, Features, Scale};
use super::{LEVELS, ScoreWindow};

/// A score counts no more than this many scales.
pub(super) const CLIP: f64 = 50.0;
/// Scores before misses are integrated.
pub(super) const WARM: usize = 64;

/// Whether the lower and the upper bound as issued were missed; none where the value lay on it.
pub(super) type Hits = [Option<bool>; 2];

/// A forecast on its way to being judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Issued {
    center: f64,
    scale: f64,
    features: Features,
    /// Bias taken out of the bounds, in scales.
    bias: f32,
    low: f64,
    high: f64,
}

/// What came of a forecast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judged {
    /// Magnitude of the error over the usual one; none while no error was ever seen.
    pub(super) relative: Option<f64>,
    /// The error over its scale; 0 where there is no scale yet.
    pub(super) score: f64,
}

/// How quantiles of scores are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Calibration {
    Adaptive(Adaptive),
    Pid(Pid),
}

/// Quantiles of scores at any level.
#[derive(Clone, Copy, Debug)]
pub(super) enum Curve<'a> {
    /// Of a window, its lower and upper half moved outwards.
    Window { window: &'a ScoreWindow, below: f64, above: f64 },
    /// Tracked at [`LEVELS`], moved likewise, around a bias.
    Tracked { quantiles: &'a [f64; 19], bias: f64, below: f64, above: f64 },
}

impl Curve<'_> {
    /// The `level` quantile; not sorted between levels.
    pub(super) fn at(&self, level: f64) -> f64 {
        let (below, above) = match self {
            Self::Window { below, above, .. } | Self::Tracked { below, above, .. } => (*below, *above),
        };
        let outward = (level - 0.5) / 0.45;
        let moved = if outward < 0.0 { below * outward } else { above * outward };
        match self {
            Self::Window { window, .. } => window.quantile(level) + moved,
            Self::Tracked { quantiles, bias, .. } => bias + moved + tracked(quantiles, level),
        }
    }
}

/// Linear between the levels tracked, exponential beyond them: there the quantile moves by the mean excess for each factor
/// e, which is told from where half of what lies beyond the outer level but one is.
fn tracked(quantiles: &[f64; 19], level: f64) -> f64 {
    let [first, .., last] = LEVELS;
    if level > last {
        let excess = ((quantiles[18] - quantiles[17]) / std::f64::consts::LN_2).max(0.0);
        return quantiles[18] + excess * ((1.0 - last) / (1.0 - level).max(1e-6)).ln();
    }
    if level < first {
        let excess = ((quantiles[1] - quantiles[0]) / std::f64::consts::LN_2).max(0.0);
        return quantiles[0] - excess * (first / level.max(1e-6)).ln();
    }
    let position = (level - first) / 0.05;
    let below = (position as usize).min(17);
    quantiles[below] + (quantiles[below + 1] - quantiles[below]) * (position - below as f64)
}

/// State of one step ahead; values are on the bent scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    /// Forecasts awaiting their actual, that of the next row first: as many as the steps ahead, and one fewer between
    /// [`Track::judge`] and [`Track::issue`], which take turns. It starts with `issue`.
    pending: VecDeque<Option<Issued>>,
    scale: Scale,
    calibration: Calibration,
}

impl Track {
    /// For forecasts `steps` ahead; `day` in rows, `phases` the horizon in rows, `guess` the error to expect at first.
    pub(super) fn new(method: Method, steps: usize, phases: usize, day: f64, guess: f64) -> Self {
        Self {
            pending: (1..steps).map(|_| None).collect(),
            scale: Scale::new(day, guess),
            calibration: match method {
                Method::Adaptive => Calibration::Adaptive(Adaptive::new(phases, day)),
                Method::Pid => Calibration::Pid(Pid::new(steps, day)),
            },
        }
    }

    /// Whether restored state keeps what the code relies on.
    pub(super) fn is_sound(&self, steps: usize, phases: usize) -> bool {
        self.pending.len() == steps
            && match &self.calibration {
                Calibration::Adaptive(adaptive) => adaptive.is_sound(phases),
                Calibration::Pid(pid) => pid.is_sound(),
            }
    }

    /// Error usual at this step, whatever the time of day.
    pub(super) fn usual_error(&self) -> f64 {
        self.scale.usual()
    }

    /// The next row has come: judges the forecast that was made for it, if there is one and the row was observed.
    pub(super) fn judge(&mut self, actual: Option<f64>, phase: usize) -> Option<Judged> {
        let issued = self.pending.pop_front().flatten();
        let (issued, actual) = (issued?, actual?);
        let error = actual - issued.center;
        let relative = (self.scale.usual() > 0.0).then(|| error.abs() / self.scale.usual());
        let mut score = 0.0;
        if issued.scale > 0.0 {
            score = error / issued.scale;
            let hits = [
                (actual != issued.low).then_some(actual < issued.low),
                (actual != issued.high).then_some(actual > issued.high),
            ];
            match &mut self.calibration {
                Calibration::Adaptive(adaptive) => adaptive.learn(score, hits, phase),
                Calibration::Pid(pid) => pid.learn(score, f64::from(issued.bias), hits),
            }
        }
        self.scale.learn(&issued.features, issued.scale, error.abs());
        Some(Judged { relative, score })
    }

    /// Takes in a forecast of this many steps ahead, for the row in `phase`; none leaves that row unjudged.
    pub(super) fn issue(&mut self, context: Option<Context>, phase: usize) {
        let issued = context.map(|context| {
            let features = self.scale.features(&context);
            let scale = self.scale.predict(&features);
            let curve = self.curve(phase);
            let bound = |level: f64| context.center + scale * curve.at(level);
            let bias = match &self.calibration {
                Calibration::Adaptive(_) => 0.0,
                Calibration::Pid(pid) => pid.bias() as f32,
            };
            Issued { center: context.center, scale, features, bias, low: bound(0.05), high: bound(0.95) }
        });
        self.pending.push_back(issued);
    }

    /// Scale of a forecast made now.
    pub(super) fn scale(&self, context: &Context) -> f64 {
        self.scale.predict(&self.scale.features(context))
    }

    /// Quantiles of scores as corrected for `phase`.
    pub(super) fn curve(&self, phase: usize) -> Curve<'_> {
        match &self.calibration {
            Calibration::Adaptive(adaptive) => adaptive.curve(phase),
            Calibration::Pid(pid) => pid.curve(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    const CONTEXT: Context = Context { center: 0.0, last: 0.0, level: 1.0, time_of_day: 1.0, time_of_hour: 1.0 };

    /// Shares of `rows` values of `draw` that fall below and above the bounds issued for them.
    fn missed(method: Method, rows: usize, mut draw: impl FnMut(usize, &mut SeededRng) -> f64) -> (f64, f64) {
        let mut rng = SeededRng::seed_from_u64(5);
        let mut track = Track::new(method, 1, 1, 64.0, 1.0);
        let (mut below, mut above) = (0, 0);
        for row in 0..rows {
            track.issue(Some(CONTEXT), 0);
            let actual = draw(row, &mut rng);
            let issued = track.pending[0].clone().expect("just issued");
            below += i32::from(actual < issued.low);
            above += i32::from(actual > issued.high);
            track.judge(Some(actual), 0);
        }
        (f64::from(below) / rows as f64, f64::from(above) / rows as f64)
    }

    /// Even if every score is misleading, bounds come to be missed as asked.
    #[test]
    fn misses_as_issued_come_to_one_in_twenty_on_either_side() {
        for method in [Method::Adaptive, Method::Pid] {
            let (below, above) = missed(method, 8000, |row, rng| {
                let drift = 1.0 + f64::from(row as u32 % 1000) / 200.0;
                drift * (rng.exponential() - 0.3)
            });
            assert!((0.04..0.06).contains(&below), "{method:?}: {below}");
            assert!((0.04..0.06).contains(&above), "{method:?}: {above}");
        }
    }

    #[test]
    fn a_lasting_bias_is_taken_out_and_noise_is_not() {
        let mut rng = SeededRng::seed_from_u64(6);
        let mut pid = Pid::new(1, 64.0);
        for _ in 0..500 {
            pid.learn(rng.normal(), pid.bias(), [Some(false); 2]);
        }
        assert!(pid.bias().abs() < 0.1, "{}", pid.bias());
        for _ in 0..500 {
            pid.learn(3.0 + rng.normal(), pid.bias(), [Some(false); 2]);
        }
        assert!(pid.bias() > 1.5, "{}", pid.bias());
    }

    #[test]
    fn ties_and_gaps_move_nothing() {
        let mut track = Track::new(Method::Adaptive, 1, 1, 64.0, 0.0);
        let before = track.calibration.clone();
        for _ in 0..500 {
            track.issue(Some(CONTEXT), 0);
            assert_eq!(track.judge(Some(0.0), 0), Some(Judged { relative: None, score: 0.0 }));
        }
        assert_eq!(track.calibration, before);
        track.issue(None, 0);
        assert_eq!(track.judge(Some(1.0), 0), None);
        track.issue(Some(CONTEXT), 0);
        assert_eq!(track.judge(None, 0), None);
    }

    #[test]
    fn tracked_quantiles_go_on_beyond_the_outer_levels() {
        let laplace = |p: f64| if p < 0.5 { (2.0 * p).ln() } else { -(2.0 * (1.0 - p)).ln() };
        let quantiles = LEVELS.map(laplace);
        for level in [0.01, 0.05, 0.3, 0.5, 0.95, 0.99, 0.999] {
            assert!((tracked(&quantiles, level) - laplace(level)).abs() < 0.02, "{level}");
        }
    }
}

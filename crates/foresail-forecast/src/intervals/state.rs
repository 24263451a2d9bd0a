//! What a calibrated model remembers beside the model.

use foresail_core::{Frame, Row};
use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::scale::Context;
use super::track::Track;
use super::warp::Warp;
use super::{Knots, LEVELS};
use crate::Forecast;
use crate::models::clock::Clock;

/// Steps up to which each has its own track; further ones share.
const DENSE: usize = 64;
/// Beyond this horizon forecasts are judged at every so many rows only.
const EVERY: usize = 256;
/// Phases of a longer horizon are joined to so many.
const PHASES: usize = 256;
const DAY_US: f64 = 86_400e6;

pub(crate) fn day_in_rows(history: &Frame) -> f64 {
    DAY_US / history.step().as_micros() as f64
}

/// What is saved beside the model.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    clock: Clock,
    horizon: usize,
    knots: Knots,
    warp: Warp,
    tracks: Vec<Track>,
    by_day: Profile,
    by_hour: Profile,
    last: Option<f64>,
    /// Mean magnitude over about a day, on the bent scale, and the rows behind it.
    level: f64,
    rows: f64,
}

/// How many phases are told apart.
fn phases(horizon: usize) -> usize {
    horizon.min(PHASES)
}

/// The phase of the row `steps` ahead: forecasts `steps` ahead made `horizon` rows apart share one.
fn phase(clock: &Clock, steps: usize, horizon: usize) -> usize {
    (clock.index() + steps as i64 - 1).rem_euclid(horizon as i64) as usize * phases(horizon) / horizon
}

impl State {
    pub(super) fn new(history: &Frame, horizon: usize) -> Self {
        let observed =
            || history.target().iter().zip(history.target_mask()).filter(|(_, valid)| **valid).map(|(y, _)| *y);
        let warp = if observed().all(|y| y >= 0.0) { Warp::Root } else { Warp::Plain };
        let mut state = Self {
            clock: Clock::at_end(history),
            horizon,
            knots: Knots::new(horizon, DENSE, 1.1),
            warp,
            tracks: Vec::new(),
            by_day: Profile::of_day(),
            by_hour: Profile::of_hour(),
            last: observed().next_back(),
            level: 0.0,
            rows: 0.0,
        };
        let mut change = (0.0, 0.0);
        let mut before = None;
        for bent in observed().map(|y| warp.bend(y)) {
            state.take_level(bent);
            if let Some(before) = before.replace(bent) {
                change = (change.0 + (bent - before).abs(), change.1 + 1.0);
            }
        }
        state.begin_tracks(change.0 / f64::max(change.1, 1.0));
        state
    }

    /// Steps ahead that are judged.
    pub(super) fn horizon(&self) -> usize {
        self.horizon
    }

    /// Whether forecasts made now are to be judged.
    pub(super) fn is_due(&self) -> bool {
        self.clock.index() % self.horizon.div_ceil(EVERY) as i64 == 0
    }

    /// Takes in what is forecast from here, to be judged as actuals arrive; none leaves the next rows unjudged.
    pub(super) fn issue(&mut self, forecast: Option<&Forecast>) {
        for (i, steps) in self.knots.steps().iter().enumerate() {
            let mean = forecast.and_then(|forecast| forecast.mean.get(*steps - 1));
            let context = mean.and_then(|mean| self.context(*mean, *steps));
            self.tracks[i].issue(context, phase(&self.clock, *steps, self.horizon));
        }
    }

    /// Judges what was forecast for `row` and moves past it; false if its time has passed already.
    pub(super) fn take(&mut self, row: &Row) -> bool {
        let skipped = self.clock.steps_to(row.time);
        if skipped < 0 {
            return false;
        }
        self.skip(skipped);
        self.judge(row.target().filter(|v| v.is_finite()));
        true
    }

    /// Tracks that know nothing but that neighbours differ by `change`.
    fn begin_tracks(&mut self, change: f64) {
        let day = DAY_US / self.clock.step().as_micros() as f64;
        let guess = |steps: usize| change * (steps as f64).sqrt().min(5.0);
        self.tracks = self
            .knots
            .steps()
            .iter()
            .map(|steps| Track::new(*steps, phases(self.horizon), day, guess(*steps)))
            .collect();
    }

    pub(super) fn is_sound(&self) -> bool {
        let steps = self.knots.steps();
        self.clock.is_sound()
            && self.horizon > 0
            && self.by_day.is_sound()
            && self.by_hour.is_sound()
            && self.knots.is_sound()
            && self.knots.longest() == self.horizon
            && steps.len() == self.tracks.len()
            && self.tracks.iter().zip(steps).all(|(track, steps)| track.is_sound(*steps, phases(self.horizon)))
    }

    /// Rows that never came: what was forecast for them is not judged.
    fn skip(&mut self, rows: i64) {
        for _ in 0..rows.min(self.knots.longest() as i64) {
            for track in &mut self.tracks {
                track.judge(None, 0);
                track.issue(None, 0);
            }
        }
        self.clock.advance(rows);
    }

    /// Judges what was forecast for the row that comes now, and moves on to the next.
    fn judge(&mut self, actual: Option<f64>) {
        if self.warp == Warp::Root && actual.is_some_and(|y| y < 0.0) {
            self.warp = Warp::Plain;
            (self.level, self.rows) = (0.0, 0.0);
            let usual = self.tracks.first().map_or(0.0, |track| track.usual_error().powi(2));
            self.begin_tracks(usual);
            // As if forecast and not judged, so that every track is as far as it should be.
            self.tracks.iter_mut().for_each(|track| track.issue(None, 0));
        }
        let bent = actual.map(|y| self.warp.bend(y));
        let phase = phase(&self.clock, 1, self.horizon);
        let mut relative = (0.0, 0.0);
        for track in &mut self.tracks {
            if let Some(error) = track.judge(bent, phase) {
                relative = (relative.0 + error, relative.1 + 1.0);
            }
        }
        if relative.1 > 0.0 {
            let error = relative.0 / relative.1;
            self.by_day.learn(self.clock.local_us(), error);
            self.by_hour.learn(self.clock.local_us(), error);
        }
        if let (Some(actual), Some(bent)) = (actual, bent) {
            self.last = Some(actual);
            self.take_level(bent);
        }
        self.clock.advance(1);
    }

    fn take_level(&mut self, bent: f64) {
        let day = DAY_US / self.clock.step().as_micros() as f64;
        self.rows += 1.0;
        self.level += (bent.abs() - self.level) * (1.0 / self.rows).max(1.0 - 0.5_f64.powf(1.0 / day));
    }

    /// What is known of a forecast of `mean` made now for `steps` ahead; none if it is no number.
    fn context(&self, mean: f64, steps: usize) -> Option<Context> {
        let target = self.clock.local_us() + (steps as i64 - 1) * self.clock.step().as_micros() as i64;
        let center = self.warp.bend(mean);
        mean.is_finite().then(|| Context {
            center,
            last: self.last.map_or(center, |last| self.warp.bend(last)),
            level: self.level,
            time_of_day: self.by_day.at(target),
            time_of_hour: self.by_hour.at(target),
        })
    }

    /// Quantiles at [`LEVELS`] of a forecast of `mean` made now for `steps` ahead; all that value if it is no number.
    pub(super) fn quantiles(&self, mean: f64, steps: usize) -> Vec<f64> {
        let Some(context) = self.context(mean, steps) else {
            return vec![mean; LEVELS.len()];
        };
        let (below, above, weight) = self.knots.around(steps);
        let wider = (steps as f64 / self.horizon as f64).sqrt().max(1.0);
        let phase = phase(&self.clock, steps, self.horizon);
        let offset = |knot: usize, level: f64| self.tracks[knot].threshold(level, phase);
        let scale = |knot: usize| self.tracks[knot].scale(&context);
        let scale = (scale(below) * (1.0 - weight) + scale(above) * weight) * wider;
        let mut quantiles: Vec<f64> = LEVELS
            .iter()
            .map(|level| {
                let score = offset(below, *level) * (1.0 - weight) + offset(above, *level) * weight;
                self.warp.unbend(context.center + scale * score)
            })
            .collect();
        // Corrections of either side may cross: sorting is the isotonic projection (Chernozhukov et al., 2010).
        quantiles.sort_by(f64::total_cmp);
        quantiles
    }
}

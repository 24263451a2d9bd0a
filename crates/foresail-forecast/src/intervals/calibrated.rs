//! A model wrapped so that its intervals hold.

use std::any::Any;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::Knots;
use super::profile::Profile;
use super::scale::Context;
use super::track::Track;
use super::warp::Warp;
use crate::models::clock::Clock;
use crate::{Error, Fitted, Forecast, Forecaster, Snapshot, registry};

/// Levels of the quantiles given, ascending.
pub const LEVELS: [f64; 19] =
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// Steps up to which each has its own track; further ones share.
const DENSE: usize = 64;
const DAY_US: f64 = 86_400e6;
/// What fitting streams over at most, in days: calibration forgets, so that more would be heat.
const STREAMED_DAYS: f64 = 7.0;
/// Beyond this horizon forecasts are judged at every so many rows only.
const EVERY: usize = 256;
/// Phases of a longer horizon are joined to so many.
const PHASES: usize = 256;

/// A model with calibrated quantiles at [`LEVELS`]. Its mean is the model's own.
pub struct Calibrated {
    inner: Box<dyn Forecaster>,
    horizon: usize,
}

impl Calibrated {
    /// Wraps `inner`, judging its forecasts of up to `horizon` steps (at least 1). Longer forecasts get the intervals of
    /// the longest step judged, widened by the root of time.
    pub fn new(inner: Box<dyn Forecaster>, horizon: usize) -> Self {
        Self { inner, horizon: horizon.max(1) }
    }
}

impl Forecaster for Calibrated {
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Fits the model on the first part of `history`, lets it forecast the rest row by row, and learns how wrong it was;
    /// then fits it on everything.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let (fitted, first) = fit_first_part(self.inner.as_ref(), history, STREAMED_DAYS, known, rng)?;
        let mut calibrated = FittedCalibrated::new(fitted, &history.slice(0..first), self.horizon, known);
        if first < history.len() {
            (first..history.len()).for_each(|i| calibrated.update(&history.row(i)));
            // A refusal leaves the model as it was fitted at first, which has kept up since.
            let _ = self.inner.refit(&mut calibrated.inner, history, history.len(), known, rng);
            calibrated.latest = None;
        }
        Ok(Box::new(calibrated))
    }

    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        let Some(calibrated) = (fitted.as_mut() as &mut dyn Any).downcast_mut::<FittedCalibrated>() else {
            *fitted = self.fit(history, known, rng)?;
            return Ok(());
        };
        self.inner.refit(&mut calibrated.inner, history, train, known, rng)?;
        calibrated.known = known.clone();
        calibrated.latest = None;
        Ok(())
    }
}

/// Fits `model` on what precedes the last `days` of `history`, but no less than a quarter of it, or on all of it if the
/// model needs that; gives the rows used.
pub(crate) fn fit_first_part(
    model: &dyn Forecaster,
    history: &Frame,
    days: f64,
    known: &Known,
    rng: &mut SeededRng,
) -> Result<(Box<dyn Fitted>, usize), Error> {
    let rows = history.len();
    let streamed = (days * day_in_rows(history)) as usize;
    let first = rows.saturating_sub(streamed).max(rows / 4);
    match model.fit(&history.slice(0..first), known, rng) {
        Ok(fitted) => Ok((fitted, first)),
        Err(Error::TooShort { .. }) => Ok((model.fit(history, known, rng)?, rows)),
        Err(error) => Err(error),
    }
}

pub(crate) fn day_in_rows(history: &Frame) -> f64 {
    DAY_US / history.step().as_micros() as f64
}

/// A fitted model and what was learned of its errors.
pub struct FittedCalibrated {
    inner: Box<dyn Fitted>,
    state: State,
    known: Known,
    /// What the model says of the next `horizon` steps, knowing `known`; none until asked.
    latest: Option<Forecast>,
}

/// What is saved beside the model.
#[derive(Serialize, Deserialize)]
struct State {
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

impl FittedCalibrated {
    pub(crate) const MODEL: &'static str = "calibrated";
    const VERSION: u32 = 1;

    fn new(inner: Box<dyn Fitted>, history: &Frame, horizon: usize, known: &Known) -> Self {
        let mut calibrated = Self { inner, state: State::new(history, horizon), known: known.clone(), latest: None };
        calibrated.issue();
        calibrated
    }

    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`], or what restoring the model inside says.
    pub(crate) fn restore(snapshot: Snapshot) -> Result<Box<dyn Fitted>, Error> {
        let bad = |what: &str| Error::BadSnapshot(format!("{}: {what}", Self::MODEL));
        if snapshot.version != Self::VERSION {
            return Err(bad(&format!("version {}, known is {}", snapshot.version, Self::VERSION)));
        }
        let (inner, state, known): (Snapshot, State, Known) =
            serde_json::from_value(snapshot.state).map_err(|e| bad(&e.to_string()))?;
        if !state.is_sound() {
            return Err(bad("its parts do not fit together"));
        }
        Ok(Box::new(Self { inner: registry::restore(inner)?, state, known, latest: None }))
    }

    /// Forecasts from where the model stands now, to be judged as actuals arrive.
    fn issue(&mut self) {
        let state = &mut self.state;
        let every = state.horizon.div_ceil(EVERY) as i64;
        self.latest = (state.clock.index() % every == 0).then(|| self.inner.predict(state.horizon, &self.known));
        for (i, steps) in state.knots.steps().iter().enumerate() {
            let context = self.latest.as_ref().and_then(|forecast| state.context(forecast.mean[*steps - 1], *steps));
            state.tracks[i].issue(context, phase(&state.clock, *steps, state.horizon));
        }
    }

    fn mean(&self, horizon: usize, known: &Known) -> Forecast {
        match &self.latest {
            Some(latest) if horizon <= latest.horizon() && *known == self.known => {
                let mut forecast = latest.clone();
                forecast.mean.truncate(horizon);
                forecast
            }
            _ => self.inner.predict(horizon, known),
        }
    }
}

impl Fitted for FittedCalibrated {
    /// A row of a time already passed is ignored; rows left out before it count as gaps.
    fn update(&mut self, row: &Row) {
        let skipped = self.state.clock.steps_to(row.time);
        if skipped < 0 {
            return;
        }
        self.state.skip(skipped);
        self.state.judge(row.target().filter(|v| v.is_finite()));
        self.inner.update(row);
        self.issue();
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let mut forecast = self.mean(horizon, known);
        forecast.levels = LEVELS.to_vec();
        forecast.quantiles = (1..=horizon).map(|steps| self.state.quantiles(forecast.mean[steps - 1], steps)).collect();
        forecast
    }

    fn snapshot(&self) -> Snapshot {
        let state = serde_json::to_value((self.inner.snapshot(), &self.state, &self.known))
            .expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
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
    fn new(history: &Frame, horizon: usize) -> Self {
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

    fn is_sound(&self) -> bool {
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
    fn quantiles(&self, mean: f64, steps: usize) -> Vec<f64> {
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

#[cfg(test)]
mod tests;

//! A model wrapped so that its intervals hold.

use std::ops::Range;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::state::{State, day_in_rows};
use crate::wrapped::own;
use crate::{Error, Fitted, Forecast, Forecaster, Paths, Snapshot, registry};

/// Levels of the quantiles given, ascending.
pub const LEVELS: [f64; 19] =
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95];

/// What fitting streams over at most, in days: calibration forgets, so that more would be heat.
const STREAMED_DAYS: f64 = 7.0;

/// How quantiles are kept right as errors become known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Adaptive conformal inference on a window of scaled errors, a phase of the horizon at a time.
    #[default]
    Adaptive,
    /// Conformal PID control (Angelopoulos, Candès & Tibshirani, 2023) with the bias taken out (Lade et al., 2026).
    Pid,
}

/// A model with calibrated quantiles at [`LEVELS`]. Its mean is the model's own.
pub struct Calibrated {
    inner: Box<dyn Forecaster>,
    horizon: usize,
    method: Method,
}

impl Calibrated {
    /// Wraps `inner`, judging its forecasts of up to `horizon` steps (at least 1). Longer forecasts get the intervals of
    /// the longest step judged, widened by the root of time.
    pub fn new(inner: Box<dyn Forecaster>, horizon: usize) -> Self {
        Self { inner, horizon: horizon.max(1), method: Method::default() }
    }

    /// Calibrates by another method than the default.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
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
        let mut calibrated =
            FittedCalibrated::new(fitted, State::new(&history.slice(0..first), self.horizon, self.method), known);
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
        let Some(calibrated) = own::<FittedCalibrated>(fitted) else {
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

/// A fitted model and what was learned of its errors.
pub struct FittedCalibrated {
    inner: Box<dyn Fitted>,
    state: State,
    known: Known,
    /// What the model says of the next `horizon` steps, knowing `known`; none until asked.
    latest: Option<Forecast>,
}

impl FittedCalibrated {
    pub(crate) const MODEL: &'static str = "calibrated";
    const VERSION: u32 = 2;

    fn new(inner: Box<dyn Fitted>, state: State, known: &Known) -> Self {
        let mut calibrated = Self { inner, state, known: known.clone(), latest: None };
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
        self.latest = self.state.is_due().then(|| self.inner.predict(self.state.horizon(), &self.known));
        self.state.issue(self.latest.as_ref());
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
        if !self.state.take(row) {
            return;
        }
        self.inner.update(row);
        self.issue();
    }

    fn set_regime(&mut self, regime: Option<usize>) {
        self.inner.set_regime(regime);
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let mut forecast = self.mean(horizon, known);
        forecast.levels = LEVELS.to_vec();
        forecast.quantiles = (1..=horizon).map(|steps| self.state.quantiles(forecast.mean[steps - 1], steps)).collect();
        forecast
    }

    /// Paths whose steps are spread as the quantiles say, and which go together as errors did in the past.
    fn paths(&self, horizon: usize, count: usize, known: &Known, rng: &mut SeededRng) -> Paths {
        let mean = self.mean(horizon, known);
        let draws: Vec<(usize, f64)> =
            (0..count).map(|_| (rng.below(self.state.path_count()), rng.uniform())).collect();
        let mut paths = Paths::new(mean.start, mean.step, count);
        for values in self.state.paths(&mean.mean, &draws) {
            paths.push(values.into_iter());
        }
        paths
    }

    /// By the paths that past errors make, corrected by what past maxima were against them; some microseconds.
    fn max_quantiles(&self, levels: &[f64], steps: Range<usize>, known: &Known) -> Vec<f64> {
        let means = self.mean(steps.end, known).mean;
        self.state.max_quantiles(&means, levels, steps)
    }

    fn snapshot(&self) -> Snapshot {
        let state = serde_json::to_value((self.inner.snapshot(), &self.state, &self.known))
            .expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
}

#[cfg(test)]
mod tests;

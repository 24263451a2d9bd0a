//! What stands between a model and whoever believes it.
//!
//! [`Guarded`] never refuses: whatever the model inside does, its forecasts are finite, not negative where nothing ever was,
//! and within a multiple of what was seen. A forecast that breaks this is replaced by the next rung of a ladder (seasonal
//! naive, last value, hold), and [`Forecast::degraded`] says which and why.

mod rungs;

use std::ops::Range;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use crate::intervals::{Calibrated, LEVELS};
use crate::paths::{at_one_level, greatest_at_one_level};
use crate::wrapped::{fit_and_lead, own};
use crate::{Error, Fitted, Forecast, Forecaster, Paths, Snapshot, registry};
use rungs::Seen;

/// A model that always answers, and in numbers.
pub struct Guarded {
    inner: Box<dyn Forecaster>,
    multiple: f64,
}

impl Guarded {
    /// Guards `inner`, allowing four times the largest value seen.
    pub fn new(inner: Box<dyn Forecaster>) -> Self {
        Self { inner, multiple: 4.0 }
    }

    /// Allows `multiple` times the largest value seen (of a series that goes below zero: that many times its range,
    /// around it).
    ///
    /// # Errors
    /// [`Error::BadParameter`] if it is not finite or below 1.
    pub fn with_multiple(mut self, multiple: f64) -> Result<Self, Error> {
        if !(multiple >= 1.0 && multiple.is_finite()) {
            let value = multiple.to_string();
            return Err(Error::BadParameter { parameter: "multiple", value, range: "1 or more" });
        }
        self.multiple = multiple;
        Ok(self)
    }
}

/// `model` as it should run: guarded, its intervals calibrated for up to `horizon` steps, those guarded too. Because the
/// rungs of the ladder lie below the calibration, coverage holds on them as well.
pub fn dependable(model: Box<dyn Forecaster>, horizon: usize) -> Guarded {
    Guarded::new(Box::new(Calibrated::new(Box::new(Guarded::new(model)), horizon)))
}

impl Forecaster for Guarded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    /// Never fails: if the model cannot be fitted, forecasts come from the ladder until [`Forecaster::refit`] succeeds.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let (inner, refused) = match self.inner.fit(history, known, rng) {
            Ok(inner) => (Some(inner), String::new()),
            Err(error) => (None, format!("{}: {error}", self.name())),
        };
        Ok(Box::new(FittedGuarded {
            inner,
            state: State { refused, multiple: self.multiple, seen: Seen::of(history) },
        }))
    }

    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        let Some(guarded) = own::<FittedGuarded>(fitted) else {
            *fitted = self.fit(history, known, rng)?;
            return Ok(());
        };
        if let Some(inner) = &mut guarded.inner {
            return self.inner.refit(inner, history, train, known, rng);
        }
        match fit_and_lead(self.inner.as_ref(), history, train, known, rng) {
            Ok(inner) => {
                guarded.inner = Some(inner);
                Ok(())
            }
            Err(error) => {
                guarded.state.refused = format!("{}: {error}", self.name());
                Err(error)
            }
        }
    }
}

/// A guarded model, fitted if that was possible.
pub(crate) struct FittedGuarded {
    inner: Option<Box<dyn Fitted>>,
    state: State,
}

#[derive(Serialize, Deserialize)]
struct State {
    /// Why there is no model.
    refused: String,
    multiple: f64,
    seen: Seen,
}

impl FittedGuarded {
    pub(crate) const MODEL: &'static str = "guarded";
    const VERSION: u32 = 1;

    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`], or what restoring the model inside says.
    pub(crate) fn restore(snapshot: Snapshot) -> Result<Box<dyn Fitted>, Error> {
        let bad = |what: &str| Error::BadSnapshot(format!("{}: {what}", Self::MODEL));
        if snapshot.version != Self::VERSION {
            return Err(bad(&format!("version {}, known is {}", snapshot.version, Self::VERSION)));
        }
        let (inner, state): (Option<Snapshot>, State) =
            serde_json::from_value(snapshot.state).map_err(|e| bad(&e.to_string()))?;
        if !(state.multiple >= 1.0 && state.seen.is_sound()) {
            return Err(bad("its parts do not fit together"));
        }
        Ok(Box::new(Self { inner: inner.map(registry::restore).transpose()?, state }))
    }

    /// The model's forecast with what can be cut cut, or why it cannot be used.
    fn checked(&self, mut forecast: Forecast, horizon: usize) -> Result<Forecast, (String, Vec<f64>)> {
        let (low, high) = self.state.seen.bounds(self.state.multiple);
        let reject = |why: String, forecast: Forecast| Err((why, forecast.levels));
        if forecast.mean.len() != horizon {
            return reject(format!("{} of {horizon} steps forecast", forecast.mean.len()), forecast);
        }
        let broken = forecast.mean.iter().filter(|y| !y.is_finite()).count();
        if broken > 0 {
            return reject(format!("{broken} of {horizon} steps not finite"), forecast);
        }
        // A little below the floor is what any linear model does near it; beyond the ceiling or far below is an explosion.
        let far_below = low - (high - low).min(f64::MAX);
        if let Some(wild) = forecast.mean.iter().find(|y| **y > high || **y < far_below) {
            return reject(format!("{wild:.3e} is beyond [{low:.3e}, {high:.3e}]"), forecast);
        }
        let (mut raised, mut lowered) = (false, false);
        for value in forecast.mean.iter_mut().chain(forecast.quantiles.iter_mut().flatten()) {
            raised |= value.is_finite() && *value < low;
            lowered |= value.is_finite() && *value > high;
            *value = value.clamp(low, high);
        }
        for (cut, reason) in [(raised, "cut at the least believable"), (lowered, "cut at the most believable")] {
            if cut {
                say(&mut forecast.degraded, reason);
            }
        }
        let shaped = forecast.quantiles.len() == if forecast.levels.is_empty() { 0 } else { horizon }
            && forecast.quantiles.iter().all(|q| q.len() == forecast.levels.len() && q.iter().all(|v| v.is_finite()));
        if shaped {
            forecast.quantiles.iter_mut().for_each(|q| q.sort_by(f64::total_cmp));
        } else {
            forecast.quantiles = self.state.seen.quantiles(&forecast.mean, &forecast.levels, (low, high));
            say(&mut forecast.degraded, "quantiles not finite, taken from past differences");
        }
        Ok(forecast)
    }
}

fn say(reason: &mut Option<String>, also: &str) {
    *reason = Some(reason.take().map_or_else(|| also.to_owned(), |first| format!("{first}; {also}")));
}

impl Fitted for FittedGuarded {
    fn update(&mut self, row: &Row) {
        if self.state.seen.take(row)
            && let Some(inner) = &mut self.inner
        {
            inner.update(row);
        }
    }

    fn set_regime(&mut self, regime: Option<usize>) {
        if let Some(inner) = &mut self.inner {
            inner.set_regime(regime);
        }
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let tried = match &self.inner {
            Some(inner) => self.checked(inner.predict(horizon, known), horizon),
            None => Err((self.state.refused.clone(), LEVELS.to_vec())),
        };
        match tried {
            Ok(mut forecast) => {
                (forecast.start, forecast.step) = self.state.seen.next();
                forecast
            }
            Err((why, levels)) => self.state.seen.fall_back(horizon, levels, self.state.multiple, &why),
        }
    }

    /// The model's paths within the bounds; those of the forecast as guarded if one of them is not finite.
    fn paths(&self, horizon: usize, count: usize, known: &Known, rng: &mut SeededRng) -> Paths {
        let forecast = self.predict(horizon, known);
        if let Some(inner) = &self.inner
            && forecast.degraded.is_none()
        {
            let mut paths = inner.paths(horizon, count, known, rng);
            if paths.len() == count && paths.horizon() == horizon && paths.is_finite() {
                let (low, high) = self.state.seen.bounds(self.state.multiple);
                paths.clamp(low, high);
                return paths;
            }
        }
        at_one_level(&forecast, count, rng)
    }

    fn max_quantiles(&self, levels: &[f64], steps: Range<usize>, known: &Known) -> Vec<f64> {
        let forecast = self.predict(steps.end, known);
        if let Some(inner) = &self.inner
            && forecast.degraded.is_none()
        {
            let (low, high) = self.state.seen.bounds(self.state.multiple);
            let mut greatest = inner.max_quantiles(levels, steps.clone(), known);
            if greatest.len() == levels.len() && greatest.iter().all(|y| y.is_finite()) {
                greatest.iter_mut().for_each(|y| *y = y.clamp(low, high));
                return greatest;
            }
        }
        greatest_at_one_level(&forecast, levels, steps)
    }

    fn snapshot(&self) -> Snapshot {
        let inner = self.inner.as_ref().map(|inner| inner.snapshot());
        let state = serde_json::to_value((inner, &self.state)).expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
}

#[cfg(test)]
mod tests;

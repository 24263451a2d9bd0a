//! What every model of this crate shares: the clock it stands on, gaps, saving, and the promise to answer in numbers.

use foresail_core::{Frame, Known, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use crate::{Error, Fitted, Forecast, Snapshot};

/// Rows that a jump in time is filled up with at most; after a longer one, a model goes on as if only these were
/// missing (what hangs on the time of day reads the clock and stays right).
const MAX_FILL: i64 = 4096;

/// The learned state of one model; [`Live`] makes a [`Fitted`] of it.
///
/// Both calls see the clock at the row to come: in [`Model::push`] the row that is handed over, in [`Model::point`] the
/// first one forecast.
pub(crate) trait Model: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Name in the registry.
    const NAME: &'static str;
    /// Version of the saved layout.
    const VERSION: u32;

    /// Takes in one grid row; its target is `None` where nothing was observed.
    fn push(&mut self, clock: &Clock, row: &Row);

    /// The mean of the next `horizon` steps. A value that is not finite is replaced by the last observed one.
    fn point(&self, clock: &Clock, horizon: usize, known: &Known) -> Vec<f64>;

    /// Quantiles around `mean`, which [`Model::point`] gave; most models have none of their own.
    fn quantiles(&self, _clock: &Clock, _known: &Known, _mean: &[f64]) -> Option<Quantiles> {
        None
    }

    /// Both [`Model::point`] and [`Model::quantiles`], for models that find them together.
    fn spread(&self, clock: &Clock, horizon: usize, known: &Known) -> (Vec<f64>, Option<Quantiles>) {
        let mean = self.point(clock, horizon, known);
        let quantiles = self.quantiles(clock, known, &mean);
        (mean, quantiles)
    }

    /// Whether restored state keeps what the code relies on (lengths, indices). Numbers need no check.
    fn is_sound(&self) -> bool {
        true
    }
}

/// What a model itself says of how far actuals may lie from its forecast, as in [`Forecast`].
pub(crate) struct Quantiles {
    /// Ascending, within (0, 1).
    pub(crate) levels: Vec<f64>,
    /// `horizon × levels`, non-decreasing within a step.
    pub(crate) rows: Vec<Vec<f64>>,
}

/// A model on its clock.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(crate) struct Live<M: Model> {
    clock: Clock,
    /// The last observed value.
    last: f64,
    model: M,
}

impl<M: Model> Live<M> {
    /// Streams all of `history` through `model`, which knows nothing of it yet but its own parameters.
    pub(crate) fn stream(history: &Frame, model: M) -> Self {
        let mut live = Self { clock: Clock::at_start(history), last: 0.0, model };
        for row in history.rows() {
            live.take(&row);
        }
        live
    }

    /// Stands at the end of `history`, of which `model` already holds everything.
    pub(crate) fn at_end(history: &Frame, model: M) -> Self {
        let last = observed(history).last().unwrap_or(0.0);
        Self { clock: Clock::at_end(history), last, model }
    }

    /// What has been learned, to be finished after streaming.
    pub(crate) fn model_mut(&mut self) -> &mut M {
        &mut self.model
    }

    /// Goes on from a snapshot.
    pub(crate) fn restore(snapshot: Snapshot) -> Result<Box<dyn Fitted>, Error> {
        if snapshot.version != M::VERSION {
            let (found, known) = (snapshot.version, M::VERSION);
            return Err(Error::BadSnapshot(format!("{} has version {found}, known is {known}", M::NAME)));
        }
        let live: Self =
            serde_json::from_value(snapshot.state).map_err(|e| Error::BadSnapshot(format!("{}: {e}", M::NAME)))?;
        if !live.clock.is_sound() || !live.model.is_sound() {
            return Err(Error::BadSnapshot(format!("{}: its parts do not fit together", M::NAME)));
        }
        Ok(Box::new(live))
    }

    fn take(&mut self, row: &Row) {
        self.model.push(&self.clock, row);
        self.clock.advance(1);
        if let Some(value) = row.target() {
            self.last = value;
        }
    }
}

impl<M: Model> Fitted for Live<M> {
    /// A row of a time already passed is ignored; rows left out before it count as gaps.
    fn update(&mut self, row: &Row) {
        let skipped = self.clock.steps_to(row.time);
        if skipped < 0 {
            return;
        }
        let fill = skipped.min(MAX_FILL);
        self.clock.advance(skipped - fill);
        for _ in 0..fill {
            let gap = Row { time: self.clock.next(), values: vec![None; row.values.len()], target: row.target };
            self.take(&gap);
        }
        if row.values.iter().flatten().all(|v| v.is_finite()) {
            self.take(row);
        } else {
            let finite = row.values.iter().map(|v| v.filter(|v| v.is_finite())).collect();
            self.take(&Row { time: row.time, values: finite, target: row.target });
        }
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let (mut mean, quantiles) = self.model.spread(&self.clock, horizon, known);
        debug_assert_eq!(mean.len(), horizon);
        let broken = mean.iter_mut().filter(|v| !v.is_finite()).map(|v| *v = self.last).count();
        let mut forecast = Forecast::point(self.clock.next(), self.clock.step(), mean);
        if broken > 0 {
            forecast.degraded = Some(format!("{}: {broken} of {horizon} steps not finite, last value held", M::NAME));
        }
        if let Some(own) = quantiles.filter(|own| own.rows.iter().flatten().all(|v| v.is_finite())) {
            (forecast.levels, forecast.quantiles) = (own.levels, own.rows);
        }
        forecast
    }

    fn snapshot(&self) -> Snapshot {
        let state = serde_json::to_value(self).expect("state is numbers, texts and lists of them");
        Snapshot { model: M::NAME.to_owned(), version: M::VERSION, state }
    }
}

/// The observed values of the target, in order.
pub(crate) fn observed(history: &Frame) -> impl Iterator<Item = f64> + '_ {
    history.target().iter().zip(history.target_mask()).filter(|(_, valid)| **valid).map(|(value, _)| *value)
}

/// Refuses a history of fewer than `needed` observed rows.
pub(crate) fn require(history: &Frame, needed: usize) -> Result<(), Error> {
    let got = observed(history).take(needed).count();
    if got < needed { Err(Error::TooShort { needed, got }) } else { Ok(()) }
}

/// Mean magnitude of what was observed, 1 if that is zero: the unit in which a model reckons, so that neither tiny nor
/// huge series lose digits or overflow.
pub(crate) fn magnitude(history: &Frame) -> f64 {
    let largest = observed(history).fold(0.0, |max: f64, v| max.max(v.abs()));
    if largest < f64::MIN_POSITIVE * 1e16 {
        return 1.0;
    }
    let count = observed(history).count() as f64;
    let share: f64 = observed(history).map(|v| (v / largest).abs() / count).sum();
    // A mean of equals may be rounded to above them.
    share.min(1.0) * largest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::LastValue;
    use super::*;
    use crate::Forecaster;
    use foresail_core::SeededRng;

    fn fitted() -> Box<dyn Fitted> {
        let mut rng = SeededRng::seed_from_u64(1);
        LastValue.fit(&Frame::from_values([1.0, 2.0]), &Known::none(), &mut rng).unwrap()
    }

    #[test]
    fn a_row_already_seen_is_ignored_and_a_later_one_moves_the_clock() {
        let mut fitted = fitted();
        let end = fitted.predict(1, &Known::none()).start;
        fitted.update(&Row::univariate(end - Duration::from_secs(60), Some(9.0)));
        assert_eq!(fitted.predict(1, &Known::none()).mean, [2.0]);
        fitted.update(&Row::univariate(end + Duration::from_secs(600), Some(9.0)));
        let forecast = fitted.predict(1, &Known::none());
        assert_eq!((forecast.start, forecast.mean[0]), (end + Duration::from_secs(660), 9.0));
    }

    #[test]
    fn a_value_that_is_not_finite_is_a_gap() {
        let mut fitted = fitted();
        let end = fitted.predict(1, &Known::none()).start;
        fitted.update(&Row::univariate(end, Some(f64::NAN)));
        assert_eq!(fitted.predict(2, &Known::none()).mean, [2.0, 2.0]);
    }

    #[test]
    fn a_snapshot_of_another_version_is_refused() {
        let mut snapshot = fitted().snapshot();
        snapshot.version += 1;
        let message = Live::<super::super::last_value::State>::restore(snapshot).err().unwrap().to_string();
        assert_eq!(message, "saved model cannot be restored: last_value has version 2, known is 1");
    }

    #[test]
    fn magnitude_survives_the_ends_of_the_range() {
        assert_eq!(magnitude(&Frame::from_values([0.0, 0.0])), 1.0);
        assert_eq!(magnitude(&Frame::from_values([1e-320, 0.0])), 1.0);
        assert_eq!(magnitude(&Frame::from_values([-2.0, 4.0])), 3.0);
        assert!(magnitude(&Frame::from_values([f64::MAX; 9])).is_finite());
    }
}

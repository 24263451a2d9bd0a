//! Forecasting models, ensembles, calibrated intervals and backtests.
//!
//! A [`Forecaster`] is a model before it has seen data; [`Forecaster::fit`] learns from a history and gives a [`Fitted`]
//! that is updated row by row and predicts. Fitting may fail; updating and predicting may not. [`registry`] builds models by
//! name; [`guard::dependable`] makes one fit to be believed: finite, bounded, its intervals calibrated.
//!
//! ```
//! use foresail_core::{Frame, Known, SeededRng};
//! use foresail_forecast::guard::dependable;
//! use foresail_forecast::registry::{ModelOptions, build};
//! use foresail_forecast::Forecaster;
//!
//! let history = Frame::from_values((0..600).map(|i| 100.0 + 30.0 * (f64::from(i) / 10.0).sin()));
//! let model = dependable(build("ensemble", &ModelOptions::default()).unwrap(), 5);
//! let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
//! let forecast = fitted.predict(5, &Known::none());
//! assert!(forecast.quantile(0.05)[0] <= forecast.mean[0] && forecast.mean[0] <= forecast.quantile(0.95)[0]);
//! ```

pub mod backtest;
mod error;
mod forecast;
pub mod guard;
pub mod intervals;
pub mod metrics;
pub mod mixer;
pub mod models;
pub mod multi_signal;
mod paths;
pub mod registry;
pub mod seasonality;
pub mod suite;
mod wrapped;

pub use error::Error;
pub use forecast::{Forecast, Snapshot};
pub use paths::Paths;

use std::any::Any;
use std::ops::Range;

use foresail_core::{Frame, Known, Row, SeededRng};

/// A forecasting model before it has seen data: parameters only.
pub trait Forecaster: Send + Sync {
    /// Its name in the registry.
    fn name(&self) -> &str;

    /// Learns from `history`; `known` holds what is known ahead (calendar, events).
    ///
    /// # Errors
    /// [`Error::TooShort`] if `history` cannot identify the model.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error>;

    /// Learns anew from the first `train` rows of `history`, which ends where `fitted` stands, takes in the rows after
    /// them by [`Fitted::update`], and puts the result in the place of `fitted`. What a wrapper has learned online (the
    /// weights of a mix, the calibration of intervals) is kept; a plain model keeps nothing.
    ///
    /// # Errors
    /// As [`Forecaster::fit`]; `fitted` is then as it was.
    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        *fitted = wrapped::fit_and_lead(self, history, train, known, rng)?;
        Ok(())
    }
}

/// A fitted model. Updating and predicting cannot fail: what could go wrong went wrong in `fit`.
pub trait Fitted: Any + Send + Sync {
    /// Takes in one more row, at no more than O(season) cost.
    fn update(&mut self, row: &Row);

    /// Says which kind of work the rows from the next on hold, by a number of any kind, or that it is not known. A model that
    /// learns nothing of that goes on as it does.
    fn set_regime(&mut self, _regime: Option<usize>) {}

    /// Predicts the next `horizon` steps, in the unit of the history.
    fn predict(&self, horizon: usize, known: &Known) -> Forecast;

    /// `count` equally likely ways the next `horizon` steps may go. A model that has learned nothing of how errors at
    /// different steps go together gives paths that keep their level throughout.
    fn paths(&self, horizon: usize, count: usize, known: &Known, rng: &mut SeededRng) -> Paths {
        paths::at_one_level(&self.predict(horizon, known), count, rng)
    }

    /// The quantiles, at each of `levels` within (0, 1), of the greatest value within `steps`, counted from 0 and not
    /// empty: `0..k` is the next `k` rows. As for [`Fitted::paths`], but without chance.
    fn max_quantiles(&self, levels: &[f64], steps: Range<usize>, known: &Known) -> Vec<f64> {
        paths::greatest_at_one_level(&self.predict(steps.end, known), levels, steps)
    }

    /// Everything needed to go on after a restart, with its version.
    fn snapshot(&self) -> Snapshot;
}

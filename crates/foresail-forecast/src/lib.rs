//! Forecasting models, ensembles, calibrated intervals and backtests.
//!
//! A [`Forecaster`] is a model before it has seen data; [`Forecaster::fit`] learns from a history and gives a [`Fitted`]
//! that is updated row by row and predicts. Fitting may fail; updating and predicting may not.

mod error;
mod forecast;

pub use error::Error;
pub use forecast::{Forecast, Snapshot};

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
}

/// A fitted model. Updating and predicting cannot fail: what could go wrong went wrong in `fit`.
pub trait Fitted: Send + Sync {
    /// Takes in one more row, at no more than O(season) cost.
    fn update(&mut self, row: &Row);

    /// Predicts the next `horizon` steps, in the unit of the history.
    fn predict(&self, horizon: usize, known: &Known) -> Forecast;

    /// Everything needed to go on after a restart, with its version.
    fn snapshot(&self) -> Snapshot;
}

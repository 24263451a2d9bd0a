//! Gradient boosting, directly for all rows ahead.

use std::time::Duration;

use foresail_core::{Frame, Known, SeededRng};

use super::global::{GlobalForecaster, State};
use super::live::Model;
use crate::{Error, Fitted, Forecaster};

/// Rows that a fit looks back at most: two months of minutes.
const MAX_ROWS: usize = 90_000;

/// A ridge regression on normalised windows and boosted trees on what it gets wrong, with quantiles of their own: a
/// [`GlobalForecaster`] that has one series to learn from. All rows ahead, up to the horizon, are forecast directly; later
/// ones from forecasts. A fit takes seconds, an update is O(1), a prediction some microseconds a row.
#[derive(Clone, Debug)]
pub struct Boosting {
    global: GlobalForecaster,
}

impl Boosting {
    /// With the seasons the series may have, and the rows ahead that matter.
    pub fn new(seasons: &[Duration], horizon: usize) -> Self {
        Self { global: GlobalForecaster::new(seasons, horizon) }
    }
}

impl Forecaster for Boosting {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let histories = [history.slice(history.len().saturating_sub(MAX_ROWS)..history.len())];
        self.global.fit(&histories, rng)?.fitted(&histories[0])
    }
}

//! One model for many series, learned from all of them together.
//!
//! Every window of every series is brought to one unit: its distance from its own last value, or from its own last season.
//! On such windows a ridge regression from the last two seasons to every row ahead is hard to beat (Zeng et al., *Are
//! Transformers Effective for Time Series Forecasting?*, AAAI 2023; Montero-Manso & Hyndman, *Principles and algorithms
//! for forecasting groups of time series*, 2021): the linear part. Boosted trees learn what it gets wrong, and by how
//! much: quantiles of its errors, given the recent past, the same place of earlier seasons and the lead. What it says of
//! a window in training comes from a fit to other stretches of time, so that the errors are those of windows not seen.

mod features;
mod gram;
mod layout;
mod linear;
mod state;
mod train;
mod window;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use foresail_core::{Frame, SeededRng};
use serde::{Deserialize, Serialize};

use super::live::{Live, require};
use super::season::fitting;
use crate::{Error, Fitted};
use layout::Layout;
pub(crate) use state::State;
use train::Trained;

/// Observed rows that some series must have.
const ENOUGH: usize = 16;

const DAY: Duration = Duration::from_secs(86_400);

/// A global model before it has seen data.
#[derive(Clone, Debug)]
pub struct GlobalForecaster {
    seasons: Vec<Duration>,
    horizon: usize,
}

impl GlobalForecaster {
    /// With the seasons the series may have, and the rows ahead that matter (at least 1; later ones are forecast from
    /// forecasts). Where there is a day, there may be a week: it costs nothing to look.
    pub fn new(seasons: &[Duration], horizon: usize) -> Self {
        let week = seasons.contains(&DAY).then_some(7 * DAY);
        Self { seasons: seasons.iter().copied().chain(week).collect(), horizon: horizon.max(1) }
    }

    /// Learns from the targets of `histories`, which share one step and need share nothing else: lengths, levels and units
    /// may differ. At most 12,000 windows are used, so a fit costs some seconds however many series there are. The result
    /// does not depend on the number of threads.
    ///
    /// # Errors
    /// [`Error::TooShort`] if no history has 16 observed rows; [`Error::BadParameter`] if their steps differ.
    pub fn fit(&self, histories: &[Frame], rng: &mut SeededRng) -> Result<GlobalModel, Error> {
        let longest = histories.iter().max_by_key(|history| history.len());
        let Some(longest) = longest else { return Err(Error::TooShort { needed: ENOUGH, got: 0 }) };
        if let Some(other) = histories.iter().find(|history| history.step() != longest.step()) {
            let value = format!("{:?}", other.step());
            return Err(Error::BadParameter { parameter: "step", value, range: "one for all series" });
        }
        let enough: Vec<Result<(), Error>> = histories.iter().map(|history| require(history, ENOUGH)).collect();
        if let (false, Some(Err(error))) = (enough.iter().any(Result::is_ok), enough.first()) {
            return Err(error.clone());
        }
        let seasons: Vec<usize> = fitting(&self.seasons, longest).iter().map(|season| season.rows).collect();
        let lengths: Vec<usize> = histories.iter().map(Frame::len).collect();
        let layout = Layout::of(&seasons, self.horizon, &lengths);
        Ok(GlobalModel { trained: Arc::new(Trained::new(histories, layout, rng)), step: longest.step() })
    }
}

/// What many series taught; it can forecast any of them, and others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct GlobalModel {
    trained: Arc<Trained>,
    step: Duration,
}

impl GlobalModel {
    /// The model standing at the end of `history`: a series it learned from, or another of the same step. It shares what
    /// was learned with all others; an update is O(1), a prediction some microseconds a row.
    ///
    /// # Errors
    /// [`Error::TooShort`] if nothing of `history` was observed; [`Error::BadParameter`] if its step is another.
    pub fn fitted(&self, history: &Frame) -> Result<Box<dyn Fitted>, Error> {
        Ok(Box::new(Live::at_end(history, self.state(history)?)))
    }

    fn state(&self, history: &Frame) -> Result<State, Error> {
        if history.step() != self.step {
            let value = format!("{:?}", history.step());
            return Err(Error::BadParameter { parameter: "step", value, range: "that of the series learned from" });
        }
        State::new(Arc::clone(&self.trained), history).ok_or(Error::TooShort { needed: 1, got: 0 })
    }
}

/// What was learned, in a line.
impl fmt::Display for GlobalModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trained.fmt(f)
    }
}

/// How a global model is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    trained: Trained,
    step: Duration,
}

impl From<GlobalModel> for Saved {
    fn from(model: GlobalModel) -> Self {
        Self { trained: (*model.trained).clone(), step: model.step }
    }
}

impl TryFrom<Saved> for GlobalModel {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        if !saved.trained.is_sound() {
            return Err("the parts of a saved global model do not fit together".to_owned());
        }
        Ok(Self { trained: Arc::new(saved.trained), step: saved.step })
    }
}

#[cfg(test)]
mod tests;

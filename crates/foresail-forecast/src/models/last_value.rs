//! The last value, held: what any model must beat.

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, require};
use crate::{Error, Fitted, Forecaster};

/// Predicts that everything stays as it was last seen (Hyndman & Athanasopoulos, FPP3, §5.2, the naïve method).
#[derive(Clone, Copy, Debug, Default)]
pub struct LastValue;

impl Forecaster for LastValue {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 1)?;
        Ok(Box::new(Live::stream(history, State { value: 0.0 })))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    value: f64,
}

impl Model for State {
    const NAME: &'static str = "last_value";
    const VERSION: u32 = 1;

    fn push(&mut self, _clock: &Clock, row: &Row) {
        if let Some(value) = row.target() {
            self.value = value;
        }
    }

    fn point(&self, _clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        vec![self.value; horizon]
    }
}

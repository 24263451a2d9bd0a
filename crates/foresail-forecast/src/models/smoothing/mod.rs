//! Exponential smoothing in state-space form: the thirty forms, their likelihood with its gradient, the search for weights
//! and starting states, and the recursion that goes on from there. Shared by [`Ets`](super::Ets),
//! [`HoltWinters`](super::HoltWinters).

mod fit;
mod form;
mod likelihood;
mod pass;
mod quasi_newton;
mod recursion;
mod start;
mod state;
#[cfg(test)]
mod textbook;
mod window;

use foresail_core::Row;
use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(super) use fit::deviance_at;
pub(super) use fit::{Fit, UPPER, fit, steady};
pub(super) use form::{Form, Noise, Seasonal, Trend, Weights};
pub(super) use likelihood::Workspace;
#[cfg(test)]
pub(super) use recursion::Moving;
#[cfg(test)]
pub(super) use start::Start;
pub(super) use state::Smoothing;
pub(super) use window::Window;

use super::clock::Clock;

/// A fitted recursion on its way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Running {
    /// Values are divided by this.
    pub(super) scale: f64,
    pub(super) smoothing: Smoothing,
}

impl Running {
    pub(super) fn new(window: &Window, fit: &Fit) -> Self {
        Self { scale: window.scale(), smoothing: fit.running(window) }
    }

    pub(super) fn push(&mut self, clock: &Clock, row: &Row) {
        let slot = clock.slot(self.smoothing.season_rows());
        self.smoothing.step(slot, row.target().map(|value| value / self.scale));
    }

    pub(super) fn point(&self, clock: &Clock, horizon: usize) -> Vec<f64> {
        let slot = clock.slot(self.smoothing.season_rows());
        self.smoothing.ahead(slot, horizon).into_iter().map(|value| value * self.scale).collect()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.smoothing.is_sound()
    }
}

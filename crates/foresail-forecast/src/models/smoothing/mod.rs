//! Exponential smoothing with trend and season: the recursion, its start, and the search for its weights. Shared by
//! [`HoltWinters`](super::HoltWinters) and [`Ets`](super::Ets).

mod form;
mod initial;
mod nelder_mead;
mod optimise;
mod state;
#[cfg(test)]
mod textbook;

use std::time::Duration;

use foresail_core::{Frame, Row};
use serde::{Deserialize, Serialize};

pub(super) use form::{Form, Seasonal, Trend};
pub(super) use optimise::{Fit, Window, fit};

use super::clock::Clock;
use super::live::magnitude;
use super::season::fitting;
use state::Smoothing;

/// The end of `history` with the shortest of `seasons` that fits.
pub(super) fn window(seasons: &[Duration], history: &Frame) -> Window {
    let rows = fitting(seasons, history).first().map_or(0, |season| season.rows);
    Window::of(history, magnitude(history), rows, Clock::at_end(history).slot(rows.max(1)))
}

/// Every form with one of `trends` that `window` admits, fitted. There is always one without a season.
pub(super) fn fit_forms(window: &Window, trends: &[Trend], seasons: &[Seasonal]) -> Vec<Fit> {
    let forms =
        seasons.iter().flat_map(|seasonal| trends.iter().map(|trend| Form { trend: *trend, seasonal: *seasonal }));
    forms.filter(|form| window.admits(form.seasonal)).map(|form| fit(window, form)).collect()
}

/// A fitted recursion on its way.
#[derive(Serialize, Deserialize)]
pub(super) struct Running {
    /// Values are divided by this.
    scale: f64,
    smoothing: Smoothing,
}

impl Running {
    pub(super) fn new(window: &Window, fit: Fit) -> Self {
        Self { scale: window.scale(), smoothing: fit.state }
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

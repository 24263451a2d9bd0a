//! A forecasting model kept up to date by a policy: rows as they close, a fresh fit now and then.

use foresail_core::{Known, Row, SeededRng};
use foresail_forecast::{Fitted, Forecast, Forecaster};

use super::grid::Grid;

/// A model, fitted to the steps of a grid once there are enough of them.
pub(super) struct OnlineModel {
    model: Box<dyn Forecaster>,
    fitted: Option<Box<dyn Fitted>>,
    known: Known,
    rng: SeededRng,
    /// Steps before the first fit.
    first_fit: usize,
    /// Steps from a fit on so many steps to the next.
    refit_after: fn(usize) -> usize,
    fitted_on: usize,
    since_fit: usize,
    fits: u64,
}

impl OnlineModel {
    /// `model`, fitted when `first_fit` steps are there and again `refit_after(n)` steps after a fit on `n`.
    pub(super) fn new(
        model: Box<dyn Forecaster>,
        first_fit: usize,
        refit_after: fn(usize) -> usize,
        known: Known,
        seed: u64,
    ) -> Self {
        let rng = SeededRng::seed_from_u64(seed);
        Self { model, fitted: None, known, rng, first_fit, refit_after, fitted_on: 0, since_fit: 0, fits: 0 }
    }

    /// Takes in the last `closed` steps of `grid`. A fit that fails leaves things as they were until the next is due.
    pub(super) fn follow(&mut self, grid: &Grid, closed: usize) {
        let steps = grid.closed().len();
        let closed = closed.min(steps);
        self.since_fit += closed;
        let due = match &mut self.fitted {
            None => steps >= self.first_fit && closed > 0,
            Some(fitted) => {
                for index in steps - closed..steps {
                    fitted.update(&Row::univariate(grid.time(index), grid.closed()[index]));
                }
                self.since_fit >= (self.refit_after)(self.fitted_on)
            }
        };
        if due {
            self.since_fit = 0;
            self.fitted_on = steps;
            self.fits += 1;
            let mut rng = self.rng.fork(self.fits);
            let history = grid.frame("load");
            match &mut self.fitted {
                Some(fitted) => drop(self.model.refit(fitted, &history, steps, &self.known, &mut rng)),
                None => self.fitted = self.model.fit(&history, &self.known, &mut rng).ok(),
            }
        }
    }

    /// Point forecast of the next `horizon` steps; `None` before the first fit.
    pub(super) fn predict(&self, horizon: usize) -> Option<Vec<f64>> {
        Some(self.forecast(horizon)?.mean)
    }

    /// [`OnlineModel::predict`] with the quantiles that the model gives.
    pub(super) fn forecast(&self, horizon: usize) -> Option<Forecast> {
        Some(self.fitted.as_ref()?.predict(horizon, &self.known))
    }
}

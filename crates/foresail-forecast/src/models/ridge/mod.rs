//! Online ridge regression on the 72 features.

mod regression;

use std::time::Duration;

use foresail_core::features::Columns;
use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::direct::{Design, regressors};
use super::live::{Live, Model, require};
use crate::{Error, Fitted, Forecaster};
use regression::Regression;

/// Rows that a fit looks back at most: a month of minutes, several half-lives of the memory.
const MAX_ROWS: usize = 45_000;
/// Observed rows that make learning worth while.
const ENOUGH: usize = 64;

/// Ridge regression on the 72 features, learned online and directly for several leads (Toner et al., arXiv 2502.12944,
/// find it ahead of zero-shot foundation models on serverless load). For each lead it predicts by how much the seasonal
/// profile at the level of the last minutes will be off, on a scale that is logarithmic for large values; leads between
/// are interpolated, so every row keeps its own place in the profile. One decaying Gram matrix serves all leads; it is
/// solved anew every 120 rows. Errors far beyond the usual are cut before they are learned from.
///
/// An update costs the features and O(regressors²), some microseconds, and O(regressors³) every 120th time.
#[derive(Clone, Debug)]
pub struct Ridge {
    seasons: Vec<Duration>,
    columns: Option<Columns<String>>,
}

impl Ridge {
    /// With the seasons of the profile, and the columns that play a part beside the load, if any.
    pub fn new(seasons: &[Duration], columns: Option<Columns<String>>) -> Self {
        Self { seasons: seasons.to_vec(), columns }
    }
}

impl Forecaster for Ridge {
    fn name(&self) -> &str {
        State::NAME
    }

    /// Also refuses ([`Error::BadParameter`]) a step that does not divide a day, and columns that are not there.
    fn fit(&self, history: &Frame, known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let recent = history.slice(history.len().saturating_sub(MAX_ROWS)..history.len());
        require(&recent, ENOUGH)?;
        let design = Design::new(&self.seasons, self.columns.as_ref(), &recent, known)?;
        let regression = Regression::new(regressors(design.leads()), design.leads().len(), history.step());
        let mut live = Live::stream(&recent, State { design, regression });
        live.model_mut().regression.solve();
        Ok(Box::new(live))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    design: Design,
    regression: Regression,
}

impl Model for State {
    const NAME: &'static str = "ridge";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        if let Some(done) = self.design.push(clock, row) {
            self.regression.learn(&done.regressors, &done.targets);
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let corrections = self.regression.predict(self.design.latest());
        let usual = self.design.usual_ahead(clock, horizon).enumerate();
        usual
            .map(|(i, usual)| self.design.unbend(usual + self.design.leads().interpolate(&corrections, i + 1)))
            .collect()
    }

    fn is_sound(&self) -> bool {
        let leads = self.design.leads();
        self.design.is_sound() && self.regression.is_sound(regressors(leads), leads.len())
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn forecast(values: Vec<f64>, horizon: usize) -> Vec<f64> {
        let history = Frame::from_values(values);
        let model = Ridge::new(&[Duration::from_secs(7200)], None);
        model
            .fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1))
            .unwrap()
            .predict(horizon, &Known::none())
            .mean
    }

    #[test]
    fn a_rise_that_always_follows_a_dip_is_learned() {
        // A triangle of 50 rows, which no season is told of: only the features can know that it turns.
        let law = |i: usize| 100.0 + 4.0 * (25.0 - (i % 50) as f64).abs();
        let end = 2000 + 20;
        let got = forecast((0..end).map(law).collect(), 15);
        let error: f64 = got.iter().enumerate().map(|(i, v)| (v - law(end + i)).abs()).sum::<f64>() / 15.0;
        let held: f64 = (0..15).map(|i| (law(end - 1) - law(end + i)).abs()).sum::<f64>() / 15.0;
        assert!(error < 0.5 * held, "error {error}, of the last value {held}");
    }

    #[test]
    fn the_shape_of_the_day_is_known_ahead() {
        let law = |i: usize| 100.0 + 60.0 * (i as f64 * TAU / 120.0).sin();
        for (ahead, value) in forecast((0..2400).map(law).collect(), 60).iter().enumerate() {
            assert!((value / law(2400 + ahead) - 1.0).abs() < 0.1, "{ahead}: {value}, not {}", law(2400 + ahead));
        }
    }

    #[test]
    fn one_absurd_value_does_not_spoil_what_was_learned() {
        let mut rng = SeededRng::seed_from_u64(3);
        let mut values: Vec<f64> = (0..1500).map(|_| 100.0 + 3.0 * rng.normal()).collect();
        values[1300] = 1e9;
        for value in forecast(values, 30) {
            assert!((value - 100.0).abs() < 15.0, "{value}");
        }
    }
}

//! Holt-Winters with a damped trend.

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, require};
use super::season::fitting;
use super::smoothing::{Fit, Form, Noise, Running, Seasonal, Trend, UPPER, Window, Workspace, fit};
use crate::{Error, Fitted, Forecaster};

/// Exponential smoothing with a damped trend and the shortest season that fits (Holt 1957, Winters 1960; FPP3, §8.3),
/// additive or, where every value is above zero and it fits better, multiplicative. Without a season it is Holt's damped
/// method. Weights and starting states are searched for in `fit`, in some hundred passes over at most 20,000 rows; an update
/// is O(1).
#[derive(Clone, Debug)]
pub struct HoltWinters {
    seasons: Vec<Duration>,
}

impl HoltWinters {
    /// With the seasons to choose from.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }
}

impl Forecaster for HoltWinters {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 4)?;
        let rows = fitting(&self.seasons, history).first().map_or(0, |season| season.rows);
        let window = Window::of(history, rows);
        let seasons: &[Seasonal] = match (window.has_season(), window.is_positive()) {
            (false, _) => &[Seasonal::None],
            (true, false) => &[Seasonal::Additive],
            (true, true) => &[Seasonal::Additive, Seasonal::Multiplicative],
        };
        let mut room = Workspace::default();
        let mut best: Option<Fit> = None;
        for seasonal in seasons {
            let form = Form { noise: Noise::Additive, trend: Trend::AdditiveDamped, seasonal: *seasonal };
            let found = fit(&window, form, &UPPER, best.as_slice(), f64::INFINITY, &mut room);
            best = best.filter(|best| best.deviance <= found.deviance).or(Some(found));
        }
        let best = best.expect("there is a kind of season");
        Ok(Box::new(Live::at_end(history, State(Running::new(&window, &best)))))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State(Running);

impl Model for State {
    const NAME: &'static str = "holt_winters";
    const VERSION: u32 = 2;

    fn push(&mut self, clock: &Clock, row: &Row) {
        self.0.push(clock, row);
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        self.0.point(clock, horizon)
    }

    fn is_sound(&self) -> bool {
        self.0.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_day(values: Vec<f64>) -> Vec<f64> {
        let history = Frame::from_values(values);
        let model = HoltWinters::new(&[Duration::from_secs(24 * 60)]);
        model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap().predict(24, &Known::none()).mean
    }

    #[test]
    fn a_season_that_grows_with_the_level_is_multiplied() {
        let law = |i: usize| (100.0 + i as f64) * (1.0 + 0.5 * (i as f64 * std::f64::consts::TAU / 24.0).sin());
        let forecast = next_day((0..240).map(law).collect());
        for (i, value) in forecast.iter().enumerate() {
            assert!((value / law(240 + i) - 1.0).abs() < 0.1, "{i}: {value}, not {}", law(240 + i));
        }
    }

    #[test]
    fn a_season_around_zero_is_added() {
        let law = |i: usize| 5.0 * (i as f64 * std::f64::consts::TAU / 24.0).sin();
        let forecast = next_day((0..240).map(law).collect());
        for (i, value) in forecast.iter().enumerate() {
            assert!((value - law(240 + i)).abs() < 0.1, "{i}: {value}, not {}", law(240 + i));
        }
    }
}

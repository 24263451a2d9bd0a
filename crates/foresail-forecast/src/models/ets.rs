//! Exponential smoothing that chooses its own components.

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, require};
use super::smoothing::{Running, Seasonal, Trend, fit_forms, window};
use crate::{Error, Fitted, Forecaster};

/// Exponential smoothing whose trend (none, additive, damped) and season (none, additive, multiplicative) are chosen by
/// the corrected Akaike criterion (Hyndman et al. 2002; FPP3, §8.6). The nine forms with additive errors are compared;
/// the season is the shortest that fits, and ratios are tried only where every value is above zero. A long season has
/// to earn its many starting states, so on minute data the choice often falls on a model without one:
/// [`HoltWinters`](super::HoltWinters) always keeps it. `fit` makes about 1200 passes over at most 20,000 rows; an
/// update is O(1).
#[derive(Clone, Debug)]
pub struct Ets {
    seasons: Vec<Duration>,
}

impl Ets {
    /// With the seasons to choose from.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }
}

impl Forecaster for Ets {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 4)?;
        let window = window(&self.seasons, history);
        let trends = [Trend::None, Trend::Additive, Trend::Damped];
        let seasons = [Seasonal::None, Seasonal::Additive, Seasonal::Multiplicative];
        // The simplest comes first, and of equals the first is taken: with too few rows to judge, that is what remains.
        let best = fit_forms(&window, &trends, &seasons)
            .into_iter()
            .min_by(|a, b| a.aicc.total_cmp(&b.aicc))
            .expect("a form without a season is always admitted");
        Ok(Box::new(Live::at_end(history, State(Running::new(&window, best)))))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State(Running);

impl Model for State {
    const NAME: &'static str = "ets";
    const VERSION: u32 = 1;

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

    /// Checks what the chosen model predicts, which tells the components it chose.
    fn check(values: Vec<f64>, tolerance: f64, expected: &[f64]) {
        let history = Frame::from_values(values);
        let model = Ets::new(&[Duration::from_secs(4 * 60)]);
        let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        let mean = fitted.predict(expected.len(), &Known::none()).mean;
        for (got, expected) in mean.iter().zip(expected) {
            assert!((got - expected).abs() < tolerance, "{mean:?}, not {expected:?}");
        }
    }

    #[test]
    fn the_components_of_the_series_are_chosen() {
        let mut rng = SeededRng::seed_from_u64(9);
        let mut noisy = |law: fn(usize) -> f64| (0..160).map(|i| law(i) + 0.5 * rng.normal()).collect::<Vec<f64>>();
        check(noisy(|_| 50.0), 0.5, &[50.0; 12]);
        check(noisy(|i| 10.0 + i as f64), 2.0, &[170.0, 171.0, 172.0, 173.0]);
        check(noisy(|i| 50.0 + [9.0, -3.0, -6.0, 0.0][i % 4]), 1.0, &[59.0, 47.0, 44.0, 50.0]);
        check(
            noisy(|i| (50.0 + i as f64) * [1.3, 0.9, 0.8, 1.0][i % 4]),
            5.0,
            &[210.0 * 1.3, 211.0 * 0.9, 212.0 * 0.8, 213.0],
        );
    }
}

//! The recursion of exponential smoothing (FPP3, §8.3 and §8.5), in error-correction form.

use serde::{Deserialize, Serialize};

use super::form::{Form, Seasonal, Weights};

/// Level, slope and season at some row, with the weights that move them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Smoothing {
    pub(super) form: Form,
    pub(super) weights: Weights,
    pub(super) level: f64,
    /// Change of the level a row.
    pub(super) slope: f64,
    /// One effect a place in the season, around 0 if additive and around 1 if multiplicative; empty without a season.
    pub(super) season: Vec<f64>,
}

impl Smoothing {
    /// Moves on by one row, at `slot` of the season, and returns the one-step error; a gap has none, and only the trend
    /// moves on.
    #[inline]
    pub(in super::super) fn step(&mut self, slot: usize, value: Option<f64>) -> Option<f64> {
        let drift = self.weights.phi * self.slope;
        let base = self.level + drift;
        let Some(value) = value else {
            self.level = base;
            self.slope = drift;
            return None;
        };
        let Weights { alpha, beta, gamma, .. } = self.weights;
        let error = match self.form.seasonal {
            Seasonal::None => {
                let error = value - base;
                self.level = base + alpha * error;
                self.slope = drift + beta * error;
                error
            }
            Seasonal::Additive => {
                let error = value - base - self.season[slot];
                self.level = base + alpha * error;
                self.slope = drift + beta * error;
                self.season[slot] += gamma * error;
                error
            }
            Seasonal::Multiplicative => {
                let effect = self.season[slot];
                let error = value - base * effect;
                // Near an effect or a level of zero the correction would explode: there it is left out.
                let on_level = if effect.abs() > 1e-3 { error / effect } else { 0.0 };
                self.level = base + alpha * on_level;
                self.slope = drift + beta * on_level;
                if base.abs() > 1e-9 {
                    self.season[slot] = (effect + gamma * error / base).clamp(0.0, 1e3);
                }
                error
            }
        };
        Some(error)
    }

    /// The next `horizon` rows, the first of them at `slot` of the season.
    pub(in super::super) fn ahead(&self, slot: usize, horizon: usize) -> Vec<f64> {
        let (mut drift, mut level) = (self.slope, self.level);
        (0..horizon)
            .map(|ahead| {
                drift *= self.weights.phi;
                level += drift;
                let effect = || self.season[(slot + ahead) % self.season.len()];
                match self.form.seasonal {
                    Seasonal::None => level,
                    Seasonal::Additive => level + effect(),
                    Seasonal::Multiplicative => level * effect(),
                }
            })
            .collect()
    }

    /// Rows of the season, 1 without one.
    pub(in super::super) fn season_rows(&self) -> usize {
        self.season.len().max(1)
    }

    /// Whether restored state can be stepped.
    pub(in super::super) fn is_sound(&self) -> bool {
        (self.form.seasonal == Seasonal::None) == self.season.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::form::Trend;
    use super::super::textbook::{AIR, OIL};
    use super::*;

    fn check(mut state: Smoothing, values: &[f64], levels: &[f64], forecasts: &[f64]) {
        let rows = state.season_rows();
        for (i, (value, expected)) in values.iter().zip(levels).enumerate() {
            state.step(i % rows, Some(*value));
            assert!((state.level - expected).abs() < 6e-3, "level {i}: {}, not {expected}", state.level);
        }
        for (got, expected) in state.ahead(values.len() % rows, forecasts.len()).iter().zip(forecasts) {
            assert!((got - expected).abs() < 6e-3, "forecast {got}, not {expected}");
        }
    }

    /// Hyndman & Athanasopoulos, FPP2, table 7.1: oil in Saudi Arabia, 1996-2013, levels printed to two digits.
    #[test]
    fn simple_smoothing_gives_the_textbook_levels() {
        let levels = [
            445.57, 451.93, 454.00, 427.63, 451.32, 442.20, 428.02, 476.54, 496.46, 517.15, 510.31, 492.45, 506.98,
            465.07, 472.36, 517.05, 544.39, 542.68,
        ];
        let state = Smoothing {
            form: Form { trend: Trend::None, seasonal: Seasonal::None },
            weights: Weights { alpha: 0.8339, beta: 0.0, gamma: 0.0, phi: 1.0 },
            level: 446.5868,
            slope: 0.0,
            season: Vec::new(),
        };
        check(state, &OIL, &levels, &[542.68, 542.68]);
    }

    /// FPP2, table 7.2: air passengers of Australia, 1990-2016, Holt's linear method.
    #[test]
    fn holts_method_gives_the_textbook_levels() {
        let levels = [
            17.57, 21.49, 23.84, 26.76, 27.22, 28.92, 30.24, 31.19, 30.71, 31.79, 32.80, 33.72, 38.48, 41.25, 41.89,
            44.54, 46.90, 48.78, 51.38, 50.62, 59.30, 63.03, 66.15, 68.21, 68.49, 69.92, 72.50,
        ];
        let state = Smoothing {
            form: Form { trend: Trend::Additive, seasonal: Seasonal::None },
            weights: Weights { alpha: 0.8302, beta: 0.8302 * 0.0001, gamma: 0.0, phi: 1.0 },
            level: 15.5715,
            slope: 2.1017,
            season: Vec::new(),
        };
        check(state, &AIR, &levels, &[74.60, 76.70, 78.80, 80.91, 83.01]);
    }

    /// Two rows by hand, with weights of a half.
    #[test]
    fn seasons_move_as_reckoned_by_hand() {
        let weights = Weights { alpha: 0.5, beta: 0.0, gamma: 0.5, phi: 1.0 };
        let form = |seasonal| Form { trend: Trend::None, seasonal };
        // Additive: 10+2 expected, 14 seen: error 2, level 11, season 3. Then 11-2 expected, 9 seen: nothing moves.
        let additive =
            Smoothing { form: form(Seasonal::Additive), weights, level: 10.0, slope: 0.0, season: vec![2.0, -2.0] };
        check(additive, &[14.0, 9.0], &[11.0, 11.0], &[14.0, 9.0]);
        // Multiplicative: 10·2 expected, 24 seen: error 4, level 10+0.5·4/2 = 11, season 2+0.5·4/10 = 2.2.
        let multiplicative = Smoothing {
            form: form(Seasonal::Multiplicative),
            weights,
            level: 10.0,
            slope: 0.0,
            season: vec![2.0, 0.5],
        };
        check(multiplicative, &[24.0, 5.5], &[11.0, 11.0], &[24.2, 5.5]);
    }

    #[test]
    fn over_a_gap_only_the_trend_moves_on() {
        let mut state = Smoothing {
            form: Form { trend: Trend::Damped, seasonal: Seasonal::None },
            weights: Weights { alpha: 0.5, beta: 0.1, gamma: 0.0, phi: 0.9 },
            level: 10.0,
            slope: 1.0,
            season: Vec::new(),
        };
        assert_eq!(state.step(0, None), None);
        assert_eq!([state.level, state.slope], [10.9, 0.9]);
    }
}

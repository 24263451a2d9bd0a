//! A fitted recursion on its way, row by row.

use serde::{Deserialize, Serialize};

use super::form::{Form, Seasonal, Weights};
use super::recursion::{Moving, advance, ahead, specialised};

/// Factors of a season and of growth stay within this and one over it, whatever is taken in.
const LARGEST_FACTOR: f64 = 1e3;

/// Level, slope and season at some row, with the weights that move them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Smoothing {
    pub(in super::super) form: Form,
    pub(in super::super) weights: Weights,
    pub(in super::super) level: f64,
    /// Change of the level a row; of a growing trend the factor.
    pub(in super::super) slope: f64,
    /// One effect a place in the season, around 0 if additive and around 1 if multiplicative; empty without a season.
    pub(in super::super) season: Vec<f64>,
}

impl Smoothing {
    /// Moves on by one row, at `slot` of the season; over a gap only the trend moves on. What would make a component
    /// unusable (a level of zero that ratios hang on) counts as a gap too.
    pub(in super::super) fn step(&mut self, slot: usize, value: Option<f64>) {
        let place = if self.season.is_empty() { 0 } else { slot };
        let before = self.season.get(place).copied().unwrap_or(0.0);
        let from = Moving { level: self.level, slope: self.slope };
        let (moving, effect) = self.after(from, before, value).unwrap_or_else(|| {
            // Even a gap may lead out of range: then everything stays.
            self.after(from, before, None).unwrap_or((from, before))
        });
        self.level = moving.level;
        self.slope = moving.slope;
        if let Some(place) = self.season.get_mut(place) {
            *place = effect;
        }
    }

    /// Level, slope and effect after one row, if they can be gone on from.
    fn after(&self, mut moving: Moving, mut effect: f64, value: Option<f64>) -> Option<(Moving, f64)> {
        let Form { trend, seasonal, .. } = self.form;
        let (value, seen) = value.map_or((0.0, 0.0), |value| (value, 1.0));
        let from = &mut moving;
        specialised!(trend, seasonal, advance(&self.weights, from, &mut effect, value, seen));
        let factor = |there: bool, value: f64| !there || (1.0 / LARGEST_FACTOR..=LARGEST_FACTOR).contains(&value);
        let is_usable = moving.level.is_finite()
            && moving.slope.is_finite()
            && effect.is_finite()
            && factor(trend.is_multiplicative(), moving.slope)
            && factor(seasonal == Seasonal::Multiplicative, effect)
            && (!self.form.needs_positive() || moving.level > 0.0);
        is_usable.then_some((moving, effect))
    }

    /// The next `horizon` rows, the first of them at `slot` of the season.
    pub(in super::super) fn ahead(&self, slot: usize, horizon: usize) -> Vec<f64> {
        let moving = Moving { level: self.level, slope: self.slope };
        ahead((self.form.trend, self.form.seasonal), self.weights.phi, moving, (&self.season, slot), horizon)
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
    use super::super::form::{Noise, Trend};
    use super::super::textbook::{AIR, OIL};
    use super::*;

    fn form(trend: Trend, seasonal: Seasonal) -> Form {
        Form { noise: Noise::Additive, trend, seasonal }
    }

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
            form: form(Trend::None, Seasonal::None),
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
            form: form(Trend::Additive, Seasonal::None),
            weights: Weights { alpha: 0.8302, beta: 0.8302 * 0.0001, gamma: 0.0, phi: 1.0 },
            level: 15.5715,
            slope: 2.1017,
            season: Vec::new(),
        };
        check(state, &AIR, &levels, &[74.60, 76.70, 78.80, 80.91, 83.01]);
    }

    /// Two rows by hand, with weights of a half.
    #[test]
    fn components_move_as_reckoned_by_hand() {
        let weights = Weights { alpha: 0.5, beta: 0.0, gamma: 0.5, phi: 1.0 };
        let state = |trend, seasonal, level: f64, slope: f64, season: &[f64]| Smoothing {
            form: form(trend, seasonal),
            weights,
            level,
            slope,
            season: season.to_vec(),
        };
        // Additive: 10+2 expected, 14 seen: error 2, level 11, season 3. Then 11-2 expected, 9 seen: nothing moves.
        let additive = state(Trend::None, Seasonal::Additive, 10.0, 0.0, &[2.0, -2.0]);
        check(additive, &[14.0, 9.0], &[11.0, 11.0], &[14.0, 9.0]);
        // Multiplicative: 10·2 expected, 24 seen: error 4, level 10+0.5·4/2 = 11, season 2+0.5·4/10 = 2.2.
        let multiplicative = state(Trend::None, Seasonal::Multiplicative, 10.0, 0.0, &[2.0, 0.5]);
        check(multiplicative, &[24.0, 5.5], &[11.0, 11.0], &[24.2, 5.5]);
        // Growing by half: 15 expected, 17 seen: error 2, level 16, growth 1.5 as beta is 0. Then 24 expected and seen.
        let growing = state(Trend::Multiplicative, Seasonal::None, 10.0, 1.5, &[]);
        check(growing, &[17.0, 24.0], &[16.0, 24.0], &[36.0, 54.0]);
    }

    #[test]
    fn over_a_gap_only_the_trend_moves_on() {
        let mut state = Smoothing {
            form: form(Trend::AdditiveDamped, Seasonal::None),
            weights: Weights { alpha: 0.5, beta: 0.1, gamma: 0.0, phi: 0.9 },
            level: 10.0,
            slope: 1.0,
            season: Vec::new(),
        };
        state.step(0, None);
        assert_eq!([state.level, state.slope], [10.9, 0.9]);
    }

    #[test]
    fn what_would_break_a_component_is_passed_over() {
        let mut state = Smoothing {
            form: Form {
                noise: Noise::Multiplicative,
                trend: Trend::Multiplicative,
                seasonal: Seasonal::Multiplicative,
            },
            weights: Weights { alpha: 0.9, beta: 0.5, gamma: 0.5, phi: 1.0 },
            level: 10.0,
            slope: 1.0,
            season: vec![1.0, 2.0],
        };
        for (i, value) in [-1e9, 0.0, f64::MAX, -1.0, 1e-300, f64::MAX, 20.0].into_iter().enumerate() {
            state.step(i % 2, Some(value));
            assert!(state.level > 0.0 && state.ahead(0, 4).iter().all(|v| v.is_finite()), "{i}: {state:?}");
        }
    }
}

//! The usual shape of the day and the week, at the level of the last minutes.

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, magnitude, observed, require};
use super::profile::{Joined, Profile};
use super::season::fitting;
use crate::{Error, Fitted, Forecaster};

/// Half-lives: of the recent level, of its return to the usual one, and of the base level under the profile.
const RECENT: Duration = Duration::from_secs(3 * 60);
const RETURN: Duration = Duration::from_secs(12 * 3600);
const BASE: Duration = Duration::from_secs(7 * 86_400);

/// The pattern model of the exercise: for each place in the day and in the week an average with exponentially decaying
/// weights, times the level of the last minutes over the usual one. The level's deviation returns to the usual by half
/// in twelve hours. Series with negative values add their shape and level instead. An update is O(seasons), a prediction
/// O(seasons × horizon).
#[derive(Clone, Debug)]
pub struct Pattern {
    seasons: Vec<Duration>,
}

impl Pattern {
    /// With all seasons of the load; those that the history does not hold twice are left out.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }

    /// The state that learns `history`, before it has seen it.
    pub(super) fn start(&self, history: &Frame) -> State {
        let scale = magnitude(history);
        let joined = if observed(history).any(|v| v < 0.0) { Joined::Added } else { Joined::Multiplied };
        let count = observed(history).count().max(1) as f64;
        let keep = |half_life: Duration| 0.5_f64.powf(history.step().as_secs_f64() / half_life.as_secs_f64());
        State {
            scale,
            joined,
            keep_recent: keep(RECENT),
            keep_deviation: keep(RETURN),
            keep_base: keep(BASE),
            base: observed(history).map(|v| v / scale / count).sum(),
            profile: Profile::new(joined, &fitting(&self.seasons, history)),
            recent: Recent::default(),
        }
    }
}

impl Forecaster for Pattern {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 1)?;
        Ok(Box::new(Live::stream(history, self.start(history))))
    }
}

/// Exponentially weighted sums of the last rows.
#[derive(Serialize, Deserialize, Default)]
struct Recent {
    weight: f64,
    seen: f64,
    expected: f64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct State {
    /// Values are divided by this.
    scale: f64,
    joined: Joined,
    keep_recent: f64,
    keep_deviation: f64,
    keep_base: f64,
    base: f64,
    profile: Profile,
    recent: Recent,
}

impl State {
    /// The level of the last rows over (or, added, less) what was expected of them, if that can be told.
    fn deviation(&self) -> Option<f64> {
        let Recent { weight, seen, expected } = self.recent;
        match self.joined {
            Joined::Added => (weight > 0.0).then(|| (seen - expected) / weight),
            Joined::Multiplied => (expected > 1e-12 * weight).then(|| (seen / expected).min(1e9)),
        }
    }
}

impl Model for State {
    const NAME: &'static str = "pattern";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let Some(value) = row.target() else { return };
        let value = match self.joined {
            Joined::Added => value / self.scale,
            // Negative values after a history without any are taken for zeros.
            Joined::Multiplied => (value / self.scale).max(0.0),
        };
        let local = clock.local_us();
        let expected = self.profile.expected(local, self.base);
        let Recent { weight, seen, expected: sum } = &mut self.recent;
        *weight = *weight * self.keep_recent + 1.0;
        *seen = *seen * self.keep_recent + value;
        *sum = *sum * self.keep_recent + expected;
        self.profile.learn(local, self.base, value);
        self.base = self.base * self.keep_base + value * (1.0 - self.keep_base);
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let deviation = self.deviation();
        let recent = if self.recent.weight > 0.0 { self.recent.seen / self.recent.weight } else { self.base };
        let mut share = 1.0;
        clock
            .local_ahead(horizon)
            .map(|local| {
                share *= self.keep_deviation;
                let usual = self.profile.expected(local, self.base);
                let value = match (self.joined, deviation) {
                    (Joined::Added, Some(over)) => usual + over * share,
                    (Joined::Multiplied, Some(ratio)) => usual * (1.0 + (ratio - 1.0) * share),
                    // Nothing was expected of the last rows, so there is no ratio to go on.
                    (_, None) => usual + (recent - usual) * share,
                };
                value * self.scale
            })
            .collect()
    }

    fn is_sound(&self) -> bool {
        self.profile.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    fn fitted(values: Vec<f64>, seasons: &[u64]) -> Box<dyn Fitted> {
        let seasons: Vec<Duration> = seasons.iter().map(|s| Duration::from_secs(*s)).collect();
        let history = Frame::from_values(values);
        Pattern::new(&seasons).fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap()
    }

    /// A day of two hours, so that a test is short.
    fn law(minute: usize) -> f64 {
        100.0 + 60.0 * (minute as f64 * TAU / 120.0).sin()
    }

    #[test]
    fn the_shape_of_the_day_is_known_ahead() {
        let fitted = fitted((0..1200).map(law).collect(), &[7200]);
        for (ahead, value) in fitted.predict(60, &Known::none()).mean.iter().enumerate() {
            assert!((value / law(1200 + ahead) - 1.0).abs() < 0.02, "{ahead}: {value}");
        }
    }

    #[test]
    fn a_day_at_twice_the_level_keeps_its_shape() {
        let values = (0..1230).map(|i| if i < 1200 { law(i) } else { 2.0 * law(i) }).collect();
        let fitted = fitted(values, &[7200]);
        for (ahead, value) in fitted.predict(30, &Known::none()).mean.iter().enumerate() {
            assert!((value / (2.0 * law(1230 + ahead)) - 1.0).abs() < 0.1, "{ahead}: {value}");
        }
    }

    #[test]
    fn negative_series_are_added() {
        let fitted = fitted((0..1200).map(|i| law(i) - 100.0).collect(), &[7200]);
        for (ahead, value) in fitted.predict(60, &Known::none()).mean.iter().enumerate() {
            assert!((value + 100.0 - law(1200 + ahead)).abs() < 5.0, "{ahead}: {value}");
        }
    }

    #[test]
    fn without_a_season_it_is_the_level_of_the_last_minutes() {
        let fitted = fitted(vec![7.0; 50], &[86_400]);
        assert!((fitted.predict(3, &Known::none()).mean[2] - 7.0).abs() < 1e-9);
    }
}

//! One level a day times one shape of the day: a rank-1 matrix, in closed form.

mod levels;
mod persistence;

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, magnitude, observed, require};
use super::profile::{Joined, Profile};
use super::season::fitting;
use crate::{Error, Fitted, Forecaster};
use levels::Levels;
use persistence::Persistence;

/// Share of a period's rows that must have been observed for its level to count, and for the very first, whose shape is
/// not known yet.
const COVERED: (f64, f64) = (0.5, 0.9);

/// The history as a matrix `periods × places`, taken for an outer product of levels and a shape, as FLAIR does
/// (arXiv 2605.07222): the shape is the decaying mean of past periods, each over its own level, varied by the longer
/// seasons (the days of a week); the next level is a ridge regression on the levels before it. Departures: periods keep
/// to the local calendar instead of ending at the forecast's origin, and the part of the running period that was
/// already seen corrects the forecast, with a persistence that is itself a ridge in closed form for each lead. An update
/// is O(1), and O(season) at the end of a period.
#[derive(Clone, Debug)]
pub struct LevelShape {
    seasons: Vec<Duration>,
}

impl LevelShape {
    /// The shortest season that fits is the period, longer ones vary its shape.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }
}

impl Forecaster for LevelShape {
    fn name(&self) -> &str {
        State::NAME
    }

    /// Needs a season that the history holds twice.
    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let seasons = fitting(&self.seasons, history);
        let Some(period) = seasons.first() else {
            let shortest = self.seasons.iter().min().copied().unwrap_or(Duration::ZERO);
            let needed = 2 * history.steps_in(shortest).max(2);
            return Err(Error::TooShort { needed, got: observed(history).count() });
        };
        require(history, period.rows)?;
        let scale = magnitude(history);
        let joined = if observed(history).any(|v| v < 0.0) { Joined::Added } else { Joined::Multiplied };
        let count = observed(history).count() as f64;
        let recall = seasons.get(1).map(|longer| longer.rows / period.rows).filter(|recall| *recall > 1);
        let state = State {
            scale,
            joined,
            period_us: period.period.as_micros() as i64,
            rows: period.rows,
            open: i64::MIN,
            seen: Vec::new(),
            level: observed(history).map(|v| v / scale / count).sum(),
            profile: Profile::new(joined, &seasons),
            levels: Levels::new(recall.unwrap_or(1)),
            persistence: Persistence::new(history.step(), period.rows),
        };
        Ok(Box::new(Live::stream(history, state)))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Values are divided by this.
    scale: f64,
    joined: Joined,
    period_us: i64,
    rows: usize,
    /// Number of the running period.
    open: i64,
    /// Local time and value of what was observed in it.
    seen: Vec<(i64, f64)>,
    /// Level forecast for it.
    level: f64,
    profile: Profile,
    levels: Levels,
    persistence: Persistence,
}

impl State {
    /// Ends the running period: its level joins the others, its rows the shape.
    fn close(&mut self, next: i64) {
        let first = self.levels.is_empty();
        let covered = self.seen.len() as f64 / self.rows as f64;
        let enough = covered >= if first { COVERED.1 } else { COVERED.0 };
        let level = enough.then(|| self.seen_level()).flatten();
        if let Some(level) = level {
            for (local, value) in &self.seen {
                self.profile.learn(*local, level, *value);
            }
        }
        if !first || level.is_some() {
            // Periods that were left out whole have no level either.
            let skipped = next.saturating_sub(self.open).clamp(1, 64) - 1;
            self.levels.push(level);
            (0..skipped).for_each(|_| self.levels.push(None));
            self.level = self.levels.forecast(1).first().copied().unwrap_or(self.level);
        }
        self.seen.clear();
    }

    /// The level of the rows seen, given the shape.
    fn seen_level(&self) -> Option<f64> {
        let count = self.seen.len() as f64;
        match self.joined {
            Joined::Added => {
                let over: f64 = self.seen.iter().map(|(at, value)| value - self.profile.expected(*at, 0.0)).sum();
                (count > 0.0).then(|| over / count)
            }
            Joined::Multiplied => {
                let shape: f64 = self.seen.iter().map(|(at, _)| self.profile.expected(*at, 1.0)).sum();
                (shape > 0.0).then(|| self.seen.iter().map(|(_, value)| value).sum::<f64>() / shape)
            }
        }
    }
}

impl Model for State {
    const NAME: &'static str = "level_shape";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let local = clock.local_us();
        let number = local.div_euclid(self.period_us);
        if number != self.open {
            self.close(number);
            self.open = number;
        }
        let Some(value) = row.target() else {
            self.persistence.skip();
            return;
        };
        let value = match self.joined {
            Joined::Added => value / self.scale,
            Joined::Multiplied => (value / self.scale).max(0.0),
        };
        // A day that the clocks make longer visits some places twice; the list stays bounded all the same.
        if self.seen.len() < 2 * self.rows {
            self.seen.push((local, value));
        }
        let expected = self.profile.expected(local, self.level);
        self.persistence.push(self.joined, expected, value, !self.levels.is_empty());
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let last = clock.local_ahead(horizon).last().map_or(self.open, |local| local.div_euclid(self.period_us));
        let coming = self.levels.forecast(last.saturating_sub(self.open).clamp(0, 64) as usize + 1);
        clock
            .local_ahead(horizon)
            .enumerate()
            .map(|(ahead, local)| {
                let periods = local.div_euclid(self.period_us).saturating_sub(self.open).max(0) as usize;
                let level = coming.get(periods.min(coming.len().max(1) - 1)).copied().unwrap_or(self.level);
                let usual = self.profile.expected(local, level);
                self.persistence.apply(self.joined, usual, ahead + 1) * self.scale
            })
            .collect()
    }

    fn is_sound(&self) -> bool {
        self.period_us > 0 && self.rows > 0 && self.profile.is_sound() && self.levels.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn forecast(values: Vec<f64>, horizon: usize) -> Vec<f64> {
        let model = LevelShape::new(&[HOUR, 7 * HOUR]);
        let history = Frame::from_values(values);
        model
            .fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1))
            .unwrap()
            .predict(horizon, &Known::none())
            .mean
    }

    /// Periods of an hour, the sixth and seventh of each "week" at half the level.
    fn law(minute: usize) -> f64 {
        let level = if minute / 60 % 7 >= 5 { 50.0 } else { 100.0 };
        level * (1.0 + 0.5 * (minute as f64 * TAU / 60.0).sin())
    }

    #[test]
    fn levels_and_shape_are_known_ahead() {
        // From the epoch, a Thursday: the frame starts on a Monday, so weeks and periods begin with it.
        let got = forecast((0..28 * 60).map(law).collect(), 7 * 60);
        let error: f64 = got.iter().enumerate().map(|(i, v)| (v - law(28 * 60 + i)).abs()).sum::<f64>() / 420.0;
        assert!(error < 6.0, "mean error {error}");
    }

    #[test]
    fn what_was_seen_of_the_running_period_counts() {
        let steady = |minute: usize| 100.0 * (1.0 + 0.5 * (minute as f64 * TAU / 60.0).sin());
        let values = (0..600).map(|i| steady(i) * if i < 570 { 1.0 } else { 2.0 }).collect();
        let got = forecast(values, 10);
        for (ahead, value) in got.iter().enumerate() {
            assert!(*value > 1.5 * steady(600 + ahead), "{ahead}: {value}");
        }
    }

    #[test]
    fn without_two_periods_there_is_nothing_to_see() {
        let model = LevelShape::new(&[HOUR]);
        let short = Frame::from_values(vec![1.0; 119]);
        let error = model.fit(&short, &Known::none(), &mut SeededRng::seed_from_u64(1)).err().unwrap();
        assert_eq!(error, Error::TooShort { needed: 120, got: 119 });
    }
}

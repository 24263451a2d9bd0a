//! What was seen, and the forecasts that need no model.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Frame, Row, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Forecast;
use crate::metrics::percentile;
use crate::models::clock::Clock;

const DAY_US: u128 = 86_400_000_000;
/// A day of rows shorter than this is remembered; of a finer grid, this many.
const MOST_ROWS: usize = 10_080;
/// Differences looked at for a quantile.
const SAMPLE: usize = 200;

/// Where the series stands, its range, and its last day.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    clock: Clock,
    /// Smallest and largest value ever.
    range: Option<(f64, f64)>,
    last: Option<f64>,
    /// Rows in a day, or as many as are remembered.
    season: usize,
    /// The last `season` rows, oldest first.
    day: VecDeque<Option<f64>>,
}

impl Seen {
    pub(super) fn of(history: &Frame) -> Self {
        let season = (DAY_US.div_ceil(history.step().as_micros().max(1)) as usize).clamp(1, MOST_ROWS);
        let mut seen = Self { clock: Clock::at_start(history), range: None, last: None, season, day: VecDeque::new() };
        history.target_column().valid().iter().zip(history.target()).for_each(|(valid, value)| {
            seen.push(valid.then_some(*value));
        });
        seen
    }

    pub(super) fn is_sound(&self) -> bool {
        self.clock.is_sound() && self.season > 0 && self.day.len() <= self.season
    }

    /// Takes in a row; false if its time has passed already.
    pub(super) fn take(&mut self, row: &Row) -> bool {
        let skipped = self.clock.steps_to(row.time);
        if skipped < 0 {
            return false;
        }
        let filled = skipped.min(self.season as i64);
        self.clock.advance(skipped - filled);
        (0..filled).for_each(|_| self.push(None));
        self.push(row.target().filter(|v| v.is_finite()));
        true
    }

    fn push(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.last = Some(value);
            let (low, high) = self.range.unwrap_or((value, value));
            self.range = Some((low.min(value), high.max(value)));
        }
        if self.day.len() == self.season {
            self.day.pop_front();
        }
        self.day.push_back(value);
        self.clock.advance(1);
    }

    /// Start and length of the row to come.
    pub(super) fn next(&self) -> (Timestamp, Duration) {
        (self.clock.next(), self.clock.step())
    }

    /// What forecasts must stay within.
    pub(super) fn bounds(&self, multiple: f64) -> (f64, f64) {
        let finite = |v: f64| v.clamp(f64::MIN / 2.0, f64::MAX / 2.0);
        match self.range {
            None => (0.0, 0.0),
            Some((low, high)) if low >= 0.0 => (0.0, finite(high * multiple)),
            Some((low, high)) => {
                let beyond = (high / 2.0 - low / 2.0) * (multiple - 1.0) * 2.0;
                (finite(low - beyond), finite(high + beyond))
            }
        }
    }

    /// The highest rung that holds.
    pub(super) fn fall_back(&self, horizon: usize, levels: Vec<f64>, multiple: f64, why: &str) -> Forecast {
        let observed = self.day.iter().flatten().count();
        let (mean, rung) = match self.last {
            Some(last) if self.day.len() == self.season && 2 * observed >= self.season => {
                let before = |step: usize| self.day[step % self.season].unwrap_or(last);
                ((0..horizon).map(before).collect(), "value of a day before")
            }
            Some(last) => (vec![last; horizon], "last value held"),
            None => (vec![0.0; horizon], "nothing observed, zero held"),
        };
        let quantiles = self.quantiles(&mean, &levels, self.bounds(multiple));
        let degraded = Some(format!("{why}; {rung}"));
        let (start, step) = self.next();
        Forecast { start, step, mean, levels, quantiles, degraded }
    }

    /// Quantiles around `mean`, spread as values so many steps apart differed over the last day.
    pub(super) fn quantiles(&self, mean: &[f64], levels: &[f64], (low, high): (f64, f64)) -> Vec<Vec<f64>> {
        if levels.is_empty() {
            return Vec::new();
        }
        let around = |(step, mean): (usize, &f64)| {
            let changes = self.changes(step + 1);
            let mut row: Vec<f64> = levels
                .iter()
                .map(|level| (mean + percentile(&changes, *level).unwrap_or(0.0)).clamp(low, high))
                .collect();
            row.sort_by(f64::total_cmp);
            row
        };
        mean.iter().enumerate().map(around).collect()
    }

    /// Differences of values `steps` apart (or as far apart as half of what is remembered), at most [`SAMPLE`] of them.
    fn changes(&self, steps: usize) -> Vec<f64> {
        let apart = steps.min(self.day.len() / 2).max(1);
        let pairs = self.day.len().saturating_sub(apart);
        (0..pairs)
            .step_by(pairs.div_ceil(SAMPLE).max(1))
            .filter_map(|i| Some((self.day[i + apart]? - self.day[i]?).clamp(-f64::MAX / 4.0, f64::MAX / 4.0)))
            .collect()
    }
}

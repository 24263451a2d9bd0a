//! A straight line through the last hour.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, magnitude, require};
use crate::{Error, Fitted, Forecaster};

/// Rows of the window: at least so many, where an hour is short of them, and at most, where a row is a second.
const ROWS: (usize, usize) = (12, 240);

/// Extrapolates the least-squares line through the last hour (12 to 240 rows). Gaps weigh nothing; with fewer than two
/// observed rows in the window the last value is held. An update is O(1), a prediction O(window).
#[derive(Clone, Copy, Debug)]
pub struct LinearTrend {
    window: Duration,
}

impl LinearTrend {
    /// Over the last hour.
    pub fn new() -> Self {
        Self { window: Duration::from_secs(3600) }
    }

    /// The state that learns `history`, before it has seen it.
    pub(super) fn start(&self, history: &Frame) -> State {
        let window = history.steps_in(self.window).clamp(ROWS.0, ROWS.1);
        State { window, scale: magnitude(history), last: 0.0, recent: VecDeque::new() }
    }
}

impl Default for LinearTrend {
    fn default() -> Self {
        Self::new()
    }
}

impl Forecaster for LinearTrend {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 1)?;
        let state = self.start(history);
        let recent = history.slice(history.len().saturating_sub(state.window)..history.len());
        // The last value may lie before the window, so all of the history is streamed where the window holds none.
        let source = if recent.target_mask().contains(&true) { &recent } else { history };
        Ok(Box::new(Live::stream(source, state)))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    window: usize,
    /// Values are divided by this while sums are formed.
    scale: f64,
    last: f64,
    recent: VecDeque<Option<f64>>,
}

impl State {
    /// Intercept at the newest row and slope a row, of the least-squares line.
    pub(super) fn line(&self) -> Option<(f64, f64)> {
        let seen = || {
            let newest = self.recent.len() as f64 - 1.0;
            self.recent.iter().enumerate().filter_map(move |(i, y)| y.map(|y| (i as f64 - newest, y / self.scale)))
        };
        let count = seen().count() as f64;
        if count < 2.0 {
            return None;
        }
        let (mean_x, mean_y) = (seen().map(|p| p.0).sum::<f64>() / count, seen().map(|p| p.1 / count).sum::<f64>());
        let (mut xx, mut xy) = (0.0, 0.0);
        for (x, y) in seen() {
            xx += (x - mean_x) * (x - mean_x);
            xy += (x - mean_x) * (y - mean_y);
        }
        let slope = xy / xx;
        Some(((mean_y - slope * mean_x) * self.scale, slope * self.scale))
    }
}

impl Model for State {
    const NAME: &'static str = "linear_trend";
    const VERSION: u32 = 1;

    fn push(&mut self, _clock: &Clock, row: &Row) {
        if self.recent.len() == self.window {
            self.recent.pop_front();
        }
        self.recent.push_back(row.target());
        self.last = row.target().unwrap_or(self.last);
    }

    fn point(&self, _clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let (level, slope) = self.line().unwrap_or((self.last, 0.0));
        (1..=horizon).map(|ahead| level + slope * ahead as f64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], expected: &[f64]) {
        let history = Frame::from_values(values.iter().copied());
        let fitted = LinearTrend::new().fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        for (got, expected) in fitted.predict(expected.len(), &Known::none()).mean.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9 * expected.abs().max(1.0), "{values:?}: {got}, not {expected}");
        }
    }

    #[test]
    fn a_line_is_extended_and_gaps_do_not_bend_it() {
        check(&[5.0], &[5.0, 5.0]);
        check(&[1.0, 3.0, 5.0], &[7.0, 9.0]);
        check(&[1.0, f64::NAN, 5.0, f64::NAN], &[9.0, 11.0]);
        // By hand: x = 0, 1, 2 and y = 0, 3, 3: slope 1.5, mean 2.
        check(&[0.0, 3.0, 3.0], &[5.0, 6.5]);
        check(&[1e300, 2e300, 3e300], &[4e300]);
    }

    #[test]
    fn only_the_last_hour_counts() {
        let mut values = vec![1000.0; 500];
        values.extend((0..60).map(f64::from));
        check(&values, &[60.0, 61.0]);
    }

    #[test]
    fn a_window_of_gaps_holds_the_last_value() {
        let mut values = vec![4.0];
        values.extend([f64::NAN; 100]);
        check(&values, &[4.0, 4.0]);
    }
}

//! A forecast: mean and quantiles for the next steps.

use std::time::Duration;

use foresail_core::{Known, Timestamp};
use serde::{Deserialize, Serialize};

/// What a fitted model says of the next steps, in the unit of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Start of the first forecast row (the end of the history).
    pub start: Timestamp,
    /// Length of a row.
    pub step: Duration,
    /// Point forecast, one a step; finite.
    pub mean: Vec<f64>,
    /// Quantile levels, ascending, within (0, 1). May be empty.
    pub levels: Vec<f64>,
    /// `horizon × levels`: for each step, the quantiles in the order of `levels`, non-decreasing.
    pub quantiles: Vec<Vec<f64>>,
    /// Set where the forecast is not what the model itself said, with the reason: a rung of the fall-back ladder or a
    /// bound that cut it.
    pub degraded: Option<String>,
}

impl Forecast {
    /// A point forecast without quantiles.
    pub fn point(start: Timestamp, step: Duration, mean: Vec<f64>) -> Self {
        Self { start, step, mean, levels: Vec::new(), quantiles: Vec::new(), degraded: None }
    }

    /// The same with announced events: each step times the factors of the events that hold at its start. Models leave
    /// these out.
    #[must_use]
    pub fn times_events(mut self, known: &Known) -> Self {
        for i in 0..self.horizon() {
            let factor = known.factor_at(self.time(i));
            self.mean[i] *= factor;
            self.quantiles.get_mut(i).into_iter().flatten().for_each(|v| *v *= factor);
        }
        self
    }

    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        self.mean.len()
    }

    /// Start of forecast row `index`.
    pub fn time(&self, index: usize) -> Timestamp {
        Timestamp::from_micros(self.start.as_micros() + self.step.as_micros() as i64 * index as i64)
    }

    /// The `level` quantile of each step, interpolated linearly between the levels there are and held beyond them; the
    /// mean if there are none.
    pub fn quantile(&self, level: f64) -> Vec<f64> {
        if self.levels.is_empty() {
            return self.mean.clone();
        }
        let above = self.levels.partition_point(|l| *l < level);
        self.quantiles
            .iter()
            .map(|row| {
                if above == 0 {
                    row[0]
                } else if above == self.levels.len() {
                    row[above - 1]
                } else {
                    let (low, high) = (self.levels[above - 1], self.levels[above]);
                    row[above - 1] + (row[above] - row[above - 1]) * (level - low) / (high - low)
                }
            })
            .collect()
    }
}

/// The saved state of a fitted model: plain data with a version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Name of the model, as in the registry.
    pub model: String,
    /// Version of the layout of `state`; a restore refuses others.
    pub version: u32,
    /// The state.
    pub state: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use foresail_core::Event;

    use super::*;

    #[test]
    fn announced_events_multiply_their_steps() {
        let at = |secs| Timestamp::from_secs(secs);
        let event = |from, to, factor| Event { from, to, factor, floor: 0, kind: String::new(), label: String::new() };
        let events = vec![event(at(60), at(120), 3.0), event(at(0), at(180), 2.0)];
        let known = Known { events, ..Known::none() };
        let mut forecast = Forecast::point(at(0), Duration::from_secs(60), vec![1.0; 4]);
        (forecast.levels, forecast.quantiles) = (vec![0.9], vec![vec![5.0]; 4]);
        let with = forecast.times_events(&known);
        assert_eq!(with.mean, [2.0, 6.0, 2.0, 1.0]);
        assert_eq!(with.quantiles, [[10.0], [30.0], [10.0], [5.0]]);
    }
}

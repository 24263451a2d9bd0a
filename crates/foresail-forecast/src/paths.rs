//! Ways the next steps may go, and what can be asked of them.

use std::ops::Range;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Forecast;

/// Equally likely paths through the next steps (sample trajectories), in the unit of the history.
///
/// ```
/// use foresail_core::{Frame, Known, SeededRng};
/// use foresail_forecast::{Forecaster, intervals::Calibrated, models::LastValue};
///
/// let mut rng = SeededRng::seed_from_u64(1);
/// let history = Frame::from_values((0..400).map(|i| 100.0 + f64::from(i % 7)));
/// let fitted = Calibrated::new(Box::new(LastValue), 6).fit(&history, &Known::none(), &mut rng).unwrap();
/// let paths = fitted.paths(6, 500, &Known::none(), &mut rng);
/// assert_eq!((paths.len(), paths.horizon()), (500, 6));
/// assert!(paths.max_quantile(0.9, 0..6) >= paths.max_quantile(0.9, 0..3));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paths {
    /// Start of the first row.
    pub start: Timestamp,
    /// Length of a row.
    pub step: Duration,
    count: usize,
    /// `horizon × count`.
    values: Vec<f64>,
}

impl Paths {
    /// `count` paths without any steps yet.
    pub(crate) fn new(start: Timestamp, step: Duration, count: usize) -> Self {
        Self { start, step, count, values: Vec::new() }
    }

    /// The next step: a value a path.
    pub(crate) fn push(&mut self, values: impl Iterator<Item = f64>) {
        self.values.extend(values);
        debug_assert!(self.count == 0 || self.values.len().is_multiple_of(self.count));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Steps of each.
    pub fn horizon(&self) -> usize {
        self.values.len() / self.count.max(1)
    }

    /// The values of all paths at step `index`, in the order of the paths.
    pub fn step(&self, index: usize) -> &[f64] {
        &self.values[index * self.count..(index + 1) * self.count]
    }

    /// Path `index`, step by step.
    pub fn path(&self, index: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().skip(index).step_by(self.count.max(1)).copied()
    }

    /// The `level` quantile of the greatest value within `steps`, counted from 0 and within the horizon. With no path or
    /// no step it is negative infinity.
    pub fn max_quantile(&self, level: f64, steps: Range<usize>) -> f64 {
        let mut greatest = vec![f64::NEG_INFINITY; self.count];
        for step in steps {
            greatest.iter_mut().zip(self.step(step)).for_each(|(greatest, value)| *greatest = greatest.max(*value));
        }
        greatest.sort_by(f64::total_cmp);
        of_sorted(&greatest, level)
    }

    pub(crate) fn is_finite(&self) -> bool {
        self.values.iter().all(|value| value.is_finite())
    }

    pub(crate) fn clamp(&mut self, low: f64, high: f64) {
        self.values.iter_mut().for_each(|value| *value = value.clamp(low, high));
    }
}

/// The `level` quantile of sorted values, the i-th of n placed at `i / (n + 1)`; the extreme ones beyond them.
pub(crate) fn of_sorted(sorted: &[f64], level: f64) -> f64 {
    let (Some(last), Some(greatest)) = (sorted.len().checked_sub(1), sorted.last()) else {
        return f64::NEG_INFINITY;
    };
    let position = (level * (sorted.len() as f64 + 1.0) - 1.0).clamp(0.0, last as f64);
    let below = position as usize;
    let above = sorted.get(below + 1).unwrap_or(greatest);
    if *above == sorted[below] { *above } else { sorted[below] + (above - sorted[below]) * (position - below as f64) }
}

/// Paths of a forecast that each keep the level they are at.
pub(crate) fn at_one_level(forecast: &Forecast, count: usize, rng: &mut SeededRng) -> Paths {
    let mut paths = Paths::new(forecast.start, forecast.step, count);
    let by_path: Vec<Vec<f64>> = (0..count).map(|_| forecast.quantile(rng.uniform())).collect();
    for step in 0..forecast.horizon() {
        paths.push(by_path.iter().map(|values| values[step]));
    }
    paths
}

/// Quantiles of the greatest value if every path keeps the level it is at.
pub(crate) fn greatest_at_one_level(forecast: &Forecast, levels: &[f64], steps: Range<usize>) -> Vec<f64> {
    let greatest =
        |level: &f64| forecast.quantile(*level)[steps.clone()].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    levels.iter().map(greatest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(values: &[[f64; 3]]) -> Paths {
        let mut paths = Paths::new(Timestamp::EPOCH, Duration::from_secs(60), 3);
        values.iter().for_each(|step| paths.push(step.iter().copied()));
        paths
    }

    #[test]
    fn the_greatest_value_is_taken_path_by_path() {
        let paths = paths(&[[1.0, 5.0, 2.0], [4.0, 0.0, 3.0]]);
        assert_eq!((paths.len(), paths.horizon()), (3, 2));
        assert_eq!(paths.path(1).collect::<Vec<f64>>(), [5.0, 0.0]);
        assert_eq!(paths.max_quantile(0.5, 0..2), 4.0); // of 4, 5 and 3
        assert_eq!(paths.max_quantile(0.5, 0..1), 2.0);
        assert_eq!(paths.max_quantile(0.99, 0..2), 5.0);
        assert_eq!(paths.max_quantile(0.5, 1..1), f64::NEG_INFINITY);
    }

    #[test]
    fn without_knowledge_of_dependence_a_path_keeps_its_level() {
        let forecast = Forecast {
            levels: vec![0.1, 0.9],
            quantiles: vec![vec![1.0, 2.0], vec![0.0, 4.0]],
            ..Forecast::point(Timestamp::EPOCH, Duration::from_secs(60), vec![1.5, 2.0])
        };
        assert_eq!(greatest_at_one_level(&forecast, &[0.1, 0.9], 0..2), [1.0, 4.0]);
        let paths = at_one_level(&forecast, 50, &mut SeededRng::seed_from_u64(3));
        for path in 0..50 {
            let values: Vec<f64> = paths.path(path).collect();
            assert!((values[1] - 4.0 * (values[0] - 1.0)).abs() < 1e-9);
        }
    }
}

//! The next period's level, by ridge regression on those before.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::super::cholesky::Cholesky;

/// Levels remembered: eight weeks of days.
const KEPT: usize = 56;
/// Regressors: where the level usually is, and where it was one longer season ago, both against the last one.
const WIDTH: usize = 2;
/// Ridge penalties tried, in units of the regressors' mean square times the number of levels.
const PENALTIES: [f64; 5] = [1e-3, 1e-2, 1e-1, 1.0, 10.0];
/// Regressions on fewer levels than this are not worth it.
const ENOUGH: usize = 6;
/// Levels of magnitude one are reckoned with as they are, larger and much smaller ones by their logarithm.
const BEND: f64 = 0.1;

/// Levels of past periods, and the regression on them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Levels {
    /// Periods after which they look alike: 7 for days in a week, 1 where nothing is known.
    recall: usize,
    /// `asinh(level / 0.1)`, newest last; `None` for periods hardly observed.
    past: VecDeque<Option<f64>>,
}

impl Levels {
    pub(super) fn new(recall: usize) -> Self {
        Self { recall: recall.max(1), past: VecDeque::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.past.is_empty()
    }

    pub(super) fn is_sound(&self) -> bool {
        self.recall > 0
    }

    pub(super) fn push(&mut self, level: Option<f64>) {
        if self.past.len() == KEPT {
            self.past.pop_front();
        }
        self.past.push_back(level.map(|level| (level / BEND).asinh()));
    }

    /// Levels of the next `count` periods; none if no level is known. With few levels, or by default of better
    /// knowledge, that is the last one: the ridge shrinks towards it.
    pub(super) fn forecast(&self, count: usize) -> Vec<f64> {
        let Some(first) = self.past.iter().flatten().next() else { return Vec::new() };
        // A period not observed looks like the one before it.
        let mut held = *first;
        let mut series: Vec<f64> = self
            .past
            .iter()
            .map(|level| {
                held = level.unwrap_or(held);
                held
            })
            .collect();
        let weights = self.weights(&series);
        let known = series.len();
        let (low, high) = series.iter().fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        for _ in 0..count {
            let x = self.regressors(&series);
            let last = series[series.len() - 1];
            let change: f64 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
            series.push((last + change).clamp(low - 0.5, high + 0.5));
        }
        series[known..].iter().map(|level| level.sinh() * BEND).collect()
    }

    fn regressors(&self, series: &[f64]) -> [f64; WIDTH] {
        let last = series[series.len() - 1];
        let recent = &series[series.len().saturating_sub(2 * self.recall.max(4))..];
        let usual = recent.iter().sum::<f64>() / recent.len() as f64;
        let recalled = if series.len() >= self.recall { series[series.len() - self.recall] } else { last };
        [usual - last, recalled - last]
    }

    /// Ridge weights of the regressors for the change of the level, the penalty chosen by generalised cross-validation
    /// (Golub, Heath & Wahba 1979).
    fn weights(&self, series: &[f64]) -> [f64; WIDTH] {
        let from = self.recall.max(2);
        if series.len() < from + ENOUGH {
            return [0.0; WIDTH];
        }
        let rows: Vec<([f64; WIDTH], f64)> =
            (from..series.len()).map(|t| (self.regressors(&series[..t]), series[t] - series[t - 1])).collect();
        let n = rows.len() as f64;
        let (mut gram, mut side) = ([0.0; WIDTH * WIDTH], [0.0; WIDTH]);
        for (x, y) in &rows {
            for i in 0..WIDTH {
                side[i] += x[i] * y;
                (0..WIDTH).for_each(|j| gram[i * WIDTH + j] += x[i] * x[j]);
            }
        }
        let unit = (0..WIDTH).map(|i| gram[i * WIDTH + i]).sum::<f64>() / WIDTH as f64;
        let mut best = (f64::INFINITY, [0.0; WIDTH]);
        for penalty in PENALTIES {
            let mut regular = gram.to_vec();
            (0..WIDTH).for_each(|i| regular[i * WIDTH + i] += penalty * unit + 1e-12);
            let Some(factor) = Cholesky::new(regular, WIDTH) else { continue };
            let mut weights = side;
            factor.solve(&mut weights);
            let freedom: f64 = (0..WIDTH)
                .map(|i| {
                    let mut column: [f64; WIDTH] = std::array::from_fn(|j| gram[j * WIDTH + i]);
                    factor.solve(&mut column);
                    column[i]
                })
                .sum();
            let squares: f64 =
                rows.iter().map(|(x, y)| (y - x.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>()).powi(2)).sum();
            let score = n * squares / (n - freedom).powi(2);
            if score < best.0 {
                best = (score, weights);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(recall: usize, levels: &[f64], count: usize) -> Vec<f64> {
        let mut past = Levels::new(recall);
        levels.iter().for_each(|level| past.push(Some(*level)));
        past.forecast(count)
    }

    #[test]
    fn few_levels_are_held() {
        assert!(next(7, &[], 2).is_empty());
        assert!((next(7, &[3.0, 5.0], 2)[1] - 5.0).abs() < 1e-9);
    }

    #[test]
    fn a_week_of_levels_is_recalled() {
        let week = [1.0, 1.1, 1.2, 1.1, 1.0, 0.4, 0.3];
        let levels: Vec<f64> = (0..35).map(|d| week[d % 7]).collect();
        for (got, expected) in next(7, &levels, 7).iter().zip(week) {
            assert!((got / expected - 1.0).abs() < 0.15, "{got}, not {expected}");
        }
    }

    #[test]
    fn levels_that_return_to_their_mean_are_seen_to() {
        let levels: Vec<f64> = (0..30).map(|d| if d % 2 == 0 { 1.0 } else { 2.0 }).collect();
        assert!(next(1, &levels, 1)[0] < 1.6);
    }

    #[test]
    fn zeros_stay_zeros() {
        assert_eq!(next(7, &[0.0; 30], 3), [0.0; 3]);
    }
}

//! One ridge regression from a window's numbers to all rows ahead.

use serde::{Deserialize, Serialize};

use super::super::cholesky::Cholesky;
use super::gram::{gram, padded};

/// Penalties tried, as shares of a regressor's unit variance; the one with the smallest cross-fitted error is taken.
const PENALTIES: [f64; 4] = [0.001, 0.01, 0.1, 0.5];
/// The penalty while weights are looked for.
const MIDDLE: f64 = 0.03;
/// Times that windows are weighed anew.
const REWEIGHED: usize = 2;
/// Stretches of time, each of which is forecast by what the others teach.
const STRETCHES: usize = 5;

/// Windows to learn from, in the order of time.
pub(super) struct Table {
    /// Numbers of a window (the last a one), and rows ahead.
    width: usize,
    horizon: usize,
    /// A row a window, of [`Table::columns`] each: its numbers, its targets, and zeros.
    rows: Vec<f32>,
    /// What an error of 1 is worth.
    worth: Vec<f32>,
}

impl Table {
    pub(super) fn new(width: usize, horizon: usize) -> Self {
        Self { width, horizon, rows: Vec::new(), worth: Vec::new() }
    }

    fn columns(&self) -> usize {
        padded(self.width + self.horizon)
    }

    /// Adds a window, written by `write`: its numbers, then its targets.
    pub(super) fn push(&mut self, worth: f64, write: impl FnOnce(&mut Vec<f32>)) {
        let start = self.rows.len();
        write(&mut self.rows);
        debug_assert_eq!(self.rows.len() - start, self.width + self.horizon);
        self.rows.resize(start + self.columns(), 0.0);
        self.worth.push(worth as f32);
    }

    pub(super) fn len(&self) -> usize {
        self.worth.len()
    }

    fn window(&self, index: usize) -> (&[f32], &[f32]) {
        let row = &self.rows[index * self.columns()..(index + 1) * self.columns()];
        (&row[..self.width], &row[self.width..self.width + self.horizon])
    }
}

/// Weights from a window's numbers to the rows ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Linear {
    horizon: usize,
    /// `numbers × rows ahead`.
    weights: Vec<f32>,
}

/// What a fit gives.
pub(super) struct Fit {
    pub(super) linear: Linear,
    /// `windows × rows ahead`: what is said of each window by those of other stretches of time.
    pub(super) cross_fitted: Vec<f32>,
    /// Mean worth of the cross-fitted errors.
    pub(super) loss: f64,
}

impl Linear {
    /// What is said of a window with these numbers, a row ahead each.
    pub(super) fn predict(&self, numbers: &[f32]) -> Vec<f32> {
        let mut answer = vec![0.0; self.horizon];
        for (number, weights) in numbers.iter().zip(self.weights.chunks_exact(self.horizon)) {
            answer.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += number * weight);
        }
        answer
    }

    /// Whether a restored one fits windows of `width` numbers.
    pub(super) fn is_sound(&self, width: usize, horizon: usize) -> bool {
        self.horizon == horizon && self.weights.len() == width * horizon
    }

    /// Fits by least squares under a penalty on all weights but the constant's. Windows are weighed by the inverse of
    /// their own mean error (iteratively, as for the least absolute error), so that those nobody can forecast do not rule.
    /// `None` if there are too few windows, or their numbers overflow.
    pub(super) fn fit(table: &Table) -> Option<Fit> {
        if table.len() < 2 * STRETCHES {
            return None;
        }
        let mut weights = vec![1.0; table.len()];
        let mut sums = Sums::of(table, &weights);
        for _ in 0..REWEIGHED {
            let linear = sums.solve(None, MIDDLE)?;
            let errors: Vec<f64> = (0..table.len()).map(|window| linear.error(table, window)).collect();
            weights = reweighed(&errors);
            sums = Sums::of(table, &weights);
        }
        let cross_fitted = |penalty: f64| {
            let mut answers = Vec::with_capacity(table.len() * table.horizon);
            let mut loss = 0.0;
            for stretch in 0..STRETCHES {
                let linear = sums.solve(Some(stretch), penalty)?;
                for window in stretch_of(table.len(), stretch) {
                    let (numbers, targets) = table.window(window);
                    let answer = linear.predict(numbers);
                    let error: f32 = answer.iter().zip(targets).map(|(a, b)| (a - b).abs()).sum();
                    loss += f64::from(error * table.worth[window]);
                    answers.extend(answer);
                }
            }
            Some((loss / answers.len() as f64, penalty, answers))
        };
        let tried = PENALTIES.iter().filter_map(|penalty| cross_fitted(*penalty));
        let (loss, penalty, cross_fitted) = tried.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Fit { linear: sums.solve(None, penalty)?, cross_fitted, loss })
    }

    fn error(&self, table: &Table, window: usize) -> f64 {
        let (numbers, targets) = table.window(window);
        let errors: f32 = self.predict(numbers).iter().zip(targets).map(|(a, b)| (a - b).abs()).sum();
        f64::from(errors) / self.horizon as f64
    }
}

/// Weights of mean 1 that fall with the error; a fifth of the windows, the best, weigh the same.
fn reweighed(errors: &[f64]) -> Vec<f32> {
    let mut sorted = errors.to_vec();
    let (_, least, _) = sorted.select_nth_unstable_by(errors.len() / 5, f64::total_cmp);
    let least = least.max(1e-6);
    let weights: Vec<f64> = errors.iter().map(|error| 1.0 / error.max(least)).collect();
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter().map(|weight| (weight / mean) as f32).collect()
}

/// The windows of a stretch of time.
fn stretch_of(windows: usize, stretch: usize) -> std::ops::Range<usize> {
    stretch * windows / STRETCHES..(stretch + 1) * windows / STRETCHES
}

/// Sums of products, a stretch of time each, and of all.
struct Sums {
    width: usize,
    horizon: usize,
    columns: usize,
    stretches: Vec<Vec<f64>>,
    total: Vec<f64>,
}

impl Sums {
    fn of(table: &Table, weights: &[f32]) -> Self {
        let columns = table.columns();
        let stretches: Vec<Vec<f64>> = (0..STRETCHES)
            .map(|stretch| {
                let windows = stretch_of(table.len(), stretch);
                let rows = &table.rows[windows.start * columns..windows.end * columns];
                gram(rows, &weights[windows], columns, table.width)
            })
            .collect();
        let mut total = stretches[0].clone();
        for stretch in &stretches[1..] {
            total.iter_mut().zip(stretch).for_each(|(sum, part)| *sum += part);
        }
        Self { width: table.width, horizon: table.horizon, columns, stretches, total }
    }

    /// Solves for the weights, from all stretches but one or from all.
    fn solve(&self, without: Option<usize>, penalty: f64) -> Option<Linear> {
        let at = |row: usize, column: usize| {
            let at = row * self.columns + column;
            self.total[at] - without.map_or(0.0, |stretch| self.stretches[stretch][at])
        };
        let constant = self.width - 1;
        // The constant's own product is the sum of the windows' weights.
        let windows = at(constant, constant);
        let mut matrix = vec![0.0; self.width * self.width];
        for row in 0..self.width {
            for column in 0..=row {
                matrix[row * self.width + column] = at(column, row);
            }
            matrix[row * self.width + row] += windows * if row < constant { penalty } else { 1e-9 };
        }
        let factor = Cholesky::new(matrix, self.width)?;
        let mut weights = vec![0.0_f32; self.width * self.horizon];
        for ahead in 0..self.horizon {
            let mut side: Vec<f64> = (0..self.width).map(|row| at(row, self.width + ahead)).collect();
            factor.solve(&mut side);
            for (row, weight) in side.iter().enumerate() {
                if !weight.is_finite() {
                    return None;
                }
                weights[row * self.horizon + ahead] = *weight as f32;
            }
        }
        Some(Linear { horizon: self.horizon, weights })
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn the_law_behind_noise_and_a_few_absurd_windows_is_found() {
        let mut rng = SeededRng::seed_from_u64(2);
        let mut table = Table::new(4, 2);
        for window in 0..2000 {
            let x: Vec<f32> = (0..3).map(|_| rng.normal() as f32).collect();
            let noise = if window % 50 == 0 { 30.0 } else { 0.1 * rng.normal() as f32 };
            table.push(1.0, |row| {
                row.extend([x[0], x[1], x[2], 1.0]);
                row.extend([x[0] + 0.5 * x[1] + noise, 2.0 - x[2] + noise]);
            });
        }
        let fit = Linear::fit(&table).unwrap();
        let answer = fit.linear.predict(&[1.0, 1.0, 1.0, 1.0]);
        assert!((answer[0] - 1.5).abs() < 0.05 && (answer[1] - 1.0).abs() < 0.05, "{answer:?}");
        assert_eq!(fit.cross_fitted.len(), 4000);
        assert!(fit.linear.is_sound(4, 2) && fit.loss < 1.0);
    }

    #[test]
    fn a_handful_of_windows_teaches_nothing() {
        let mut table = Table::new(2, 1);
        (0..9).for_each(|_| table.push(1.0, |row| row.extend([1.0, 1.0, 1.0])));
        assert!(Linear::fit(&table).is_none());
    }
}

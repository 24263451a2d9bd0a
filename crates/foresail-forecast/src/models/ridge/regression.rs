//! Ridge regressions of several targets on the same regressors, over a decaying memory.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::cholesky::Cholesky;

/// Half-life of the memory, and the rows it holds at least.
const MEMORY: Duration = Duration::from_secs(7 * 86_400);
const MEMORY_ROWS: f64 = 2000.0;
/// Rows after which the weights are solved for anew.
const SOLVE_EVERY: u32 = 120;
/// Penalty on standardised regressors: a share of their variance, and rows' worth of trust that nothing is to be learned.
const PENALTY: (f64, f64) = (0.1, 300.0);
/// Regressors that vary less than this are left out.
const CONSTANT: f64 = 1e-5;
/// Regressors are cut so many standard deviations from their mean, and errors learned from at so many mean errors.
const CUT: f64 = 5.0;
/// Answers are cut at so many times the usual size of a target.
const REACH: f64 = 4.0;

/// Sums over all rows learned, and the weights last solved from them.
#[derive(Serialize, Deserialize)]
pub(super) struct Regression {
    width: usize,
    keep: f64,
    /// Decaying sums of regressor × regressor: the lower triangle, row by row, the constant being the last regressor.
    gram: Vec<f64>,
    /// For each target, decaying sums of regressor × target.
    sides: Vec<Vec<f64>>,
    since_solved: u32,
    /// Of the last solution: where each regressor usually is and how far it strays.
    means: Vec<f64>,
    deviations: Vec<f64>,
    targets: Vec<Target>,
}

/// What is known of one target.
#[derive(Serialize, Deserialize)]
struct Target {
    /// Weights of the regressors' distances from their means; empty before the first solution.
    weights: Vec<f64>,
    mean: f64,
    /// Smoothed size of the errors, and of the target itself.
    error: f64,
    size: f64,
    seen: u32,
}

impl Regression {
    /// Of `targets` targets on `width` regressors and a constant.
    pub(super) fn new(width: usize, targets: usize, step: Duration) -> Self {
        let rows = (MEMORY.as_secs_f64() / step.as_secs_f64()).max(MEMORY_ROWS);
        let target = || Target { weights: Vec::new(), mean: 0.0, error: 0.0, size: 0.0, seen: 0 };
        Self {
            width,
            keep: 0.5_f64.powf(1.0 / rows),
            gram: vec![0.0; (width + 1) * (width + 2) / 2],
            sides: vec![vec![0.0; width + 1]; targets],
            since_solved: 0,
            means: vec![0.0; width],
            deviations: vec![0.0; width],
            targets: (0..targets).map(|_| target()).collect(),
        }
    }

    /// Learns from one row. Targets that are missing are taken to be as predicted, if most are there; else the row is
    /// passed over. O(width²), and a solution every 120 rows.
    pub(super) fn learn(&mut self, regressors: &[f32], targets: &[Option<f64>]) {
        debug_assert_eq!(regressors.len(), self.width);
        if 2 * targets.iter().flatten().count() < targets.len().max(1) {
            return;
        }
        let predicted = self.predict(regressors);
        let row: Vec<f64> = regressors.iter().map(|x| f64::from(*x)).chain([1.0]).collect();
        for ((target, side), (seen, predicted)) in
            self.targets.iter_mut().zip(&mut self.sides).zip(targets.iter().zip(&predicted))
        {
            let value = seen.map_or(*predicted, |seen| target.cut(seen, *predicted));
            for (sum, x) in side.iter_mut().zip(&row) {
                *sum = *sum * self.keep + x * value;
            }
        }
        let mut rest = self.gram.as_mut_slice();
        for (i, x) in row.iter().enumerate() {
            let (sums, below) = rest.split_at_mut(i + 1);
            for (sum, other) in sums.iter_mut().zip(&row) {
                *sum = *sum * self.keep + x * other;
            }
            rest = below;
        }
        self.since_solved += 1;
        if self.since_solved >= SOLVE_EVERY {
            self.solve();
        }
    }

    /// Solves for the weights, on standardised regressors. Keeps the old ones if there is nothing to solve.
    pub(super) fn solve(&mut self) {
        self.since_solved = 0;
        let at = |i: usize, j: usize| self.gram[i * (i + 1) / 2 + j];
        let rows = at(self.width, self.width);
        if rows < 2.0 {
            return;
        }
        let means: Vec<f64> = (0..self.width).map(|i| at(self.width, i) / rows).collect();
        let deviations: Vec<f64> =
            (0..self.width).map(|i| (at(i, i) / rows - means[i] * means[i]).max(0.0).sqrt()).collect();
        let active: Vec<usize> =
            (0..self.width).filter(|i| deviations[*i] > CONSTANT * (1.0 + means[*i].abs())).collect();
        let penalty = PENALTY.0 + PENALTY.1 / rows;
        let size = active.len();
        let mut matrix = vec![0.0; size * size];
        for (a, i) in active.iter().enumerate() {
            for (b, j) in active[..=a].iter().enumerate() {
                let covariance = at(*i, *j) / rows - means[*i] * means[*j];
                matrix[a * size + b] = covariance / (deviations[*i] * deviations[*j]);
            }
            matrix[a * size + a] += penalty;
        }
        let Some(factor) = Cholesky::new(matrix, size) else { return };
        for (target, side) in self.targets.iter_mut().zip(&self.sides) {
            let mean = side[self.width] / rows;
            let mut right: Vec<f64> =
                active.iter().map(|i| (side[*i] / rows - means[*i] * mean) / deviations[*i]).collect();
            factor.solve(&mut right);
            target.mean = mean * rows / (rows + PENALTY.1);
            target.weights.clear();
            target.weights.resize(self.width, 0.0);
            for (i, weight) in active.iter().zip(right) {
                target.weights[*i] = weight / deviations[*i];
            }
        }
        self.means = means;
        self.deviations = deviations;
    }

    /// Every target for one row; zeros before anything is learned. O(width × targets).
    pub(super) fn predict(&self, regressors: &[f32]) -> Vec<f64> {
        let from_mean: Vec<f64> = regressors
            .iter()
            .zip(self.means.iter().zip(&self.deviations))
            .map(|(x, (mean, deviation))| within(f64::from(*x) - mean, CUT * deviation))
            .collect();
        let answer = |target: &Target| {
            let sum: f64 = target.weights.iter().zip(&from_mean).map(|(w, x)| w * x).sum();
            let reach = REACH * target.size;
            within(target.mean + sum, reach)
        };
        self.targets.iter().map(answer).collect()
    }

    /// Whether restored state can be indexed.
    pub(super) fn is_sound(&self, width: usize, targets: usize) -> bool {
        self.width == width
            && self.gram.len() == (width + 1) * (width + 2) / 2
            && (self.sides.len(), self.targets.len()) == (targets, targets)
            && self.sides.iter().all(|side| side.len() == width + 1)
            && (self.means.len(), self.deviations.len()) == (width, width)
            && self.targets.iter().all(|t| t.weights.is_empty() || t.weights.len() == width)
            && self.targets.iter().all(|t| t.size >= 0.0)
            && self.deviations.iter().all(|d| *d >= 0.0)
    }
}

/// `value`, cut to `reach` on either side; as it is where sums beyond all numbers left no reach to speak of.
fn within(value: f64, reach: f64) -> f64 {
    value.max(-reach).min(reach)
}

impl Target {
    /// What to learn when `seen` came and `predicted` was expected: an error far beyond the usual is cut, and widens
    /// what is usual.
    fn cut(&mut self, seen: f64, predicted: f64) -> f64 {
        let error = seen - predicted;
        self.seen = self.seen.saturating_add(1);
        // A plain mean at first, later one with a memory of some hundred rows.
        let share = 1.0 / f64::from(self.seen.min(500));
        let most = if self.seen < 20 { f64::INFINITY } else { CUT * self.error.max(1e-12) };
        let cut = within(error, most);
        self.error += share * (cut.abs() - self.error);
        self.size += share * ((predicted + cut).abs() - self.size);
        predicted + cut
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn a_linear_law_is_found_in_noise() {
        let mut rng = SeededRng::seed_from_u64(8);
        let mut regression = Regression::new(3, 2, Duration::from_secs(60));
        // The penalty takes a tenth off what is found, so the answer is near the law, not on it.
        regression.keep = 1.0;
        for _ in 0..20_000 {
            let x = [rng.normal() as f32, 5.0 + rng.normal() as f32, 1.0];
            let law = 2.0 * f64::from(x[0]) - f64::from(x[1]) + 4.0;
            regression.learn(&x, &[Some(law + 0.1 * rng.normal()), Some(-law)]);
        }
        let got = regression.predict(&[1.0, 5.0, 1.0]);
        assert!((got[0] - 1.0).abs() < 0.25 && (got[1] + 1.0).abs() < 0.25, "{got:?}");
    }

    /// Against the closed form by hand: x = -1, 1 and y = -1, 1 have correlation 1, so the weight is 1 / (1 + penalty).
    #[test]
    fn the_penalty_is_on_standardised_regressors() {
        let mut regression = Regression::new(1, 1, Duration::from_secs(60));
        regression.keep = 1.0;
        for i in 0..10 {
            let x = if i % 2 == 0 { -1.0 } else { 1.0 };
            regression.learn(&[x as f32 * 1000.0], &[Some(x)]);
        }
        regression.solve();
        let expected = 1.0 / (1.0 + PENALTY.0 + PENALTY.1 / 10.0);
        assert!((regression.predict(&[1000.0])[0] - expected).abs() < 1e-12);
    }

    #[test]
    fn nothing_learned_is_nothing_said() {
        let mut regression = Regression::new(2, 3, Duration::from_secs(60));
        regression.solve();
        assert_eq!(regression.predict(&[1e9, -1e9]), [0.0; 3]);
        regression.learn(&[1.0, 1.0], &[None, None, Some(1.0)]);
        assert_eq!(regression.gram[5], 0.0);
    }
}

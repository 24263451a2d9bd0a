//! Gradient boosting on the histogram trees of this crate (Friedman, *Greedy function approximation*, 2001; Ke et al.,
//! *LightGBM*, NIPS 2017).
//!
//! Trees are grown leaf by leaf, the one that gains most first. Under [`Objective::Quantiles`] one ensemble answers every
//! level: trees take turns in which level's gradient they are grown on, and every leaf holds, for every level, the
//! quantile of that level's residuals there (Friedman's TreeBoost step; LightGBM's `RenewTreeOutput`). So nineteen
//! quantiles cost little more than one, in learning and in answering, and levels learn from the parting that others found.

mod objective;
mod params;
mod quantile;
mod tail;

pub use objective::Objective;
pub use params::BoostingParams;

use foresail_core::SeededRng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tree::{Binned, Grower, Grown, Matrix, Scaling, Signal, Tree, check_rows};
use tail::Tail;

/// A boosted ensemble: plain data that can be saved and restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Boosting {
    trees: Vec<Tree>,
    /// Where each head starts from, scaled.
    start: Vec<f64>,
    scaling: Scaling,
    importance: Vec<f64>,
}

impl Boosting {
    /// Learns from `rows` (NaN for missing) and a finite target a row. With [`BoostingParams::tail_share`] above 0, rows
    /// are taken to be in the order of time: the last of them teach nothing but when to stop. The result does not depend
    /// on the number of threads. O(rounds × rows × features), times about two for 31 leaves.
    ///
    /// # Errors
    /// [`Error::BadParameter`], [`Error::NoRows`], [`Error::LengthMismatch`], [`Error::NonFiniteTarget`].
    pub fn fit(
        rows: Matrix<'_>,
        targets: &[f64],
        objective: &Objective,
        params: &BoostingParams,
        rng: &SeededRng,
    ) -> Result<Self, Error> {
        params.check()?;
        objective.check()?;
        check_rows(rows, targets)?;
        let scaling = Scaling::of(targets);
        let scaled: Vec<f64> = targets.iter().map(|t| scaling.to_unit(*t)).collect();
        let binned = Binned::new(rows, params.max_bins);
        let mut run = Run::new(&binned, &scaled, objective, params);
        let mut tail = Tail::new(params.patience, objective.heads());
        let mut signal = Signal::default();
        let mut grower = Grower::new(&binned, params.limits());
        let mut trees = Vec::new();
        let mut gains: Vec<Vec<f64>> = Vec::new();
        let mut idle = 0;
        for round in 0..params.rounds {
            let mut rng = rng.fork(round as u64);
            run.set_signal(round, &mut signal);
            let mut gain = vec![0.0; rows.width()];
            let offered = offered(rows.width(), params.feature_share, &mut rng);
            let drawn = drawn(run.learned, params.row_share, &mut rng);
            let mut grown = grower.grow(&signal, drawn.into_iter(), &offered, objective.heads(), &mut rng, &mut gain);
            if grown.leaves.len() == 1 {
                // What one level can no longer use may still serve another, or another draw of rows.
                idle += 1;
                if idle > objective.heads().max(8) {
                    break;
                }
            } else {
                idle = 0;
            }
            run.set_leaves(&mut grown, grower.rows());
            run.advance(&grown, grower.rows());
            trees.push(grown.tree);
            gains.push(gain);
            if run.learned < scaled.len() && tail.is_over(run.loss_of_tail(), trees.len()) {
                break;
            }
        }
        if run.learned < scaled.len() {
            trees.truncate(tail.best());
            gains.truncate(tail.best());
        }
        let mut importance = vec![0.0; rows.width()];
        for gain in &gains {
            importance.iter_mut().zip(gain).for_each(|(total, gain)| *total += gain);
        }
        let total: f64 = importance.iter().sum();
        if total > 0.0 {
            importance.iter_mut().for_each(|i| *i /= total);
        }
        Ok(Self { trees, start: run.start, scaling, importance })
    }

    /// The answer for one row, a value a head: one under [`Objective::SquaredError`], one a level, never falling, under
    /// [`Objective::Quantiles`]. Never outside the range of the targets learned from. O(trees × (depth + heads)).
    /// `row` has [`Boosting::features`] values, NaN for missing ones.
    pub fn predict(&self, row: &[f32]) -> Vec<f64> {
        let mut answer = vec![0.0; self.heads()];
        self.predict_into(row, &mut answer);
        answer
    }

    /// [`Boosting::predict`] into `answer`, of [`Boosting::heads`] values.
    pub fn predict_into(&self, row: &[f32], answer: &mut [f64]) {
        debug_assert_eq!((row.len(), answer.len()), (self.features(), self.heads()));
        answer.copy_from_slice(&self.start);
        for tree in &self.trees {
            answer.iter_mut().zip(tree.predict(row)).for_each(|(sum, value)| *sum += value);
        }
        answer.iter_mut().for_each(|value| *value = self.scaling.to_target(*value));
        // Levels that cross are put in order (Chernozhukov, Fernández-Val & Galichon 2010: no worse at any level).
        answer.sort_unstable_by(f64::total_cmp);
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        self.importance.len()
    }

    /// Values of an answer.
    pub fn heads(&self) -> usize {
        self.start.len()
    }

    /// Trees: fewer than the rounds asked for if learning stopped early.
    pub fn rounds(&self) -> usize {
        self.trees.len()
    }

    /// For each feature, its share of what splits gained in training; sums to 1, or is 0 throughout if there was no split.
    pub fn importance(&self) -> &[f64] {
        &self.importance
    }
}

/// What changes from round to round.
struct Run<'a> {
    binned: &'a Binned,
    targets: &'a [f64],
    objective: &'a Objective,
    params: &'a BoostingParams,
    /// Rows learned from; those after them are the tail.
    learned: usize,
    start: Vec<f64>,
    /// `heads × rows`: the answer so far.
    scores: Vec<f64>,
    gradients: Vec<f64>,
    /// Whether a row took part in the last round.
    in_bag: Vec<bool>,
}

impl<'a> Run<'a> {
    fn new(binned: &'a Binned, targets: &'a [f64], objective: &'a Objective, params: &'a BoostingParams) -> Self {
        let rows = targets.len();
        let tail = (params.tail_share * rows as f64) as usize;
        let learned = (rows - tail).max(1);
        let mut residuals = targets[..learned].to_vec();
        let start: Vec<f64> = (0..objective.heads()).map(|head| objective.leaf(head, &mut residuals, 0.0)).collect();
        let scores = start.iter().flat_map(|start| std::iter::repeat_n(*start, rows)).collect();
        Self {
            binned,
            targets,
            objective,
            params,
            learned,
            start,
            scores,
            gradients: vec![0.0; rows],
            in_bag: vec![true; rows],
        }
    }

    /// The gradient of this round: that of the head whose turn it is.
    fn set_signal(&mut self, round: usize, signal: &mut Signal) {
        let rows = self.targets.len();
        let head = self.objective.turn(round);
        let scores = &self.scores[head * rows..(head + 1) * rows];
        self.objective.gradients(head, &self.targets[..self.learned], scores, &mut self.gradients[..self.learned]);
        signal.set(&self.gradients);
    }

    /// What each leaf answers.
    fn set_leaves(&self, grown: &mut Grown, rows: &[u32]) {
        let (count, params) = (self.targets.len(), self.params);
        let of_head = |head: usize, residuals: &mut Vec<f64>, from: usize, to: usize| {
            let scores = &self.scores[head * count..(head + 1) * count];
            residuals.clear();
            residuals.extend(rows[from..to].iter().map(|row| self.targets[*row as usize] - scores[*row as usize]));
            params.learning_rate * self.objective.leaf(head, residuals, params.l2)
        };
        let values: Vec<Vec<f64>> = grown
            .leaves
            .par_iter()
            .with_min_len(if rows.len() < 4096 { usize::MAX } else { 1 })
            .map_init(Vec::new, |residuals, (_, from, to)| {
                (0..self.start.len()).map(|head| of_head(head, residuals, *from, *to)).collect()
            })
            .collect();
        for ((node, ..), values) in grown.leaves.iter().zip(values) {
            grown.tree.values_mut(*node).copy_from_slice(&values);
        }
    }

    /// Adds what the tree answers to the scores of all rows.
    fn advance(&mut self, grown: &Grown, rows: &[u32]) {
        let count = self.targets.len();
        let apart = rows.len() < count;
        if apart {
            self.in_bag.fill(false);
            rows.iter().for_each(|row| self.in_bag[*row as usize] = true);
        }
        let (binned, in_bag) = (self.binned, &self.in_bag);
        let others: Vec<(usize, usize)> = if apart {
            let outside = (0..count).into_par_iter().with_min_len(4096).filter(|row| !in_bag[*row]);
            outside.map(|row| (row, grown.leaf_of(binned, row))).collect()
        } else {
            Vec::new()
        };
        let advance = |(head, scores): (usize, &mut [f64])| {
            for (node, from, to) in &grown.leaves {
                let value = grown.tree.values_at(grown.tree.place(*node))[head];
                rows[*from..*to].iter().for_each(|row| scores[*row as usize] += value);
            }
            others.iter().for_each(|(row, leaf)| scores[*row] += grown.tree.values_at(*leaf)[head]);
        };
        let share = if count < 4096 { usize::MAX } else { 1 };
        self.scores.par_chunks_mut(count).enumerate().with_min_len(share).for_each(advance);
    }

    /// Mean loss of the tail, summed over heads.
    fn loss_of_tail(&self) -> f64 {
        let rows = self.targets.len();
        let of_head = |(head, scores): (usize, &[f64])| {
            self.objective.loss(head, &self.targets[self.learned..], &scores[self.learned..])
        };
        self.scores.chunks(rows).enumerate().map(of_head).sum()
    }
}

/// The features that a tree is offered.
fn offered(features: usize, share: f64, rng: &mut SeededRng) -> Vec<bool> {
    if share >= 1.0 {
        return vec![true; features];
    }
    let mut order: Vec<usize> = (0..features).collect();
    rng.shuffle(&mut order);
    let mut offered = vec![false; features];
    let count = ((share * features as f64).round() as usize).max(1);
    order.iter().take(count).for_each(|feature| offered[*feature] = true);
    offered
}

/// The rows that a tree is grown on: each by its own draw, and never none.
fn drawn(rows: usize, share: f64, rng: &mut SeededRng) -> Vec<u32> {
    let all = 0..rows as u32;
    if share >= 1.0 {
        return all.collect();
    }
    let drawn: Vec<u32> = all.clone().filter(|_| rng.uniform() < share).collect();
    if drawn.is_empty() { all.collect() } else { drawn }
}

/// An ensemble as read back, before it is trusted.
#[derive(Deserialize)]
struct Saved {
    trees: Vec<Tree>,
    start: Vec<f64>,
    scaling: Scaling,
    importance: Vec<f64>,
}

impl TryFrom<Saved> for Boosting {
    type Error = String;

    fn try_from(saved: Saved) -> Result<Self, String> {
        let fits = |tree: &Tree| tree.features() == saved.importance.len() && tree.heads() == saved.start.len();
        if saved.start.is_empty() || !saved.trees.iter().all(fits) || !saved.scaling.is_sound() {
            return Err("the parts of a saved ensemble do not fit together".to_owned());
        }
        Ok(Self { trees: saved.trees, start: saved.start, scaling: saved.scaling, importance: saved.importance })
    }
}

#[cfg(test)]
mod tests;

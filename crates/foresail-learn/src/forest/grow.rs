//! Growing one tree from binned features: the split search and the parting of rows.

use foresail_core::SeededRng;

use super::binner::{Binned, MISSING};
use super::tree::Tree;

/// When a tree stops and how many features a split may choose from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) max_depth: usize,
    pub(super) min_leaf: f64,
    pub(super) features_per_split: usize,
}

/// What is learned from: a target and a weight for each row of `binned`. Rows of weight 0 take no part.
pub(super) struct Sample<'a> {
    pub(super) binned: &'a Binned,
    pub(super) targets: &'a [f64],
    pub(super) weights: &'a [f64],
}

/// Sum of weighted targets and of weights.
#[derive(Clone, Copy, Default)]
struct Mass {
    sum: f64,
    weight: f64,
}

impl Mass {
    fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }

    fn without(self, other: Self) -> Self {
        Self { sum: self.sum - other.sum, weight: self.weight - other.weight }
    }

    /// What a mean of its own takes off the squared error, against a mean of zero.
    fn score(self) -> f64 {
        if self.weight > 0.0 { self.sum * self.sum / self.weight } else { 0.0 }
    }

    fn mean(self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    /// Bins up to here go left.
    bin: u8,
    threshold: f32,
    missing_left: bool,
}

/// Part of the rows on their way to a node.
struct Task {
    node: u32,
    from: usize,
    to: usize,
    depth: usize,
}

/// Grows a tree and adds each split's gain (reduction of the squared error) to `importance`. O(depth × rows ×
/// features per split), plus the bins of every node.
pub(super) fn grow(sample: &Sample<'_>, limits: Limits, rng: &mut SeededRng, importance: &mut [f64]) -> Tree {
    let mut rows: Vec<u32> = (0..sample.targets.len() as u32).filter(|r| sample.weights[*r as usize] > 0.0).collect();
    let mut parted = vec![0_u32; rows.len()];
    let mut features: Vec<usize> = (0..sample.binned.features()).collect();
    let mut tree = Tree::leaf(0.0, sample.binned.features());
    let mut open = vec![Task { node: 0, from: 0, to: rows.len(), depth: 0 }];
    let mut smallest_gain = None;

    while let Some(task) = open.pop() {
        let here = &mut rows[task.from..task.to];
        let total = mass(sample, here);
        // Rounding makes gains out of nothing on constant targets: a split must explain more than that.
        let floor = *smallest_gain.get_or_insert_with(|| 1e-12 * squares(sample, here));
        let split = (task.depth < limits.max_depth && total.weight >= 2.0 * limits.min_leaf)
            .then(|| best_split(sample, here, total, limits, &mut features, rng))
            .flatten()
            .filter(|split| split.gain > floor);
        let Some(split) = split else {
            tree.set_value(task.node, total.mean());
            continue;
        };
        importance[split.feature] += split.gain;
        let middle = task.from + part(sample.binned.column(split.feature), &split, here, &mut parted);
        let left = tree.split(task.node, split.feature as u16, split.threshold, split.missing_left);
        open.push(Task { node: left + 1, from: middle, to: task.to, depth: task.depth + 1 });
        open.push(Task { node: left, from: task.from, to: middle, depth: task.depth + 1 });
    }
    tree
}

fn mass(sample: &Sample<'_>, rows: &[u32]) -> Mass {
    let mut total = Mass::default();
    for row in rows {
        let (target, weight) = (sample.targets[*row as usize], sample.weights[*row as usize]);
        total.add(Mass { sum: weight * target, weight });
    }
    total
}

fn squares(sample: &Sample<'_>, rows: &[u32]) -> f64 {
    rows.iter().map(|r| sample.weights[*r as usize] * sample.targets[*r as usize].powi(2)).sum()
}

/// The best split over a random choice of features; goes on choosing past the limit while none has offered a split at
/// all, so that features without variation cost nothing (as scikit-learn does).
fn best_split(
    sample: &Sample<'_>,
    rows: &[u32],
    total: Mass,
    limits: Limits,
    features: &mut [usize],
    rng: &mut SeededRng,
) -> Option<Split> {
    let mut best: Option<Split> = None;
    for drawn in 0..features.len() {
        if drawn >= limits.features_per_split && best.is_some() {
            break;
        }
        let pick = drawn + rng.below(features.len() - drawn);
        features.swap(drawn, pick);
        let found = best_of_feature(sample, rows, total, limits.min_leaf, features[drawn]);
        if let Some(found) = found
            && best.is_none_or(|b| found.gain > b.gain)
        {
            best = Some(found);
        }
    }
    best
}

fn best_of_feature(sample: &Sample<'_>, rows: &[u32], total: Mass, min_leaf: f64, feature: usize) -> Option<Split> {
    let count = sample.binned.count(feature);
    let column = sample.binned.column(feature);
    let mut histogram = [Mass::default(); 256];
    for row in rows {
        let (target, weight) = (sample.targets[*row as usize], sample.weights[*row as usize]);
        histogram[usize::from(column[*row as usize])].add(Mass { sum: weight * target, weight });
    }
    let missing = histogram[usize::from(MISSING)];
    let mut best: Option<Split> = None;
    let mut consider = |left: Mass, bin: usize, threshold: f32, missing_left: bool| {
        let right = total.without(left);
        if left.weight < min_leaf || right.weight < min_leaf {
            return;
        }
        let gain = left.score() + right.score() - total.score();
        if best.is_none_or(|b| gain > b.gain) {
            best = Some(Split { gain, feature, bin: bin as u8, threshold, missing_left });
        }
    };
    let mut left = Mass::default();
    for (bin, mass) in histogram.iter().enumerate().take(count).skip(1) {
        left.add(*mass);
        let threshold = sample.binned.threshold(feature, bin as u8);
        if missing.weight > 0.0 {
            consider(left, bin, threshold, false);
            let mut with_missing = left;
            with_missing.add(missing);
            consider(with_missing, bin, threshold, true);
        } else {
            // Nothing missing here: should something be missing later, it goes with the many.
            consider(left, bin, threshold, left.weight * 2.0 > total.weight);
        }
    }
    if missing.weight > 0.0 {
        consider(total.without(missing), count, f32::MAX, false);
    }
    best
}

/// Puts the rows that go left before the others, each side in its old order, and returns how many go left.
fn part(column: &[u8], split: &Split, rows: &mut [u32], spare: &mut [u32]) -> usize {
    let (mut left, mut right) = (0, 0);
    for at in 0..rows.len() {
        let row = rows[at];
        let bin = column[row as usize];
        if if bin == MISSING { split.missing_left } else { bin <= split.bin } {
            rows[left] = row;
            left += 1;
        } else {
            spare[right] = row;
            right += 1;
        }
    }
    rows[left..].copy_from_slice(&spare[..right]);
    left
}

#[cfg(test)]
mod tests {
    use super::super::Matrix;
    use super::*;

    /// Grows one tree of depth 1 with every feature on offer.
    fn stump(features: &[f32], width: usize, targets: &[f64]) -> (Tree, Vec<f64>) {
        let binned = Binned::new(Matrix::new(features, width).unwrap(), 255);
        let weights = vec![1.0; targets.len()];
        let mut importance = vec![0.0; width];
        let limits = Limits { max_depth: 1, min_leaf: 1.0, features_per_split: width };
        let sample = Sample { binned: &binned, targets, weights: &weights };
        let tree = grow(&sample, limits, &mut SeededRng::seed_from_u64(3), &mut importance);
        (tree, importance)
    }

    #[test]
    fn the_split_is_the_one_that_lowers_the_squared_error_most() {
        // By hand: means 1.5 and 11, against a mean of 6.25: gain = 2·1.5² + 2·11² − 4·6.25² = 90.25.
        let (tree, importance) = stump(&[1.0, 2.0, 3.0, 4.0], 1, &[1.0, 2.0, 10.0, 12.0]);
        assert_eq!([tree.predict(&[2.4]), tree.predict(&[2.6])], [1.5, 11.0]);
        assert!((importance[0] - 90.25).abs() < 1e-12);
    }

    #[test]
    fn missing_values_go_where_they_belong() {
        let nan = f32::NAN;
        let (tree, _) = stump(&[1.0, 2.0, 3.0, nan], 1, &[0.0, 0.0, 9.0, 9.0]);
        assert_eq!([tree.predict(&[1.0]), tree.predict(&[nan])], [0.0, 9.0]);
        let (tree, _) = stump(&[1.0, 2.0, 3.0, nan], 1, &[0.0, 0.0, 9.0, 0.0]);
        assert_eq!([tree.predict(&[3.0]), tree.predict(&[nan])], [9.0, 0.0]);
        let (tree, _) = stump(&[1.0, 2.0, nan, nan], 1, &[3.0, 3.0, 7.0, 7.0]);
        assert_eq!([tree.predict(&[2.0]), tree.predict(&[nan])], [3.0, 7.0]);
    }

    #[test]
    fn a_constant_target_is_not_split() {
        let (tree, importance) = stump(&[1.0, 2.0, 3.0], 1, &[0.1, 0.1, 0.1]);
        assert_eq!(importance, [0.0]);
        assert!((tree.predict(&[9.0]) - 0.1).abs() < 1e-15);
    }

    #[test]
    fn the_informative_feature_is_chosen() {
        let rows = [0.0, 1.0, 1.0, 1.0, 0.0, 2.0, 1.0, 2.0];
        let (_, importance) = stump(&rows, 2, &[0.0, 0.0, 5.0, 5.0]);
        assert!(importance[0] == 0.0 && importance[1] > 0.0);
    }
}

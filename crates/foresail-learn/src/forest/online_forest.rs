//! A random forest that answers with several values and goes on learning in its leaves.
//!
//! The structure is that of a batch forest (Breiman 2001), each tree split by a random combination of the standardised
//! targets and its leaves answering for all of them (Joly, Geurts and Wehenkel, *Random forests with random projections of
//! the output space*, ECML PKDD 2014). Between fits each leaf keeps an exponentially forgetting mean of what falls into it;
//! a tree counts a new row as often as a Poisson(1) draw says, which is bagging for a stream (Oza and Russell, *Online bagging
//! and boosting*, AISTATS 2001), so that trees go on differing as much as the data leave open.
//!
//! For speed a row is turned into ranks among the thresholds of each feature, one byte each; all trees are one array of
//! four-byte nodes, and eight rows walk down side by side without a branch to be mispredicted: a leaf is its own left child.

use std::sync::Arc;

use foresail_core::SeededRng;
use serde::{Deserialize, Serialize};

use super::random_forest::{ForestParams, draw_weights};
use crate::Error;
use crate::tree::{Binned, Grower, Matrix, Scaling, Signal, Tree, check_rows};

/// Rows that walk down side by side at most.
const LANES: usize = 8;
/// Features of a row at most: a power of two, so that no index needs to be checked.
const WIDEST: usize = 16;
/// Nodes of a tree at most, for indices of two bytes.
const MOST_NODES: usize = 1 << 15;
/// The threshold that no rank exceeds: a leaf's.
const NEVER: u8 = u8::MAX;

/// The ranks of a row's features, by [`OnlineForest::rank`]; 0 beyond its width.
pub type Ranks = [u8; WIDEST];

/// A question, or a leaf, in four bytes. From the low end: the feature, the number of its threshold, and the left child within
/// the tree, the right one being next to it. A leaf is its own child.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node(u32);

impl Node {
    fn question(feature: u16, threshold: u8, left: u32) -> Self {
        Self(left << 16 | u32::from(threshold) << 8 | u32::from(feature))
    }

    fn leaf(at: usize) -> Self {
        Self((at as u32) << 16 | u32::from(NEVER) << 8)
    }

    fn feature(self) -> usize {
        self.0 as usize % WIDEST
    }

    fn threshold(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn left(self) -> usize {
        (self.0 >> 16) as usize
    }

    fn next(self, row: &Ranks) -> usize {
        self.left() + usize::from(row[self.feature()] > self.threshold())
    }
}

/// The structure of all trees.
#[derive(Debug, PartialEq)]
struct Shape {
    nodes: Vec<Node>,
    /// First node of each tree and its depth.
    trees: Vec<(usize, usize)>,
    /// Ascending, for each feature: fewer than 255.
    thresholds: Vec<Vec<f32>>,
    importance: Vec<f64>,
}

impl Shape {
    fn tree(&self, index: usize) -> &[Node] {
        let end = self.trees.get(index + 1).map_or(self.nodes.len(), |next| next.0);
        &self.nodes[self.trees[index].0..end]
    }

    fn push(&mut self, tree: &Tree) {
        debug_assert!(tree.len() <= MOST_NODES);
        let mut depths = vec![0_usize; tree.len()];
        let start = self.nodes.len();
        for (at, (feature, threshold, next)) in tree.questions().enumerate() {
            self.nodes.push(match feature {
                None => Node::leaf(at),
                Some(feature) => {
                    (0..2).for_each(|side| depths[next as usize + side] = depths[at] + 1);
                    let number = rank(&self.thresholds[usize::from(feature)], threshold);
                    Node::question(feature, number, next)
                }
            });
        }
        self.trees.push((start, depths.into_iter().max().unwrap_or(0)));
    }
}

/// How many thresholds are below a value.
fn rank(thresholds: &[f32], value: f32) -> u8 {
    thresholds.partition_point(|threshold| *threshold < value) as u8
}

/// What a leaf says: the mean of each target, and how many rows it rests on, those long ago counting less.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leaf<const H: usize> {
    mean: [f32; H],
    weight: f32,
}

/// What a forest answers to a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief<const H: usize> {
    /// The mean of the trees, a value a target.
    pub mean: [f64; H],
    /// The standard deviation of the trees' answers about the first target: how much they differ.
    pub spread: f64,
}

/// A grown forest of `H` targets over rows of at most 16 finite features. Copies share the structure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct OnlineForest<const H: usize> {
    shape: Arc<Shape>,
    /// At the place of each leaf's node; of other nodes idle.
    leaves: Vec<Leaf<H>>,
    memory: f32,
}

impl<const H: usize> OnlineForest<H> {
    /// Grows a forest on finite `rows` and `H` finite targets a row. A leaf forgets at the rate of one in `memory` rows, once
    /// it has seen as many. [`ForestParams::max_depth`] is at most 14. Tree `i` draws from `rng.fork(i)`.
    ///
    /// # Errors
    /// [`Error::BadParameter`], [`Error::NoRows`], [`Error::LengthMismatch`], [`Error::NonFiniteTarget`].
    pub fn fit(
        rows: Matrix<'_>,
        targets: &[[f64; H]],
        params: &ForestParams,
        memory: f64,
        rng: &SeededRng,
    ) -> Result<Self, Error> {
        params.check()?;
        let within = |parameter, holds: bool, value: String, range| {
            if holds { Ok(()) } else { Err(Error::BadParameter { parameter, value, range }) }
        };
        within("max_depth", params.max_depth <= 14, params.max_depth.to_string(), "1 to 14")?;
        within("width", rows.width() <= WIDEST, rows.width().to_string(), "1 to 16")?;
        within("memory", (1.0..=1e6).contains(&memory), memory.to_string(), "1 to 1,000,000")?;
        let columns: Vec<Vec<f64>> = (0..H).map(|head| targets.iter().map(|target| target[head]).collect()).collect();
        columns.iter().try_for_each(|column| check_rows(rows, column))?;
        let standard: Vec<Vec<f64>> = columns.iter().map(|column| standardise(column)).collect();
        let binned = Binned::new(rows, params.max_bins);
        let mut grower = Grower::new(&binned, params.limits(rows.width()));
        let (mut trees, mut gains) = (Vec::with_capacity(params.n_trees), vec![0.0; rows.width()]);
        for index in 0..params.n_trees as u64 {
            let mut rng = rng.fork(index);
            let weights = draw_weights(targets.len(), params.bootstrap, &mut rng);
            let mixed = project(&standard, &mut rng);
            let mut signal = Signal::default();
            signal.set_weighted(&mixed, &weights);
            let drawn = (0..targets.len() as u32).filter(|row| weights[*row as usize] > 0);
            let grown = grower.grow(&signal, drawn, &vec![true; rows.width()], 1, &mut rng, &mut gains);
            let mut leaves = vec![Leaf { mean: [0.0; H], weight: 0.0 }; grown.tree.len()];
            for (node, from, to) in &grown.leaves {
                leaves[*node as usize] = mean_of(&grower.rows()[*from..*to], targets, &weights, memory);
            }
            trees.push((grown.tree, leaves));
        }
        let total: f64 = gains.iter().sum();
        let importance = gains.iter().map(|gain| if total > 0.0 { gain / total } else { 0.0 }).collect();
        let thresholds = thresholds_of(trees.iter().map(|(tree, _)| tree), rows.width());
        let mut shape = Shape { nodes: Vec::new(), trees: Vec::new(), thresholds, importance };
        trees.iter().for_each(|(tree, _)| shape.push(tree));
        let leaves = trees.into_iter().flat_map(|(_, leaves)| leaves).collect();
        Ok(Self { shape: Arc::new(shape), leaves, memory: memory as f32 })
    }

    /// Learns from one more row with finite targets, in O(trees × depth).
    pub fn update(&mut self, row: &[f32], target: &[f64; H], rng: &mut SeededRng) {
        let row = self.ranks(row);
        let shape = Arc::clone(&self.shape);
        for (index, (start, depth)) in shape.trees.iter().enumerate() {
            let count = poisson(rng);
            if count > 0.0 {
                let nodes = shape.tree(index);
                let at = start + (0..*depth).fold(0, |at, _| nodes[at].next(&row));
                self.leaves[at].push(target, count, self.memory);
            }
        }
    }

    /// The answer for one row of [`features`](Self::features) values, in O(trees × depth).
    pub fn predict(&self, row: &[f32]) -> Belief<H> {
        self.predict_lanes(&[self.ranks(row)])[0]
    }

    /// Answers rows of ranks, in their order; what `answers` held is gone. They walk in eights, or in one four if there are no
    /// more: a few cost nearly as much as that many.
    pub fn predict_ranked(&self, rows: &[Ranks], answers: &mut Vec<Belief<H>>) {
        answers.clear();
        if rows.len() <= LANES / 2 {
            self.predict_chunks::<{ LANES / 2 }>(rows, answers);
        } else {
            self.predict_chunks::<LANES>(rows, answers);
        }
    }

    fn predict_chunks<const L: usize>(&self, rows: &[Ranks], answers: &mut Vec<Belief<H>>) {
        for chunk in rows.chunks(L) {
            let mut lanes = [[0; WIDEST]; L];
            lanes[..chunk.len()].copy_from_slice(chunk);
            answers.extend_from_slice(&self.predict_lanes(&lanes)[..chunk.len()]);
        }
    }

    /// The rank of a finite value of a feature: all that the forest looks at. It changes with the next fit only.
    pub fn rank(&self, feature: usize, value: f32) -> u8 {
        rank(&self.shape.thresholds[feature], value)
    }

    /// The ranks of a row.
    pub fn ranks(&self, row: &[f32]) -> Ranks {
        debug_assert_eq!(row.len(), self.features());
        let mut ranks = [0; WIDEST];
        ranks.iter_mut().zip(row).enumerate().for_each(|(feature, (rank, value))| *rank = self.rank(feature, *value));
        ranks
    }

    fn predict_lanes<const L: usize>(&self, rows: &[Ranks; L]) -> [Belief<H>; L] {
        let mut sums = [[0.0_f32; H]; L];
        let mut squares = [0.0_f32; L];
        for (index, (start, depth)) in self.shape.trees.iter().enumerate() {
            let leaves = &self.leaves[*start..];
            for (lane, at) in walk_lanes(self.shape.tree(index), *depth, rows).into_iter().enumerate() {
                let mean = &leaves[at].mean;
                sums[lane].iter_mut().zip(mean).for_each(|(sum, mean)| *sum += mean);
                squares[lane] += mean[0] * mean[0];
            }
        }
        let trees = self.shape.trees.len() as f64;
        std::array::from_fn(|lane| {
            let mean = sums[lane].map(|sum| f64::from(sum) / trees);
            let variance = f64::from(squares[lane]) / trees - mean[0] * mean[0];
            Belief { mean, spread: variance.max(0.0).sqrt() }
        })
    }

    /// Features of a row.
    pub fn features(&self) -> usize {
        self.shape.thresholds.len()
    }

    /// For each feature, its share of the squared error that splits took off in training; sums to 1, or is 0 throughout
    /// if no tree was ever split.
    pub fn importance(&self) -> &[f64] {
        &self.shape.importance
    }
}

impl<const H: usize> Leaf<H> {
    fn push(&mut self, target: &[f64; H], count: f32, memory: f32) {
        self.weight = (self.weight + count).min(memory.max(count));
        let share = count / self.weight;
        for (mean, target) in self.mean.iter_mut().zip(target) {
            *mean += share * (*target as f32 - *mean);
        }
    }
}

fn walk_lanes<const L: usize>(nodes: &[Node], depth: usize, rows: &[Ranks; L]) -> [usize; L] {
    let mut at = [0; L];
    for _ in 0..depth {
        for lane in 0..L {
            at[lane] = nodes[at[lane]].next(&rows[lane]);
        }
    }
    at
}

/// The thresholds that trees ask for, each once.
fn thresholds_of<'a>(trees: impl Iterator<Item = &'a Tree>, width: usize) -> Vec<Vec<f32>> {
    let mut thresholds = vec![Vec::new(); width];
    for (feature, threshold, _) in trees.flat_map(Tree::questions) {
        if let Some(feature) = feature {
            thresholds[usize::from(feature)].push(threshold);
        }
    }
    for thresholds in &mut thresholds {
        thresholds.sort_by(f32::total_cmp);
        thresholds.dedup();
    }
    thresholds
}

/// Brought to mean 0 and standard deviation 1; a constant to 0.
fn standardise(column: &[f64]) -> Vec<f64> {
    let scaling = Scaling::of(column);
    let unit: Vec<f64> = column.iter().map(|value| scaling.to_unit(*value)).collect();
    let n = unit.len() as f64;
    let mean = unit.iter().sum::<f64>() / n;
    let deviation = (unit.iter().map(|u| (u - mean).powi(2)).sum::<f64>() / n).sqrt();
    // Rounding leaves a little of a constant, which must not be blown up.
    let scale = if deviation > 1e-9 { 1.0 / deviation } else { 0.0 };
    unit.iter().map(|u| (u - mean) * scale).collect()
}

/// A random combination of the columns with normal weights.
fn project(columns: &[Vec<f64>], rng: &mut SeededRng) -> Vec<f64> {
    let mut mixed = vec![0.0; columns[0].len()];
    for column in columns {
        let weight = rng.normal();
        mixed.iter_mut().zip(column).for_each(|(sum, value)| *sum += weight * value);
    }
    mixed
}

fn mean_of<const H: usize>(rows: &[u32], targets: &[[f64; H]], weights: &[u32], memory: f64) -> Leaf<H> {
    let (mut sums, mut weight) = ([0.0; H], 0.0);
    for row in rows.iter().map(|row| *row as usize) {
        let times = f64::from(weights[row]);
        sums.iter_mut().zip(&targets[row]).for_each(|(sum, target)| *sum += times * target);
        weight += times;
    }
    Leaf { mean: sums.map(|sum| (sum / weight) as f32), weight: weight.min(memory) as f32 }
}

/// A Poisson draw of mean 1 (Knuth's method), below 20.
fn poisson(rng: &mut SeededRng) -> f32 {
    let (mut product, mut count) = (rng.uniform(), 0_u8);
    while product > (-1.0_f64).exp() && count < 20 {
        product *= rng.uniform();
        count += 1;
    }
    f32::from(count)
}

/// A forest on paper: a list a field.
#[derive(Serialize, Deserialize)]
struct Saved {
    memory: f32,
    importance: Vec<f64>,
    thresholds: Vec<Vec<f32>>,
    trees: Vec<(usize, usize)>,
    nodes: Vec<Node>,
    weight: Vec<f32>,
    mean: Vec<f32>,
}

impl<const H: usize> From<OnlineForest<H>> for Saved {
    fn from(forest: OnlineForest<H>) -> Self {
        Self {
            memory: forest.memory,
            importance: forest.shape.importance.clone(),
            thresholds: forest.shape.thresholds.clone(),
            trees: forest.shape.trees.clone(),
            nodes: forest.shape.nodes.clone(),
            weight: forest.leaves.iter().map(|leaf| leaf.weight).collect(),
            mean: forest.leaves.iter().flat_map(|leaf| leaf.mean).collect(),
        }
    }
}

impl<const H: usize> TryFrom<Saved> for OnlineForest<H> {
    type Error = String;

    /// Refuses what could not be walked: a child outside its tree or before its parent, a feature that rows do not have.
    fn try_from(saved: Saved) -> Result<Self, String> {
        let (count, width) = (saved.nodes.len(), saved.thresholds.len());
        if saved.weight.len() != count || saved.mean.len() != count * H {
            return Err("the lists of a forest's nodes differ in length".to_owned());
        }
        if width == 0 || width > WIDEST || saved.importance.len() != width {
            return Err(format!("a forest over {width} features"));
        }
        let is_ascending = |list: &Vec<f32>| list.len() < usize::from(NEVER) && list.is_sorted_by(|a, b| a < b);
        if !saved.thresholds.iter().all(is_ascending) {
            return Err("the thresholds of a forest do not ascend".to_owned());
        }
        if saved.trees.first().is_none_or(|first| first.0 != 0) || !(saved.memory >= 1.0 && saved.memory.is_finite()) {
            return Err("a forest without trees or memory".to_owned());
        }
        for (index, (start, depth)) in saved.trees.iter().enumerate() {
            let end = saved.trees.get(index + 1).map_or(count, |next| next.0);
            if end <= *start || end > count || *depth > WIDEST {
                return Err(format!("tree {index} of a forest is out of place"));
            }
            for (local, node) in saved.nodes[*start..end].iter().enumerate() {
                let is_question = node.left() > local
                    && start + node.left() + 1 < end
                    && saved
                        .thresholds
                        .get(node.feature())
                        .is_some_and(|list| usize::from(node.threshold()) < list.len());
                if !is_question && *node != Node::leaf(local) {
                    return Err(format!("node {} of a forest points outside of it", start + local));
                }
            }
        }
        let finite = saved.weight.iter().chain(&saved.mean).all(|value| value.is_finite());
        if !finite || saved.weight.iter().any(|weight| *weight < 0.0) {
            return Err("the leaves of a forest are not finite".to_owned());
        }
        let leaf = |(at, weight): (usize, &f32)| Leaf {
            mean: std::array::from_fn(|head| saved.mean[at * H + head]),
            weight: *weight,
        };
        let leaves = saved.weight.iter().enumerate().map(leaf).collect();
        let Saved { nodes, trees, thresholds, importance, memory, .. } = saved;
        Ok(Self { shape: Arc::new(Shape { nodes, trees, thresholds, importance }), leaves, memory })
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::tree::friedman;

    fn params() -> ForestParams {
        ForestParams { n_trees: 20, max_depth: 8, min_leaf: 5, ..ForestParams::default() }
    }

    fn friedman_targets(y: &[f64]) -> Vec<[f64; 2]> {
        y.iter().map(|y| [*y, f64::from(u8::from(*y > 14.0))]).collect()
    }

    #[test]
    fn all_targets_are_learned_by_one_structure() {
        let mut rng = SeededRng::seed_from_u64(5);
        let (x, y) = friedman(1500, &mut rng);
        let rows = Matrix::new(&x, 10).unwrap();
        let forest = OnlineForest::fit(rows, &friedman_targets(&y), &params(), 100.0, &rng.fork(1)).unwrap();
        let (test_x, test_y) = friedman(500, &mut rng);
        let targets = friedman_targets(&test_y);
        for head in 0..2 {
            let mean = targets.iter().map(|t| t[head]).sum::<f64>() / 500.0;
            let (mut error, mut spread) = (0.0, 0.0);
            for (row, target) in test_x.chunks(10).zip(&targets) {
                error += (forest.predict(row).mean[head] - target[head]).powi(2);
                spread += (target[head] - mean).powi(2);
            }
            assert!(1.0 - error / spread > 0.5, "head {head}: R² {}", 1.0 - error / spread);
        }
    }

    #[test]
    fn leaves_follow_a_change_where_it_is() {
        let mut rng = SeededRng::seed_from_u64(9);
        let x: Vec<f32> = (0..400).map(|_| rng.uniform() as f32).collect();
        let y: Vec<[f64; 1]> = x.iter().map(|x| [if *x > 0.5 { 1.0 } else { 0.0 }]).collect();
        let rows = Matrix::new(&x, 1).unwrap();
        let mut forest = OnlineForest::fit(rows, &y, &params(), 20.0, &rng.fork(1)).unwrap();
        assert!((forest.predict(&[0.9]).mean[0] - 1.0).abs() < 0.01);
        for _ in 0..2000 {
            let x = 0.55 + 0.45 * rng.uniform() as f32;
            forest.update(&[x], &[5.0], &mut rng);
        }
        assert!((forest.predict(&[0.9]).mean[0] - 5.0).abs() < 0.05, "{:?}", forest.predict(&[0.9]));
        assert!(forest.predict(&[0.1]).mean[0].abs() < 0.05);
    }

    #[test]
    fn bad_input_is_named() {
        let rng = SeededRng::seed_from_u64(1);
        let rows = Matrix::new(&[1.0, 2.0], 1).unwrap();
        let fit = |params: ForestParams, memory| OnlineForest::fit(rows, &[[1.0], [2.0]], &params, memory, &rng);
        assert_eq!(fit(params(), 0.0).unwrap_err().to_string(), "memory is 0, accepted is 1 to 1,000,000");
        let deep = ForestParams { max_depth: 15, ..params() };
        assert_eq!(fit(deep, 9.0).unwrap_err().to_string(), "max_depth is 15, accepted is 1 to 14");
        let wide = vec![0.0; 17];
        let wide = OnlineForest::fit(Matrix::new(&wide, 17).unwrap(), &[[1.0]], &params(), 9.0, &rng);
        assert_eq!(wide.unwrap_err().to_string(), "width is 17, accepted is 1 to 16");
        let odd = OnlineForest::fit(rows, &[[1.0], [f64::NAN]], &params(), 9.0, &rng);
        assert_eq!(odd.unwrap_err(), Error::NonFiniteTarget { row: 1 });
    }

    #[test]
    fn a_saved_forest_that_points_outside_is_refused() {
        let rng = SeededRng::seed_from_u64(3);
        let x: Vec<f32> = (0..200).map(|i| i as f32).collect();
        let y: Vec<[f64; 1]> = x.iter().map(|x| [f64::from(*x)]).collect();
        let forest = OnlineForest::fit(Matrix::new(&x, 1).unwrap(), &y, &params(), 9.0, &rng).unwrap();
        let text = serde_json::to_string(&forest).unwrap();
        let refuse = |change: fn(&mut Saved)| {
            let mut saved: Saved = serde_json::from_str(&text).unwrap();
            change(&mut saved);
            OnlineForest::<1>::try_from(saved).unwrap_err()
        };
        assert_eq!(
            refuse(|saved| saved.nodes[0] = Node::question(0, 0, 9999)),
            "node 0 of a forest points outside of it"
        );
        assert_eq!(refuse(|saved| saved.nodes[0] = Node::question(0, 0, 0)), "node 0 of a forest points outside of it");
        assert_eq!(refuse(|saved| saved.nodes[0] = Node::question(3, 0, 1)), "node 0 of a forest points outside of it");
        assert_eq!(refuse(|saved| saved.thresholds[0].reverse()), "the thresholds of a forest do not ascend");
        assert_eq!(refuse(|saved| saved.trees[1].0 = 0), "tree 0 of a forest is out of place");
        assert_eq!(refuse(|saved| saved.weight[0] = -1.0), "the leaves of a forest are not finite");
        assert_eq!(refuse(|saved| _ = saved.mean.pop()), "the lists of a forest's nodes differ in length");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Answers stay within the targets, alone and side by side; one seed gives one forest; a restored one goes on alike.
        #[test]
        fn answers_stay_within_the_targets(
            x in vec(-1e3_f32..1e3, 3..240), y in vec(-1e3..1e3_f64, 80), more in vec((-2e3_f32..2e3, -1e3..1e3_f64), 0..40),
            seed: u64,
        ) {
            let count = x.len() / 3;
            let rows = Matrix::new(&x[..count * 3], 3).unwrap();
            let targets: Vec<[f64; 2]> = y[..count].iter().map(|y| [*y, -*y]).collect();
            let rng = SeededRng::seed_from_u64(seed);
            let small = ForestParams { n_trees: 6, min_leaf: 1, ..params() };
            let mut forest = OnlineForest::fit(rows, &targets, &small, 8.0, &rng).unwrap();
            let text = serde_json::to_string(&forest).unwrap();
            let mut restored: OnlineForest<2> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&restored, &forest);
            let (mut a, mut b) = (rng.fork(77), rng.fork(77));
            for (value, target) in &more {
                forest.update(&[*value, 0.0, -*value], &[*target, -*target], &mut a);
                restored.update(&[*value, 0.0, -*value], &[*target, -*target], &mut b);
            }
            let seen = y[..count].iter().chain(more.iter().map(|(_, target)| target));
            let (low, high) = seen.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(*y), h.max(*y)));
            let (mut answers, ranks) = (Vec::new(), x.chunks_exact(3).map(|row| forest.ranks(row)).collect::<Vec<_>>());
            forest.predict_ranked(&ranks, &mut answers);
            prop_assert_eq!(answers.len(), count);
            for (row, answer) in x.chunks_exact(3).zip(&answers) {
                prop_assert!((low - 1e-2..=high + 1e-2).contains(&answer.mean[0]), "{} {} {}", low, answer.mean[0], high);
                prop_assert!((answer.mean[0] + answer.mean[1]).abs() < 1e-2 && answer.spread >= 0.0);
                prop_assert_eq!(forest.predict(row), *answer);
                prop_assert_eq!(restored.predict(row), *answer);
            }
        }
    }
}

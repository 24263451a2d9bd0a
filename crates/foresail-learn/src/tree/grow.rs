//! Growing one tree from binned features.

use foresail_core::SeededRng;
use rayon::prelude::*;

use super::binner::{BLOCK, Binned};
use super::histogram::{self, Histogram, Histograms};
use super::nodes::Tree;
use super::signal::Signal;
use super::split::{Scratch, Split, Terms, better, from_histogram, from_rows};

/// Nodes of fewer rows are searched row by row, those of more by histograms of all features.
const FEW_ROWS: usize = 256;
/// Rows × features from which the work of one node is worth sharing among threads.
const WORTH_SHARING: usize = 1 << 16;

/// Which node is split next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// The newest: the whole tree is grown, in little memory.
    DepthFirst,
    /// The one that gains most, until there are so many leaves (Shi, *Best-first decision tree learning*, 2007).
    BestFirst {
        /// Leaves at most.
        max_leaves: usize,
    },
}

/// When a tree stops and what its splits may choose from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) order: Order,
    pub(crate) max_depth: usize,
    pub(crate) min_leaf: f64,
    /// Features that each split is offered, drawn anew for it.
    pub(crate) features_per_split: usize,
    pub(crate) l2: f64,
    /// Whether threads share the work of one tree.
    pub(crate) shared: bool,
}

/// A tree whose leaves have no values yet.
pub(crate) struct Grown {
    pub(crate) tree: Tree,
    /// Node of each leaf and its rows, as a range of [`Grower::rows`].
    pub(crate) leaves: Vec<(u32, usize, usize)>,
    /// The question of each node, where it has one.
    splits: Vec<Option<Split>>,
}

impl Grown {
    /// The leaf of a row it was binned with, as a place in the tree's list of leaves.
    pub(crate) fn leaf_of(&self, binned: &Binned, row: usize) -> usize {
        self.tree.walk(|node, feature| {
            let bin = binned.bin(feature, row);
            self.splits[node as usize].is_some_and(|split| split.goes_left(bin))
        })
    }
}

/// A node whose rows are known.
struct Open {
    node: u32,
    from: usize,
    to: usize,
    depth: usize,
    /// Packed sum of its rows.
    total: i64,
    histograms: Option<Histograms>,
    best: Option<Split>,
}

/// Grows trees on one table; what it allocates serves the next tree again.
pub(crate) struct Grower<'a> {
    binned: &'a Binned,
    limits: Limits,
    /// Rows that take part, those of a leaf side by side.
    rows: Vec<u32>,
    parted: Vec<u32>,
    /// Packed numbers in the order of the rows of the node at hand.
    packed: Vec<i64>,
    spare: Vec<Histograms>,
    scratch: Scratch,
    features: Vec<usize>,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(binned: &'a Binned, limits: Limits) -> Self {
        Self {
            binned,
            limits,
            rows: Vec::new(),
            parted: Vec::new(),
            packed: Vec::new(),
            spare: Vec::new(),
            scratch: Scratch::default(),
            features: Vec::new(),
        }
    }

    /// Features of the table.
    pub(crate) fn features(&self) -> usize {
        self.binned.features()
    }

    /// Rows that took part in the last tree, those of a leaf side by side and ascending.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Grows a tree on `rows` (ascending) and those of its features that are `offered`; adds each split's gain (how much
    /// the squared error of the signal falls) to `importance`.
    pub(crate) fn grow(
        &mut self,
        signal: &Signal,
        rows: impl Iterator<Item = u32>,
        offered: &[bool],
        heads: usize,
        rng: &mut SeededRng,
        importance: &mut [f64],
    ) -> Grown {
        self.rows.clear();
        self.rows.extend(rows);
        self.parted.resize(self.rows.len(), 0);
        self.features.clear();
        self.features.extend((0..self.binned.features()).filter(|feature| offered[*feature]));
        let total = self.rows.iter().map(|row| signal.packed()[*row as usize]).sum();
        let floor = self.smallest_gain(signal);
        let mut grown =
            Grown { tree: Tree::leaf(self.binned.features(), heads), leaves: Vec::new(), splits: vec![None] };
        let mut root = Open { node: 0, from: 0, to: self.rows.len(), depth: 0, total, histograms: None, best: None };
        self.search(signal, &mut root, floor, rng);
        let mut open = vec![root];
        while let Some(mut next) = self.take(&mut open, grown.leaves.len()) {
            let Some(split) = next.best else {
                self.spare.extend(next.histograms);
                grown.leaves.push((next.node, next.from, next.to));
                continue;
            };
            importance[split.feature] += split.gain * signal.unit() * signal.unit();
            let middle = next.from + self.part(&split, next.from, next.to);
            let threshold = self.binned.threshold(split.feature, split.bin);
            let left = grown.tree.split(next.node, split.feature as u16, threshold, split.missing_left);
            grown.splits[next.node as usize] = Some(split);
            grown.splits.resize(grown.tree.len(), None);
            let child = |node, from, to, total| Open {
                node,
                from,
                to,
                depth: next.depth + 1,
                total,
                histograms: None,
                best: None,
            };
            let mut left_child = child(left, next.from, middle, split.left);
            let mut right_child = child(left + 1, middle, next.to, next.total - split.left);
            // The children of the last split are leaves, whatever they could gain.
            if !self.is_full(grown.leaves.len() + open.len() + 2) {
                self.search_children(signal, next.histograms.take(), &mut left_child, &mut right_child, floor, rng);
            }
            self.spare.extend(next.histograms);
            open.push(right_child);
            open.push(left_child);
        }
        grown
    }

    fn is_full(&self, leaves: usize) -> bool {
        matches!(self.limits.order, Order::BestFirst { max_leaves } if leaves >= max_leaves)
    }

    /// The node to split next. Once there are leaves enough, none of the open ones is split.
    fn take(&self, open: &mut Vec<Open>, leaves: usize) -> Option<Open> {
        if self.limits.order == Order::DepthFirst {
            return open.pop();
        }
        if self.is_full(leaves + open.len()) {
            return open.pop().map(|leaf| Open { best: None, ..leaf });
        }
        let gain = |open: &Open| open.best.map_or(0.0, |best| best.gain);
        let most = (0..open.len()).max_by(|a, b| gain(&open[*a]).total_cmp(&gain(&open[*b])))?;
        Some(open.swap_remove(most))
    }

    /// Rounding makes gains out of nothing on constant targets: a split must explain more than that.
    fn smallest_gain(&self, signal: &Signal) -> f64 {
        let reader = signal.reader();
        let squares = |row: &u32| {
            let mass = reader.mass(signal.packed()[*row as usize]);
            mass.sum * mass.sum / mass.weight.max(1.0)
        };
        1e-12 * self.rows.iter().map(squares).sum::<f64>()
    }

    fn terms(&self, signal: &Signal, total: i64) -> Terms {
        Terms { reader: signal.reader(), min_leaf: self.limits.min_leaf, l2: self.limits.l2, total }
    }

    /// Whether a node may be split at all.
    fn may_split(&self, signal: &Signal, open: &Open) -> bool {
        open.depth < self.limits.max_depth
            && signal.reader().mass(open.total).weight >= 2.0 * self.limits.min_leaf
            && open.to - open.from > 1
    }

    /// Whether a node is searched by histograms of all features.
    fn is_whole(&self, signal: &Signal, open: &Open) -> bool {
        self.may_split(signal, open)
            && open.to - open.from >= FEW_ROWS
            && self.limits.features_per_split >= self.features.len()
    }

    /// Finds the best split of a node of which nothing is known but its rows.
    fn search(&mut self, signal: &Signal, open: &mut Open, floor: f64, rng: &mut SeededRng) {
        if self.is_whole(signal, open) {
            self.search_whole(signal, open, None, floor);
        } else if self.may_split(signal, open) {
            self.search_rows(signal, open, floor, rng);
        }
    }

    /// Finds the best splits of two nodes that share the rows behind `parent`: the histograms of the larger are what the
    /// smaller leaves of the parent's.
    fn search_children(
        &mut self,
        signal: &Signal,
        parent: Option<Histograms>,
        left: &mut Open,
        right: &mut Open,
        floor: f64,
        rng: &mut SeededRng,
    ) {
        let (small, large) = if left.to - left.from <= right.to - right.from { (left, right) } else { (right, left) };
        match parent {
            Some(parent) if self.is_whole(signal, large) => {
                large.histograms = Some(parent);
                self.search_whole(signal, small, Some(large), floor);
                if !self.is_whole(signal, small) {
                    self.spare.extend(small.histograms.take());
                    small.best = None;
                    self.search(signal, small, floor, rng);
                }
            }
            parent => {
                self.spare.extend(parent);
                self.search(signal, small, floor, rng);
                self.search(signal, large, floor, rng);
            }
        }
    }

    /// Copies the packed numbers of a node's rows, in their order.
    fn gather(&mut self, signal: &Signal, open: &Open) {
        self.packed.clear();
        self.packed.extend(self.rows[open.from..open.to].iter().map(|row| signal.packed()[*row as usize]));
    }

    /// Histograms of all features for `small`; those of `large`, which holds its parent's, by subtraction; and the best
    /// split of each.
    fn search_whole(&mut self, signal: &Signal, small: &mut Open, large: Option<&mut Open>, floor: f64) {
        self.gather(signal, small);
        let mut own = self.spare.pop().unwrap_or_else(|| histogram::empty(self.binned));
        let rows = &self.rows[small.from..small.to];
        let search_small = self.is_whole(signal, small);
        let (terms, mut offered) = (self.terms(signal, small.total), vec![false; own.len()]);
        self.features.iter().for_each(|feature| offered[*feature] = true);
        let (binned, packed) = (self.binned, &self.packed);
        let best_in = |block: usize, histograms: &[Histogram], terms: &Terms| {
            (block * BLOCK..)
                .zip(histograms)
                .filter(|(feature, _)| offered[*feature])
                .fold(None, |best, (f, h)| better(best, from_histogram(binned, f, h, terms)))
        };
        let build = |block: usize, own: &mut [Histogram]| {
            own.as_flattened_mut().fill(0);
            histogram::accumulate(binned.block(block), rows, packed, own);
            if search_small { best_in(block, own, &terms) } else { None }
        };
        let is_offered = |block: usize| offered[block * BLOCK..(block + 1) * BLOCK].contains(&true);
        let share = self.limits.shared && rows.len() * self.features.len() >= WORTH_SHARING;
        let best = match large {
            None => {
                let work = |(block, own): (usize, &mut [Histogram])| {
                    if is_offered(block) { [build(block, own), None] } else { [None; 2] }
                };
                each(own.par_chunks_mut(BLOCK).enumerate(), share, work)
            }
            Some(large) => {
                let large_terms = self.terms(signal, large.total);
                let rest = large.histograms.get_or_insert_with(|| histogram::empty(binned));
                let work = |(block, (own, rest)): (usize, (&mut [Histogram], &mut [Histogram]))| {
                    if !is_offered(block) {
                        return [None; 2];
                    }
                    let small = build(block, own);
                    histogram::subtract(rest, own);
                    [small, best_in(block, rest, &large_terms)]
                };
                let best = each(own.par_chunks_mut(BLOCK).zip(rest.par_chunks_mut(BLOCK)).enumerate(), share, work);
                large.best = best[1].filter(|split| split.gain > floor);
                best
            }
        };
        small.best = best[0].filter(|split| split.gain > floor);
        small.histograms = Some(own);
    }

    /// Searches a random choice of features row by row; goes on choosing past the limit while none has offered a split at
    /// all, so that features without variation cost nothing (as scikit-learn does).
    fn search_rows(&mut self, signal: &Signal, open: &mut Open, floor: f64, rng: &mut SeededRng) {
        self.gather(signal, open);
        let terms = self.terms(signal, open.total);
        let rows = &self.rows[open.from..open.to];
        let limit = self.limits.features_per_split;
        for drawn in 0..self.features.len() {
            if drawn >= limit && open.best.is_some() {
                break;
            }
            if limit < self.features.len() {
                let pick = drawn + rng.below(self.features.len() - drawn);
                self.features.swap(drawn, pick);
            }
            let found = from_rows(self.binned, self.features[drawn], rows, &self.packed, &terms, &mut self.scratch);
            open.best = better(open.best, found.filter(|split| split.gain > floor));
        }
    }

    /// Puts the rows that go left before the others, each side in its old order, and returns how many go left.
    fn part(&mut self, split: &Split, from: usize, to: usize) -> usize {
        let block = self.binned.block(split.feature / BLOCK);
        let lane = split.feature % BLOCK;
        let rows = &mut self.rows[from..to];
        let spare = &mut self.parted[..rows.len()];
        let mut side = [false; 256];
        (0..=255_u8).for_each(|bin| side[usize::from(bin)] = split.goes_left(bin));
        let (mut left, mut right) = (0, 0);
        for at in 0..rows.len() {
            let row = rows[at];
            let goes_left = side[usize::from(block[row as usize][lane])];
            // Both are written and one counted: no branch to be mispredicted.
            rows[left] = row;
            spare[right] = row;
            left += usize::from(goes_left);
            right += usize::from(!goes_left);
        }
        rows[left..].copy_from_slice(&spare[..right]);
        left
    }
}

/// Does `work` on each part, by many threads or by this one, and gives the best of both answers; of equals the first.
fn each<P>(parts: P, share: bool, work: impl Fn(P::Item) -> [Option<Split>; 2] + Send + Sync) -> [Option<Split>; 2]
where
    P: IndexedParallelIterator,
{
    let join = |a: [Option<Split>; 2], b: [Option<Split>; 2]| [better(a[0], b[0]), better(a[1], b[1])];
    let parts = if share { parts.with_min_len(1) } else { parts.with_min_len(usize::MAX) };
    parts.map(work).reduce(|| [None; 2], join)
}

#[cfg(test)]
mod tests {
    use super::super::Matrix;
    use super::*;

    fn limits(width: usize) -> Limits {
        Limits {
            order: Order::DepthFirst,
            max_depth: 1,
            min_leaf: 1.0,
            features_per_split: width,
            l2: 0.0,
            shared: false,
        }
    }

    /// Grows one tree with every feature on offer, its leaves answering with means.
    fn grown(features: &[f32], width: usize, targets: &[f64], limits: Limits) -> (Tree, Vec<f64>) {
        let binned = Binned::new(Matrix::new(features, width).unwrap(), 255);
        let mut importance = vec![0.0; width];
        let mut signal = Signal::default();
        signal.set(targets);
        let mut grower = Grower::new(&binned, limits);
        let rows = 0..targets.len() as u32;
        let mut rng = SeededRng::seed_from_u64(3);
        let mut grown = grower.grow(&signal, rows, &vec![true; width], 1, &mut rng, &mut importance);
        for (node, from, to) in &grown.leaves {
            let mean: f64 = grower.rows()[*from..*to].iter().map(|row| targets[*row as usize]).sum();
            grown.tree.values_mut(*node)[0] = mean / (to - from) as f64;
        }
        for (node, from, to) in grown.leaves.clone() {
            for row in grower.rows()[from..to].iter().map(|row| *row as usize) {
                assert_eq!(grown.leaf_of(&binned, row), grown.tree.place(node));
                let by_value = grown.tree.predict(&features[row * width..(row + 1) * width])[0];
                assert_eq!(by_value, grown.tree.values_mut(node)[0]);
            }
        }
        (grown.tree, importance)
    }

    fn stump(features: &[f32], width: usize, targets: &[f64]) -> (Tree, Vec<f64>) {
        grown(features, width, targets, limits(width))
    }

    #[test]
    fn the_split_is_the_one_that_lowers_the_squared_error_most() {
        // By hand: means 1.5 and 11, against a mean of 6.25: gain = 2·1.5² + 2·11² − 4·6.25² = 90.25.
        let (tree, importance) = stump(&[1.0, 2.0, 3.0, 4.0], 1, &[1.0, 2.0, 10.0, 12.0]);
        assert_eq!([tree.predict(&[2.4])[0], tree.predict(&[2.6])[0]], [1.5, 11.0]);
        assert!((importance[0] - 90.25).abs() < 1e-9, "{importance:?}");
    }

    #[test]
    fn missing_values_go_where_they_belong() {
        let nan = f32::NAN;
        let (tree, _) = stump(&[1.0, 2.0, 3.0, nan], 1, &[0.0, 0.0, 9.0, 9.0]);
        assert_eq!([tree.predict(&[1.0])[0], tree.predict(&[nan])[0]], [0.0, 9.0]);
        let (tree, _) = stump(&[1.0, 2.0, 3.0, nan], 1, &[0.0, 0.0, 9.0, 0.0]);
        assert_eq!([tree.predict(&[3.0])[0], tree.predict(&[nan])[0]], [9.0, 0.0]);
        let (tree, _) = stump(&[1.0, 2.0, nan, nan], 1, &[3.0, 3.0, 7.0, 7.0]);
        assert_eq!([tree.predict(&[2.0])[0], tree.predict(&[nan])[0]], [3.0, 7.0]);
    }

    #[test]
    fn a_constant_target_is_not_split() {
        let (tree, importance) = stump(&[1.0, 2.0, 3.0], 1, &[0.1, 0.1, 0.1]);
        assert_eq!(importance, [0.0]);
        assert!((tree.predict(&[9.0])[0] - 0.1).abs() < 1e-15);
    }

    #[test]
    fn the_informative_feature_is_chosen() {
        let rows = [0.0, 1.0, 1.0, 1.0, 0.0, 2.0, 1.0, 2.0];
        let (_, importance) = stump(&rows, 2, &[0.0, 0.0, 5.0, 5.0]);
        assert!(importance[0] == 0.0 && importance[1] > 0.0);
    }

    /// A table of ten features, some missing and some of few values, with its targets.
    fn table(rows: usize) -> (Vec<f32>, Vec<f64>) {
        let mut rng = SeededRng::seed_from_u64(8);
        let mut x = Vec::new();
        let mut y = Vec::new();
        for _ in 0..rows {
            let row: Vec<f32> = (0..10)
                .map(|f| match f {
                    0 if rng.uniform() < 0.2 => f32::NAN,
                    1 => rng.below(4) as f32,
                    _ => rng.uniform() as f32,
                })
                .collect();
            y.push(f64::from(row[0].max(0.5) * 3.0 + row[1] + 2.0 * row[2] * row[3]) + 0.1 * rng.normal());
            x.extend(row);
        }
        (x, y)
    }

    #[test]
    fn histograms_and_rows_and_threads_find_the_same_tree() {
        let (x, y) = table(12_000);
        let whole = Limits { max_depth: 12, min_leaf: 5.0, ..limits(10) };
        // One feature short of all is searched row by row; twice as many as there are never runs out.
        let by_histogram = grown(&x, 10, &y, whole);
        let shared = grown(&x, 10, &y, Limits { shared: true, ..whole });
        assert_eq!(by_histogram.0, shared.0);
        let mut wide = x.clone();
        wide.truncate(200 * 10);
        let few = grown(&wide, 10, &y[..200], whole);
        let error: f64 = (0..200).map(|i| (few.0.predict(&wide[i * 10..i * 10 + 10])[0] - y[i]).powi(2)).sum();
        assert!(error / 200.0 < 0.2, "{error}");
    }

    #[test]
    fn the_best_leaves_are_grown_first() {
        let (x, y) = table(3000);
        let error = |order| {
            let (tree, _) = grown(&x, 10, &y, Limits { order, max_depth: 30, min_leaf: 5.0, ..limits(10) });
            let error: f64 = (0..y.len()).map(|i| (tree.predict(&x[i * 10..i * 10 + 10])[0] - y[i]).powi(2)).sum();
            (tree.len().div_ceil(2), error)
        };
        let (leaves, eight) = error(Order::BestFirst { max_leaves: 8 });
        assert_eq!(leaves, 8);
        let (leaves, sixteen) = error(Order::BestFirst { max_leaves: 16 });
        assert_eq!(leaves, 16);
        let (_, all) = error(Order::DepthFirst);
        assert!(eight > sixteen && sixteen > all, "{eight} {sixteen} {all}");
    }
}

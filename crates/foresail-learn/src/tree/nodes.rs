//! A grown regression tree.

use serde::{Deserialize, Serialize};

/// Marks a node without children.
const LEAF: u16 = u16::MAX;

/// A node: 12 bytes, so that a deep tree stays in the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Node {
    /// Feature asked about, or [`LEAF`].
    feature: u16,
    /// Where a missing value goes.
    missing_left: bool,
    /// Values up to here go left.
    threshold: f32,
    /// The left child, the right one being next to it; for a leaf, the index of its value.
    next: u32,
}

/// A binary regression tree over rows of `f32` features; a leaf answers with one value, or with one a head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Columns", into = "Columns")]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    /// `leaves × heads`.
    values: Vec<f64>,
    heads: usize,
    features: usize,
}

impl Tree {
    /// A tree that answers 0 to everything, for rows of `features` features.
    pub(crate) fn leaf(features: usize, heads: usize) -> Self {
        let node = Node { feature: LEAF, missing_left: false, threshold: 0.0, next: 0 };
        Self { nodes: vec![node], values: vec![0.0; heads], heads, features }
    }

    /// Turns the leaf at `node` into a question and returns its left child; the right one is next to it. The left child
    /// keeps the leaf's value slot, so no slot is orphaned.
    pub(crate) fn split(&mut self, node: u32, feature: u16, threshold: f32, missing_left: bool) -> u32 {
        let at = node as usize;
        debug_assert!(self.nodes[at].feature == LEAF && usize::from(feature) < self.features);
        let left = self.nodes.len() as u32;
        let kept = self.nodes[at];
        self.nodes.push(kept);
        self.nodes.push(Node { next: (self.values.len() / self.heads) as u32, ..kept });
        self.values.resize(self.values.len() + self.heads, 0.0);
        self.nodes[at] = Node { feature, missing_left, threshold, next: left };
        left
    }

    /// What the leaf at `node` answers, a value a head.
    pub(crate) fn values_mut(&mut self, node: u32) -> &mut [f64] {
        let node = self.nodes[node as usize];
        debug_assert_eq!(node.feature, LEAF);
        let at = node.next as usize * self.heads;
        &mut self.values[at..at + self.heads]
    }

    /// The answer for `row`, a value a head, in O(depth). `row` has as many features as the tree was grown on.
    pub(crate) fn predict(&self, row: &[f32]) -> &[f64] {
        let mut node = &self.nodes[0];
        while node.feature != LEAF {
            let value = row[usize::from(node.feature)];
            // NaN compares false, so one branch covers present values and the other the missing ones.
            let left = value <= node.threshold || (value.is_nan() && node.missing_left);
            node = &self.nodes[node.next as usize + usize::from(!left)];
        }
        self.values_at(node.next as usize)
    }

    /// The leaf that is come to where `goes_left` answers the question of each node on the way, told its number and
    /// feature: as a place in the tree's list of leaves.
    pub(crate) fn walk(&self, goes_left: impl Fn(u32, usize) -> bool) -> usize {
        let mut at = 0;
        loop {
            let node = &self.nodes[at as usize];
            if node.feature == LEAF {
                return node.next as usize;
            }
            at = node.next + u32::from(!goes_left(at, usize::from(node.feature)));
        }
    }

    /// Place of the leaf at `node` in the tree's list of leaves.
    pub(crate) fn place(&self, node: u32) -> usize {
        debug_assert_eq!(self.nodes[node as usize].feature, LEAF);
        self.nodes[node as usize].next as usize
    }

    /// What the leaf at a place in the tree's list of leaves answers, a value a head.
    pub(crate) fn values_at(&self, place: usize) -> &[f64] {
        &self.values[place * self.heads..(place + 1) * self.heads]
    }

    /// Values of an answer.
    pub(crate) fn heads(&self) -> usize {
        self.heads
    }

    /// The nodes in order, as `(feature, threshold, next)`: a child comes after its parent, two of one parent side by side,
    /// and a leaf has no feature. Where a missing value goes is left out.
    pub(crate) fn questions(&self) -> impl Iterator<Item = (Option<u16>, f32, u32)> {
        self.nodes.iter().map(|node| ((node.feature != LEAF).then_some(node.feature), node.threshold, node.next))
    }

    /// Nodes, leaves included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Features of the rows it takes.
    pub(crate) fn features(&self) -> usize {
        self.features
    }
}

/// How a tree is saved: a list a field, a third of the size of a list of nodes.
#[derive(Serialize, Deserialize)]
struct Columns {
    features: usize,
    #[serde(default = "one")]
    heads: usize,
    feature: Vec<u16>,
    missing_left: Vec<u8>,
    threshold: Vec<f32>,
    next: Vec<u32>,
    values: Vec<f64>,
}

fn one() -> usize {
    1
}

impl From<Tree> for Columns {
    fn from(tree: Tree) -> Self {
        Self {
            features: tree.features,
            heads: tree.heads,
            feature: tree.nodes.iter().map(|n| n.feature).collect(),
            missing_left: tree.nodes.iter().map(|n| u8::from(n.missing_left)).collect(),
            threshold: tree.nodes.iter().map(|n| n.threshold).collect(),
            next: tree.nodes.iter().map(|n| n.next).collect(),
            values: tree.values,
        }
    }
}

impl TryFrom<Columns> for Tree {
    type Error = String;

    /// Refuses what [`Tree::predict`] could not walk: a child that is not further on, or an index out of range.
    fn try_from(saved: Columns) -> Result<Self, String> {
        let count = saved.feature.len();
        if saved.heads == 0 || !saved.values.len().is_multiple_of(saved.heads) {
            return Err("the leaves of a tree differ in their number of values".to_owned());
        }
        let leaves = saved.values.len() / saved.heads;
        if count == 0 || [saved.missing_left.len(), saved.threshold.len(), saved.next.len()] != [count; 3] {
            return Err("the lists of a tree's nodes differ in length or are empty".to_owned());
        }
        let mut nodes = Vec::with_capacity(count);
        for at in 0..count {
            let (feature, next) = (saved.feature[at], saved.next[at] as usize);
            let sound = if feature == LEAF {
                next < leaves
            } else {
                usize::from(feature) < saved.features && next > at && next + 1 < count
            };
            if !sound {
                return Err(format!("node {at} of a tree points outside of it"));
            }
            let missing_left = saved.missing_left[at] != 0;
            nodes.push(Node { feature, missing_left, threshold: saved.threshold[at], next: saved.next[at] });
        }
        Ok(Self { nodes, values: saved.values, heads: saved.heads, features: saved.features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Tree {
        let mut tree = Tree::leaf(2, 2);
        let left = tree.split(0, 1, 3.5, true);
        tree.values_mut(left).copy_from_slice(&[10.0, 11.0]);
        tree.values_mut(left + 1).copy_from_slice(&[20.0, 21.0]);
        tree
    }

    #[test]
    fn a_row_takes_its_side_and_a_missing_value_the_chosen_one() {
        let tree = stump();
        assert_eq!(tree.predict(&[0.0, 3.5]), [10.0, 11.0]);
        assert_eq!(tree.predict(&[0.0, 3.6]), [20.0, 21.0]);
        assert_eq!(tree.predict(&[0.0, f32::NAN]), [10.0, 11.0]);
        let leaf = tree.walk(|node, feature| (node, feature) != (0, 1));
        assert_eq!((leaf, tree.place(2)), (1, 1));
    }

    #[test]
    fn a_saved_tree_that_points_outside_is_refused() {
        let mut columns = Columns::from(stump());
        columns.next[0] = 7;
        assert!(Tree::try_from(columns).is_err());
        let mut looping = Columns::from(stump());
        looping.next[0] = 0;
        assert!(Tree::try_from(looping).is_err());
        let mut uneven = Columns::from(stump());
        uneven.heads = 3;
        assert!(Tree::try_from(uneven).is_err());
        assert_eq!(Tree::try_from(Columns::from(stump())), Ok(stump()));
    }
}

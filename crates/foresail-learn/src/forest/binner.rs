//! Features cut into quantile bins.

use super::Matrix;

/// The bin of missing values. Bins of values count from 1.
pub(super) const MISSING: u8 = 0;

/// Feature columns as bins, with the edges between them.
pub(super) struct Binned {
    rows: usize,
    /// `features × rows`: a split search reads one feature of many rows.
    bins: Vec<u8>,
    /// For each feature, ascending: a value is in the first bin whose edge it does not exceed, or in the last bin.
    edges: Vec<Vec<f32>>,
}

impl Binned {
    /// Cuts each feature into at most `max_bins` bins (2 to 255) of about as many rows each; a feature of fewer distinct
    /// values has a bin a value. O(features × rows × log rows).
    pub(super) fn new(matrix: Matrix<'_>, max_bins: usize) -> Self {
        let rows = matrix.len();
        let mut bins = Vec::with_capacity(rows * matrix.width());
        let mut edges = Vec::with_capacity(matrix.width());
        let mut sorted = Vec::with_capacity(rows);
        for feature in 0..matrix.width() {
            sorted.clear();
            sorted.extend(matrix.column(feature).filter(|v| !v.is_nan()));
            sorted.sort_unstable_by(f32::total_cmp);
            let cuts = quantile_edges(&sorted, max_bins);
            bins.extend(matrix.column(feature).map(|v| bin_of(&cuts, v)));
            edges.push(cuts);
        }
        Self { rows, bins, edges }
    }

    pub(super) fn features(&self) -> usize {
        self.edges.len()
    }

    /// The bins of one feature, a row each.
    pub(super) fn column(&self, feature: usize) -> &[u8] {
        &self.bins[feature * self.rows..(feature + 1) * self.rows]
    }

    /// Bins of values that a feature has, the missing bin not counted.
    pub(super) fn count(&self, feature: usize) -> usize {
        self.edges[feature].len() + 1
    }

    /// The largest value that goes left when a feature is split after `bin`.
    pub(super) fn threshold(&self, feature: usize, bin: u8) -> f32 {
        self.edges[feature][usize::from(bin) - 1]
    }
}

fn bin_of(edges: &[f32], value: f32) -> u8 {
    if value.is_nan() {
        return MISSING;
    }
    (edges.partition_point(|e| *e < value) + 1) as u8
}

/// Edges at the quantiles of `sorted`, midway between neighbouring distinct values, so that a value seen in training is
/// never itself an edge's rounding accident.
fn quantile_edges(sorted: &[f32], max_bins: usize) -> Vec<f32> {
    let mut edges: Vec<f32> = Vec::new();
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    if distinct.len() <= max_bins {
        edges.extend(distinct.windows(2).map(|pair| between(pair[0], pair[1])));
        return edges;
    }
    for cut in 1..max_bins {
        let at = cut * sorted.len() / max_bins;
        let low = sorted[at - 1];
        // The next value above; a run of ties is never cut.
        let above = sorted[at..].iter().copied().find(|v| *v > low);
        let Some(high) = above else { break };
        let edge = between(low, high);
        if edges.last().is_none_or(|last| *last < edge) {
            edges.push(edge);
        }
    }
    edges
}

/// A finite number at or above `low` and below `high`: a tree is saved as text, which has no infinities.
fn between(low: f32, high: f32) -> f32 {
    let low = low.max(f32::MIN);
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f32], max_bins: usize, expected: &[u8]) {
        let matrix = Matrix::new(values, 1).unwrap();
        assert_eq!(Binned::new(matrix, max_bins).column(0), expected, "{values:?} in {max_bins}");
    }

    #[test]
    fn values_fall_into_ascending_bins_and_nan_into_its_own() {
        check(&[1.0, 2.0, 3.0], 255, &[1, 2, 3]);
        check(&[5.0, f32::NAN, 5.0], 255, &[1, 0, 1]);
        check(&[f32::NAN, f32::NAN], 255, &[0, 0]);
        check(&[1.0, 2.0, 3.0, 4.0], 2, &[1, 1, 2, 2]);
        check(&[f32::NEG_INFINITY, 0.0, f32::INFINITY], 255, &[1, 2, 3]);
        check(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0], 2, &[1, 1, 1, 1, 1, 2, 2]);
    }

    #[test]
    fn never_more_bins_than_asked_for() {
        let values: Vec<f32> = (0..10_000).map(|i| (i * 7919 % 10_007) as f32).collect();
        for max_bins in [2, 16, 255] {
            let binned = Binned::new(Matrix::new(&values, 1).unwrap(), max_bins);
            assert_eq!(binned.count(0), max_bins);
            assert!(binned.column(0).iter().all(|b| (1..=max_bins).contains(&usize::from(*b))));
        }
    }

    #[test]
    fn a_threshold_parts_values_as_their_bins_do() {
        let values: Vec<f32> = (0..500).map(|i| ((i * 37 % 101) as f32).sqrt()).collect();
        let binned = Binned::new(Matrix::new(&values, 1).unwrap(), 16);
        for bin in 1..binned.count(0) as u8 {
            let threshold = binned.threshold(0, bin);
            for (value, own) in values.iter().zip(binned.column(0)) {
                assert_eq!(*value <= threshold, *own <= bin);
            }
        }
    }
}

//! Features cut into quantile bins.

use rayon::prelude::*;

use super::Matrix;

/// The bin of missing values. Bins of values count from 1.
pub(super) const MISSING: u8 = 0;
/// Features that lie side by side: their histograms (16 KiB) fit the first cache together.
pub(super) const BLOCK: usize = 8;
/// Values of a feature that its bins are laid by, at most.
const SAMPLE: usize = 1 << 16;

/// Feature columns as bins, with the edges between them.
pub(crate) struct Binned {
    rows: usize,
    /// `blocks × rows × features of the block`; the last block is filled up with bins of nothing.
    bins: Vec<[u8; BLOCK]>,
    /// For each feature, ascending: a value is in the first bin whose edge it does not exceed, or in the last bin.
    edges: Vec<Vec<f32>>,
}

impl Binned {
    /// Cuts each feature into at most `max_bins` bins (2 to 255) of about as many rows each; a feature of fewer distinct
    /// values has a bin a value. Of more than 65,536 rows, a spread-out sample lays the bins. O(features × rows).
    pub(crate) fn new(matrix: Matrix<'_>, max_bins: usize) -> Self {
        let (rows, width) = (matrix.len(), matrix.width());
        let mut bins = vec![[MISSING; BLOCK]; width.div_ceil(BLOCK) * rows];
        let mut edges = vec![Vec::new(); width];
        bins.par_chunks_mut(rows.max(1)).zip(edges.par_chunks_mut(BLOCK)).enumerate().for_each(
            |(block, (bins, edges))| {
                let first = block * BLOCK;
                let mut tables = [[f32::INFINITY; 256]; BLOCK];
                let mut sorted = Vec::with_capacity(rows.min(SAMPLE));
                for (lane, cuts) in edges.iter_mut().enumerate() {
                    sorted.clear();
                    sorted.extend(sample(rows).map(|row| matrix.row(row)[first + lane]).filter(|v| !v.is_nan()));
                    sorted.sort_unstable_by(f32::total_cmp);
                    *cuts = quantile_edges(&sorted, max_bins);
                    tables[lane][..cuts.len()].copy_from_slice(cuts);
                }
                for (row, bins) in bins.iter_mut().enumerate() {
                    let values = &matrix.row(row)[first..first + edges.len()];
                    for ((bin, value), table) in bins.iter_mut().zip(values).zip(&tables) {
                        *bin = bin_of(table, *value);
                    }
                }
            },
        );
        Self { rows, bins, edges }
    }

    pub(super) fn features(&self) -> usize {
        self.edges.len()
    }

    /// Blocks of [`BLOCK`] features.
    pub(super) fn blocks(&self) -> usize {
        self.edges.len().div_ceil(BLOCK)
    }

    /// The bins of a block, a row each.
    pub(super) fn block(&self, block: usize) -> &[[u8; BLOCK]] {
        &self.bins[block * self.rows..(block + 1) * self.rows]
    }

    /// The bin of one feature in one row.
    pub(super) fn bin(&self, feature: usize, row: usize) -> u8 {
        self.bins[feature / BLOCK * self.rows + row][feature % BLOCK]
    }

    /// Bins of values that a feature has, the missing bin not counted.
    pub(super) fn count(&self, feature: usize) -> usize {
        self.edges[feature].len() + 1
    }

    /// The largest value that goes left when a feature is split after `bin`; after its last bin, any value.
    pub(super) fn threshold(&self, feature: usize, bin: u8) -> f32 {
        self.edges[feature].get(usize::from(bin) - 1).copied().unwrap_or(f32::MAX)
    }
}

/// Rows by which bins are laid: all, or steps of the golden ratio, which no period in the rows keeps in step with.
fn sample(rows: usize) -> impl Iterator<Item = usize> {
    let taken = rows.min(SAMPLE);
    (0..taken).map(move |i| {
        if taken == rows { i } else { ((i as f64 * 0.618_033_988_749_894_9).fract() * rows as f64) as usize }
    })
}

/// One more than the number of edges below `value`, without a branch; `edges` is filled up with infinity.
fn bin_of(edges: &[f32; 256], value: f32) -> u8 {
    if value.is_nan() {
        return MISSING;
    }
    let mut below = 0_u8;
    for step in [128, 64, 32, 16, 8, 4, 2, 1] {
        // At most 254 edges are finite, so this cannot pass 255.
        below += if edges[usize::from(below + (step - 1))] < value { step } else { 0 };
    }
    below + 1
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

    fn column(binned: &Binned) -> Vec<u8> {
        (0..binned.rows).map(|row| binned.bin(0, row)).collect()
    }

    fn check(values: &[f32], max_bins: usize, expected: &[u8]) {
        let binned = Binned::new(Matrix::new(values, 1).unwrap(), max_bins);
        assert_eq!(column(&binned), expected, "{values:?} in {max_bins}");
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
            assert!(column(&binned).iter().all(|b| (1..=max_bins).contains(&usize::from(*b))));
        }
    }

    #[test]
    fn a_threshold_parts_values_as_their_bins_do() {
        let values: Vec<f32> = (0..500).map(|i| ((i * 37 % 101) as f32).sqrt()).collect();
        let binned = Binned::new(Matrix::new(&values, 1).unwrap(), 16);
        for bin in 1..binned.count(0) as u8 {
            let threshold = binned.threshold(0, bin);
            for (value, own) in values.iter().zip(&column(&binned)) {
                assert_eq!(*value <= threshold, *own <= bin);
            }
        }
    }

    #[test]
    fn bins_of_many_rows_are_laid_by_a_sample_of_them() {
        let values: Vec<f32> = (0..3 * SAMPLE).map(|i| (i % 1440) as f32).collect();
        let binned = Binned::new(Matrix::new(&values, 1).unwrap(), 16);
        let mut counts = [0_usize; 17];
        column(&binned).iter().for_each(|bin| counts[usize::from(*bin)] += 1);
        let fair = values.len() / 16;
        assert!(counts[1..].iter().all(|count| count.abs_diff(fair) < fair / 10), "{counts:?}");
    }
}

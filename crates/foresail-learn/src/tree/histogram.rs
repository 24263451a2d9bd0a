//! Sums of gradients and weights by bin.

use super::binner::{BLOCK, Binned};

/// The packed sum of each bin of one feature.
pub(super) type Histogram = [i64; 256];

/// Those of all features, filled up to whole blocks.
pub(super) type Histograms = Vec<Histogram>;

/// Histograms of no rows for all features.
pub(super) fn empty(binned: &Binned) -> Histograms {
    vec![[0; 256]; binned.blocks() * BLOCK]
}

/// Adds `rows`, with their packed numbers in the same order, to the histograms of one block.
pub(super) fn accumulate(bins: &[[u8; BLOCK]], rows: &[u32], packed: &[i64], histograms: &mut [Histogram]) {
    let Ok(histograms) = <&mut [Histogram; BLOCK]>::try_from(histograms) else {
        debug_assert!(false, "a block has as many histograms as lanes");
        return;
    };
    for (row, packed) in rows.iter().zip(packed) {
        let bins = bins[*row as usize];
        for lane in 0..BLOCK {
            histograms[lane][usize::from(bins[lane])] += packed;
        }
    }
}

/// Leaves in `whole` what is not in `part`.
pub(super) fn subtract(whole: &mut [Histogram], part: &[Histogram]) {
    for (whole, part) in whole.as_flattened_mut().iter_mut().zip(part.as_flattened()) {
        *whole -= part;
    }
}

//! Sums of products of columns, the dear part of a linear fit.

use rayon::prelude::*;

/// Columns that are multiplied at a time, and rows that are summed in single precision before they join the total.
const LANES: usize = 8;
const CHUNK: usize = 128;

/// Columns of a table that is filled up to whole panels.
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(LANES)
}

/// Of a table (row by row, [`padded`] columns), the weighted sums of products of each of the first `left` columns (filled
/// up likewise) with every column from its panel on: `left × columns`, of which what is left of a panel's diagonal is 0.
/// O(rows × left × columns / 2); the same on any number of threads.
pub(super) fn gram(table: &[f32], weights: &[f32], columns: usize, left: usize) -> Vec<f64> {
    debug_assert!(columns.is_multiple_of(LANES) && table.len() == weights.len() * columns);
    let panels = columns / LANES;
    let mut sums = vec![0.0; padded(left) * columns];
    let mut plain = vec![[0.0_f32; LANES]; panels * CHUNK];
    let mut weighted = plain.clone();
    for (rows, weights) in table.chunks(CHUNK * columns).zip(weights.chunks(CHUNK)) {
        let count = weights.len();
        for (at, (row, weight)) in rows.chunks_exact(columns).zip(weights).enumerate() {
            for (panel, values) in row.as_chunks::<LANES>().0.iter().enumerate() {
                plain[panel * CHUNK + at] = *values;
                weighted[panel * CHUNK + at] = values.map(|value| value * weight);
            }
        }
        sums.par_chunks_mut(LANES * columns).enumerate().for_each(|(first, sums)| {
            let a = &weighted[first * CHUNK..first * CHUNK + count];
            for second in first..panels {
                let b = &plain[second * CHUNK..second * CHUNK + count];
                for half in 0..2 {
                    let products = products(a, b, half);
                    for (lane, products) in products.iter().enumerate() {
                        let at = (half * LANES / 2 + lane) * columns + second * LANES;
                        let into = &mut sums[at..at + LANES];
                        into.iter_mut().zip(products).for_each(|(sum, product)| *sum += f64::from(*product));
                    }
                }
            }
        });
    }
    sums
}

/// Sums of products of four columns of one panel with the eight of another: small enough for the registers.
fn products(a: &[[f32; LANES]], b: &[[f32; LANES]], half: usize) -> [[f32; LANES]; LANES / 2] {
    let mut sums = [[0.0_f32; LANES]; LANES / 2];
    for (a, b) in a.iter().zip(b) {
        for (lane, sums) in sums.iter_mut().enumerate() {
            let factor = a[half * LANES / 2 + lane];
            for (sum, value) in sums.iter_mut().zip(b) {
                *sum += factor * value;
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn sums_are_those_of_two_loops() {
        let mut rng = SeededRng::seed_from_u64(3);
        let (rows, columns, left) = (300, 24, 11);
        let table: Vec<f32> = (0..rows * columns).map(|_| rng.normal() as f32).collect();
        let weights: Vec<f32> = (0..rows).map(|_| rng.uniform() as f32).collect();
        let got = gram(&table, &weights, columns, left);
        for i in 0..left {
            for j in i..columns {
                let product = |r: usize| f64::from(table[r * columns + i] * weights[r] * table[r * columns + j]);
                let expected: f64 = (0..rows).map(product).sum();
                assert!((got[i * columns + j] - expected).abs() < 1e-3, "{i} {j}");
            }
        }
    }
}

//! What a linear least-squares problem needs to know of the rows, however many: sums of products.

use serde::{Deserialize, Serialize};

/// Sums over rows of regressor × regressor and regressor × response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sums {
    size: usize,
    /// The lower triangle of the Gram matrix, row by row.
    gram: Vec<f64>,
    side: Vec<f64>,
    /// Sum of the squared responses.
    squares: f64,
    rows: f64,
}

impl Sums {
    /// Over no rows yet, of `size` regressors.
    pub(super) fn new(size: usize) -> Self {
        Self { size, gram: vec![0.0; size * (size + 1) / 2], side: vec![0.0; size], squares: 0.0, rows: 0.0 }
    }

    /// Takes in one row. O(size²), less where regressors are zero.
    pub(super) fn add(&mut self, row: &[f64], response: f64) {
        debug_assert_eq!(row.len(), self.size);
        let mut rest = self.gram.as_mut_slice();
        for (i, x) in row.iter().enumerate() {
            let (sums, below) = rest.split_at_mut(i + 1);
            if *x != 0.0 {
                sums.iter_mut().zip(row).for_each(|(sum, other)| *sum += x * other);
                self.side[i] += x * response;
            }
            rest = below;
        }
        self.squares += response * response;
        self.rows += 1.0;
    }

    /// Takes in four rows, one after the other in `rows`: the sums are read and written once for all of them.
    fn add_four(&mut self, rows: &[f64], responses: [f64; 4]) {
        let (a, others) = rows.split_at(self.size);
        let (b, others) = others.split_at(self.size);
        let (c, d) = others.split_at(self.size);
        let mut rest = self.gram.as_mut_slice();
        for i in 0..self.size {
            let (sums, below) = rest.split_at_mut(i + 1);
            let x = [a[i], b[i], c[i], d[i]];
            if x != [0.0; 4] {
                let others = a.iter().zip(b).zip(c.iter().zip(d));
                for (sum, ((a, b), (c, d))) in sums.iter_mut().zip(others) {
                    *sum += (x[0] * a + x[1] * b) + (x[2] * c + x[3] * d);
                }
                self.side[i] += x.iter().zip(&responses).map(|(x, y)| x * y).sum::<f64>();
            }
            rest = below;
        }
        self.squares += responses.iter().map(|y| y * y).sum::<f64>();
        self.rows += 4.0;
    }

    /// Regressors.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Rows taken in.
    pub(super) fn rows(&self) -> f64 {
        self.rows
    }

    /// Sum of regressor `i` × regressor `j`.
    pub(super) fn product(&self, i: usize, j: usize) -> f64 {
        let (low, high) = if i < j { (i, j) } else { (j, i) };
        self.gram[high * (high + 1) / 2 + low]
    }

    /// Sum of regressor `i` × response.
    pub(super) fn side(&self, i: usize) -> f64 {
        self.side[i]
    }

    /// Sum of squared differences between the responses and what these weights make of the regressors. O(size²).
    pub(super) fn squared_error(&self, weights: &[f64]) -> f64 {
        let mut sum = self.squares;
        let mut rest = self.gram.as_slice();
        for (i, weight) in weights.iter().enumerate() {
            let (products, below) = rest.split_at(i + 1);
            let lower: f64 = products[..i].iter().zip(weights).map(|(p, w)| p * w).sum();
            sum += weight * (2.0 * (lower - self.side[i]) + weight * products[i]);
            rest = below;
        }
        sum.max(0.0)
    }

    /// Whether restored sums have the places of `size` regressors.
    pub(super) fn is_sound(&self, size: usize) -> bool {
        self.size == size && self.gram.len() == size * (size + 1) / 2 && self.side.len() == size && self.rows >= 0.0
    }
}

/// Gathers rows by four on their way into [`Sums`].
pub(super) struct Gathering {
    sums: Sums,
    waiting: Vec<f64>,
    responses: [f64; 4],
    count: usize,
}

impl Gathering {
    /// Over no rows yet, of `size` regressors.
    pub(super) fn new(size: usize) -> Self {
        Self { sums: Sums::new(size), waiting: vec![0.0; 4 * size], responses: [0.0; 4], count: 0 }
    }

    /// The place for the regressors of the next row; whatever was there is to be written over.
    pub(super) fn place(&mut self) -> &mut [f64] {
        let size = self.sums.size;
        &mut self.waiting[self.count * size..(self.count + 1) * size]
    }

    /// Takes in the row that was written to [`Gathering::place`].
    pub(super) fn push(&mut self, response: f64) {
        self.responses[self.count] = response;
        self.count += 1;
        if self.count == 4 {
            self.sums.add_four(&self.waiting, self.responses);
            self.count = 0;
        }
    }

    /// The sums over all rows.
    pub(super) fn finish(mut self) -> Sums {
        let size = self.sums.size;
        for row in 0..self.count {
            self.sums.add(&self.waiting[row * size..(row + 1) * size], self.responses[row]);
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_same_by_one_and_by_four() {
        let rows: Vec<[f64; 3]> = (0..7).map(|i| [1.0, f64::from(i), f64::from(i % 2)]).collect();
        let (mut one, mut four) = (Sums::new(3), Gathering::new(3));
        for (i, row) in rows.iter().enumerate() {
            one.add(row, i as f64 * 2.0);
            four.place().copy_from_slice(row);
            four.push(i as f64 * 2.0);
        }
        let four = four.finish();
        assert_eq!(one, four);
        assert_eq!(
            (four.product(0, 1), four.product(1, 0), four.product(2, 2), four.side(1)),
            (21.0, 21.0, 3.0, 182.0)
        );
        assert_eq!(four.squared_error(&[0.0, 2.0, 0.0]), 0.0);
        assert_eq!(four.squared_error(&[1.0, 2.0, 0.0]), 7.0);
    }
}

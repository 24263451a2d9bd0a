//! Small symmetric systems, solved by Cholesky's factorisation.

/// The lower factor of a symmetric positive definite matrix.
pub(super) struct Cholesky {
    size: usize,
    /// `size × size`, row by row; what is above the diagonal is left over from the matrix.
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors `matrix` (`size × size`, row by row, of which the lower half is read). `None` if it is not positive
    /// definite, or not finite. O(size³).
    pub(super) fn new(mut matrix: Vec<f64>, size: usize) -> Option<Self> {
        debug_assert_eq!(matrix.len(), size * size);
        for row in 0..size {
            let (above, from_row) = matrix.split_at_mut(row * size);
            let current = &mut from_row[..=row];
            for column in 0..row {
                let other = &above[column * size..=column * size + column];
                let dot: f64 = current[..column].iter().zip(other).map(|(a, b)| a * b).sum();
                current[column] = (current[column] - dot) / other[column];
            }
            let square: f64 = current[..row].iter().map(|v| v * v).sum();
            let pivot = current[row] - square;
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            current[row] = pivot.sqrt();
        }
        Some(Self { size, lower: matrix })
    }

    /// Solves for the right-hand side, in place. O(size²).
    pub(super) fn solve(&self, side: &mut [f64]) {
        let n = self.size;
        for row in 0..n {
            let dot: f64 = self.lower[row * n..row * n + row].iter().zip(&*side).map(|(a, b)| a * b).sum();
            side[row] = (side[row] - dot) / self.lower[row * n + row];
        }
        for row in (0..n).rev() {
            let dot: f64 = (row + 1..n).map(|below| self.lower[below * n + row] * side[below]).sum();
            side[row] = (side[row] - dot) / self.lower[row * n + row];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_solved_by_hand() {
        // [4 2; 2 3] x = [10, 8] has x = [1.75, 1.5].
        let factor = Cholesky::new(vec![4.0, 2.0, 2.0, 3.0], 2).unwrap();
        let mut side = [10.0, 8.0];
        factor.solve(&mut side);
        assert!((side[0] - 1.75).abs() < 1e-15 && (side[1] - 1.5).abs() < 1e-15, "{side:?}");
    }

    #[test]
    fn what_has_no_factor_is_refused() {
        assert!(Cholesky::new(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(Cholesky::new(vec![f64::NAN], 1).is_none());
    }
}

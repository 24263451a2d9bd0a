//! A sum that does not lose small terms beside large ones.

use serde::{Deserialize, Serialize};

/// A compensated sum: the rounding error of every addition is kept and added back (Knuth's TwoSum, as in Ogita, Rump &
/// Oishi, "Accurate sum and dot product", SIAM J. Sci. Comput. 26(6), 2005, algorithm 4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompensatedSum {
    sum: f64,
    error: f64,
}

impl CompensatedSum {
    /// Adds a finite `term`; a negative one takes away.
    #[inline]
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let rounded = sum - self.sum;
        self.error += (self.sum - (sum - rounded)) + (term - rounded);
        self.sum = sum;
    }

    /// Adds (or, with `sign` −1, takes away) another sum.
    #[inline]
    pub fn add_sum(&mut self, other: Self, sign: f64) {
        self.add(sign * other.sum);
        self.error += sign * other.error;
    }

    /// The sum so far.
    #[inline]
    pub fn value(&self) -> f64 {
        self.sum + self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_large_ones() {
        let mut sum = CompensatedSum::default();
        for term in [1e16, 1.0, 3.0, -1e16] {
            sum.add(term);
        }
        assert_eq!(sum.value(), 4.0);
        let mut difference = CompensatedSum::default();
        difference.add(10.0);
        difference.add_sum(sum, -1.0);
        assert_eq!(difference.value(), 6.0);
    }
}

//! The population stability index.

use serde::{Deserialize, Serialize};

/// Bins of about equal counts in a reference sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileBins {
    /// Upper edges of all bins but the last, ascending; a value equal to an edge lies below it.
    edges: Vec<f64>,
}

impl QuantileBins {
    /// At most `bins` (at least 1) bins of the values of `sorted`, ascending and finite; values that occur often share one.
    pub fn of(sorted: &[f64], bins: usize) -> Self {
        debug_assert!(sorted.is_sorted());
        let mut edges: Vec<f64> = (1..bins).filter_map(|i| sorted.get(i * sorted.len() / bins)).copied().collect();
        edges.dedup();
        Self { edges }
    }

    /// Bins.
    pub fn len(&self) -> usize {
        self.edges.len() + 1
    }

    /// There is always a bin.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// How many of `values` fall into each bin.
    pub fn count(&self, values: &[f64]) -> Vec<f64> {
        let mut counts = vec![0.0; self.len()];
        for value in values {
            counts[self.edges.partition_point(|edge| edge < value)] += 1.0;
        }
        counts
    }
}

/// Σ (a − e)·ln(a / e) over the bins, a and e being the shares of `actual` and `expected` counts, half a count added to each
/// so that an empty bin does not make it infinite (Siddiqi 2006, "Credit Risk Scorecards": below 0.1 nothing, above 0.25 much
/// has changed). 0 if either is empty; bins that only one has are left out.
pub fn population_stability_index(expected: &[f64], actual: &[f64]) -> f64 {
    let total = |counts: &[f64]| counts.iter().map(|c| c + 0.5).sum::<f64>();
    let (all_expected, all_actual) = (total(expected), total(actual));
    let pairs = expected.iter().zip(actual);
    pairs
        .map(|(e, a)| {
            let (e, a) = ((e + 0.5) / all_expected, (a + 0.5) / all_actual);
            (a - e) * (a / e).ln()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bins_hold_about_as_many_and_the_index_is_as_reckoned_by_hand() {
        let sorted: Vec<f64> = (0..100).map(f64::from).collect();
        let bins = QuantileBins::of(&sorted, 4);
        assert_eq!(bins.count(&sorted), [26.0, 25.0, 25.0, 24.0]);
        assert_eq!(QuantileBins::of(&[1.0; 50], 10).len(), 2);
        assert_eq!(QuantileBins::of(&[], 10).count(&[1.0, 2.0]), [2.0]);
        // Shares of 1/4, 3/4 against 3/4, 1/4: 2 · 1/2 · ln 3, but for the half counts.
        let index = population_stability_index(&[2_500.0, 7_500.0], &[7_500.0, 2_500.0]);
        assert!((index - 3.0_f64.ln()).abs() < 1e-3, "{index}");
    }

    proptest! {
        /// It is a distance of sorts: never negative, and nothing from nothing.
        #[test]
        fn never_negative(a in prop::collection::vec(0..1000_u32, 5), b in prop::collection::vec(0..1000_u32, 5)) {
            let (a, b): (Vec<f64>, Vec<f64>) = (a.into_iter().map(f64::from).collect(), b.into_iter().map(f64::from).collect());
            let index = population_stability_index(&a, &b);
            prop_assert!(index >= 0.0 && index.is_finite());
            prop_assert!(population_stability_index(&a, &a).abs() < 1e-12);
        }
    }
}

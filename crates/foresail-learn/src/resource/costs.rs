//! What each kind of request costs.

use foresail_core::fingerprint::{MIX_CLASSES, StoredState};
use serde::{Deserialize, Serialize};

use crate::linear::RecursiveLeastSquares;

/// Weight of a sample falls by this with every later one.
const FORGETTING: f64 = 0.9995;
/// Variance that a kind's cost is believed to have about the first mean cost, over that of a sample's noise.
const PRIOR: f64 = 20.0;
/// Resource use counts as this many times the first at most.
const MOST: f64 = 1e3;

/// How many requests came in an interval, and of which kinds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Work {
    /// Requests a second.
    pub(super) rate: f64,
    /// Shares of the classes of patterns, which sum to 1, or to 0 if nothing came.
    pub(super) shares: [f64; MIX_CLASSES],
}

impl Work {
    pub(super) fn none() -> Self {
        Self { rate: 0.0, shares: [0.0; MIX_CLASSES] }
    }

    pub(super) fn of(state: &StoredState) -> Self {
        Self { rate: state.rate().unwrap_or(0.0), shares: state.mix().unwrap_or([0.0; MIX_CLASSES]) }
    }
}

/// The utilisation law by recursive least squares: resource use is what is used idle, and the sum over the kinds of their
/// rate times their cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct CostModel {
    model: RecursiveLeastSquares,
    /// The first resource use and rate that were seen, which all is reckoned in.
    unit: Option<(f64, f64)>,
}

impl CostModel {
    pub(super) fn new() -> Self {
        let mut weights = vec![1.0; MIX_CLASSES + 1];
        weights[MIX_CLASSES] = 0.0;
        Self { model: RecursiveLeastSquares::new(weights, PRIOR, FORGETTING), unit: None }
    }

    pub(super) fn update(&mut self, work: &Work, resource: f64) {
        if work.rate > 0.0 && resource > 0.0 {
            let (used, rate) = *self.unit.get_or_insert((resource, work.rate));
            let row: Vec<f64> = work.shares.iter().map(|share| share * work.rate / rate).chain([1.0]).collect();
            self.model.update(&row, (resource / used).min(MOST));
        }
    }

    /// What a request of this mix costs, 0 or more; 0 while nothing is known.
    pub(super) fn cost(&self, work: &Work) -> f64 {
        let Some((used, rate)) = self.unit else { return 0.0 };
        let costs = self.model.weights().iter().zip(&work.shares);
        costs.map(|(cost, share)| cost * share).sum::<f64>().max(0.0) * used / rate
    }

    /// What is used however few requests come.
    pub(super) fn idle(&self) -> f64 {
        let weight = self.model.weights().last().copied().unwrap_or(0.0);
        self.unit.map_or(0.0, |(used, _)| weight * used)
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn costs_of_kinds_are_found_from_totals() {
        let mut rng = SeededRng::seed_from_u64(5);
        let mut costs = CostModel::new();
        let truth = [0.2, 5.0, 1.0];
        let mut work = Work::none();
        for _ in 0..400 {
            let weights = [0; 3].map(|_| rng.exponential());
            let sum: f64 = weights.iter().sum();
            work.rate = 5.0 + 35.0 * rng.uniform();
            work.shares[..3].copy_from_slice(&weights.map(|w| w / sum));
            let used: f64 = truth.iter().zip(work.shares).map(|(cost, share)| cost * share * work.rate).sum();
            costs.update(&work, 8.0 + used * (1.0 + 0.05 * rng.normal()));
        }
        for (kind, cost) in truth.into_iter().enumerate() {
            let mut only = Work { rate: 1.0, ..Work::none() };
            only.shares[kind] = 1.0;
            assert!((costs.cost(&only) - cost).abs() < 0.15 + 0.05 * cost, "{kind}: {}", costs.cost(&only));
        }
        assert!((costs.idle() - 8.0).abs() < 3.0, "{}", costs.idle());
        assert_eq!(CostModel::new().cost(&work), 0.0);
    }
}

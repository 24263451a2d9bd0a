//! One polynomially weighted aggregator.

use serde::{Deserialize, Serialize};

/// Regrets of some experts under one rate of forgetting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Poly {
    /// What is kept of the past from one round to the next, within (0, 1].
    keep: f64,
    regret: Vec<f64>,
    squares: Vec<f64>,
}

impl Poly {
    /// `half_life` in rounds.
    pub(super) fn new(experts: usize, half_life: f64) -> Self {
        Self { keep: 0.5_f64.powf(1.0 / half_life), regret: vec![0.0; experts], squares: vec![0.0; experts] }
    }

    /// Of `experts` nothing is known of, forgetting at the same rate.
    pub(super) fn anew(&self, experts: usize) -> Self {
        Self { keep: self.keep, regret: vec![0.0; experts], squares: vec![0.0; experts] }
    }

    pub(super) fn is_sound(&self, experts: usize) -> bool {
        self.keep > 0.0 && self.keep <= 1.0 && self.regret.len() == experts && self.squares.len() == experts
    }

    /// Writes the weights of the experts awake: their regret, where positive, times a rate that falls with its squares
    /// (Gaillard et al., eq. 3). They sum to 1, unless none is awake: then all are 0. While no expert has an edge, all
    /// weigh alike.
    pub(super) fn weigh(&self, weights: &mut [f64], awake: impl Fn(usize) -> bool) {
        for (i, (weight, (regret, squares))) in
            weights.iter_mut().zip(self.regret.iter().zip(&self.squares)).enumerate()
        {
            *weight = if awake(i) { regret.max(0.0) / (1.0 + squares) } else { 0.0 };
        }
        normalise(weights, awake);
    }

    /// Takes in what each expert would have gained over the mix that was played, in units of the usual loss; none for
    /// those asleep.
    pub(super) fn learn(&mut self, gains: impl Iterator<Item = Option<f64>>) {
        for ((regret, squares), gain) in self.regret.iter_mut().zip(&mut self.squares).zip(gains) {
            *regret *= self.keep;
            *squares *= self.keep;
            if let Some(gain) = gain {
                *regret += gain;
                *squares += gain * gain;
            }
        }
    }
}

/// Scales weights to sum to 1; alike for all awake where they sum to nothing.
pub(super) fn normalise(weights: &mut [f64], awake: impl Fn(usize) -> bool) {
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter_mut().for_each(|w| *w /= sum);
        return;
    }
    let count = (0..weights.len()).filter(|i| awake(*i)).count() as f64;
    weights.iter_mut().enumerate().for_each(|(i, w)| *w = if awake(i) { 1.0 / count } else { 0.0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expert_with_an_edge_wins_and_sleepers_get_nothing() {
        let mut poly = Poly::new(3, 100.0);
        let weights = |poly: &Poly, awake: fn(usize) -> bool| {
            let mut weights = [0.0; 3];
            poly.weigh(&mut weights, awake);
            weights
        };
        assert_eq!(weights(&poly, |i| i != 2), [0.5, 0.5, 0.0]);
        for _ in 0..50 {
            poly.learn([Some(0.5), Some(-0.5), None].into_iter());
        }
        assert_eq!(weights(&poly, |_| true), [1.0, 0.0, 0.0]);
        assert_eq!(weights(&poly, |i| i != 0), [0.0, 0.5, 0.5]);
        assert_eq!(weights(&poly, |_| false), [0.0; 3]);
    }
}

//! Recursive least squares with exponential forgetting (Haykin, Adaptive Filter Theory, ch. 10; ridge prior).

use serde::{Deserialize, Serialize};

/// A linear model `y ≈ w·x` updated in O(n²) a sample: ridge regression in which old samples count for less.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecursiveLeastSquares {
    weights: Vec<f64>,
    /// Inverse of the forgotten Gram matrix, n × n, row-major, symmetric.
    covariance: Vec<f64>,
    forgetting: f64,
    /// Scratch for `covariance · x`.
    #[serde(skip)]
    gain: Vec<f64>,
}

impl RecursiveLeastSquares {
    /// Starts from `weights`, believed with variance `prior` each; a sample's weight falls by `forgetting` (just below 1)
    /// with every later one.
    pub fn new(weights: Vec<f64>, prior: f64, forgetting: f64) -> Self {
        debug_assert!(prior > 0.0 && forgetting > 0.0 && forgetting <= 1.0);
        let n = weights.len();
        let mut covariance = vec![0.0; n * n];
        for i in 0..n {
            covariance[i * n + i] = prior;
        }
        Self { weights, covariance, forgetting, gain: vec![0.0; n] }
    }

    /// `w·x`.
    pub fn predict(&self, x: &[f64]) -> f64 {
        dot(&self.weights, x)
    }

    /// The weights as learned so far.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Learns from one sample. A sample that would leave anything not finite is passed over.
    pub fn update(&mut self, x: &[f64], y: f64) {
        let n = self.weights.len();
        self.gain.resize(n, 0.0);
        for (i, gain) in self.gain.iter_mut().enumerate() {
            *gain = dot(&self.covariance[i * n..(i + 1) * n], x);
        }
        let scale = 1.0 / (self.forgetting + dot(&self.gain, x));
        let error = y - self.predict(x);
        if !(scale * error).is_finite() || scale <= 0.0 {
            return;
        }
        for (weight, gain) in self.weights.iter_mut().zip(&self.gain) {
            *weight += scale * gain * error;
        }
        let mut trace = 0.0;
        for i in 0..n {
            // Only one triangle is computed and mirrored, which keeps the matrix symmetric in floating point.
            for j in 0..=i {
                let value = (self.covariance[i * n + j] - scale * self.gain[i] * self.gain[j]) / self.forgetting;
                self.covariance[i * n + j] = value;
                self.covariance[j * n + i] = value;
            }
            trace += self.covariance[i * n + i];
        }
        // Without excitation forgetting lets the covariance wind up; a bound keeps later steps sane.
        let bound = 1e4 * n as f64;
        if trace > bound {
            let shrink = bound / trace;
            self.covariance.iter_mut().for_each(|p| *p *= shrink);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_the_weights_behind_noise() {
        let mut rng = SeededRng::seed_from_u64(3);
        let truth = [1.5, -2.0, 0.25];
        let mut model = RecursiveLeastSquares::new(vec![0.0; 3], 100.0, 0.9999);
        for _ in 0..3_000 {
            let x = [1.0, rng.normal(), rng.normal()];
            model.update(&x, dot(&truth, &x) + 0.1 * rng.normal());
        }
        for (weight, truth) in model.weights().iter().zip(truth) {
            assert!((weight - truth).abs() < 0.02, "{weight} {truth}");
        }
    }

    #[test]
    fn follows_a_change_within_its_memory() {
        let mut model = RecursiveLeastSquares::new(vec![0.0], 1.0, 0.98);
        for step in 0..600 {
            model.update(&[1.0], if step < 300 { 1.0 } else { 5.0 });
        }
        assert!((model.predict(&[1.0]) - 5.0).abs() < 0.05);
    }

    proptest! {
        /// Whatever it is shown, what it says stays finite.
        #[test]
        fn stays_finite(samples in prop::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64), 1..300)) {
            let mut model = RecursiveLeastSquares::new(vec![0.0; 2], 1.0, 0.99);
            for (x, y) in samples {
                model.update(&[1.0, x], y);
                prop_assert!(model.predict(&[1.0, x]).is_finite());
            }
        }
    }
}

//! Online ridge regression of a change.

use serde::{Deserialize, Serialize};

use crate::linear::RecursiveLeastSquares;

/// Weight of a sample falls by this with every later one.
const FORGETTING: f64 = 0.9999;
/// Variance that weights are believed to have before anything is seen, of standardised regressors: a ridge. Intervals in a row
/// are nearly one, so it takes many to be sure.
const PRIOR: f64 = 0.003;
/// Samples before the regression is believed.
const ENOUGH: u64 = 60;
/// Regressors, and the change, count as this many standard deviations at most.
const CUT: f64 = 5.0;

/// Foretells a change from regressors, all standardised by what they have been.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Regression {
    model: RecursiveLeastSquares,
    moments: Vec<Moments>,
    change: Moments,
    samples: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn push(&mut self, value: f64) {
        self.count = (self.count + 1.0).min(5_000.0);
        let over = value - self.mean;
        self.mean += over / self.count;
        self.variance += (over * (value - self.mean) - self.variance) / self.count;
    }

    fn standard(&self, value: f64) -> f64 {
        let spread = self.variance.max(0.0).sqrt().max(1e-9 + 1e-9 * self.mean.abs());
        ((value - self.mean) / spread).clamp(-CUT, CUT)
    }
}

impl Regression {
    /// Of `width` regressors and a constant.
    pub(super) fn new(width: usize) -> Self {
        Self {
            model: RecursiveLeastSquares::new(vec![0.0; width + 1], PRIOR, FORGETTING),
            moments: vec![Moments::default(); width],
            change: Moments::default(),
            samples: 0,
        }
    }

    pub(super) fn update(&mut self, x: &[f64], change: f64) {
        self.change.push(change);
        self.moments.iter_mut().zip(x).for_each(|(moments, x)| moments.push(*x));
        self.samples += 1;
        let target = (change / self.unit()).clamp(-CUT, CUT);
        self.model.update(&self.standardised(x), target);
    }

    /// The change expected; none while too little is known.
    pub(super) fn predict(&self, x: &[f64]) -> f64 {
        if self.samples < ENOUGH { 0.0 } else { self.model.predict(&self.standardised(x)) * self.unit() }
    }

    /// Size of a usual change, above 0.
    pub(super) fn unit(&self) -> f64 {
        (self.change.variance + self.change.mean * self.change.mean).max(0.0).sqrt().max(1e-12)
    }

    fn standardised(&self, x: &[f64]) -> Vec<f64> {
        self.moments.iter().zip(x).map(|(moments, x)| moments.standard(*x)).chain([1.0]).collect()
    }
}

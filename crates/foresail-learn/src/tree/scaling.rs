//! Targets in units of their own spread.

use serde::{Deserialize, Serialize};

/// Targets brought to [-1, 1] around their middle, so that neither huge ones overflow when squared nor a large offset
/// eats the digits of small differences.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaling {
    low: f64,
    high: f64,
    middle: f64,
    half: f64,
}

impl Scaling {
    pub(crate) fn of(targets: &[f64]) -> Self {
        let low = targets.iter().copied().fold(f64::INFINITY, f64::min);
        let high = targets.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let half = high / 2.0 - low / 2.0;
        Self { low, high, middle: low / 2.0 + high / 2.0, half: if half > 0.0 { half } else { 1.0 } }
    }

    pub(crate) fn to_unit(&self, target: f64) -> f64 {
        (target - self.middle) / self.half
    }

    /// Back to the targets' unit, never outside of their range.
    pub(crate) fn to_target(&self, unit: f64) -> f64 {
        (unit * self.half + self.middle).clamp(self.low, self.high)
    }

    /// Whether a restored one can be reckoned with.
    pub(crate) fn is_sound(&self) -> bool {
        self.low <= self.high && self.half > 0.0 && self.middle.is_finite()
    }
}

//! Quantiles of rates over many orders of magnitude, in a kilobyte.

use serde::{Deserialize, Serialize};

/// Bins a doubling.
const PER_OCTAVE: f32 = 4.0;
/// Lower edge of the lowest bin, as the exponent of two.
const LOWEST: f32 = -10.0;
const BINS: usize = 128;

/// A histogram with bins of equal width on a logarithmic scale, 2^-10 to 2^22, 19 % wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogHistogram {
    counts: Vec<f64>,
    total: f64,
}

impl Default for LogHistogram {
    fn default() -> Self {
        Self { counts: vec![0.0; BINS], total: 0.0 }
    }
}

impl LogHistogram {
    pub(crate) fn add(&mut self, value: f32) {
        if value.is_finite() && value > 0.0 {
            let bin = ((value.log2() - LOWEST) * PER_OCTAVE).clamp(0.0, BINS as f32 - 1.0);
            self.counts[bin as usize] += 1.0;
            self.total += 1.0;
        }
    }

    pub(crate) fn total(&self) -> f64 {
        self.total
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(a, b)| *a += b);
        self.total += other.total;
    }

    /// The value below which a share `q` lies, on a straight line within its bin; none of nothing.
    pub(crate) fn quantile(&self, q: f64) -> Option<f64> {
        if self.total <= 0.0 {
            return None;
        }
        let mut left = q.clamp(0.0, 1.0) * self.total;
        for (bin, count) in self.counts.iter().enumerate() {
            if *count > 0.0 && left <= *count {
                let at = bin as f64 + left / count;
                return Some((f64::from(LOWEST) + at / f64::from(PER_OCTAVE)).exp2());
            }
            left -= count;
        }
        Some((f64::from(LOWEST) + BINS as f64 / f64::from(PER_OCTAVE)).exp2())
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.counts.len() == BINS && self.counts.iter().all(|c| c.is_finite() && *c >= 0.0) && self.total.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_near() {
        let mut histogram = LogHistogram::default();
        assert_eq!(histogram.quantile(0.5), None);
        (1..=10_000).for_each(|i| histogram.add(i as f32 / 100.0));
        for q in [0.1, 0.5, 0.9, 0.995] {
            let got = histogram.quantile(q).unwrap();
            assert!((got / (100.0 * q) - 1.0).abs() < 0.1, "{q}: {got}");
        }
        histogram.add(f32::NAN);
        histogram.add(-1.0);
        histogram.add(1e30);
        assert_eq!(histogram.total(), 10_001.0);
        assert!(histogram.quantile(1.0).unwrap().is_finite());
    }
}

//! Has the world changed, or was that a spike? Concept drift, told in two stages.
//!
//! [`DriftDetector`] watches the residuals of a forecaster. A chart that knows of autocorrelation raises *suspicion* within
//! some points: intervals are widened and headroom is added at once, since reacting to a spike is cheap, while learning from
//! it is not. Only after enough points does a test of medians say *permanent* or *spike*. [`AdaptiveRate`] turns
//! that into a learning rate. [`InputDrift`] compares the distribution of features with what it was, and
//! [`PerformanceDrift`] the losses of a forecaster with those of a naive one.
//!
//! ```
//! use foresail_core::SeededRng;
//! use foresail_learn::drift::{DriftDetector, DriftEvent, DriftOptions};
//!
//! let mut rng = SeededRng::seed_from_u64(1);
//! let mut detector = DriftDetector::new(DriftOptions::default()).unwrap();
//! let mut events = Vec::new();
//! for step in 0..3_000 {
//!     let spike = if (1_000..1_020).contains(&step) { 6.0 } else { 0.0 };
//!     let shift = if step >= 2_000 { 1.5 } else { 0.0 };
//!     events.extend(detector.push(Some(rng.normal() + spike + shift)));
//! }
//! assert!(matches!(events[1], DriftEvent::Spike { .. }));
//! assert!(matches!(events[3], DriftEvent::Permanent { shift, .. } if (1.0..2.0).contains(&shift)));
//! ```

mod baseline;
mod detector;
mod input;
mod ks;
mod options;
mod performance;
mod psi;
mod rate;
mod shape;
mod suspicion;
#[cfg(test)]
mod tests;
mod verdict;

pub use detector::{DriftDetector, DriftEvent, DriftPhase};
pub use input::{FeatureDrift, InputDrift, InputDriftOptions};
pub use ks::{kolmogorov_tail, ks_distance};
pub use options::DriftOptions;
pub use performance::{PerformanceDrift, PerformanceEvent, Standing};
pub use psi::{QuantileBins, population_stability_index};
pub use rate::{AdaptiveRate, RateOptions};
pub use shape::keeps_shape;

/// The middle value; the mean of the two middle ones of an even number; 0 of none. Reorders `values`.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let (middle, is_odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| !is_odd);
    lower.map_or(upper, |lower| 0.5 * lower + 0.5 * upper)
}

/// How many independent points `count` points with autocorrelation `phi` of the first order are worth, for a mean: the
/// variance of the mean of an AR(1) process, for many points.
fn effective(count: f64, phi: f64) -> f64 {
    count * (1.0 - phi) / (1.0 + phi)
}

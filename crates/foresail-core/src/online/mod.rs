//! Streaming statistics: plain data with a cheap update a tick, saved and restored with serde.
//!
//! Conventions, alike in every type here:
//! - A missing tick is pushed as `None`. Time is never compacted: a window of 15 rows spans 15 ticks, seen or not.
//! - Non-finite values count as missing, and magnitudes saturate at [`LARGEST`], so no state can be poisoned.
//! - A statistic that is not defined yet is `None`, never a placeholder.
//! - Updates cost O(1), amortised where a type says so, and allocate nothing; the result depends on the pushed values alone.
//!
//! Windowed statistics look at a [`Ring`] that the caller pushes into first, so that many of them share one history;
//! [`Rolling`] bundles the usual ones.
//!
//! ```
//! use foresail_core::online::Rolling;
//!
//! let mut rolling = Rolling::new(&[3, 10]);
//! for value in [Some(4.0), None, Some(8.0)] {
//!     rolling.push(value);
//! }
//! assert_eq!(rolling.moments(0).map(|m| m.mean), Some(6.0));
//! assert_eq!((rolling.min(1), rolling.max(1)), (Some(4.0), Some(8.0)));
//! ```

mod cusum;
mod decomposition;
mod ew;
mod extremes;
mod fenwick;
mod histogram;
mod holt;
mod moments;
mod profile;
mod ring;
mod robust;
mod rolling;
mod rolling_moments;
mod slope;
mod sum;

pub use cusum::Cusum;
pub use decomposition::{Components, Decomposition, DecompositionConfig};
pub use ew::{EwMean, EwVariance};
pub use extremes::RollingExtremes;
pub use histogram::LogHistogram;
pub use holt::Holt;
pub use moments::{Moments, level_shift};
pub use profile::SeasonalProfile;
pub use ring::{Real, Ring};
pub use robust::RobustScore;
pub use rolling::Rolling;
pub use rolling_moments::RollingMoments;
pub use slope::RollingSlope;
pub use sum::CompensatedSum;

/// The largest magnitude any statistic here works with; its square is still far from overflowing.
pub const LARGEST: f64 = 1e100;

/// What a statistic takes in for `value`: finite and within ±[`LARGEST`], or a gap.
#[inline]
fn admit(value: Option<f64>) -> Option<f64> {
    value.filter(|v| v.is_finite()).map(|v| v.clamp(-LARGEST, LARGEST))
}

/// The weight that remains after one tick of a decay that halves in `half_life` ticks; a half-life that is not
/// positive forgets at once.
fn decay_per_tick(half_life: f64) -> f64 {
    if half_life > 0.0 { (-half_life.recip()).exp2() } else { 0.0 }
}

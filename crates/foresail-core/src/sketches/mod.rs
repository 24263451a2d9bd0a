//! Sketches of streams: bounded memory, a known error, and two of them joined are the sketch of both streams.
//!
//! ```
//! use foresail_core::sketches::QuantileSketch;
//!
//! let (mut one, mut other) = (QuantileSketch::new(0.01), QuantileSketch::new(0.01));
//! (1..=500).for_each(|ms| one.add(f64::from(ms)));
//! (501..=1000).for_each(|ms| other.add(f64::from(ms)));
//! one.merge(&other).unwrap();
//! let p99 = one.quantile(0.99).unwrap();
//! assert!((p99 / 990.0 - 1.0).abs() <= 0.011);
//! ```

mod distinct;
mod heavy_hitters;
mod quantiles;

pub use distinct::DistinctCount;
pub use heavy_hitters::{HeavyHitter, HeavyHitters};
pub use quantiles::QuantileSketch;

/// Spreads the bits of a key (the finaliser of SplitMix64, Steele et al. 2014), so that any of them may be used.
#[inline]
pub(crate) fn mix(key: u64) -> u64 {
    let key = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// Logarithm to the base 2 of a positive number, exact at powers of two and a straight line between them: off by 0.086 at most,
/// read off the bits, alike on every platform.
#[inline]
pub(crate) fn straight_log2(value: f64) -> f64 {
    const MANTISSA: u32 = 52;
    let bits = value.to_bits();
    let exponent = (bits >> MANTISSA) as i64 - 1023;
    let mantissa = f64::from_bits((bits & ((1 << MANTISSA) - 1)) | (1023 << MANTISSA));
    exponent as f64 + (mantissa - 1.0)
}

/// The inverse of [`straight_log2`].
pub(crate) fn straight_exp2(log: f64) -> f64 {
    let whole = log.floor();
    (1.0 + (log - whole)) * whole.exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_straight_logarithm_is_near_and_its_inverse_exact() {
        for value in [1e-9, 0.3, 1.0, 1.5, 2.0, 1023.0, 1e12] {
            let log = straight_log2(value);
            assert!((log - value.log2()).abs() < 0.0861, "{value}");
            assert!((straight_exp2(log) / value - 1.0).abs() < 1e-9, "{value}");
        }
    }
}

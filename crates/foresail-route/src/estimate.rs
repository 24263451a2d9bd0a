//! Running estimates of an endpoint's latency and failure rate, each small enough for one atomic word.

use std::time::Duration;

/// A peak-sensitive moving average of latency (Finagle's and linkerd's Peak EWMA): it jumps to a worse sample at once,
/// forgets it over the decay time, and sinks towards 0 while nothing is heard, so that an endpoint left alone is tried
/// again. Only successes belong here: a fast failure is no good latency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LatencyEwma {
    value_ms: f32,
    /// When the value was right, in ms of any clock that wraps at 2³².
    at_ms: u32,
}

impl LatencyEwma {
    /// From its bits.
    pub fn from_bits(bits: u64) -> Self {
        Self { value_ms: f32::from_bits((bits >> 32) as u32), at_ms: bits as u32 }
    }

    /// As 64 bits; all zero is the estimate that knows nothing.
    pub fn to_bits(self) -> u64 {
        u64::from(self.value_ms.to_bits()) << 32 | u64::from(self.at_ms)
    }

    /// Takes in a latency; what is not finite or negative changes nothing.
    #[must_use]
    pub fn observe(self, sample_ms: f64, now_ms: u64, decay: Duration) -> Self {
        if !sample_ms.is_finite() || sample_ms < 0.0 {
            return self;
        }
        // Never zero: that would mean unknown.
        let sample = (sample_ms as f32).max(1e-3);
        let at_ms = now_ms as u32;
        let value_ms = if sample >= self.value_ms {
            sample
        } else {
            let keep = self.keep(now_ms, decay);
            sample + (self.value_ms - sample) * keep
        };
        Self { value_ms, at_ms }
    }

    /// The estimate at `now_ms`, in ms; 0 if nothing has been observed.
    pub fn read(self, now_ms: u64, decay: Duration) -> f64 {
        if self.value_ms > 0.0 { f64::from(self.value_ms * self.keep(now_ms, decay)).max(1e-3) } else { 0.0 }
    }

    /// What is left of the old after the time since.
    fn keep(self, now_ms: u64, decay: Duration) -> f32 {
        let age = (now_ms as u32).wrapping_sub(self.at_ms);
        // Another core's clock reading may be the older by a little.
        let age = if age > u32::MAX / 2 { 0 } else { age };
        (-(age as f32) / (decay.as_secs_f32() * 1000.0).max(1.0)).exp()
    }
}

/// A moving average of failures that counts by rate, not by event: one failure of an endpoint that errs one time in a
/// thousand must not exile it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FailureRate(f32);

impl FailureRate {
    /// Weight of the newest answer.
    const ALPHA: f32 = 0.05;

    /// From its bits.
    pub fn from_bits(bits: u32) -> Self {
        Self(f32::from_bits(bits))
    }

    /// As 32 bits; all zero is no failure.
    pub fn to_bits(self) -> u32 {
        self.0.to_bits()
    }

    /// Takes in one answer.
    #[must_use]
    pub fn observe(self, failed: bool) -> Self {
        let target = if failed { 1.0 } else { 0.0 };
        let next = self.0 + Self::ALPHA * (target - self.0);
        // Endless successes would otherwise end in subnormal numbers, which are slow.
        Self(if next < 1e-6 { 0.0 } else { next })
    }

    /// The estimated share of failures, 0 to 1.
    pub fn read(self) -> f64 {
        f64::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DECAY: Duration = Duration::from_secs(10);

    #[test]
    fn jumps_up_sinks_slowly_and_forgets() {
        let fresh = LatencyEwma::default();
        assert_eq!(fresh.read(5, DECAY), 0.0);
        let high = fresh.observe(10.0, 0, DECAY).observe(100.0, 1, DECAY);
        assert!((high.read(1, DECAY) - 100.0).abs() < 1e-3);
        let sinking = high.observe(10.0, 10_001, DECAY);
        assert!((sinking.read(10_001, DECAY) - (10.0 + 90.0 * (-1.0_f64).exp())).abs() < 1e-2);
        assert!(sinking.read(10_001 + 100_000, DECAY) < 0.1);
    }

    #[test]
    fn an_older_clock_reading_changes_nothing_much() {
        let estimate = LatencyEwma::default().observe(50.0, 10_000, DECAY);
        assert!((estimate.read(9_990, DECAY) - 50.0).abs() < 1e-3);
    }

    #[test]
    fn a_failure_counts_by_rate() {
        let mut rate = FailureRate::default();
        for i in 0..2000 {
            rate = rate.observe(i % 10 == 0);
        }
        assert!((rate.read() - 0.1).abs() < 0.05);
    }

    proptest! {
        /// Bits come back as they were, and the estimate stays between the least and the greatest sample.
        #[test]
        fn stays_in_range(samples in proptest::collection::vec(0.01..1e5_f64, 1..50)) {
            let mut estimate = LatencyEwma::default();
            for (i, &sample) in samples.iter().enumerate() {
                estimate = LatencyEwma::from_bits(estimate.observe(sample, i as u64 * 7, DECAY).to_bits());
            }
            let value = estimate.read(samples.len() as u64 * 7 - 7, DECAY);
            let greatest = samples.iter().copied().fold(0.0, f64::max);
            let least = samples.iter().copied().fold(f64::MAX, f64::min);
            prop_assert!(value <= greatest * 1.001 && value >= least * 0.999);
        }
    }
}

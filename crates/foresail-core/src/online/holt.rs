//! Level with a damped trend.

use serde::{Deserialize, Serialize};

use super::decay_per_tick;

/// Holt's level and damped trend in error-correction form (Gardner & McKenzie, "Forecasting trends in time series",
/// Management Science 31(10), 1985).
///
/// The gain of the level starts as that of a plain mean and settles at the one its half-life asks for; the gain of the
/// trend is an eighth of the square of that, where level and trend together are still overdamped: they never overshoot
/// and swing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holt {
    gain: f64,
    trend_gain: f64,
    damping: f64,
    level: f64,
    trend: f64,
    count: u64,
}

impl Holt {
    /// With the half-life of the level in ticks, above 0. The trend fades with eight times that.
    pub fn new(half_life: f64) -> Self {
        let gain = 1.0 - decay_per_tick(half_life);
        let damping = decay_per_tick(8.0 * half_life);
        Self { gain, trend_gain: gain * gain / 8.0, damping, level: 0.0, trend: 0.0, count: 0 }
    }

    /// Whether it has seen a value.
    #[inline]
    pub fn is_started(&self) -> bool {
        self.count > 0
    }

    /// The level expected at the next observed tick; 0 before the first value. It does not run on through a gap.
    #[inline]
    pub fn expected(&self) -> f64 {
        self.level + self.damping * self.trend
    }

    /// Starts at `value`.
    #[inline]
    pub fn start(&mut self, value: f64) {
        (self.level, self.trend, self.count) = (value, 0.0, 1);
    }

    /// Learns from an observed tick that lay `error` above [`Holt::expected`]; returns the part of the error that the
    /// level has not taken up.
    #[inline]
    pub fn correct(&mut self, error: f64) -> f64 {
        self.count += 1;
        let taken = error * self.gain.max((self.count as f64).recip());
        self.level = self.expected() + taken;
        self.trend = self.damping * self.trend + self.trend_gain * error;
        error - taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_is_followed_and_a_step_is_not_overshot() {
        let mut holt = Holt::new(10.0);
        holt.start(0.0);
        for t in 1..2000 {
            holt.correct(f64::from(t) - holt.expected());
        }
        assert!((holt.expected() - 2000.0).abs() < 40.0, "{}", holt.expected());

        let mut step = Holt::new(10.0);
        step.start(0.0);
        (0..500).for_each(|_| {
            step.correct(-step.expected());
        });
        for _ in 0..500 {
            step.correct(1.0 - step.expected());
            assert!(step.expected() < 1.1, "{}", step.expected());
        }
        assert!((step.expected() - 1.0).abs() < 0.01);
    }
}

//! How unusual a value is, by a yardstick that outliers cannot bend.

use serde::{Deserialize, Serialize};

use super::LogHistogram;

/// Scores values against the median and the median absolute deviation of those before them (Hampel's identifier). Both
/// come from a [`LogHistogram`] and are looked up after every value while there are few, then after every 8th. Its buckets
/// are an eighth of a value wide, so this is for values that spread about zero, such as residuals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustScore {
    histogram: LogHistogram,
    median: f64,
    deviation: f64,
    pushes: u64,
}

/// Standard deviation of a normal distribution whose median absolute deviation is 1.
const NORMAL_CONSISTENCY: f64 = 1.482_602_218_505_602;
/// Values needed before a score means anything.
const WARM_UP: u64 = 8;

impl RobustScore {
    /// Remembers about `limit` values; see [`LogHistogram::signed`].
    pub fn new(limit: u32) -> Self {
        Self { histogram: LogHistogram::signed(limit), median: 0.0, deviation: 0.0, pushes: 0 }
    }

    /// Score of `value`, in standard deviations of a normal distribution with the same median absolute deviation, that
    /// being taken as no less than `floor`; within ±`limit`. `None` before 8 values.
    #[inline]
    pub fn score(&self, value: f64, floor: f64, limit: f64) -> Option<f64> {
        let scale = (NORMAL_CONSISTENCY * self.deviation).max(floor).max(f64::MIN_POSITIVE);
        (self.pushes >= WARM_UP).then(|| ((value - self.median) / scale).clamp(-limit, limit))
    }

    /// Takes in one value; a gap changes nothing.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        let Some(value) = super::admit(value) else { return };
        self.histogram.push(Some(value));
        self.pushes += 1;
        if (self.pushes < 32 || self.pushes.is_multiple_of(8))
            && let Some((median, deviation)) = self.histogram.median_and_mad()
        {
            (self.median, self.deviation) = (median, deviation);
        }
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.histogram.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    #[test]
    fn outliers_do_not_bend_the_yardstick() {
        let mut rng = SeededRng::seed_from_u64(9);
        let mut score = RobustScore::new(10_000);
        assert_eq!(score.score(1.0, 0.0, 50.0), None);
        for i in 0..4000 {
            let wild = if i % 10 == 0 { 1e4 } else { 0.0 };
            score.push(Some(2.0 * rng.normal() + wild));
        }
        let z = score.score(10.0, 0.0, 50.0).unwrap();
        // A tenth of outliers on one side shifts the median by 0.14 and widens the deviation by 1.13.
        assert!((3.8..4.8).contains(&z), "{z}");
        assert_eq!(score.score(1e9, 0.0, 50.0), Some(50.0));
    }

    #[test]
    fn a_constant_scores_zero() {
        let mut score = RobustScore::new(100);
        (0..20).for_each(|_| score.push(Some(0.0)));
        assert_eq!(score.score(0.0, 0.0, 50.0), Some(0.0));
        assert_eq!(score.score(1e-12, 1e-9, 50.0), Some(0.001));
    }
}

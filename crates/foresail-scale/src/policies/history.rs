//! Recent samples of one metric, and means over windows of them.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Sample, Timestamp};

/// Samples as intervals on which a value held, oldest first, kept for as long as the policy looks back.
#[derive(Clone, Debug)]
pub(super) struct History {
    keep: Duration,
    samples: VecDeque<(Timestamp, Timestamp, f64)>,
}

impl History {
    /// An empty history that looks back over `keep`.
    pub(super) fn new(keep: Duration) -> Self {
        Self { keep, samples: VecDeque::new() }
    }

    /// Takes in a sample, unless it is not newer than the last (the same one shown again) or not finite. True if taken.
    pub(super) fn push(&mut self, sample: Option<&Sample>) -> bool {
        let Some(sample) = sample.filter(|s| s.value.is_finite() && !s.interval.is_zero()) else { return false };
        let newest = self.samples.back().map(|(_, end, _)| *end);
        if newest.is_some_and(|end| sample.time <= end) {
            return false;
        }
        let from = sample.time - sample.interval;
        self.samples.push_back((newest.map_or(from, |end| end.max(from)), sample.time, sample.value));
        let oldest = sample.time - self.keep;
        while self.samples.front().is_some_and(|(_, end, _)| *end <= oldest) {
            self.samples.pop_front();
        }
        true
    }

    /// Mean over `[from, to)`, weighted by time, over what of it was seen; `None` if nothing was.
    pub(super) fn mean(&self, from: Timestamp, to: Timestamp) -> Option<f64> {
        let (mut sum, mut seen) = (0.0, 0.0);
        for (start, end, value) in self.samples.iter().rev() {
            if *end <= from {
                break;
            }
            let overlap = (*end).min(to).since((*start).max(from)).as_secs_f64();
            sum += value * overlap;
            seen += overlap;
        }
        (seen > 0.0).then(|| sum / seen)
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Metric, Quality};

    use super::*;

    fn sample(end: i64, interval: u64, value: f64) -> Sample {
        Sample {
            metric: Metric::Utilisation,
            time: Timestamp::from_secs(end),
            interval: Duration::from_secs(interval),
            value,
            quality: Quality::Good,
        }
    }

    #[test]
    fn means_weigh_by_time_and_leave_out_what_was_not_seen() {
        let mut history = History::new(Duration::from_secs(60));
        for (end, value) in [(15, 1.0), (30, 2.0), (60, 9.0)] {
            assert!(history.push(Some(&sample(end, 15, value))));
        }
        assert!(!history.push(Some(&sample(60, 15, 5.0))));
        assert!(!history.push(Some(&sample(75, 15, f64::NAN))));
        let mean = |from, to| history.mean(Timestamp::from_secs(from), Timestamp::from_secs(to));
        assert_eq!(mean(0, 30), Some(1.5));
        assert_eq!(mean(10, 20), Some(1.5));
        assert_eq!(mean(15, 60), Some(5.5)); // 30 to 45 is a gap
        assert_eq!(mean(30, 45), None);
        assert_eq!(mean(60, 90), None);
    }
}

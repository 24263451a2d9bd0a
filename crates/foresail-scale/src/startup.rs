//! How long replicas take to start, as a measured distribution.
//!
//! Until five starts have been seen the prior speaks: log-logistic with shape 4 and a 90th percentile of 60 s (median
//! 35 s, 99th percentile 109 s). Then the last 200 starts, by empirical quantile, rounded up to the next start seen.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{ReplicaCounts, Timestamp};
use serde::{Deserialize, Serialize};

const ENOUGH: usize = 5;
const KEPT: usize = 200;
const PENDING: usize = 1_024;
const SHAPE: f64 = 4.0;
/// A start that takes longer than this, and than five times the 99th percentile, has failed.
const FAILED_AFTER: Duration = Duration::from_secs(600);

/// The start-up delays of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartupDelays {
    prior_p90: Duration,
    /// Delays seen, newest last.
    seen: VecDeque<Duration>,
    /// For each start that ended, newest last, whether it failed.
    outcomes: VecDeque<bool>,
    /// Starts on their way: since when, and how many.
    pending: VecDeque<(Timestamp, u32)>,
    last: Option<(Timestamp, u32)>,
}

impl Default for StartupDelays {
    fn default() -> Self {
        Self::new(Duration::from_secs(60))
    }
}

impl StartupDelays {
    /// With a prior whose 90th percentile is `p90`.
    pub fn new(p90: Duration) -> Self {
        Self { prior_p90: p90, seen: VecDeque::new(), outcomes: VecDeque::new(), pending: VecDeque::new(), last: None }
    }

    /// Takes in the replicas at `now`. Whatever is missing to the wanted number is starting, since the observation before
    /// the one that first showed it missing; what becomes ready ends the oldest start. The delay so measured is up to two
    /// observation intervals too long, never too short.
    pub fn observe(&mut self, now: Timestamp, replicas: ReplicaCounts) {
        let (before, ready) = self.last.unwrap_or((now, replicas.ready.0));
        let mut arrived = replicas.ready.0.saturating_sub(ready);
        while arrived > 0 {
            let Some((since, count)) = self.pending.front_mut() else { break };
            let taken = arrived.min(*count);
            let delay = now.since(*since);
            *count -= taken;
            arrived -= taken;
            if *count == 0 {
                self.pending.pop_front();
            }
            for _ in 0..taken.min(KEPT as u32) {
                self.record(delay);
            }
        }
        self.expire(now);
        let missing = replicas.desired.0.saturating_sub(replicas.ready.0);
        let waiting: u32 = self.pending.iter().map(|(_, n)| n).sum();
        if missing > waiting {
            if self.pending.len() == PENDING {
                self.pending.pop_front();
            }
            self.pending.push_back((before, missing - waiting));
        } else {
            self.cancel(waiting - missing);
        }
        self.last = Some((now, replicas.ready.0));
    }

    /// Counts a start that took `delay`.
    pub fn record(&mut self, delay: Duration) {
        push(&mut self.seen, delay);
        push(&mut self.outcomes, false);
    }

    /// Counts a start that never served.
    pub fn record_failure(&mut self) {
        push(&mut self.outcomes, true);
    }

    /// The delay within which a share `q` of the starts serve; `q` is clamped to 0.01..=0.99.
    pub fn quantile(&self, q: f64) -> Duration {
        let q = if q.is_nan() { 0.9 } else { q.clamp(0.01, 0.99) };
        if self.seen.len() < ENOUGH {
            let odds = |q: f64| (q / (1.0 - q)).powf(1.0 / SHAPE);
            return self.prior_p90.mul_f64(odds(q) / odds(0.9));
        }
        let mut sorted: Vec<Duration> = self.seen.iter().copied().collect();
        sorted.sort_unstable();
        let rank = ((sorted.len() as f64 + 1.0) * q).ceil() as usize;
        sorted[rank.clamp(1, sorted.len()) - 1]
    }

    /// Starts that served, of the last 200.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    /// Share of the last starts that failed, 0 to 1; 0 before five have ended.
    pub fn failed_share(&self) -> f64 {
        if self.outcomes.len() < ENOUGH {
            return 0.0;
        }
        self.outcomes.iter().filter(|failed| **failed).count() as f64 / self.outcomes.len() as f64
    }

    /// Gives up on starts that are long overdue; what is still missing counts as a new start.
    fn expire(&mut self, now: Timestamp) {
        let Some((since, _)) = self.pending.front() else { return };
        let waited = now.since(*since);
        if waited <= FAILED_AFTER || waited <= 5 * self.quantile(0.99) {
            return;
        }
        let (_, count) = self.pending.pop_front().expect("looked at above");
        for _ in 0..count.min(KEPT as u32) {
            self.record_failure();
        }
    }

    /// Takes `count` starts back, youngest first.
    fn cancel(&mut self, mut count: u32) {
        while count > 0 {
            let Some((_, youngest)) = self.pending.back_mut() else { return };
            let taken = count.min(*youngest);
            *youngest -= taken;
            count -= taken;
            if *youngest == 0 {
                self.pending.pop_back();
            }
        }
    }
}

fn push<T>(queue: &mut VecDeque<T>, value: T) {
    if queue.len() == KEPT {
        queue.pop_front();
    }
    queue.push_back(value);
}

#[cfg(test)]
mod tests {
    use foresail_core::Replicas;

    use super::*;

    fn counts(desired: u32, ready: u32) -> ReplicaCounts {
        ReplicaCounts {
            desired: Replicas(desired),
            ready: Replicas(ready),
            starting: Replicas(desired.saturating_sub(ready)),
        }
    }

    #[test]
    fn the_prior_speaks_until_five_starts_were_seen() {
        let mut delays = StartupDelays::default();
        assert_eq!(delays.quantile(0.9).as_secs(), 60);
        assert_eq!((delays.quantile(0.5).as_secs(), delays.quantile(0.99).as_secs()), (34, 109));
        for seconds in [100, 110, 120, 130] {
            delays.record(Duration::from_secs(seconds));
        }
        assert_eq!(delays.quantile(0.9).as_secs(), 60);
        delays.record(Duration::from_secs(140));
        assert_eq!((delays.quantile(0.5).as_secs(), delays.quantile(0.9).as_secs()), (120, 140));
        assert!(delays.quantile(f64::NAN) > Duration::ZERO);
    }

    #[test]
    fn delays_are_read_off_the_counts() {
        let mut delays = StartupDelays::default();
        let at = |second| Timestamp::from_secs(second);
        delays.observe(at(0), counts(2, 2));
        delays.observe(at(15), counts(7, 2)); // ordered after second 0
        delays.observe(at(60), counts(7, 4));
        delays.observe(at(75), counts(7, 5));
        delays.observe(at(90), counts(6, 5)); // one start cancelled
        delays.observe(at(105), counts(6, 6));
        let seen: Vec<u64> = delays.seen.iter().map(Duration::as_secs).collect();
        assert_eq!(seen, [60, 60, 75, 105]);
        assert!(delays.pending.is_empty());
        // A replica that dies is started again without an order.
        delays.observe(at(120), counts(6, 5));
        delays.observe(at(150), counts(6, 6));
        assert_eq!(delays.seen.back(), Some(&Duration::from_secs(45)));
    }

    #[test]
    fn a_start_that_never_serves_has_failed() {
        let mut delays = StartupDelays::default();
        delays.observe(Timestamp::EPOCH, counts(1, 1));
        for minute in 1..25 {
            delays.observe(Timestamp::from_secs(60 * minute), counts(2, 1));
        }
        assert_eq!(delays.outcomes.iter().filter(|failed| **failed).count(), 2);
        for _ in 0..6 {
            delays.record(Duration::from_secs(1));
        }
        assert!((delays.failed_share() - 0.25).abs() < 1e-12);
    }
}

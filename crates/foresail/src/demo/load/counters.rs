//! What a load generator counts, readable while it runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets to an octave of latency: each is at most 1/64 wide.
const SUB: u64 = 64;
/// Buckets up to 2²⁹ µs (nine minutes).
const BUCKETS: usize = 24 * SUB as usize;

/// Counters that the generator writes and anybody reads.
#[derive(Debug)]
pub(crate) struct Counters {
    sent: AtomicU64,
    ok: AtomicU64,
    late: AtomicU64,
    errors: AtomicU64,
    longest_delay_us: AtomicU64,
    /// Of all answers, errors included, and of the good ones alone.
    latency: Latencies,
    good: Latencies,
}

/// Latencies in buckets, and their sum.
#[derive(Debug)]
struct Latencies {
    sum_us: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Latencies {
    fn new() -> Self {
        Self { sum_us: AtomicU64::new(0), buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }

    fn note(&self, us: u64) {
        self.sum_us.fetch_add(us, Ordering::Relaxed);
        self.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        let buckets = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        Histogram { sum_us: self.sum_us.load(Ordering::Relaxed), buckets }
    }
}

/// Counters at an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Counts {
    /// Requests whose time had come.
    pub(crate) sent: u64,
    /// Those answered with success (a status below 400) in time or late.
    pub(crate) ok: u64,
    /// Those that were an error, or answered later than the limit after their intended time.
    pub(crate) late: u64,
    /// Those answered with another status, not at all, or not before the time-out.
    pub(crate) errors: u64,
    /// By how much the generator itself was behind its plan at most: what a busy machine adds to the latencies.
    pub(crate) longest_delay: Duration,
    /// Of all requests that came to an end; errors with the time until they were known to be.
    pub(crate) all: Histogram,
    /// Of those answered with success.
    pub(crate) good: Histogram,
}

/// Latencies at an instant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Histogram {
    sum_us: u64,
    buckets: Vec<u64>,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            sent: AtomicU64::new(0),
            ok: AtomicU64::new(0),
            late: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            longest_delay_us: AtomicU64::new(0),
            latency: Latencies::new(),
            good: Latencies::new(),
        }
    }

    /// Notes that a request's time has come, `delay` ago.
    pub(super) fn sent(&self, delay: Duration) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.longest_delay_us.fetch_max(micros(delay), Ordering::Relaxed);
    }

    /// Notes the answer that came `latency` after the intended time of its request, or its failure.
    pub(super) fn answered(&self, good: bool, latency: Duration, late_after: Duration) {
        let counter = if good { &self.ok } else { &self.errors };
        counter.fetch_add(1, Ordering::Relaxed);
        if !good || latency > late_after {
            self.late.fetch_add(1, Ordering::Relaxed);
        }
        self.latency.note(micros(latency));
        if good {
            self.good.note(micros(latency));
        }
    }

    /// What has been counted so far.
    pub(crate) fn read(&self) -> Counts {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            sent: load(&self.sent),
            ok: load(&self.ok),
            late: load(&self.late),
            errors: load(&self.errors),
            longest_delay: Duration::from_micros(load(&self.longest_delay_us)),
            all: self.latency.read(),
            good: self.good.read(),
        }
    }
}

impl Counts {
    /// As [`Histogram::quantile`] of all.
    pub(crate) fn latency(&self, quantile: f64) -> Option<Duration> {
        self.all.quantile(quantile)
    }
}

impl Histogram {
    /// What the share `quantile` (0 to 1) of the latencies did not exceed, to 1/64. None of nothing.
    pub(crate) fn quantile(&self, quantile: f64) -> Option<Duration> {
        let total: u64 = self.buckets.iter().sum();
        let rank = ((quantile.clamp(0.0, 1.0) * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_micros(upper_end(index)))
    }

    /// The mean. None of nothing.
    pub(crate) fn mean(&self) -> Option<Duration> {
        let total: u64 = self.buckets.iter().sum();
        (total > 0).then(|| Duration::from_micros(self.sum_us / total))
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// The first 64 buckets hold a microsecond each; then every octave has 64 of equal width.
fn bucket(us: u64) -> usize {
    let octave = us.max(SUB).ilog2() - SUB.ilog2();
    let index = u64::from(octave) * SUB + (us >> octave);
    (index as usize).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn upper_end(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let octave = index / SUB - 1;
    ((index % SUB + SUB + 1) << octave) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_without_gaps_and_narrow() {
        for us in (0..5_000).chain((5_000..100_000_000).step_by(997)) {
            let index = bucket(us);
            assert!(us <= upper_end(index), "{us}");
            assert!(index == 0 || us > upper_end(index - 1), "{us}");
            assert!(upper_end(index) as f64 <= (us as f64 * 65.0 / 64.0).max(us as f64 + 1.0), "{us}");
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn errors_are_late_and_quantiles_are_those_of_all() {
        let counters = Counters::new();
        let (ms, limit) = (Duration::from_millis, ms_250());
        for latency in 1..=100 {
            counters.sent(ms(0));
            counters.answered(true, ms(latency * 3), limit);
        }
        let first = counters.read();
        assert_eq!((first.sent, first.ok, first.late, first.errors), (100, 100, 17, 0));
        assert!((ms(149)..ms(160)).contains(&first.latency(0.5).unwrap()), "{:?}", first.latency(0.5));
        counters.sent(ms(4));
        counters.sent(ms(2));
        counters.answered(false, ms(1), limit);
        let second = counters.read();
        assert_eq!((second.errors, second.late, second.sent), (1, 18, 102));
        assert_eq!(second.longest_delay, ms(4));
        // The error counts among all and not among the good.
        assert_eq!((first.good.mean(), second.good.mean()), (Some(us(151_500)), Some(us(151_500))));
        assert_eq!((first.all == first.good, second.all.mean()), (true, Some(us(150_009))));
        assert_eq!(Counters::new().read().latency(0.5), None);
    }

    fn us(us: u64) -> Duration {
        Duration::from_micros(us)
    }

    fn ms_250() -> Duration {
        Duration::from_millis(250)
    }
}

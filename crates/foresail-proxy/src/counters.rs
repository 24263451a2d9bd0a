//! Counters of one worker, on cache lines of their own.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ProxyStats;
use crate::histogram::{SharedHistogram, add};

/// Written by one worker, read by anyone. Aligned to two cache lines, which x86 fetches in pairs.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) arrivals: Counter,
    pub(crate) completed: Counter,
    pub(crate) failed: Counter,
    pub(crate) rejected: Counter,
    pub(crate) aborted: Counter,
    pub(crate) refused: Counter,
    pub(crate) held: Counter,
    pub(crate) late: Counter,
    pub(crate) in_flight: Counter,
    pub(crate) retries: Counter,
    pub(crate) hedges: Counter,
    pub(crate) hedges_won: Counter,
    pub(crate) accepted: Counter,
    pub(crate) closed: Counter,
    pub(crate) log_lines_lost: Counter,
    pub(crate) spans_dropped: Counter,
    pub(crate) latency: SharedHistogram,
}

/// A number that only its worker writes.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(crate) fn increment(&self) {
        add(&self.0, 1);
    }

    #[inline]
    pub(crate) fn decrement(&self) {
        add(&self.0, u64::MAX);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn new() -> Self {
        let zero = Counter::default;
        Self {
            arrivals: zero(),
            completed: zero(),
            failed: zero(),
            rejected: zero(),
            aborted: zero(),
            refused: zero(),
            late: zero(),
            in_flight: zero(),
            held: zero(),
            retries: zero(),
            hedges: zero(),
            hedges_won: zero(),
            accepted: zero(),
            closed: zero(),
            log_lines_lost: zero(),
            spans_dropped: zero(),
            latency: SharedHistogram::new(),
        }
    }

    pub(crate) fn add_to(&self, stats: &mut ProxyStats) {
        // Ends before beginnings, so that no request is counted as ended but not arrived.
        stats.completed += self.completed.read();
        stats.failed += self.failed.read();
        stats.rejected += self.rejected.read();
        stats.aborted += self.aborted.read();
        stats.late += self.late.read();
        stats.refused += self.refused.read();
        stats.held += self.held.read();
        stats.in_flight += self.in_flight.read();
        stats.retries += self.retries.read();
        stats.hedges += self.hedges.read();
        stats.hedges_won += self.hedges_won.read();
        stats.connections += self.accepted.read().saturating_sub(self.closed.read());
        stats.accepted += self.accepted.read();
        stats.log_lines_lost += self.log_lines_lost.read();
        stats.spans_dropped += self.spans_dropped.read();
        stats.latency.merge(&self.latency.read());
        stats.arrivals += self.arrivals.read();
    }
}

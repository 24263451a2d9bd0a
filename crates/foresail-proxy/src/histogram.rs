//! Latencies by logarithmic bucket: counts that add, subtract and answer quantiles.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Buckets in a doubling, as a power of two: none is wider than an eighth of its lower edge.
const BITS: u32 = 3;
const PER_OCTAVE: u64 = 1 << BITS;
/// Up to 2³² µs, a little over an hour; what takes longer counts as the last bucket.
const BUCKETS: usize = 31 * PER_OCTAVE as usize;

/// Counts of durations in log-linear buckets (as in HdrHistogram). Cumulative: the difference of two histograms of one
/// proxy ([`since`](Self::since)) holds what happened between.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Counts from the shortest bucket on, up to the last that is not 0.
    counts: Vec<u64>,
    /// Sum of all durations in µs.
    sum_us: u64,
}

impl Histogram {
    /// No durations.
    pub fn new() -> Self {
        Self { counts: Vec::new(), sum_us: 0 }
    }

    /// Counts one duration.
    pub fn record(&mut self, micros: u64) {
        let bucket = bucket(micros);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.sum_us = self.sum_us.saturating_add(micros);
    }

    /// How many durations.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Their mean in ms; `None` if there are none.
    pub fn mean_ms(&self) -> Option<f64> {
        let count = self.count();
        if count == 0 { None } else { Some(self.sum_us as f64 / count as f64 / 1000.0) }
    }

    /// The duration in ms below which a share `q` (0 to 1) of all lies, interpolated within its bucket; `None` if there
    /// are none.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total = self.count();
        let rank = q.clamp(0.0, 1.0) * total as f64;
        let mut below = 0;
        for (i, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            if (below + count) as f64 >= rank {
                let (low, high) = (edge(i) as f64, edge(i + 1) as f64);
                let within = ((rank - below as f64) / count as f64).clamp(0.0, 1.0);
                return Some((low + (high - low) * within) / 1000.0);
            }
            below += count;
        }
        None
    }

    /// How many took longer than `micros`, to the nearer bucket's edge.
    pub fn count_above(&self, micros: u64) -> u64 {
        self.counts.iter().skip(bucket(micros) + 1).sum()
    }

    /// Adds the durations of `other`.
    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    /// What came since `earlier`, an older state of the same histogram.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().copied().chain(std::iter::repeat(0));
        let counts = self.counts.iter().zip(before).map(|(now, then)| now.saturating_sub(then)).collect();
        let mut difference = Self { counts, sum_us: self.sum_us.saturating_sub(earlier.sum_us) };
        difference.trim();
        difference
    }

    /// Upper edges of the buckets in µs with the counts at or below them, for an exporter.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().enumerate().scan(0, |sum, (i, count)| {
            *sum += count;
            Some((edge(i + 1), *sum))
        })
    }

    fn trim(&mut self) {
        let used = self.counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        self.counts.truncate(used);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

#[inline]
fn bucket(micros: u64) -> usize {
    if micros < PER_OCTAVE {
        return micros as usize;
    }
    let exponent = 63 - micros.leading_zeros();
    let within = (micros >> (exponent - BITS)) & (PER_OCTAVE - 1);
    (u64::from(exponent - BITS + 1) * PER_OCTAVE + within).min(BUCKETS as u64 - 1) as usize
}

/// The least duration of a bucket, in µs.
fn edge(bucket: usize) -> u64 {
    let (octave, within) = (bucket as u64 / PER_OCTAVE, bucket as u64 % PER_OCTAVE);
    if octave == 0 { within } else { (PER_OCTAVE + within) << (octave - 1) }
}

/// A histogram that one thread writes and any may read.
#[derive(Debug)]
pub(crate) struct SharedHistogram {
    counts: Box<[AtomicU64]>,
    sum_us: AtomicU64,
}

impl SharedHistogram {
    pub(crate) fn new() -> Self {
        Self { counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), sum_us: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn record(&self, micros: u64) {
        add(&self.counts[bucket(micros)], 1);
        add(&self.sum_us, micros);
    }

    pub(crate) fn read(&self) -> Histogram {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let mut histogram = Histogram { counts, sum_us: self.sum_us.load(Ordering::Relaxed) };
        histogram.trim();
        histogram
    }
}

pub(crate) use crate::places::add;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quantiles_are_within_an_eighth() {
        let mut histogram = Histogram::new();
        (1..=100_000).for_each(|us| histogram.record(us));
        for (q, exact) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)] {
            let found = histogram.quantile(q).unwrap();
            assert!((found / exact - 1.0).abs() < 0.125, "{q}: {found}");
        }
        assert!((histogram.mean_ms().unwrap() - 50.0).abs() < 0.01);
        assert_eq!(Histogram::new().quantile(0.5), None);
    }

    #[test]
    fn shared_and_plain_agree() {
        let (shared, mut plain) = (SharedHistogram::new(), Histogram::new());
        for us in [0, 7, 8, 250_000, u64::MAX / 4] {
            shared.record(us);
            plain.record(us);
        }
        assert_eq!(shared.read(), plain);
        assert_eq!(plain.cumulative().last().map(|(_, n)| n), Some(5));
    }

    proptest! {
        /// A duration lies within its bucket, and what is merged can be subtracted again.
        #[test]
        fn buckets_hold_their_values(a in proptest::collection::vec(0..1_u64 << 40, 0..40), b in proptest::collection::vec(0..1_u64 << 32, 0..40)) {
            for &us in &b {
                prop_assert!(edge(bucket(us)) <= us && us < edge(bucket(us) + 1));
            }
            let fill = |values: &[u64]| {
                let mut histogram = Histogram::new();
                values.iter().for_each(|&us| histogram.record(us));
                histogram
            };
            let (first, second) = (fill(&a), fill(&b));
            let mut both = first.clone();
            both.merge(&second);
            prop_assert_eq!(both.since(&first), second);
        }
    }
}

//! Requests in, features out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::comoments::Comoments;
use super::features::{CLASSES, FingerprintOptions};
use crate::sketches::{DistinctCount, HeavyHitters, QuantileSketch, mix, straight_log2};
use crate::{Error, Timestamp};

/// Patterns counted one by one.
const PATTERNS: usize = 64;
/// Relative accuracy of latencies.
const ACCURACY: f64 = 0.02;

/// One request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// When it arrived.
    pub time: Timestamp,
    /// Its pattern, such as [`path_pattern`](super::path_pattern) gives.
    pub pattern: u64,
    /// How long it took, milliseconds.
    pub latency_ms: f64,
    /// Whether it failed.
    pub is_error: bool,
    /// What it cost, in any one unit (CPU time, bytes, rows), if that is known.
    pub cost: Option<f64>,
    /// Its parameters, in the order of [`FingerprintOptions::parameters`]; further ones are left out, missing ones do not count.
    pub parameters: &'a [f64],
}

/// Takes in the requests of an interval, some tens of nanoseconds each, in bounded memory. Collectors of parallel workers merge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collector {
    requests: u64,
    errors: u64,
    latencies: QuantileSketch,
    patterns: HeavyHitters,
    distinct: DistinctCount,
    classes: [u64; CLASSES],
    /// Sum of the costs, and how many there were.
    cost: (f64, f64),
    parameters: Vec<Comoments>,
    /// The arrival before, and count, sum and sum of squares of the gaps between arrivals, seconds.
    last: Option<Timestamp>,
    gaps: (f64, f64, f64),
    /// Rate of the interval before.
    rate_before: Option<f64>,
}

impl Collector {
    /// Of nothing yet.
    pub fn new(options: &FingerprintOptions) -> Self {
        Self {
            requests: 0,
            errors: 0,
            latencies: QuantileSketch::new(ACCURACY),
            patterns: HeavyHitters::new(PATTERNS),
            distinct: DistinctCount::new(),
            classes: [0; CLASSES],
            cost: (0.0, 0.0),
            parameters: vec![Comoments::default(); options.parameters.len()],
            last: None,
            gaps: (0.0, 0.0, 0.0),
            rate_before: None,
        }
    }

    /// Takes in a request.
    #[inline]
    pub fn record(&mut self, request: &Request<'_>) {
        if let Some(last) = self.last {
            let gap = (request.time.as_micros().saturating_sub(last.as_micros()) as f64).abs() / 1e6;
            self.gaps.0 += 1.0;
            self.gaps.1 += gap;
            self.gaps.2 += gap * gap;
        }
        self.last = Some(request.time);
        self.errors += u64::from(request.is_error);
        self.latencies.add(request.latency_ms);
        self.count(request.pattern, 1);
        let Some(cost) = request.cost.and_then(amount) else { return };
        self.cost.0 += cost;
        self.cost.1 += 1.0;
        let cost_log = straight_log2(1.0 + cost);
        for (moments, parameter) in self.parameters.iter_mut().zip(request.parameters) {
            if let Some(parameter) = amount(*parameter) {
                moments.push(straight_log2(1.0 + parameter), cost_log);
            }
        }
    }

    #[inline]
    fn count(&mut self, pattern: u64, requests: u64) {
        self.requests += requests;
        self.patterns.add(pattern, requests);
        self.distinct.add(pattern);
        self.classes[mix(pattern) as usize % CLASSES] += requests;
    }

    /// Takes in a counter: `requests` of one pattern, `errors` of them failed, which cost `cost` together.
    pub fn record_counter(&mut self, pattern: u64, requests: u64, errors: u64, cost: Option<f64>) {
        if requests == 0 {
            return;
        }
        self.errors += errors.min(requests);
        self.count(pattern, requests);
        if let Some(cost) = cost.and_then(amount) {
            self.cost.0 += cost;
            self.cost.1 += requests as f64;
        }
    }

    /// Takes in one bucket of a latency histogram: `count` requests of about `latency_ms`. For sources that count; requests
    /// themselves bring their latency along.
    pub fn record_latencies(&mut self, latency_ms: f64, count: u64) {
        self.latencies.add_many(latency_ms, count);
    }

    /// Takes in what a collector of the same options has seen beside this one.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`] if its options differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), Error> {
        if self.parameters.len() != other.parameters.len() {
            let (ours, theirs) = (self.parameters.len(), other.parameters.len());
            return Err(Error::BadSnapshot(format!("collector of {theirs} parameters joined to one of {ours}")));
        }
        self.latencies.merge(&other.latencies)?;
        self.requests += other.requests;
        self.errors += other.errors;
        self.patterns.merge(&other.patterns);
        self.distinct.merge(&other.distinct);
        self.classes.iter_mut().zip(&other.classes).for_each(|(sum, count)| *sum += count);
        self.cost = (self.cost.0 + other.cost.0, self.cost.1 + other.cost.1);
        self.parameters.iter_mut().zip(&other.parameters).for_each(|(ours, theirs)| ours.merge(theirs));
        self.gaps = (self.gaps.0 + other.gaps.0, self.gaps.1 + other.gaps.1, self.gaps.2 + other.gaps.2);
        self.last = self.last.max(other.last);
        Ok(())
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Hands over what has been seen so far, to be joined to what others have seen, and goes on.
    pub fn take(&mut self) -> Self {
        let taken = self.clone();
        self.clear();
        self.last = taken.last;
        taken
    }

    /// The patterns that came most often, at most `most` of them, with their shares of the requests; those first that came most
    /// often.
    pub fn top(&self, most: usize) -> Vec<(u64, f64)> {
        let total = self.requests.max(1) as f64;
        self.patterns.top().iter().take(most).map(|hitter| (hitter.key, hitter.count as f64 / total)).collect()
    }

    /// Share of the requests that failed; 0 of none.
    pub fn error_share(&self) -> f64 {
        self.errors as f64 / self.requests.max(1) as f64
    }

    /// Median latency, milliseconds.
    pub fn median_ms(&self) -> Option<f64> {
        self.latencies.quantile(0.5)
    }

    /// Ends the interval, which was `span` long: its features in the order of [`feature_names`](super::feature_names), `None`
    /// where there was nothing to tell them from. `metrics` are the application's own, in the order of
    /// [`FingerprintOptions::metrics`]. Begins the next.
    pub fn close(&mut self, span: Duration, metrics: &[Option<f64>], options: &FingerprintOptions) -> Vec<Option<f64>> {
        let rate = self.requests as f64 / span.as_secs_f64().max(1e-6);
        let share = |count: u64| (self.requests > 0).then(|| count as f64 / self.requests as f64);
        let quantile = |q: f64| self.latencies.quantile(q).map(|ms| straight_log2(1.0 + ms));
        let median = quantile(0.5);
        let over_median = |q: f64| Some(quantile(q)? - median?);
        let distinct = self.distinct.estimate();
        let any = self.requests > 0;
        let mut features = Vec::with_capacity(options.width());
        features.extend([
            Some(straight_log2(1.0 + rate)),
            self.rate_before.map(|before| straight_log2(1.0 + rate) - straight_log2(1.0 + before)),
            self.burstiness(),
            share(self.errors),
            median,
            over_median(0.9),
            over_median(0.99),
            (self.cost.1 > 0.0).then(|| straight_log2(1.0 + self.cost.0 / self.cost.1)),
            any.then(|| self.patterns.entropy_bits(distinct)),
            any.then(|| straight_log2(1.0 + distinct)),
            self.patterns.top().first().and_then(|top| share(top.count)),
        ]);
        // Roots of shares: their distance is Hellinger's, in which a rare pattern is as well told as a frequent one.
        features.extend(self.classes.iter().map(|count| share(*count).map(f64::sqrt)));
        for moments in &self.parameters {
            features.extend([moments.mean_x(), moments.correlation()]);
        }
        let metrics = metrics.iter().copied().chain(std::iter::repeat(None)).take(options.metrics.len());
        features.extend(metrics.map(|metric| metric.filter(|v| v.is_finite())));
        self.clear();
        self.rate_before = Some(rate);
        features
    }

    /// Logarithm of one more than the squared coefficient of variation of the gaps: 1 if arrivals are Poisson.
    fn burstiness(&self) -> Option<f64> {
        let (count, sum, squares) = self.gaps;
        let mean = sum / count;
        (count >= 8.0 && mean > 0.0).then(|| straight_log2(1.0 + ((squares / count) / (mean * mean) - 1.0).max(0.0)))
    }

    fn clear(&mut self) {
        (self.requests, self.errors) = (0, 0);
        self.latencies.clear();
        self.patterns.clear();
        self.distinct.clear();
        self.classes.fill(0);
        self.cost = (0.0, 0.0);
        self.parameters.fill(Comoments::default());
        self.last = None;
        self.gaps = (0.0, 0.0, 0.0);
    }
}

/// What counts as an amount: finite and not negative.
#[inline]
fn amount(value: f64) -> Option<f64> {
    (0.0..=1e100).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::feature_names;
    use super::*;
    use crate::SeededRng;

    fn options() -> FingerprintOptions {
        FingerprintOptions {
            parameters: vec!["payload".into()],
            metrics: vec!["queue".into()],
            ..FingerprintOptions::default()
        }
    }

    /// Feature `name` of `features`.
    fn feature(features: &[Option<f64>], name: &str) -> Option<f64> {
        let at = feature_names(&options()).iter().position(|n| n == name).unwrap();
        features[at]
    }

    fn fill(collector: &mut Collector, range: std::ops::Range<u64>) {
        let mut rng = SeededRng::seed_from_u64(range.start);
        for i in range {
            let payload = 100.0 * rng.exponential();
            collector.record(&Request {
                time: Timestamp::from_micros(10_000 * i as i64),
                pattern: i % 4,
                latency_ms: 20.0,
                is_error: i % 10 == 0,
                cost: Some(2.0 * payload),
                parameters: &[payload],
            });
        }
    }

    #[test]
    fn features_are_as_reckoned_by_hand() {
        let mut collector = Collector::new(&options());
        fill(&mut collector, 0..1_000);
        let features = collector.close(Duration::from_secs(10), &[Some(7.0)], &options());
        assert_eq!(features.len(), feature_names(&options()).len());
        let at = |name: &str| feature(&features, name).unwrap();
        assert!((at("rate_log2") - straight_log2(101.0)).abs() < 1e-12);
        assert_eq!(feature(&features, "rate_change"), None);
        assert!((at("entropy_bits") - 2.0).abs() < 1e-9 && (at("error_share") - 0.1).abs() < 1e-12);
        assert!((at("top_share") - 0.25).abs() < 1e-12 && at("burstiness") < 1e-9);
        assert!((at("latency_p50_log2") - straight_log2(21.0)).abs() < 0.05 && at("latency_p99_over_p50").abs() < 1e-9);
        assert!(at("payload_cost_correlation") > 0.98 && at("queue") == 7.0);
        // Nothing came: what needs a request is not there, and the rate has fallen.
        let quiet = collector.close(Duration::from_secs(10), &[], &options());
        assert_eq!(feature(&quiet, "rate_log2"), Some(0.0));
        assert!(feature(&quiet, "rate_change").unwrap() < -6.0);
        assert_eq!((feature(&quiet, "entropy_bits"), feature(&quiet, "queue")), (None, None));
    }

    #[test]
    fn workers_joined_are_as_one() {
        let (mut one, mut other, mut whole) =
            (Collector::new(&options()), Collector::new(&options()), Collector::new(&options()));
        fill(&mut one, 0..500);
        fill(&mut other, 500..1_000);
        fill(&mut whole, 0..500);
        fill(&mut whole, 500..1_000);
        one.merge(&other).unwrap();
        let span = Duration::from_secs(10);
        let (joined, single) = (one.close(span, &[], &options()), whole.close(span, &[], &options()));
        for (name, (a, b)) in feature_names(&options()).iter().zip(joined.iter().zip(&single)) {
            assert!(a.zip(*b).is_none_or(|(a, b)| (a - b).abs() < 0.02), "{name}: {a:?} {b:?}");
        }
        assert!(one.merge(&Collector::new(&FingerprintOptions::default())).is_err());
    }

    #[test]
    fn what_is_taken_in_parts_is_as_taken_whole() {
        let (mut parts, mut whole) = (Collector::new(&options()), Collector::new(&options()));
        fill(&mut whole, 0..200);
        let mut sum = Collector::new(&options());
        let mut rng = SeededRng::seed_from_u64(0);
        for i in 0..200_u64 {
            let payload = 100.0 * rng.exponential();
            parts.record(&Request {
                time: Timestamp::from_micros(10_000 * i as i64),
                pattern: i % 4,
                latency_ms: 20.0,
                is_error: i.is_multiple_of(10),
                cost: Some(2.0 * payload),
                parameters: &[payload],
            });
            if i % 50 == 49 {
                sum.merge(&parts.take()).unwrap();
            }
        }
        assert_eq!((sum.requests(), sum.top(2)), (200, vec![(0, 0.25), (1, 0.25)]));
        assert_eq!((sum.error_share(), sum.median_ms()), (whole.error_share(), whole.median_ms()));
        // The gaps between the parts are there too, and sums that were added up in parts differ in their last digits.
        let span = Duration::from_secs(2);
        for (a, b) in sum.close(span, &[], &options()).iter().zip(whole.close(span, &[], &options())) {
            assert!(a.zip(b).is_none_or(|(a, b)| (a - b).abs() < 1e-9), "{a:?} {b:?}");
        }
    }

    #[test]
    fn counters_tell_the_mix_too() {
        let mut collector = Collector::new(&options());
        collector.record_counter(1, 750, 3, Some(1_500.0));
        collector.record_counter(2, 250, 999, None);
        collector.record_latencies(40.0, 900);
        collector.record_latencies(400.0, 100);
        let features = collector.close(Duration::from_secs(10), &[], &options());
        let at = |name: &str| feature(&features, name).unwrap();
        assert!((at("entropy_bits") - 0.8113).abs() < 1e-3 && (at("error_share") - 0.253).abs() < 1e-12);
        assert!((at("cost_log2") - straight_log2(3.0)).abs() < 1e-12 && at("latency_p99_over_p50") > 2.5);
    }

    proptest! {
        /// Whatever numbers requests carry, features are finite or not there.
        #[test]
        fn features_are_finite(requests in prop::collection::vec((any::<u64>(), prop::num::f64::ANY, prop::num::f64::ANY, any::<i64>()), 0..100)) {
            let mut collector = Collector::new(&options());
            for (pattern, latency_ms, cost, micros) in requests {
                let time = Timestamp::from_micros(micros);
                collector.record(&Request { time, pattern, latency_ms, is_error: false, cost: Some(cost), parameters: &[cost, 1.0] });
            }
            let features = collector.close(Duration::from_secs(1), &[Some(f64::NAN)], &options());
            prop_assert!(features.iter().flatten().all(|v| v.is_finite()), "{:?}", features);
        }
    }
}

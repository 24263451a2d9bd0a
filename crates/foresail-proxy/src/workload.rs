//! What workers see of the work, for the service's fingerprint: a collector a worker, handed over in parts.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use foresail_core::Timestamp;
use foresail_core::fingerprint::{Collector, FingerprintOptions, Request, path_pattern, pattern_name};
use hyper::http::request::Parts;

use crate::exchange::Outcome;
use crate::record::content_length;

/// How often a worker hands over what it has seen.
const HAND_OVER: Duration = Duration::from_millis(250);
/// Most patterns that are named in a part; those that come often come early.
const NAMED: usize = 64;

/// What fingerprints of a proxy's requests are made of: pattern, outcome, latency, bytes received, and bytes sent as the cost.
pub fn fingerprint_options() -> FingerprintOptions {
    FingerprintOptions { parameters: vec!["received_bytes".to_owned()], ..FingerprintOptions::default() }
}

/// Requests that ended in a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// What was seen of them, by [`fingerprint_options`]. They count when they end.
    pub collector: Collector,
    /// What people call the patterns, of at most 64 a worker and part.
    pub names: BTreeMap<u64, String>,
}

impl Workload {
    fn new() -> Self {
        Self { collector: Collector::new(&fingerprint_options()), names: BTreeMap::new() }
    }

    /// Takes in what was seen before or elsewhere.
    fn merge(&mut self, other: &Self) {
        self.collector.merge(&other.collector).expect("collectors of a proxy have the same options");
        other.names.iter().for_each(|(pattern, name)| _ = self.names.entry(*pattern).or_insert_with(|| name.clone()));
    }
}

/// A worker's part, waiting to be taken.
pub(crate) type Waiting = ArcSwapOption<Workload>;

/// All that waits, joined in the order of the workers; none if nothing does.
pub(crate) fn take(waiting: &[Waiting]) -> Option<Workload> {
    let mut all: Option<Workload> = None;
    for part in waiting.iter().filter_map(|place| place.swap(None)) {
        match &mut all {
            Some(all) => all.merge(&part),
            None => all = Some(Workload::clone(&part)),
        }
    }
    all
}

/// One worker's collector.
pub(crate) struct Observer {
    workload: RefCell<Workload>,
    next: Cell<Instant>,
}

/// What is known of a request when it arrives, and of its answer as that goes out.
pub(crate) struct Kind {
    pattern: u64,
    received_bytes: u64,
    pub(crate) sent_bytes: u64,
}

impl Observer {
    pub(crate) fn new(now: Instant) -> Self {
        Self { workload: RefCell::new(Workload::new()), next: Cell::new(now + HAND_OVER) }
    }

    /// A request has arrived.
    pub(crate) fn kind(&self, parts: &Parts) -> Kind {
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let pattern = path_pattern(method, path);
        let names = &mut self.workload.borrow_mut().names;
        if names.len() < NAMED && !names.contains_key(&pattern) {
            names.insert(pattern, pattern_name(method, path));
        }
        Kind { pattern, received_bytes: content_length(&parts.headers), sent_bytes: 0 }
    }

    /// A request has ended, `at` after the proxy started.
    pub(crate) fn ended(&self, kind: &Kind, outcome: Outcome, taken: Duration, at: Duration) {
        let is_answered = matches!(outcome, Outcome::Completed | Outcome::Failed);
        self.workload.borrow_mut().collector.record(&Request {
            // Of the ends, for only they are in order here.
            time: Timestamp::from_micros(i64::try_from(at.as_micros()).unwrap_or(i64::MAX)),
            pattern: kind.pattern,
            latency_ms: if is_answered { taken.as_secs_f64() * 1_000.0 } else { f64::NAN },
            is_error: matches!(outcome, Outcome::Failed | Outcome::Rejected),
            cost: Some(kind.sent_bytes as f64),
            parameters: &[kind.received_bytes as f64],
        });
    }

    /// Hands over what was seen, if it is time and there is anything.
    pub(crate) fn hand_over(&self, now: Instant, place: &Waiting) {
        if now < self.next.get() {
            return;
        }
        self.next.set(now + HAND_OVER);
        let mut workload = self.workload.borrow_mut();
        if workload.collector.requests() == 0 {
            return;
        }
        let mut part = Workload { collector: workload.collector.take(), names: std::mem::take(&mut workload.names) };
        // Whoever takes at this moment gets this part the next time.
        if let Some(before) = place.swap(None) {
            part.merge(&before);
        }
        place.store(Some(Arc::new(part)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn parts(method: &str, target: &str, length: u64) -> Parts {
        let request = hyper::Request::builder().method(method).uri(target).header("content-length", length);
        request.body(()).expect("a valid request").into_parts().0
    }

    /// One after the other, whichever worker each comes to and however often they are taken, all are there once.
    #[test]
    fn nothing_is_lost_or_counted_twice() {
        let now = clock::now();
        let workers: Vec<Observer> = (0..3).map(|_| Observer::new(now)).collect();
        let places: Vec<Waiting> = (0..3).map(|_| Waiting::empty()).collect();
        let mut taken: Vec<Workload> = Vec::new();
        for i in 0..900_u64 {
            let worker = (i % 3) as usize;
            let (method, target) = if i.is_multiple_of(4) { ("POST", "/cart/7") } else { ("GET", "/item/42?x=1") };
            let mut kind = workers[worker].kind(&parts(method, target, i));
            kind.sent_bytes = 1_000;
            let outcome = if i.is_multiple_of(10) { Outcome::Failed } else { Outcome::Completed };
            let at = Duration::from_millis(10 * i);
            workers[worker].ended(&kind, outcome, Duration::from_millis(20), at);
            workers[worker].hand_over(now + at, &places[worker]);
            if i % 250 == 249 {
                taken.extend(take(&places));
            }
        }
        workers.iter().zip(&places).for_each(|(w, place)| w.hand_over(now + Duration::from_secs(60), place));
        taken.extend(take(&places));
        assert!(take(&places).is_none());
        let mut all = Workload::new();
        taken.iter().for_each(|part| all.merge(part));
        assert_eq!(all.collector.requests(), 900);
        assert!((all.collector.error_share() - 0.1).abs() < 1e-12);
        let named: Vec<(&str, f64)> =
            all.collector.top(9).iter().map(|(pattern, share)| (all.names[pattern].as_str(), *share)).collect();
        assert_eq!(named, [("GET /item/*", 0.75), ("POST /cart/*", 0.25)]);
    }

    /// `cargo test --release -p foresail-proxy --lib -- --ignored --nocapture a_request_costs`
    #[test]
    #[ignore = "measures, and says so"]
    fn what_a_request_costs() {
        let heads: Vec<Parts> = (0..200_u32)
            .map(|i| parts("GET", &format!("/shop/{}/item/{i}?page=2", char::from(b'a' + (i % 26) as u8)), 120))
            .collect();
        let (observer, place) = (Observer::new(clock::now()), Waiting::empty());
        let rounds = 2_000_000_usize;
        let mut costs = [0; 9].map(|_| {
            let begin = clock::now();
            for i in 0..rounds {
                let mut kind = observer.kind(&heads[i * 7 % heads.len()]);
                kind.sent_bytes = (i % 4_096) as u64;
                let taken = Duration::from_micros(500 + (i % 997) as u64);
                let at = Duration::from_micros(100 * i as u64);
                observer.ended(&kind, Outcome::Completed, taken, at);
                observer.hand_over(begin + at, &place);
            }
            begin.elapsed().as_secs_f64() * 1e9 / rounds as f64
        });
        costs.sort_by(f64::total_cmp);
        println!(
            "a request costs {:.0} ns, handing over included (median of 9, {:.0} to {:.0})",
            costs[4], costs[0], costs[8]
        );
    }

    #[test]
    fn names_are_bounded() {
        let observer = Observer::new(clock::now());
        for i in 0..1_000_u32 {
            let letters: String = i.to_string().bytes().map(|b| char::from(b + 50)).collect();
            observer.kind(&parts("GET", &format!("/{letters}"), 0));
        }
        assert_eq!(observer.workload.borrow().names.len(), NAMED);
    }
}

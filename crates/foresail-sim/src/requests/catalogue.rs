//! What the six types of work look like.

use foresail_core::fingerprint::path_pattern;
use foresail_core::{SeededRng, Timestamp};

use super::GeneratedRequest;

/// Names of a request's parameters.
pub const PARAMETERS: [&str; 2] = ["payload_kb", "items"];

/// A type of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadType {
    /// Reading pages, mostly from a cache.
    Browse,
    /// Searching: CPU, in proportion to the items found.
    Search,
    /// Writing orders through a pool of connections.
    Checkout,
    /// Storing large bodies: cost follows the payload.
    Upload,
    /// Long reports: few, slow and dear.
    Report,
    /// A crawler: cheap, but of thousands of patterns, and often failing.
    Crawl,
}

/// The numbers of a type.
struct Profile {
    paths: &'static [(&'static str, &'static str)],
    /// Median and spread of the logarithm: latency in ms, payload in kB, items.
    latency: (f64, f64),
    payload: (f64, f64),
    items: (f64, f64),
    /// CPU in ms: of a request, a kB, an item.
    cost: (f64, f64, f64),
    errors: f64,
    hits: f64,
}

const PROFILES: [Profile; 6] = [
    Profile {
        paths: &[("GET", "/"), ("GET", "/products/1"), ("GET", "/products/1"), ("GET", "/categories/1")],
        latency: (12.0, 0.5),
        payload: (2.0, 0.4),
        items: (10.0, 0.3),
        cost: (1.5, 0.02, 0.0),
        errors: 0.002,
        hits: 0.92,
    },
    Profile {
        paths: &[("GET", "/search"), ("GET", "/search"), ("GET", "/suggest")],
        latency: (60.0, 0.8),
        payload: (1.0, 0.4),
        items: (40.0, 0.9),
        cost: (4.0, 0.1, 0.3),
        errors: 0.004,
        hits: 0.35,
    },
    Profile {
        paths: &[("POST", "/cart/1/items"), ("POST", "/orders"), ("GET", "/orders/1")],
        latency: (90.0, 0.5),
        payload: (3.0, 0.5),
        items: (3.0, 0.6),
        cost: (9.0, 0.4, 0.5),
        errors: 0.01,
        hits: 0.1,
    },
    Profile {
        paths: &[("PUT", "/media/1"), ("PUT", "/media/1"), ("GET", "/media/1/status")],
        latency: (250.0, 0.7),
        payload: (800.0, 1.0),
        items: (1.0, 0.1),
        cost: (3.0, 0.02, 0.0),
        errors: 0.015,
        hits: 0.02,
    },
    Profile {
        paths: &[("GET", "/reports/1"), ("POST", "/export")],
        latency: (900.0, 0.9),
        payload: (1.0, 0.3),
        items: (500.0, 0.8),
        cost: (20.0, 0.0, 0.12),
        errors: 0.02,
        hits: 0.3,
    },
    Profile {
        paths: &[],
        latency: (30.0, 0.6),
        payload: (0.5, 0.3),
        items: (1.0, 0.2),
        cost: (5.0, 0.0, 0.0),
        errors: 0.08,
        hits: 0.15,
    },
];

/// Patterns that the crawler visits.
const CRAWLED: usize = 3_000;

impl WorkloadType {
    /// All six.
    pub const ALL: [Self; 6] = [Self::Browse, Self::Search, Self::Checkout, Self::Upload, Self::Report, Self::Crawl];

    fn profile(self) -> &'static Profile {
        &PROFILES[self as usize]
    }

    /// Share of its requests that a cache answers.
    pub(super) fn hit_ratio(self) -> f64 {
        self.profile().hits
    }

    /// CPU time of a usual request, milliseconds.
    pub fn usual_cost_ms(self) -> f64 {
        let Profile { cost: (each, by_payload, by_item), payload, items, .. } = self.profile();
        let mean = |(median, spread): &(f64, f64)| median * (0.5 * spread * spread).exp();
        each + by_payload * mean(payload) + by_item * mean(items)
    }

    /// Draws a request.
    pub(super) fn request(self, time: Timestamp, rng: &mut SeededRng) -> GeneratedRequest {
        let profile = self.profile();
        let mut draw = |(median, spread): (f64, f64)| median * (spread * rng.normal()).exp();
        let (latency_ms, payload, items) = (draw(profile.latency), draw(profile.payload), draw(profile.items));
        let (each, by_payload, by_item) = profile.cost;
        let cost_ms = (each + by_payload * payload + by_item * items) * (0.1 * rng.normal()).exp();
        let pattern = match profile.paths.get(rng.below(profile.paths.len())) {
            Some((method, path)) => path_pattern(method, path),
            None => crawled(rng.below(CRAWLED)),
        };
        let is_error = rng.uniform() < profile.errors;
        GeneratedRequest { time, workload: self, pattern, latency_ms, is_error, cost_ms, parameters: [payload, items] }
    }
}

/// Key of one of the crawler's patterns, named in letters.
fn crawled(mut number: usize) -> u64 {
    let mut name = *b"/wiki/aaa";
    for letter in name.iter_mut().rev().take(3) {
        *letter += (number % 26) as u8;
        number /= 26;
    }
    path_pattern("GET", std::str::from_utf8(&name).expect("letters and slashes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn types_differ_in_what_they_do_and_cost() {
        let mut rng = SeededRng::seed_from_u64(1);
        for workload in WorkloadType::ALL {
            let drawn: Vec<GeneratedRequest> =
                (0..4_000).map(|_| workload.request(Timestamp::EPOCH, &mut rng)).collect();
            let mean = drawn.iter().map(|r| r.cost_ms).sum::<f64>() / 4_000.0;
            let usual = workload.usual_cost_ms();
            assert!((mean / usual - 1.0).abs() < 0.12, "{workload:?}: {mean} {usual}");
            let patterns: BTreeSet<u64> = drawn.iter().map(|r| r.pattern).collect();
            assert_eq!(patterns.len() > 1_000, workload == WorkloadType::Crawl);
            assert!(drawn.iter().all(|r| r.latency_ms > 0.0 && r.cost_ms > 0.0));
        }
    }
}

//! Requests whose parts have names.

use foresail_core::Timestamp;

use super::{LoggedRequest, time};

const TIMES: [&str; 6] = ["time", "timestamp", "ts", "@timestamp", "datetime", "date"];
const METHODS: [&str; 3] = ["method", "request_method", "http_method"];
const TARGETS: [&str; 8] = ["target", "path", "uri", "url", "request_uri", "route", "endpoint", "pattern"];
const STATUSES: [&str; 3] = ["status", "status_code", "code"];
/// Durations by their unit, in milliseconds.
const DURATIONS: [(&str, f64); 9] = [
    ("total_ms", 1.0),
    ("latency_ms", 1.0),
    ("duration_ms", 1.0),
    ("response_time_ms", 1.0),
    ("request_time", 1_000.0),
    ("duration_s", 1_000.0),
    ("latency_s", 1_000.0),
    ("latency", 1.0),
    ("duration", 1.0),
];
const SENT: [&str; 5] = ["sent_bytes", "body_bytes_sent", "bytes_sent", "response_bytes", "bytes"];
const RECEIVED: [&str; 5] = ["received_bytes", "request_bytes", "request_length", "bytes_received", "payload_bytes"];
const COSTS: [&str; 4] = ["cost", "cpu_ms", "cost_ms", "cpu_time_ms"];

/// Parts of a request by name.
pub(super) struct Fields<F>(F);

/// Whether one of `names` is that of a time.
pub(super) fn names_time(names: &[String]) -> bool {
    names.iter().any(|name| TIMES.iter().any(|time| name.eq_ignore_ascii_case(time)))
}

impl<F: Fn(&str) -> Option<String>> Fields<F> {
    pub(super) fn new(get: F) -> Self {
        Self(get)
    }

    fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| (self.0)(name))
    }

    fn number(&self, names: &[&str]) -> Option<f64> {
        self.text(names)?.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0)
    }

    /// The request, if it has a time and a target.
    pub(super) fn request(&self) -> Option<LoggedRequest> {
        let duration = |(name, ms): &(&str, f64)| Some(self.number(&[name])? * ms);
        Some(LoggedRequest {
            time: time(&self.text(&TIMES)?)?,
            method: self.text(&METHODS).unwrap_or_default(),
            target: self.text(&TARGETS)?,
            status: self.number(&STATUSES).map_or(0, |status| status as u16),
            latency_ms: DURATIONS.iter().find_map(duration),
            sent_bytes: self.number(&SENT),
            received_bytes: self.number(&RECEIVED),
            cost: self.number(&COSTS),
        })
    }
}

/// A number since 1970 as a time: seconds, or by its size milli-, micro- or nanoseconds.
pub(super) fn epoch(number: f64) -> Option<Timestamp> {
    let micros = match number.abs() {
        size if size < 1e11 => number * 1e6,
        size if size < 1e14 => number * 1e3,
        size if size < 1e17 => number,
        size if size < 1e20 => number / 1e3,
        _ => return None,
    };
    Some(Timestamp::from_micros(micros as i64))
}

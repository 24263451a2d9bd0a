//! Sizes and numbers that are refused beyond.

use std::time::Duration;

use foresail_route::ConcurrencyConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_duration;
use crate::Error;
use crate::error::check;

/// What a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of a request's head, 1024 to 262144; more is answered 431.
    pub header_bytes: usize,
    /// Header fields of a request, 8 to 1024; more is answered 431.
    pub headers: usize,
    /// Bytes of a request's body; 0 is no limit; more is answered 413.
    pub body_bytes: u64,
    /// Client connections at once, 1 to 10000000; more are closed on arrival.
    pub connections: usize,
    /// Connections of one client address at once; 0 (the default) is no limit. Each worker holds its part of it.
    pub connections_per_client: usize,
    /// Requests over one connection, after which it is closed politely; 0 (the default) is no limit.
    pub requests_per_connection: u64,
    /// HTTP/2 streams of a connection at once, 1 to 10000.
    pub streams: u32,
    /// Idle connections kept to each endpoint by each worker, 0 to 100000.
    pub idle_upstream: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_bytes: 32 * 1024,
            headers: 100,
            body_bytes: 0,
            connections: 100_000,
            connections_per_client: 0,
            requests_per_connection: 0,
            streams: 100,
            idle_upstream: 256,
        }
    }
}

impl Limits {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let header_bytes = (1024..=262_144).contains(&self.header_bytes);
        check(header_bytes, "limits.header_bytes", self.header_bytes, "1024 to 262144")?;
        check((8..=1024).contains(&self.headers), "limits.headers", self.headers, "8 to 1024")?;
        let connections = (1..=10_000_000).contains(&self.connections);
        check(connections, "limits.connections", self.connections, "1 to 10000000")?;
        check((1..=10_000).contains(&self.streams), "limits.streams", self.streams, "1 to 10000")?;
        check(self.idle_upstream <= 100_000, "limits.idle_upstream", self.idle_upstream, "0 to 100000")
    }
}

/// How much reaches the endpoints at once, and how long the rest waits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admission {
    /// Requests in flight at one endpoint; 0 (the default) is no limit.
    pub in_flight_per_endpoint: u32,
    /// Fewer than that, by what each endpoint's answers tell of it, if that is to be learned.
    pub adaptive: Option<ConcurrencyConfig>,
    /// Requests that may wait for an endpoint, all workers together, 0 to 1000000; more are answered 503.
    pub queue: usize,
    /// How long one may wait, `0s` to `10m`; then it is answered 503.
    #[serde(with = "foresail_core::humane::Text")]
    pub queue_time: Duration,
}

impl Default for Admission {
    fn default() -> Self {
        Self { in_flight_per_endpoint: 0, adaptive: None, queue: 1024, queue_time: Duration::from_secs(1) }
    }
}

impl Admission {
    pub(crate) fn check(&self) -> Result<(), Error> {
        check(self.queue <= 1_000_000, "admission.queue", self.queue, "0 to 1000000")?;
        self.adaptive.as_ref().map_or(Ok(()), ConcurrencyConfig::check)?;
        let most = Duration::from_secs(600);
        check_duration(self.queue_time, "admission.queue_time", Duration::ZERO, most, "0s to 10m")
    }
}

//! Times that are cut off beyond.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_duration;
use crate::Error;
use crate::error::check;

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// From a connection's first byte or a request's first byte to the end of the head, `100ms` to `10m`; then 408. Also
    /// bounds the TLS handshake and the PROXY header.
    #[serde(with = "foresail_core::humane::Text")]
    pub header: Duration,
    /// A connection without a request, `100ms` to `1h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub idle: Duration,
    /// A client that sends or takes less than `least_rate` over this time while we wait for it is cut off, `100ms` to
    /// `10m`. An endpoint that sends nothing of its answer for this long is given up, too.
    #[serde(with = "foresail_core::humane::Text")]
    pub stall: Duration,
    /// Bytes a second over `stall`, 1 to 1000000.
    pub least_rate: u64,
    /// Connecting to an endpoint, TLS included, `10ms` to `1m`; then another is tried, or 504.
    #[serde(with = "foresail_core::humane::Text")]
    pub connect: Duration,
    /// From sending a request, body included, to the head of its answer, `10ms` to `1h`; then 504.
    #[serde(with = "foresail_core::humane::Text")]
    pub first_byte: Duration,
    /// A request from its head to the last byte of its answer, `10ms` to `24h`; then 504, or a cut if the answer has
    /// begun.
    #[serde(with = "foresail_core::humane::Text")]
    pub total: Duration,
    /// Whether a client's own word, `x-request-timeout` (`1.5`, `1.5s` or `1500ms`) or `grpc-timeout`, shortens `total`: the
    /// endpoint is told what is left, and a request whose like rarely takes less is not sent at all. Default true.
    pub from_client: bool,
    /// Keeping an unused upstream connection, `100ms` to `1h`; should be less than the endpoints' own limit.
    #[serde(with = "foresail_core::humane::Text")]
    pub upstream_idle: Duration,
    /// A tunnel (WebSocket) over which nothing passes, `1s` to `24h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub tunnel_idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            header: s(10),
            idle: s(60),
            stall: s(30),
            least_rate: 64,
            connect: s(2),
            first_byte: s(60),
            total: s(3600),
            from_client: true,
            upstream_idle: s(30),
            tunnel_idle: s(3600),
        }
    }
}

impl Deadlines {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let ms = Duration::from_millis;
        let (minutes, hour, day) = (ms(600_000), ms(3_600_000), ms(86_400_000));
        check_duration(self.header, "deadlines.header", ms(100), minutes, "100ms to 10m")?;
        check_duration(self.idle, "deadlines.idle", ms(100), hour, "100ms to 1h")?;
        check_duration(self.stall, "deadlines.stall", ms(100), minutes, "100ms to 10m")?;
        check((1..=1_000_000).contains(&self.least_rate), "deadlines.least_rate", self.least_rate, "1 to 1000000")?;
        check_duration(self.connect, "deadlines.connect", ms(10), ms(60_000), "10ms to 1m")?;
        check_duration(self.first_byte, "deadlines.first_byte", ms(10), hour, "10ms to 1h")?;
        check_duration(self.total, "deadlines.total", ms(10), day, "10ms to 24h")?;
        check_duration(self.upstream_idle, "deadlines.upstream_idle", ms(100), hour, "100ms to 1h")?;
        check_duration(self.tunnel_idle, "deadlines.tunnel_idle", ms(1000), day, "1s to 24h")
    }

    /// The shortest of the times that a connection watches over.
    pub(crate) fn shortest_watched(&self) -> Duration {
        self.header.min(self.idle).min(self.stall)
    }
}

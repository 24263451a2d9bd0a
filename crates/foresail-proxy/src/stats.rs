//! What a proxy has counted since it started.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use foresail_guard::Summary as GuardSummary;
use foresail_route::{ArmStats, BalancerReport, RouterReport};
use serde::Serialize;

use crate::Histogram;

/// Counts of a proxy, all workers together. Cumulative but for the gauges; read while requests run, so a request may be
/// counted in one place and not yet in another.
///
/// Every arrival ends in exactly one of `completed`, `failed`, `rejected` and `aborted`; until then it is `queued` or
/// `in_flight`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ProxyStats {
    /// Requests whose head was read and found sound, counted before any queue or limit: the demand.
    pub arrivals: u64,
    /// Answered to the last byte with a status below 500.
    pub completed: u64,
    /// Answered with 5xx by an endpoint, or without a whole answer because of one (502, 504, broken off).
    pub failed: u64,
    /// Answered 503 because no endpoint was free: limit, no endpoint, queue full, waited too long.
    pub rejected: u64,
    /// Given up by the client before the last byte.
    pub aborted: u64,
    /// Heads refused as malformed, too large or too slow (400, 408, 414, 431, 501); no arrivals.
    pub refused: u64,
    /// Held by the guard: throttled, challenged or blocked; no arrivals, so no demand.
    pub held: u64,
    /// Slower than `late_after` to the last byte, or failed or rejected.
    pub late: u64,
    /// Being answered now (gauge).
    pub in_flight: u64,
    /// Waiting for an endpoint now (gauge).
    pub queued: u64,
    /// Attempts after the first, replays over stale connections included.
    pub retries: u64,
    /// Times a second endpoint was asked because the first was late.
    pub hedges: u64,
    /// Times that the second one answered first.
    pub hedges_won: u64,
    /// Client connections open now (gauge).
    pub connections: u64,
    /// Client connections accepted.
    pub accepted: u64,
    /// Lines that the access log and the file of picks lost because a writer fell behind.
    pub log_lines_lost: u64,
    /// Spans that the collector took.
    pub spans_exported: u64,
    /// Spans that were never sent because the queue was full.
    pub spans_dropped: u64,
    /// Spans that the collector refused or that could not be delivered in time.
    pub spans_failed: u64,
    /// Arrival to last byte of what is completed or failed.
    pub latency: Histogram,
    /// How the balancers that learn stand, one a worker; none before the first answers.
    pub balancers: Vec<BalancerReport>,
    /// How the router stands, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<RouterStats>,
    /// How the guard stands, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardSummary>,
    /// Each endpoint, in the order given; then those that drain.
    pub endpoints: Vec<EndpointStats>,
}

/// How the request router stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RouterStats {
    /// Names of the services by their keys; the empty one is that of endpoints in none.
    pub services: BTreeMap<u64, String>,
    /// Names of classes by their keys, cut off at 64 characters and safe to show: what requests of it ask for, or their header.
    pub classes: BTreeMap<u64, String>,
    /// What has been learned, as of the last half second.
    pub report: RouterReport,
    /// Answers that were not learned from, because the learner had fallen behind.
    pub lost: u64,
}

/// Counts of one endpoint since it was added.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndpointStats {
    /// Its name.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Attempts sent its way.
    pub picks: u64,
    /// Answered whole with a status below 500.
    pub completed: u64,
    /// Answered with 5xx, not whole, or not at all.
    pub failed: u64,
    /// Being answered now, the slot being held to the last byte (gauge).
    pub in_flight: u64,
    /// Peak-EWMA estimate of the time to the first byte of its successes in ms, as balancers see it; 0 if unknown.
    pub latency_ewma_ms: f64,
    /// Dispatch to last byte of its successes, time in the proxy's queue left out.
    pub latency: Histogram,
    /// What is thought of it.
    pub state: EndpointState,
    /// How often it was ejected.
    pub ejections: u64,
    /// What a balancer that learns believes of it: the worker's that has seen most of it.
    pub learned: Option<ArmStats>,
}

/// What is thought of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Takes its share.
    Healthy,
    /// New, or just back: takes less.
    SlowStart,
    /// Left out because its answers failed.
    Ejected {
        /// Until then, in ms since the proxy started.
        until_ms: u64,
    },
    /// Left out because probes fail.
    Unhealthy,
    /// Removed; finishes what it has.
    Draining,
}

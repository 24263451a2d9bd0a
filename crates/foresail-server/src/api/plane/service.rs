//! What is shown of a service.

use std::time::Duration;

use foresail_core::{Direction, JournalRecord, Mode, ReplicaCounts, Timestamp};
use serde::{Deserialize, Serialize};

use super::guard::GuardView;
use super::learned::{
    CapacityView, DriftView, FingerprintView, ForecastView, ModelView, ScoreView, Told, UtilisationView,
};
use super::routing::RouterView;

/// A tick in the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryPoint {
    /// End of the tick.
    pub time: Timestamp,
    /// Requests that arrived, a second; none where nothing was measured.
    pub load_rps: Option<f64>,
    /// Whether the service was saturated, so that the load is a lower bound.
    pub saturated: bool,
    /// Replicas that served.
    pub ready: u32,
    /// Replicas asked for.
    pub desired: u32,
    /// Replicas the baseline would have had ready on the same load.
    pub baseline: u32,
    /// Requests late in the tick, as measured.
    pub late: u64,
    /// Requests answered or refused in the tick.
    pub requests: u64,
    /// 99th percentile of latency in the tick, ms.
    pub p99_ms: Option<f64>,
}

/// Everything there is to see of a service now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its name.
    pub service: String,
    /// Time of the newest tick.
    pub time: Timestamp,
    /// Seconds of the service's clock in a second: 1, except in a demonstration.
    pub speed: f64,
    /// Length of a tick, on the service's clock.
    pub tick: Duration,
    /// Mode in force.
    pub mode: Mode,
    /// Until when orders are paused, and which way.
    pub paused: Option<(Timestamp, Direction)>,
    /// Whether the kill switch is on.
    pub killed: bool,
    /// Replicas set by hand, until when.
    pub overridden: Option<(Timestamp, u32)>,
    /// The policy that decides, and the one it is measured against.
    pub policy: String,
    /// The baseline.
    pub baseline: String,
    /// Whether the champion decides (else the baseline does), and since when.
    pub champion_decides: bool,
    /// Orders given to the target since start.
    #[serde(default)]
    pub orders: u64,
    /// Replicas of the target.
    pub replicas: ReplicaCounts,
    /// Limits of replicas.
    pub limits: (u32, u32),
    /// Requests that arrive, a second.
    pub load_rps: Option<f64>,
    /// The newest decision.
    pub last: Option<JournalRecord>,
    /// Its reason as a sentence.
    pub reason: String,
    /// A recommendation waiting for an answer.
    pub pending: Option<PendingView>,
    /// The forecast of the load.
    pub forecast: Option<ForecastView>,
    /// Champion against baseline on the same load: since start, and by the hour, oldest first.
    pub scorecard: ScoreView,
    /// By the hour.
    pub hours: Vec<ScoreView>,
    /// What was really served since start.
    pub served: ServedView,
    /// Endpoints behind the proxy.
    pub endpoints: Vec<EndpointView>,
    /// How a balancer that learns stands; none where none does.
    pub balancer: Option<BalancerView>,
    /// Other proxies of these endpoints that this one asks what they have learned.
    #[serde(default)]
    pub peers: Vec<PeerView>,
    /// How the request router stands; none where there is none.
    #[serde(default)]
    pub router: Option<RouterView>,
    /// Forecasting models, best first.
    pub models: Vec<ModelView>,
    /// Champion/challenger history, newest first.
    pub trials: Vec<Told>,
    /// Whether the load still is what was learned from.
    #[serde(default)]
    pub drift: DriftView,
    /// What kind of work it is doing; none where nobody tells, or nothing has been seen yet.
    #[serde(default)]
    pub fingerprint: Option<FingerprintView>,
    /// What the guard sees and does, where there is one.
    pub guard: Option<GuardView>,
    /// Alerts that hold or held lately, newest first.
    pub alerts: Vec<AlertView>,
    /// Utilisation that was predicted for actions against what came.
    pub utilisation: UtilisationView,
    /// What one replica can do.
    pub capacity: CapacityView,
    /// Start-up delay, median and 90th percentile, seconds on the service's clock, and how many were measured.
    pub startup: (f64, f64, usize),
    /// Time the last tick took, ms, and the 99th percentile of the last thousand.
    pub tick_ms: (f64, f64),
    /// Bytes of learned state.
    pub memory_bytes: usize,
}

/// A recommendation waiting for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingView {
    /// Its id, to approve or reject.
    pub id: u64,
    /// When it was made.
    pub time: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// Replicas recommended.
    pub desired: u32,
    /// Why.
    pub reason: String,
}

/// What was really served since start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServedView {
    /// Requests that arrived.
    pub arrivals: u64,
    /// Answered without an error.
    pub completed: u64,
    /// Failed upstream.
    pub failed: u64,
    /// Refused: queue full, timed out, no endpoint.
    pub rejected: u64,
    /// Late, failed or refused.
    pub late: u64,
    /// In flight now.
    pub in_flight: u64,
    /// Waiting now.
    pub queued: u64,
    /// Retries.
    pub retries: u64,
    /// Times a second endpoint was asked because the first was late, and times that it answered first.
    #[serde(default)]
    pub hedges: (u64, u64),
    /// Median latency of the last tick, ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile of latency of the last tick, ms.
    pub p99_ms: Option<f64>,
    /// Replica-seconds paid for, on the service's clock.
    pub replica_seconds: f64,
    /// Lines that the access log lost because its writer fell behind.
    pub log_lines_lost: u64,
    /// Spans that the collector took.
    pub spans_exported: u64,
    /// Spans that the collector never got: the queue was full, or it refused them or did not answer.
    pub spans_lost: u64,
}

/// An endpoint behind the proxy, or a copy that is not serving yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its id.
    pub id: String,
    /// Where it listens.
    pub address: String,
    /// `starting`, `ready`, `slow start`, `ejected`, `unhealthy`, `draining`, `stopping`, `backing off`.
    pub state: String,
    /// Share of the picks of the last tick, 0 to 1.
    pub share: f64,
    /// In flight now.
    pub in_flight: u64,
    /// Mean latency of the last tick, ms; where nothing was answered in it, the balancer's estimate.
    pub latency_ms: f64,
    /// 99th percentile of the last tick, ms.
    pub p99_ms: Option<f64>,
    /// Requests it completed and failed since it started.
    pub completed: u64,
    /// Failed.
    pub failed: u64,
    /// Times it was ejected.
    pub ejections: u64,
    /// What a balancer that learns expects of it under the fleet's usual load, ms: the mean, and where it may lie.
    pub learned_ms: Option<(f64, f64, f64)>,
    /// The balancer's posterior of its reward and the 95 % credible interval, where it has one; 0 to 1.
    pub posterior: Option<(f64, f64, f64)>,
    /// Requests it serves at a time as far as its answers tell, and what one more costs in ms: with none in flight, a quarter
    /// of those, and so on to twice as many; where the balancer reckons so.
    pub curve: Option<(f64, Vec<f64>)>,
}

/// How a balancer that learns stands against least-request, which it has to beat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BalancerView {
    /// The policy.
    pub policy: String,
    /// Each worker of the proxy.
    pub workers: Vec<WorkerBalancerView>,
}

/// How one worker's balancer stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerBalancerView {
    /// Who chooses endpoints: `learner`, `baseline`, or `contest` while they take turns.
    pub acting: String,
    /// What an answer costs with the learner over what it costs with the baseline, and the 95 % interval of that.
    pub cost_ratio: Option<(f64, f64, f64)>,
}

/// Another proxy of the same endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its API, as configured.
    pub address: String,
    /// When it last answered.
    pub heard: Option<Timestamp>,
    /// Why it does not answer now.
    pub trouble: Option<String>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlertView {
    /// Its kind, in snake case.
    pub kind: String,
    /// How much it matters: `info`, `warning` or `critical`.
    pub severity: String,
    /// When it began.
    pub time: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub action: String,
    /// Figures of what was usual and what is, by name with unit.
    pub context: Vec<(String, f64)>,
}

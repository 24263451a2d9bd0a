//! What the server shows and passes on. The binary implements [`ControlPlane`]; everything here is plain data.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foresail_core::{Decision, Direction, Event, JournalRecord, Mode, ReplicaCounts, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The running control plane, as the API sees it. Reading never waits for the loop: views are published whole.
#[async_trait]
pub trait ControlPlane: Send + Sync + 'static {
    /// Names of the services, in the order of the configuration.
    fn services(&self) -> Vec<String>;

    /// The newest view of a service; `None` for a name that is not configured.
    fn view(&self, service: &str) -> Option<Arc<ServiceView>>;

    /// Moves on after every tick and every change: wait on it, then look at the views.
    fn changed(&self) -> watch::Receiver<u64>;

    /// What was observed and decided in `[from, to)`, in time order, thinned evenly to at most `most` points.
    fn history(&self, service: &str, from: Timestamp, to: Timestamp, most: usize) -> Vec<HistoryPoint>;

    /// Decisions newest first, with ids below `before` if it is given.
    ///
    /// # Errors
    /// [`PlaneError`] if the journal cannot be read.
    async fn decisions(
        &self,
        service: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<JournalRecord>, PlaneError>;

    /// One decision.
    ///
    /// # Errors
    /// [`PlaneError::NotFound`] for an id that is not in the journal.
    async fn decision(&self, service: &str, id: u64) -> Result<JournalRecord, PlaneError>;

    /// What would be decided now for the load and replicas of `question`, with nothing changed by asking.
    ///
    /// # Errors
    /// [`PlaneError::Refused`] for values out of range.
    fn decide(&self, service: &str, question: &Question) -> Result<Answer, PlaneError>;

    /// Carries an operator's word out and writes it to the audit trail, whether it is accepted or refused.
    ///
    /// # Errors
    /// [`PlaneError::Refused`] with the reason, nothing having changed.
    async fn command(&self, actor: &Actor, service: &str, word: Word) -> Result<(), PlaneError>;

    /// The audit trail, newest first, with ids below `before` if it is given.
    ///
    /// # Errors
    /// [`PlaneError`] if it cannot be read.
    async fn audit(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, PlaneError>;

    /// Whether the loop keeps up: a tick within three of its intervals. Readiness.
    fn is_ready(&self) -> bool;
}

/// Why a request to the control plane failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaneError {
    /// No such service, decision or recommendation.
    #[error("there is no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Understood and refused.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// A store or the loop did not answer.
    #[error("{why}")]
    Unavailable {
        /// Why.
        why: String,
    },
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Name of the token, or `loopback` where none is needed.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything.
    Read,
    /// See and command.
    Operate,
}

/// An operator's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Word {
    /// From now on in this mode.
    Mode {
        /// Which.
        mode: Mode,
    },
    /// No orders for a while.
    Pause {
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
        /// `both`, `up` or `down`.
        #[serde(default)]
        direction: Direction,
    },
    /// Ends a pause.
    Resume,
    /// No orders of any kind until revived.
    Kill,
    /// Ends a kill.
    Revive,
    /// This many replicas for a while, whatever is measured or forecast.
    Override {
        /// How many.
        replicas: u32,
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
    },
    /// Ends an override.
    ClearOverride,
    /// Carries a pending recommendation out.
    Approve {
        /// Its id.
        id: u64,
    },
    /// Drops a pending recommendation.
    Reject {
        /// Its id.
        id: u64,
    },
    /// Announces an event.
    Announce {
        /// Which.
        event: Event,
    },
    /// Takes announced events of that label back.
    Withdraw {
        /// Their label.
        label: String,
    },
}

/// A hypothetical for [`ControlPlane::decide`]; what is left out is taken from the newest observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Requests a second, finite and at least 0.
    #[serde(default)]
    pub load_rps: Option<f64>,
    /// Replicas there are.
    #[serde(default)]
    pub replicas: Option<u32>,
}

/// What would be decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// Its reason as a sentence.
    pub sentence: String,
    /// What the baseline wants.
    pub baseline: u32,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts from 1.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// On which service.
    pub service: String,
    /// What was asked: a [`Word`] as JSON, of whichever version wrote it down.
    pub word: serde_json::Value,
    /// `accepted`, or why it was refused.
    pub outcome: String,
}

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

/// What kind of work a service is doing, as of the last interval that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FingerprintView {
    /// Start of the interval.
    pub time: Timestamp,
    /// Length of an interval, on the service's clock.
    pub interval: Duration,
    /// The kind of work, a number that stays its own.
    pub regime: usize,
    /// Since when it has been that.
    pub since: Timestamp,
    /// Kinds of work told apart.
    pub regimes: usize,
    /// Intervals remembered.
    pub remembered: usize,
    /// Requests that ended, a second.
    pub rate_rps: f64,
    /// Kinds of requests, those first that came most often.
    pub kinds: Vec<KindView>,
    /// The last intervals, oldest first: start, kind of work, and the first two numbers of the fingerprint.
    pub points: Vec<(Timestamp, usize, f64, f64)>,
    /// Shares of what varies that these two show, 0 to 1.
    pub explained: (f64, f64),
    /// Past intervals most like this one, nearest first.
    pub alike: Vec<AlikeView>,
    /// Requests that endpoints worked on at a time, in the mean.
    pub busy: f64,
    /// The same `ahead` on, as foretold from the fingerprints; none before anything was learned.
    pub busy_foretold: Option<f64>,
    /// How far ahead, on the service's clock.
    pub ahead: Duration,
    /// Changes of the kind of work with their reasons, newest first.
    pub changes: Vec<Told>,
}

/// Requests alike by method and path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindView {
    /// Method and path, `*` for what varies.
    pub name: String,
    /// Share of the requests, 0 to 1.
    pub share: f64,
    /// Its usual share in this kind of work, 0 to 1.
    pub usual: Option<f64>,
}

/// A past interval like the present one, and what followed `ahead` later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlikeView {
    /// Its start.
    pub time: Timestamp,
    /// The kind of work it was.
    pub regime: usize,
    /// How far from the present one, in the space of the fingerprints.
    pub distance: f64,
    /// Requests a second.
    pub rate_rps: Option<f64>,
    /// Requests that endpoints worked on at a time.
    pub busy: Option<f64>,
    /// The kind of work that followed.
    pub regime_after: Option<usize>,
    /// Requests a second that followed.
    pub rate_after_rps: Option<f64>,
    /// Requests that endpoints worked on at a time afterwards.
    pub busy_after: Option<f64>,
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

/// A forecast fan: step `i` ends at `start + (i + 1) · step`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastView {
    /// Last observed time.
    pub start: Timestamp,
    /// Length of a step.
    pub step: Duration,
    /// Model that made it.
    pub model: String,
    /// Mean, requests a second, by step.
    pub mean: Vec<f64>,
    /// Levels of the quantiles, rising.
    pub levels: Vec<f64>,
    /// `levels × steps`.
    pub quantiles: Vec<Vec<f64>>,
}

/// Champion against baseline over one stretch, both on virtual plants fed the observed load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreView {
    /// Start of the stretch.
    pub from: Option<Timestamp>,
    /// Seconds scored.
    pub seconds: f64,
    /// Requests that arrived.
    pub requests: f64,
    /// Share of the champion's that were late, 0 to 1.
    pub champion_late: f64,
    /// Share of the baseline's that were late, 0 to 1.
    pub baseline_late: f64,
    /// Replica-hours of the champion.
    pub champion_hours: f64,
    /// Replica-hours of the baseline.
    pub baseline_hours: f64,
    /// What learning itself cost: seconds of CPU in ticks and fits.
    pub learner_cpu_s: f64,
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

/// A forecasting model in the running league.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// Name.
    pub name: String,
    /// Whether its forecasts are the ones shown and used.
    pub is_champion: bool,
    /// Weight in the ensemble, if it is a member, 0 to 1.
    pub weight: Option<f64>,
    /// Mean absolute error at the horizon, requests a second, over the scored window.
    pub mae: Option<f64>,
    /// Scaled by the error of the seasonal naive forecast.
    pub skill: Option<f64>,
    /// Share of actual values within the 90 % interval, 0 to 1.
    pub coverage: Option<f64>,
    /// Forecasts scored.
    pub scored: u64,
    /// Seconds its last fit took.
    pub fit_s: Option<f64>,
    /// When it was last fitted.
    pub fitted: Option<Timestamp>,
    /// Error over time, `(time, MAE)`, oldest first, at most 200.
    pub errors: Vec<(Timestamp, f64)>,
    /// Coverage of the 90 % interval over time, `(time, share)`, oldest first, at most 200.
    #[serde(default)]
    pub coverages: Vec<(Timestamp, f64)>,
}

/// Concept drift: whether the load still comes as forecast, and still is spread as it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DriftView {
    /// Length of a step.
    pub step: Duration,
    /// Residuals of the forecasts that are watched.
    pub leads: Vec<LeadView>,
    /// Weight of a new score in a model's error: larger after a change, smaller while a verdict is awaited, 0 to 1.
    pub score_weight: f64,
    /// What models learn from, each less what it was a season before, the last window against a reference: empty before
    /// there is enough.
    pub inputs: Vec<InputView>,
    /// When that was compared.
    pub compared: Option<Timestamp>,
    /// What was found, newest first, at most 50.
    pub told: Vec<Told>,
}

/// Residuals of forecasts so far ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeadView {
    /// Steps ahead.
    pub steps: u64,
    /// `warm_up`, `calm`, or `suspect` while it is not known yet whether something is a spike or a change.
    pub phase: String,
    /// Their standard deviation while nothing changes, requests a second.
    pub spread_rps: Option<f64>,
    /// How often something was suspected.
    pub suspicions: u64,
    /// How many of those were changes for good.
    pub changes: u64,
    /// How many were spikes.
    pub spikes: u64,
}

/// One input of the models, less what it was a season before: the last window against a reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InputView {
    /// What it is.
    pub name: String,
    /// Population stability index.
    pub index: f64,
    /// Distance of Kolmogorov and Smirnov, 0 to 1.
    pub distance: f64,
    /// How likely as much is by chance, 0 to 1.
    pub p_value: f64,
    /// Beyond chance, all inputs together, and large enough to matter.
    pub has_drifted: bool,
}

/// Something that happened, in a sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// When.
    pub time: Timestamp,
    /// What.
    pub text: String,
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

/// Utilisation (load at arrival over what the ready replicas can do) after actions, against what was predicted for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct UtilisationView {
    /// Actions compared since the start.
    pub compared: u64,
    /// Mean of actual less predicted over `outcomes`.
    pub mean_error: Option<f64>,
    /// Mean of its magnitude.
    pub mean_absolute_error: Option<f64>,
    /// The last 50, oldest first: decision, when its replicas were due, predicted, actual.
    pub outcomes: Vec<(u64, Timestamp, f64, f64)>,
}

/// What one replica can do, learned beside what was configured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityView {
    /// Configured, requests a second.
    pub prior_rps: f64,
    /// Learned, requests a second.
    pub learned_rps: f64,
    /// 90 % interval of the learned one.
    pub interval_rps: (f64, f64),
    /// Whether the learned one is in use.
    pub in_use: bool,
}

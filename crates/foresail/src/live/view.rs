//! What the loop shows of itself after a tick.

use std::collections::VecDeque;
use std::sync::Arc;

use foresail_actuate::{CopyState, Observed};
use foresail_core::{JournalRecord, Metric, Mode, ReplicaCounts, Timestamp};
use foresail_forecast::metrics::percentile;
use foresail_proxy::{Acting, BalancerReport, EndpointState, GuardAccount, ProxyStats};
use foresail_scale::CapacityLearner;
use foresail_scale::controller::{Comparison, Seat, Ticked};
use foresail_scale::discrepancy::ActionAccuracy;
use foresail_server::api::plane::{
    AlertView, BalancerView, CapacityView, DriftView, EndpointView, PendingView, ScoreView, ServedView, ServiceView,
    UtilisationView, WorkerBalancerView,
};

use super::brain::Brain;
use super::engine::EngineOptions;
use super::fingerprint::Prints;
use super::guard;
use super::league::Standing;
use super::meter::Window;
use super::routing;
use crate::clock::Tempo;

/// Everything a view is made of.
pub(super) struct Sight<'a> {
    pub(super) options: &'a EngineOptions,
    pub(super) now: Timestamp,
    pub(super) ticked: &'a Ticked,
    pub(super) window: &'a Window,
    pub(super) seen: Option<&'a Observed>,
    pub(super) stats: Option<&'a ProxyStats>,
    pub(super) standing: &'a Standing,
    pub(super) learner: &'a CapacityLearner,
    pub(super) alerts: Vec<AlertView>,
    pub(super) prints: Option<&'a Prints>,
    pub(super) guard: Option<Arc<GuardAccount>>,
    pub(super) accuracy: ActionAccuracy,
    pub(super) tick_ms: &'a VecDeque<f64>,
    pub(super) cpu_s: f64,
    pub(super) replica_seconds: f64,
    pub(super) orders: u64,
}

/// Before the first tick.
pub(super) fn empty(options: &EngineOptions) -> ServiceView {
    let capacity = options.tempo.real_rate(options.service.capacity_rps());
    ServiceView {
        service: options.name.clone(),
        time: options.tempo.now(),
        speed: options.tempo.speed(),
        tick: options.tick,
        mode: Mode::default(),
        paused: None,
        killed: false,
        overridden: None,
        policy: options.policy.clone(),
        baseline: options.baseline.clone(),
        champion_decides: true,
        orders: 0,
        replicas: ReplicaCounts::default(),
        limits: options.limits,
        load_rps: None,
        last: None,
        reason: String::new(),
        pending: None,
        forecast: None,
        scorecard: ScoreView::default(),
        hours: Vec::new(),
        served: ServedView::default(),
        endpoints: Vec::new(),
        balancer: None,
        peers: Vec::new(),
        router: None,
        models: Vec::new(),
        trials: Vec::new(),
        drift: DriftView::default(),
        fingerprint: None,
        guard: None,
        alerts: Vec::new(),
        utilisation: UtilisationView::default(),
        capacity: CapacityView {
            prior_rps: capacity,
            learned_rps: capacity,
            interval_rps: (0.0, capacity),
            in_use: false,
        },
        startup: (0.0, 0.0, 0),
        tick_ms: (0.0, 0.0),
        memory_bytes: 0,
    }
}

/// What operators hold, brought up to date.
pub(super) fn operators(mut view: ServiceView, brain: &Brain) -> ServiceView {
    let Some(controller) = brain.controller() else {
        view.mode = Mode::Act;
        return view;
    };
    view.mode = controller.mode();
    view.paused = controller.paused();
    view.killed = controller.is_killed();
    view.overridden = controller.overridden().map(|(until, replicas)| (until, replicas.0));
    view.champion_decides = controller.seat() == Seat::Champion;
    view.pending = controller.pending().map(|p| PendingView {
        id: p.id,
        time: p.time,
        expires: p.expires,
        desired: p.desired.0,
        reason: p.reason.clone(),
    });
    view
}

/// After a tick.
pub(super) fn view(sight: Sight<'_>) -> ServiceView {
    let options = sight.options;
    let tempo = &options.tempo;
    let mut view = operators(empty(options), &options.brain);
    view.time = sight.now;
    view.orders = sight.orders;
    view.replicas = sight.seen.map(|s| s.replicas).unwrap_or_default();
    let record = in_real_time(sight.ticked.record.clone(), tempo);
    // Where another source is asked, not every tick brings a sample: the load is the one decided by.
    let load = record.observation.value(Metric::RequestRate).or(record.decision.reason.load);
    view.load_rps = sight.window.arrivals_rps().or(load);
    view.reason = record.decision.reason.to_string();
    view.last = Some(record);
    view.forecast.clone_from(&sight.standing.forecast);
    view.models.clone_from(&sight.standing.models);
    view.trials.clone_from(&sight.standing.trials);
    view.drift.clone_from(&sight.standing.drift);
    view.fingerprint = sight.prints.and_then(Prints::view);
    view.guard = sight.guard.as_deref().map(|account| guard::view(account, sight.now, tempo));
    if let Some(controller) = options.brain.controller() {
        let cpu_s = sight.cpu_s + sight.standing.cpu_s;
        let card = controller.scorecard();
        view.scorecard = ScoreView { learner_cpu_s: cpu_s, ..score(None, card.total()) };
        view.hours = card.hours().map(|(from, hour)| score(Some(*from), hour)).collect();
        view.memory_bytes = controller.memory_bytes();
        let startup = controller.startup();
        view.startup = (startup.quantile(0.5).as_secs_f64(), startup.quantile(0.9).as_secs_f64(), startup.seen());
        let estimate = sight.learner.estimate();
        let real = |rps: f64| tempo.real_rate(rps);
        let prior = real(sight.learner.prior_rps());
        let in_use = real(controller.capacity_rps());
        view.capacity = CapacityView {
            prior_rps: prior,
            learned_rps: real(estimate.rps),
            interval_rps: (real(estimate.interval_rps.0), real(estimate.interval_rps.1)),
            in_use: (in_use / prior - 1.0).abs() > 1e-9,
        };
    }
    view.served = served(&sight);
    view.endpoints = endpoints(&sight);
    view.balancer = sight.stats.and_then(|stats| balancer(&stats.balancers));
    view.peers = options.exchanged.peers.load_full().to_vec();
    view.router = sight.stats.and_then(|stats| stats.router.as_ref()).map(routing::view);
    let ticks: Vec<f64> = sight.tick_ms.iter().copied().collect();
    let p99 = percentile(&ticks, 0.99);
    view.alerts = sight.alerts;
    view.utilisation = utilisation(&sight.accuracy);
    view.tick_ms = (sight.tick_ms.back().copied().unwrap_or(0.0), p99.unwrap_or(0.0));
    view
}

/// Rates are shown in real time, whatever the pace of the service's clock.
pub(super) fn in_real_time(mut record: JournalRecord, tempo: &Tempo) -> JournalRecord {
    let reason = &mut record.decision.reason;
    reason.load = reason.load.map(|rps| tempo.real_rate(rps));
    for sample in record.observation.samples.iter_mut().filter(|s| s.metric == Metric::RequestRate) {
        sample.value = tempo.real_rate(sample.value);
    }
    record
}

fn utilisation(accuracy: &ActionAccuracy) -> UtilisationView {
    UtilisationView {
        compared: accuracy.compared,
        mean_error: accuracy.mean_error,
        mean_absolute_error: accuracy.mean_absolute_error,
        outcomes: accuracy.outcomes.iter().map(|o| (o.decision, o.time, o.predicted, o.actual)).collect(),
    }
}

fn score(from: Option<Timestamp>, both: &Comparison) -> ScoreView {
    ScoreView {
        from,
        seconds: both.seconds,
        requests: both.requests,
        champion_late: both.champion_late(),
        baseline_late: both.baseline_late(),
        champion_hours: both.champion.replica_hours,
        baseline_hours: both.baseline.replica_hours,
        learner_cpu_s: 0.0,
    }
}

fn served(sight: &Sight<'_>) -> ServedView {
    let Some(stats) = sight.stats else {
        return ServedView { replica_seconds: sight.replica_seconds, ..ServedView::default() };
    };
    ServedView {
        arrivals: stats.arrivals,
        completed: stats.completed,
        failed: stats.failed,
        rejected: stats.rejected,
        late: stats.late,
        in_flight: stats.in_flight,
        queued: stats.queued,
        retries: stats.retries,
        hedges: (stats.hedges, stats.hedges_won),
        p50_ms: sight.window.p50_ms,
        p99_ms: sight.window.p99_ms,
        replica_seconds: sight.replica_seconds,
        log_lines_lost: stats.log_lines_lost,
        spans_exported: stats.spans_exported,
        spans_lost: stats.spans_dropped + stats.spans_failed,
    }
}

fn balancer(reports: &[BalancerReport]) -> Option<BalancerView> {
    let worker = |report: &BalancerReport| WorkerBalancerView {
        acting: acting(report.acting).to_owned(),
        cost_ratio: cost_ratio(report.evidence),
    };
    let policy = reports.first()?.policy.to_owned();
    Some(BalancerView { policy, workers: reports.iter().map(worker).collect() })
}

/// Who chooses, in a word.
pub(super) fn acting(acting: Acting) -> &'static str {
    match acting {
        Acting::Contest => "contest",
        Acting::Learner => "learner",
        Acting::Baseline => "baseline",
    }
}

/// A ratio of costs and its 95 % interval, of the mean of its logarithm and the standard error of that.
pub(super) fn cost_ratio(evidence: Option<(f64, f64)>) -> Option<(f64, f64, f64)> {
    evidence.map(|(mean, error)| {
        let ratio = |errors: f64| (mean + errors * error).exp();
        (ratio(0.0), ratio(-1.96), ratio(1.96))
    })
}

/// Endpoints as the proxy sees them, and copies that it does not see yet or any more.
fn endpoints(sight: &Sight<'_>) -> Vec<EndpointView> {
    let known = sight.stats.map(|s| s.endpoints.as_slice()).unwrap_or_default();
    let mut shown: Vec<EndpointView> = known
        .iter()
        .map(|e| {
            let window = sight.window.endpoints.get(&e.id).copied().unwrap_or_default();
            EndpointView {
                id: e.id.clone(),
                address: e.address.to_string(),
                state: state(e.state).to_owned(),
                share: window.share,
                in_flight: e.in_flight,
                latency_ms: window.mean_ms.unwrap_or(e.latency_ewma_ms),
                p99_ms: window.p99_ms,
                completed: e.completed,
                failed: e.failed,
                ejections: e.ejections,
                learned_ms: e.learned.and_then(|arm| arm.prediction).map(|p| (p.mean_ms, p.low_ms, p.high_ms)),
                posterior: e.learned.and_then(|arm| arm.interval.map(|(low, high)| (arm.value, low, high))),
                curve: e.learned.and_then(|arm| arm.curve).map(|curve| (curve.slots, curve.price_ms.to_vec())),
            }
        })
        .collect();
    for copy in sight.seen.map(|s| s.copies.as_slice()).unwrap_or_default() {
        if copy.state == CopyState::Ready || known.iter().any(|e| e.id == copy.id.to_string()) {
            continue;
        }
        let state = match copy.state {
            CopyState::Starting => "starting",
            CopyState::Unready => "unhealthy",
            CopyState::Stopping => "stopping",
            CopyState::BackingOff => "backing off",
            CopyState::Failed => "failed",
            _ => "ready",
        };
        shown.push(EndpointView {
            id: copy.id.to_string(),
            address: copy.address.to_string(),
            state: state.to_owned(),
            share: 0.0,
            in_flight: 0,
            latency_ms: 0.0,
            p99_ms: None,
            completed: 0,
            failed: 0,
            ejections: 0,
            learned_ms: None,
            posterior: None,
            curve: None,
        });
    }
    shown
}

fn state(state: EndpointState) -> &'static str {
    match state {
        EndpointState::Healthy => "ready",
        EndpointState::SlowStart => "slow start",
        EndpointState::Ejected { .. } => "ejected",
        EndpointState::Unhealthy => "unhealthy",
        EndpointState::Draining => "draining",
    }
}

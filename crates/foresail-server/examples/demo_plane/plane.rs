//! A control plane that decides nothing: a day of load from a seed, with the decisions, forecasts and models to go with it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use foresail_core::{
    Decision, Direction, Driver, JournalRecord, Limit, Metric, Mode, Observation, Quality, Reason, ReplicaCounts,
    Replicas, Sample, SeededRng, Timestamp,
};
use foresail_server::api::{
    Actor, AlertView, AlikeView, Answer, AuditEntry, BalancerView, CapacityView, ControlPlane, DriftView, EndpointView,
    FingerprintView, ForecastView, GuardClientView, GuardGroupView, GuardTotals, GuardVerdictView, GuardView,
    HistoryPoint, InputView, KindView, LeadView, ModelView, OwnMetricView, PeerView, PendingView, PlaneError, Question,
    RoutedClassView, RoutedPairView, RoutedServiceView, RouterView, ScoreView, ServedView, ServiceView, Told,
    UtilisationView, Word, WorkerBalancerView,
};
use tokio::sync::watch;

const SERVICE: &str = "shop";
const TICK: Duration = Duration::from_secs(15);
/// Requests a second that a replica really serves.
const CAPACITY: f64 = 42.0;
const LIMITS: (u32, u32) = (2, 40);
/// Ticks a replica takes to start.
const STARTUP: usize = 4;
/// Records kept.
const KEPT: usize = 20_000;

const SUSPECTED: &str = "the load is not what ensemble expected 1m ahead: a spike or a change, not known yet";
const CHANGED: &str = "the load has changed for good: +38.10 against what ensemble expected 1m ahead (+3.4 standard \
                       deviations), judged over 60 steps; all models are fitted anew, with what went before at the new \
                       level";

/// See the module.
pub(crate) struct DemoPlane {
    state: Mutex<State>,
    view: Mutex<Arc<ServiceView>>,
    changed: watch::Sender<u64>,
}

struct State {
    tick: u64,
    start: Timestamp,
    history: Vec<HistoryPoint>,
    records: VecDeque<JournalRecord>,
    audit: Vec<AuditEntry>,
    wanted: Vec<u32>,
    baseline: Vec<u32>,
    served: ServedView,
    score: ScoreView,
    hours: Vec<ScoreView>,
    mode: Mode,
    paused: Option<(Timestamp, Direction)>,
    killed: bool,
    overridden: Option<(Timestamp, u32)>,
    pending: Option<PendingView>,
    orders: u64,
}

/// Requests a second in tick `tick`, without noise: a working day with its two peaks, and a flash crowd at three.
fn shape(tick: u64) -> f64 {
    let hour = (tick as f64 * TICK.as_secs_f64() / 3600.0).rem_euclid(24.0);
    let bump = |at: f64, width: f64, height: f64| height * (-((hour - at) / width).powi(2)).exp();
    60.0 + bump(10.5, 2.6, 260.0) + bump(14.0, 2.2, 160.0) + bump(20.0, 2.4, 330.0) + bump(15.15, 0.18, 240.0)
}

fn load(tick: u64) -> f64 {
    let noise = SeededRng::seed_from_u64(7).fork(tick).normal();
    (shape(tick) * (1.0 + 0.035 * noise)).max(0.0)
}

fn need(load: f64, target: f64) -> u32 {
    Replicas::holding(load / (CAPACITY * target)).0.clamp(LIMITS.0, LIMITS.1)
}

impl DemoPlane {
    /// After `ticks` ticks.
    pub(crate) fn new(ticks: u64) -> Self {
        let mut state = State {
            tick: 0,
            start: Timestamp::from_secs(1_772_409_600),
            history: Vec::new(),
            records: VecDeque::new(),
            audit: Vec::new(),
            wanted: Vec::new(),
            baseline: Vec::new(),
            served: ServedView::default(),
            score: ScoreView::default(),
            hours: Vec::new(),
            mode: Mode::Recommend,
            paused: None,
            killed: false,
            overridden: None,
            pending: None,
            orders: 0,
        };
        for _ in 0..ticks.max(1) {
            state.step();
        }
        let view = Arc::new(state.view());
        Self { state: Mutex::new(state), view: Mutex::new(view), changed: watch::channel(0).0 }
    }

    /// One more tick.
    pub(crate) fn advance(&self) {
        self.change(State::step);
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state);
        *self.view.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(state.view());
        drop(state);
        self.changed.send_modify(|n| *n += 1);
        result
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.start + TICK * u32::try_from(self.tick).unwrap_or(u32::MAX)
    }

    fn step(&mut self) {
        let at = self.tick as usize;
        self.tick += 1;
        let time = self.now();
        if self.paused.is_some_and(|(until, _)| until <= time) {
            self.paused = None;
        }
        if self.overridden.is_some_and(|(until, _)| until <= time) {
            self.overridden = None;
        }
        let rate = load(self.tick);
        let ahead = (0..12).map(|i| shape(self.tick + i)).fold(0.0, f64::max);
        let (reactive, predicted) = (need(rate, 0.85), need(ahead, 0.8));
        let before = self.wanted.last().copied().unwrap_or(reactive);
        let recent = self.wanted.iter().rev().take(8).copied().max().unwrap_or(0);
        let mut reason = Reason::new(if predicted > reactive { Driver::Predicted } else { Driver::Reactive });
        (reason.load, reason.reactive) = (Some(rate.max(ahead)), Replicas(reactive));
        reason.predicted = Some(Replicas(predicted));
        let mut desired = reactive.max(predicted);
        if desired < before && recent > desired && !self.tick.is_multiple_of(8) {
            desired = before;
            reason.driver = Driver::Held;
            reason.limits.push(Limit::DownHold);
        }
        if let Some((_, replicas)) = self.overridden {
            desired = replicas;
            reason = Reason::new(Driver::Manual);
        }
        if self.killed || self.paused.is_some_and(|(_, way)| way == Direction::Both) {
            desired = before;
            "orders are held back".clone_into(&mut reason.note);
        }
        self.orders += u64::from(desired != before);
        self.wanted.push(desired);
        let lag = self.tick.saturating_sub(6);
        let rule = need(load(lag), 0.7);
        let kept = self.baseline.iter().rev().take(20).copied().max().unwrap_or(0).max(rule);
        self.baseline.push(kept.max(rule));
        // A replica is ready once it was wanted for as long as it takes to start.
        let started = self.wanted[at.saturating_sub(STARTUP)..].iter().copied().min().unwrap_or(desired);
        let baseline = self.baseline[at.saturating_sub(STARTUP)..].iter().copied().min().unwrap_or(kept);
        let seconds = TICK.as_secs_f64();
        let requests = (rate * seconds) as u64;
        let late_of = |ready: u32| ((rate - f64::from(ready) * CAPACITY).max(0.0) * seconds * 0.8) as u64;
        let late = late_of(started) + requests / 2_000;
        let tight = rate / (f64::from(started) * CAPACITY);
        let p99 = 38.0 + 60.0 * tight.powi(6).min(6.0);
        self.history.push(HistoryPoint {
            time,
            load_rps: (!self.tick.is_multiple_of(997)).then_some(rate),
            saturated: tight > 1.0,
            ready: started,
            desired,
            baseline,
            late,
            requests,
            p99_ms: Some(p99),
        });
        let sample = |metric, value| Sample {
            metric,
            time,
            interval: TICK,
            value,
            quality: if tight > 1.0 { Quality::Saturated } else { Quality::Good },
        };
        self.records.push_back(JournalRecord {
            id: self.tick,
            time,
            policy: "foresail".to_owned(),
            mode: self.mode,
            observation: Observation {
                time,
                tick: TICK,
                samples: vec![sample(Metric::RequestRate, rate), sample(Metric::Utilisation, tight.min(1.0))],
                replicas: ReplicaCounts {
                    desired: Replicas(before),
                    ready: Replicas(started),
                    starting: Replicas(before.saturating_sub(started)),
                },
            },
            decision: Decision { desired: Replicas(desired), reason },
            baseline: Replicas(kept),
            version: "5f2a91c0".to_owned(),
        });
        if self.records.len() > KEPT {
            self.records.pop_front();
        }
        self.count(requests, late, late_of(baseline), started, baseline, p99, rate);
        self.offer(before, desired, time);
    }

    #[expect(clippy::too_many_arguments, reason = "the figures of one tick")]
    fn count(&mut self, requests: u64, late: u64, other: u64, ready: u32, baseline: u32, p99: f64, rate: f64) {
        let served = &mut self.served;
        served.arrivals += requests;
        served.completed += requests - requests / 4_000;
        served.failed += requests / 4_000;
        served.late += late;
        served.retries += requests / 3_000;
        served.in_flight = (rate * 0.03) as u64;
        (served.p50_ms, served.p99_ms) = (Some(21.0), Some(p99));
        served.replica_seconds += f64::from(ready) * TICK.as_secs_f64();
        let hour = TICK.as_secs_f64() / 3600.0;
        if self.tick % 240 == 1 {
            let from = Some(self.start + TICK * u32::try_from(self.tick - 1).unwrap_or(u32::MAX));
            self.hours.push(ScoreView { from, ..ScoreView::default() });
            self.score.from = Some(self.start);
        }
        for score in self.hours.last_mut().into_iter().chain([&mut self.score]) {
            let before = score.requests;
            score.requests += requests as f64;
            score.seconds += TICK.as_secs_f64();
            let mean = |share: f64, late: u64| (share * before + late as f64) / score.requests.max(1.0);
            (score.champion_late, score.baseline_late) =
                (mean(score.champion_late, late), mean(score.baseline_late, other));
            score.champion_hours += f64::from(ready) * hour;
            score.baseline_hours += f64::from(baseline) * hour;
            score.learner_cpu_s += 0.004;
        }
    }

    fn offer(&mut self, before: u32, desired: u32, time: Timestamp) {
        if self.pending.as_ref().is_some_and(|p| p.expires <= time) {
            self.pending = None;
        }
        if self.mode == Mode::Recommend && desired != before {
            let reason = self.records.back().map(|r| r.decision.reason.to_string()).unwrap_or_default();
            let expires = time + Duration::from_secs(600);
            self.pending = Some(PendingView { id: self.tick, time, expires, desired, reason });
        }
    }

    fn forecast(&self) -> ForecastView {
        let levels = vec![0.05, 0.25, 0.5, 0.75, 0.95];
        let mean: Vec<f64> = (1..=60).map(|i| shape(self.tick + i * 4)).collect();
        let spread = [-1.645, -0.674, 0.0, 0.674, 1.645];
        let fan = |z: f64| mean.iter().enumerate().map(|(i, m)| m * (1.0 + z * (0.04 + 0.0018 * i as f64))).collect();
        ForecastView {
            start: self.now(),
            step: Duration::from_secs(60),
            model: "ensemble".to_owned(),
            quantiles: spread.iter().map(|z| fan(*z)).collect(),
            levels,
            mean,
        }
    }

    fn models(&self) -> Vec<ModelView> {
        let rng = SeededRng::seed_from_u64(11);
        let base: [(&str, f64, Option<f64>); 6] = [
            ("ensemble", 9.8, None),
            ("holt_winters", 11.6, Some(0.44)),
            ("ridge", 12.1, Some(0.31)),
            ("ses", 16.9, Some(0.16)),
            ("seasonal_naive", 19.4, Some(0.09)),
            ("last_value", 24.2, None),
        ];
        let scored = self.tick.saturating_sub(40);
        let models = base.iter().enumerate().map(|(index, (name, mae, weight))| {
            let mut noise = rng.fork(index as u64);
            let times: Vec<Timestamp> = (0..60_u32).map(|i| self.now() - TICK * (60 - i) * 4).collect();
            let errors = times.iter().map(|t| (*t, mae * (1.0 + 0.15 * noise.normal()).max(0.1))).collect();
            let center = 0.93 - 0.03 * index as f64;
            let coverages = times.iter().map(|t| (*t, (center + 0.02 * noise.normal()).clamp(0.0, 1.0))).collect();
            ModelView {
                name: (*name).to_owned(),
                is_champion: index == 0,
                weight: *weight,
                mae: Some(*mae),
                skill: Some(mae / 19.4),
                coverage: Some(center),
                scored,
                fit_s: Some(0.02 + 0.11 * index as f64),
                fitted: Some(self.now() - Duration::from_secs(900)),
                errors,
                coverages,
            }
        });
        models.collect()
    }

    fn endpoints(&self) -> Vec<EndpointView> {
        let ready = self.history.last().map_or(2, |p| p.ready) as usize;
        let wanted = self.wanted.last().map_or(2, |w| *w) as usize;
        let count = ready.max(wanted);
        let mut rng = SeededRng::seed_from_u64(3).fork(self.tick);
        let weigh = |i: usize| {
            if i == 2 {
                0.35
            } else if i == 4 {
                0.0
            } else {
                1.0
            }
        };
        let total: f64 = (0..ready).map(weigh).sum();
        let endpoint = |i: usize| {
            let state = match i {
                4 if ready > 4 => "ejected",
                i if i < ready => "ready",
                i if i + 1 == count && wanted < ready => "draining",
                _ => "starting",
            };
            let slow = if i == 2 { 4.6 } else { 1.0 };
            let serves = state == "ready";
            let latency = 22.0 * slow * (1.0 + 0.05 * rng.normal());
            EndpointView {
                id: format!("shop-{}", i + 1),
                address: format!("127.0.0.1:{}", 41_000 + i),
                state: state.to_owned(),
                share: if serves { weigh(i) / total } else { 0.0 },
                in_flight: if serves { (self.served.in_flight as f64 * weigh(i) / total) as u64 } else { 0 },
                latency_ms: if i < ready { latency } else { 0.0 },
                p99_ms: serves.then_some(latency * 2.7),
                completed: if i < ready { self.served.completed / count as u64 } else { 0 },
                failed: if i == 4 { self.served.failed } else { 0 },
                ejections: if i == 4 { 3 } else { 0 },
                learned_ms: serves.then_some((22.0 * slow, 20.5 * slow, 23.5 * slow)),
                posterior: None,
                curve: serves.then(|| {
                    let price = |quarter: i32| 22.0 * slow * (1.0 + 0.1 * f64::from(quarter).powi(2));
                    (8.0, (0..9).map(price).collect())
                }),
            }
        };
        (0..count).map(endpoint).collect()
    }

    fn utilisation(&self) -> UtilisationView {
        let outcome = |i: u64| {
            let predicted = 0.6 + 0.15 * (i as f64 * 0.9).sin();
            (
                900 + 7 * i,
                self.now() - Duration::from_secs(600 * (24 - i)),
                predicted,
                predicted + 0.04 * (i as f64).cos(),
            )
        };
        UtilisationView {
            compared: 118,
            mean_error: Some(0.004),
            mean_absolute_error: Some(0.027),
            outcomes: (0..24).map(outcome).collect(),
        }
    }

    fn alerts(&self) -> Vec<AlertView> {
        let now = self.now();
        vec![
            AlertView {
                kind: "endpoint_failing".to_owned(),
                severity: "critical".to_owned(),
                time: now - Duration::from_secs(740),
                ended: None,
                text: "shop-5 answers every third request with an error".to_owned(),
                action: "It gets no requests now. Look at its log, or stop it so that it is started anew.".to_owned(),
                context: vec![("failed_percent".to_owned(), 33.4), ("times_seen".to_owned(), 2.0)],
            },
            AlertView {
                kind: "unexpected_spike".to_owned(),
                severity: "warning".to_owned(),
                time: now - Duration::from_secs(9_000),
                ended: Some(now - Duration::from_secs(7_800)),
                text: "load was 61 % above the upper end of its forecast for 20 minutes".to_owned(),
                action: "If it will come again, announce it as an event.".to_owned(),
                context: vec![("usual_rps".to_owned(), 180.0), ("load_rps".to_owned(), 290.0)],
            },
        ]
    }

    /// Two kinds of work in turn, two hours each.
    fn fingerprint(&self, now: Timestamp) -> FingerprintView {
        let interval = Duration::from_secs(30);
        let regime = |time: Timestamp| (time.as_micros() / 7_200_000_000).rem_euclid(2) as usize;
        let points = (0..240_i64).map(|i| {
            let time = now - interval * (240 - i) as u32;
            let noise = SeededRng::seed_from_u64(9).fork(time.as_micros().unsigned_abs());
            let (mut a, side) = (noise, if regime(time) == 0 { 1.6 } else { -1.6 });
            (time, regime(time), side + 0.3 * a.normal(), 0.4 * a.normal())
        });
        let of = |name: &str, share, usual| KindView { name: name.to_owned(), share, usual: Some(usual) };
        let (present, since) = (regime(now), now.floor_to(Duration::from_secs(7_200)));
        let alike = |hours: u32, distance: f64| AlikeView {
            time: now - Duration::from_secs(3_600) * hours,
            regime: present,
            distance,
            rate_rps: Some(230.0),
            busy: Some(18.2),
            regime_after: Some(present),
            rate_after_rps: Some(241.0),
            busy_after: Some(19.4),
        };
        let what = "GET /report/* 41 % of the requests, was 6 %; median latency 61.0 ms, was 24.0 ms";
        let text = format!("the kind of work is {present}, it was {}: {what}", 1 - present);
        FingerprintView {
            time: now - interval,
            interval,
            regime: present,
            since,
            regimes: 2,
            remembered: 2_880,
            rate_rps: 233.0,
            own: vec![OwnMetricView { name: "cache_hit_ratio".to_owned(), value: 0.81, usual: Some(0.93) }],
            kinds: vec![
                of("GET /item/*", 0.47, 0.46),
                of("GET /report/*", 0.41, 0.40),
                of("POST /cart/*", 0.09, 0.11),
                of("GET /", 0.03, 0.03),
            ],
            points: points.collect(),
            explained: (0.41, 0.17),
            alike: vec![alike(24, 0.31), alike(48, 0.44), alike(20, 0.62)],
            busy: 18.6,
            busy_foretold: Some(19.1),
            ahead: 10 * interval,
            changes: vec![Told { time: since + 2 * interval, text }],
        }
    }

    fn view(&self) -> ServiceView {
        let last = self.records.back().cloned();
        let now = self.now();
        let told = |ago: u64, text: &str| Told { time: now - Duration::from_secs(ago), text: text.to_owned() };
        ServiceView {
            service: SERVICE.to_owned(),
            time: now,
            speed: 12.0,
            tick: TICK,
            mode: self.mode,
            paused: self.paused,
            killed: self.killed,
            overridden: self.overridden,
            policy: "foresail".to_owned(),
            baseline: "hpa@0.7".to_owned(),
            champion_decides: true,
            orders: self.orders,
            replicas: ReplicaCounts {
                desired: Replicas(self.wanted.last().copied().unwrap_or(0)),
                ready: Replicas(self.history.last().map_or(0, |p| p.ready)),
                starting: Replicas(
                    self.wanted.last().copied().unwrap_or(0).saturating_sub(self.history.last().map_or(0, |p| p.ready)),
                ),
            },
            limits: LIMITS,
            load_rps: self.history.last().and_then(|p| p.load_rps),
            reason: last.as_ref().map(|r| r.decision.reason.to_string()).unwrap_or_default(),
            last,
            pending: self.pending.clone(),
            forecast: (self.tick > 8).then(|| self.forecast()),
            scorecard: self.score,
            hours: self.hours.clone(),
            served: self.served,
            endpoints: self.endpoints(),
            models: self.models(),
            trials: vec![
                told(5_400, "ensemble promoted over holt_winters: error lower by 15 %, 97 % sure after 412 forecasts"),
                told(21_600, "ridge entered as a challenger"),
                told(
                    40_000,
                    "holt_winters promoted over seasonal_naive: error lower by 40 %, 99 % sure after 288 forecasts",
                ),
            ],
            drift: drift(self.now(), [told(60_000, SUSPECTED), told(33_000, CHANGED)].into()),
            fingerprint: Some(self.fingerprint(now)),
            guard: Some(guard(now)),
            alerts: self.alerts(),
            utilisation: self.utilisation(),
            balancer: Some(BalancerView {
                policy: "learned".to_owned(),
                workers: vec![WorkerBalancerView {
                    acting: "learner".to_owned(),
                    cost_ratio: Some((0.78, 0.75, 0.81)),
                }],
            }),
            peers: vec![
                PeerView {
                    address: "https://10.0.0.2:8700".to_owned(),
                    heard: Some(now - Duration::from_millis(200)),
                    trouble: None,
                },
                PeerView {
                    address: "https://10.0.0.3:8700".to_owned(),
                    heard: Some(now - Duration::from_secs(7_200)),
                    trouble: Some("10.0.0.3: connection refused".to_owned()),
                },
            ],
            router: Some(router(self.tick)),
            capacity: CapacityView {
                prior_rps: 50.0,
                learned_rps: CAPACITY + 0.4,
                interval_rps: (40.1, 44.9),
                in_use: true,
            },
            startup: (58.0, 71.0, 37),
            tick_ms: (1.9, 6.4),
            memory_bytes: 3_400_000,
        }
    }

    fn obey(&mut self, word: &Word) -> Result<(), PlaneError> {
        let refused = |why: &str| Err(PlaneError::Refused { why: why.to_owned() });
        let now = self.now();
        let until = |seconds: u64| now + Duration::from_secs(seconds);
        let pending = self.pending.as_ref().map(|p| p.id);
        match word {
            Word::Mode { mode } => {
                self.mode = *mode;
                self.pending = None;
            }
            Word::Pause { seconds, direction } => self.paused = Some((until(*seconds), *direction)),
            Word::Resume if self.paused.is_none() => return refused("orders are not paused"),
            Word::Resume => self.paused = None,
            Word::Kill => self.killed = true,
            Word::Revive if !self.killed => return refused("the kill switch is off"),
            Word::Revive => self.killed = false,
            Word::Override { replicas, .. } if !(LIMITS.0..=LIMITS.1).contains(replicas) => {
                return refused("2 to 40 replicas are accepted");
            }
            Word::Override { replicas, seconds } => self.overridden = Some((until(*seconds), *replicas)),
            Word::ClearOverride if self.overridden.is_none() => return refused("there is no override"),
            Word::ClearOverride => self.overridden = None,
            Word::Approve { id } | Word::Reject { id } if pending != Some(*id) => {
                return Err(PlaneError::NotFound { what: format!("recommendation {id}") });
            }
            Word::Approve { .. } => {
                self.pending = None;
                self.orders += 1;
            }
            Word::Reject { .. } => self.pending = None,
            _ => {}
        }
        Ok(())
    }
}

#[async_trait]
impl ControlPlane for DemoPlane {
    fn services(&self) -> Vec<String> {
        vec![SERVICE.to_owned()]
    }

    fn view(&self, service: &str) -> Option<Arc<ServiceView>> {
        (service == SERVICE).then(|| Arc::clone(&self.view.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn history(&self, _service: &str, from: Timestamp, to: Timestamp, most: usize) -> Vec<HistoryPoint> {
        self.look(|state| {
            let within: Vec<_> = state.history.iter().filter(|p| from <= p.time && p.time < to).copied().collect();
            let every = within.len().div_ceil(most.max(1)).max(1);
            within.into_iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev().collect()
        })
    }

    async fn decisions(&self, _: &str, before: Option<u64>, most: usize) -> Result<Vec<JournalRecord>, PlaneError> {
        let below = before.unwrap_or(u64::MAX);
        Ok(self.look(|s| s.records.iter().rev().filter(|r| r.id < below).take(most).cloned().collect()))
    }

    async fn decision(&self, _: &str, id: u64) -> Result<JournalRecord, PlaneError> {
        let missing = || PlaneError::NotFound { what: format!("decision {id}") };
        self.look(|s| s.records.iter().find(|r| r.id == id).cloned()).ok_or_else(missing)
    }

    fn decide(&self, _: &str, question: &Question) -> Result<Answer, PlaneError> {
        self.look(|state| {
            let rate = question.load_rps.or(state.history.last().and_then(|p| p.load_rps)).unwrap_or(0.0);
            let desired = Replicas(need(rate, 0.85));
            let mut reason = Reason::new(Driver::Reactive);
            (reason.load, reason.reactive) = (Some(rate), desired);
            let sentence = reason.to_string();
            Ok(Answer { decision: Decision { desired, reason }, sentence, baseline: need(rate, 0.7) })
        })
    }

    async fn command(&self, actor: &Actor, service: &str, word: Word) -> Result<(), PlaneError> {
        self.change(|state| {
            let result = state.obey(&word);
            let outcome = result.as_ref().err().map_or_else(|| "accepted".to_owned(), ToString::to_string);
            state.audit.push(AuditEntry {
                id: state.audit.len() as u64 + 1,
                time: state.now(),
                actor: actor.clone(),
                service: service.to_owned(),
                word: serde_json::to_value(&word).unwrap_or_default(),
                outcome,
            });
            result
        })
    }

    async fn audit(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, PlaneError> {
        let below = before.unwrap_or(u64::MAX);
        Ok(self.look(|s| s.audit.iter().rev().filter(|e| e.id < below).take(most).cloned().collect()))
    }

    fn statistics(&self, _: &str) -> Result<Option<serde_json::Value>, PlaneError> {
        Ok(None)
    }

    fn is_ready(&self) -> bool {
        true
    }
}

fn drift(now: Timestamp, told: Vec<Told>) -> DriftView {
    let lead = |steps, phase: &str, spread_rps, suspicions| LeadView {
        steps,
        phase: phase.to_owned(),
        spread_rps: Some(spread_rps),
        suspicions,
        changes: u64::from(suspicions > 2),
        spikes: suspicions - u64::from(suspicions > 2),
    };
    let input = |name: &str, index, p_value: f64| InputView {
        name: name.to_owned(),
        index,
        distance: index / 2.0,
        p_value,
        has_drifted: p_value < 0.001,
    };
    DriftView {
        step: Duration::from_secs(60),
        leads: vec![lead(2, "suspect", 11.2, 4)],
        score_weight: 0.0005,
        inputs: vec![
            input("load", 0.31, 0.000_04),
            input("change over 1m", 0.02, 0.6),
            input("change over 1h", 0.05, 0.2),
        ],
        compared: Some(now - Duration::from_secs(7_200)),
        told,
    }
}

/// Three services, each good at one thing, and one of them unknown yet.
fn router(tick: u64) -> RouterView {
    let services =
        [("images", 38.0, 0.31), ("reports", 61.0, 0.18), ("search", 27.0, 0.44), ("search-canary", 29.0, 0.3)];
    let names =
        [("GET /images/*", 9.0), ("GET /search", 24.0), ("GET /reports/*/pages/*", 52.0), ("POST /cart/*", 14.0)];
    let pair = |class: usize, base: f64, service: usize| {
        let home = [0, 2, 1, 2][class] == service;
        let latency_ms = base * if home { 1.0 } else { 2.8 + 0.4 * service as f64 };
        let tries = if service == 3 {
            [0.0, 3.1, 0.2, 1.4][class]
        } else {
            (if home { 188.0 } else { 4.3 }) / (1 + class) as f64
        };
        let success = if home { 0.9992 } else { 0.981 };
        let resource = 0.4 * latency_ms;
        RoutedPairView { latency_ms, success, resource, cost: latency_ms + 1000.0 * (1.0 - success), tries }
    };
    let class = |(at, (name, base)): (usize, &(&str, f64))| RoutedClassView {
        name: Some((*name).to_owned()),
        services: (0..services.len()).map(|service| pair(at, *base, service)).collect(),
    };
    let importance = [
        ("latency_of_class_here", 0.47),
        ("size", 0.21),
        ("service_load", 0.14),
        ("latency_of_context_here", 0.09),
        ("resource_of_class_here", 0.05),
        ("hour_sin", 0.04),
    ];
    RouterView {
        phase: "learned".to_owned(),
        acting: "learner".to_owned(),
        cost_ratio: Some((0.59, 0.53, 0.65)),
        contest_ratio: Some((0.61, 0.57, 0.66)),
        outcomes: 40 * tick,
        lost: 0,
        changes: 2,
        importance: importance.map(|(name, share)| (name.to_owned(), share)).into(),
        services: services
            .map(|(name, latency_ms, steepness)| RoutedServiceView {
                name: name.to_owned(),
                latency_ms,
                success: 0.9981,
                steepness,
            })
            .into(),
        classes: names.iter().enumerate().map(class).collect(),
    }
}

/// A flood that is being held, and a crawler that was.
fn guard(now: Timestamp) -> GuardView {
    let client = |client: &str, origin: &str, rps: f64, strikes, blocked_s| GuardClientView {
        client: client.to_owned(),
        origin: Some(origin.to_owned()),
        rps,
        limit_rps: 6.4,
        ms_per_s: 3.0 * rps,
        strikes,
        blocked_s,
    };
    let group = |dimension: &str, origin: Option<&str>, share, usual, evidence| GuardGroupView {
        dimension: dimension.to_owned(),
        origin: origin.map(str::to_owned),
        share,
        usual,
        evidence,
    };
    let verdict =
        |ago: u64, client: &str, path: &str, agent: &str, count, action: &str, reason: &str| GuardVerdictView {
            time: now - Duration::from_secs(ago),
            client: client.to_owned(),
            path: path.to_owned(),
            agent: agent.to_owned(),
            count,
            action: action.to_owned(),
            is_observed: false,
            reason: reason.to_owned(),
        };
    let crowd = "requests written like this one are 81.20 % of all, 0.40 % at most in seven days; evidence 7.2 of 2.4 \
                 needed at pressure 0.93";
    GuardView {
        mode: "enforce".to_owned(),
        pressure: 0.93,
        is_engaged: true,
        arrival_rps: 1_843.0,
        attack_rps: 1_611.0,
        limit_rps: 6.4,
        totals: GuardTotals {
            arrivals: 4_812_334,
            attack: 96_112,
            passed: 4_716_900,
            challenged: 2_310,
            throttled: 71_204,
            blocked: 21_920,
        },
        clients: vec![
            client("203.0.113.7", "country NL, AS64500", 812.4, 12, 48.0),
            client("2001:db8:7:1::/64", "country DE", 64.1, 4, 0.0),
        ],
        groups: vec![
            group("fingerprint", None, 0.812, 0.004, 4.0),
            group("network", Some("AS64500"), 0.44, 0.012, 3.1),
        ],
        verdicts: vec![
            verdict(
                2,
                "203.0.113.7",
                "/",
                "python-requests/2.31",
                9_120,
                "block for 48 s",
                "12 challenges or refusals were not heeded",
            ),
            verdict(
                4,
                "2001:db8:7:1::/64",
                "/search",
                "Mozilla/5.0",
                312,
                "challenge: proof of work of 14 bits",
                crowd,
            ),
            verdict(9, "198.51.100.23", "/api/items", "okhttp/4.12", 3, "throttle, again in 5 s", crowd),
        ],
        pardons: vec![("192.0.2.44".to_owned(), now + Duration::from_secs(2_400))],
        stands_down_until: None,
    }
}

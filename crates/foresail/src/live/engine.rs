//! The loop of one service: measure, decide, journal, order, show.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use foresail_actuate::{Actuator, Observed};
use foresail_core::{Frame, Goal, Metric, Observation, Order, Quality, ReplicaCounts, Replicas, Sample, Timestamp};
use foresail_proxy::{Proxy, ProxyStats};
use foresail_scale::controller::{Alert, Command, Entry, Ticked};
use foresail_scale::{CapacityLearner, CapacityWindow, Service};
use foresail_server::api::plane::{Actor, AlertView, HistoryPoint, PlaneError, ServiceView, Word};
use foresail_store::{Journal, JournalMark, Rotation};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::brain::Brain;
use super::keeper::Keeper;
use super::league::{League, LeagueOptions};
use super::meter::{Pulse, Window, window};
use super::{plane, view};
use crate::clock::{Stopwatch, Tempo};

/// How often arrivals are looked at between two ticks, and over how long a rise is judged.
const LOOK: Duration = Duration::from_millis(100);
const REACH: Duration = Duration::from_millis(500);
/// How long the target may take to answer before the tick goes on without it.
const TARGET_TIMEOUT: Duration = Duration::from_secs(5);
/// Points of history kept in memory.
const HISTORY: usize = 40_320;
/// A learned capacity is counted by once it differs this much from the one in use.
const CAPACITY_CHANGE: f64 = 0.05;
/// At most this share of the replicas asked for is made up for where endpoints do not pull their weight.
const MAKE_UP: f64 = 0.25;
/// Alerts kept to be shown.
const ALERTS: usize = 100;

/// Everything the loop of one service is made of.
pub(crate) struct EngineOptions {
    /// Name of the service.
    pub(crate) name: String,
    /// Its clock.
    pub(crate) tempo: Tempo,
    /// Time between two ticks, on that clock.
    pub(crate) tick: Duration,
    /// What one replica can do, on that clock.
    pub(crate) service: Service,
    /// Fewest and most replicas.
    pub(crate) limits: (u32, u32),
    /// Whether capacity is learned, or what is configured stands.
    pub(crate) learn_capacity: bool,
    /// Whether endpoints that do not pull their weight are made up for.
    pub(crate) make_up: bool,
    /// Who decides.
    pub(crate) brain: Brain,
    /// The data plane in front of the service.
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// What runs it.
    pub(crate) actuator: Option<Arc<dyn Actuator>>,
    /// Forecasting.
    pub(crate) league: LeagueOptions,
    /// Load before the start, requests a second in real time.
    pub(crate) history: Option<Frame>,
    /// Where decisions are journalled.
    pub(crate) journal: PathBuf,
    /// Moves on with everything there is to see.
    pub(crate) changed: watch::Sender<u64>,
    /// Where state is kept, if anywhere.
    pub(crate) keeper: Option<Keeper>,
    /// Name of the policy.
    pub(crate) policy: String,
    /// Name of the baseline.
    pub(crate) baseline: String,
}

/// What others may see of a running loop, and say to it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) view: Arc<ArcSwap<ServiceView>>,
    pub(super) history: Arc<Mutex<VecDeque<HistoryPoint>>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) words: mpsc::Sender<Said>,
    pub(super) journal: PathBuf,
    pub(super) service: Service,
    pub(super) keeper: Option<Keeper>,
    pub(super) beat: Arc<ArcSwap<Timestamp>>,
    pub(super) tempo: Tempo,
}

/// An operator's word on its way to the loop.
pub(super) struct Said {
    pub(super) actor: Actor,
    pub(super) word: Word,
    pub(super) answer: oneshot::Sender<Result<(), PlaneError>>,
}

/// The loop.
pub(crate) struct Engine {
    options: EngineOptions,
    handle: Handle,
    words: mpsc::Receiver<Said>,
    journal: Journal<Entry>,
    league: League,
    learner: CapacityLearner,
    pulse: Pulse,
    before: Option<(ProxyStats, Stopwatch)>,
    seen: Option<Observed>,
    /// Copies asked for beyond what was decided, to make up for endpoints that do not pull their weight.
    make_up: u32,
    /// Load of the league's open step: sum and number of ticks.
    step: (f64, u32, Option<Timestamp>),
    alerts: VecDeque<AlertView>,
    tick_ms: VecDeque<f64>,
    cpu_s: f64,
    replica_seconds: f64,
    orders: u64,
    last_now: Option<Timestamp>,
    started: Stopwatch,
}

impl Engine {
    /// A loop that has not begun.
    ///
    /// # Errors
    /// If the journal cannot be opened or the capacity is out of range.
    pub(crate) fn new(mut options: EngineOptions) -> anyhow::Result<(Self, Handle)> {
        let rotation = Rotation { max_bytes: Some(256 << 20), daily: false, keep: Some(16) };
        let journal = Journal::of_entries(&options.journal, rotation)
            .with_context(|| format!("cannot open the journal {}", options.journal.display()))?;
        options.brain.number_from(journal.next_id());
        let league = League::start(options.league.clone(), options.history.take())?;
        let learner = CapacityLearner::new(options.service.capacity_rps(), options.service.workers())?;
        let (sender, words) = mpsc::channel(64);
        let empty = view::empty(&options);
        let handle = Handle {
            view: Arc::new(ArcSwap::from_pointee(empty)),
            history: Arc::default(),
            changed: options.changed.clone(),
            words: sender,
            journal: options.journal.clone(),
            service: options.service,
            keeper: options.keeper.clone(),
            beat: Arc::new(ArcSwap::from_pointee(options.tempo.now())),
            tempo: options.tempo.clone(),
        };
        let engine = Self {
            options,
            handle: handle.clone(),
            words,
            journal,
            league,
            learner,
            pulse: Pulse::over(REACH),
            before: None,
            seen: None,
            make_up: 0,
            step: (0.0, 0, None),
            alerts: VecDeque::new(),
            tick_ms: VecDeque::new(),
            cpu_s: 0.0,
            replica_seconds: 0.0,
            orders: 0,
            last_now: None,
            started: Stopwatch::start(),
        };
        Ok((engine, handle))
    }

    /// Turns until `stop` resolves.
    pub(crate) async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut ticks = interval(self.options.tempo.real(self.options.tick));
        // A tick that was missed is made up for: policies count them.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                _ = ticks.tick() => self.tick().await,
                Some(said) = self.words.recv() => self.hear(said).await,
                _ = looks.tick() => self.look().await,
            }
        }
    }

    /// One turn.
    async fn tick(&mut self) {
        let watch = Stopwatch::start();
        let now = self.options.tempo.now();
        self.see().await;
        let window = self.measure();
        let observation = self.observation(now, window.as_ref());
        self.learn_capacity(now, &observation, window.as_ref());
        let ticked = self.options.brain.tick(now, &observation);
        self.write(&Entry::Decided { record: ticked.record.clone() });
        self.keep(now, &observation).await;
        self.make_up_for(window.as_ref());
        self.carry_out(&ticked).await;
        self.tell(now, &ticked.alerts);
        self.forecast(now, &observation);
        self.show(now, &window.unwrap_or_default(), &ticked, watch);
    }

    /// What the target looks like; as it looked before, while it does not answer.
    async fn see(&mut self) {
        let Some(actuator) = &self.options.actuator else { return };
        match timeout(TARGET_TIMEOUT, actuator.observe()).await {
            Ok(Ok(seen)) => self.seen = Some(seen),
            Ok(Err(error)) => tracing::warn!("{}: the target cannot be seen: {error}", self.options.name),
            Err(_) => tracing::warn!("{}: the target does not answer", self.options.name),
        }
    }

    fn measure(&mut self) -> Option<Window> {
        let stats = self.options.proxy.as_ref()?.stats();
        let (before, since) = self.before.replace((stats.clone(), Stopwatch::start()))?;
        Some(window(&before, &stats, since.seconds()))
    }

    /// Replicas as the policies should see them: those that make up for others are not theirs.
    fn replicas(&self) -> ReplicaCounts {
        let Some(seen) = &self.seen else { return ReplicaCounts::default() };
        let less = |n: Replicas| Replicas(n.0.saturating_sub(self.make_up));
        ReplicaCounts {
            desired: less(seen.replicas.desired),
            ready: less(seen.replicas.ready),
            starting: seen.replicas.starting,
        }
    }

    fn observation(&self, now: Timestamp, window: Option<&Window>) -> Observation {
        let mut samples = Vec::new();
        if let Some((window, rps)) = window.and_then(|w| Some((w, w.arrivals_rps()?))) {
            let quality = if window.saturated { Quality::Saturated } else { Quality::Good };
            let value = self.options.tempo.rate(rps);
            samples.push(Sample {
                metric: Metric::RequestRate,
                time: now,
                interval: self.options.tick,
                value,
                quality,
            });
        }
        Observation { time: now, tick: self.options.tick, samples, replicas: self.replicas() }
    }

    /// Between ticks: a load that surely rose beyond what was asked for gets its order now.
    async fn look(&mut self) {
        let Some(proxy) = &self.options.proxy else { return };
        self.pulse.look(self.started.elapsed(), proxy.arrivals());
        let Some(rps) = self.pulse.sure_rps() else { return };
        let now = self.options.tempo.now();
        let value = self.options.tempo.rate(rps);
        let sample = Sample { metric: Metric::RequestRate, time: now, interval: REACH, value, quality: Quality::Good };
        let observation =
            Observation { time: now, tick: self.options.tick, samples: vec![sample], replicas: self.replicas() };
        let Some(ticked) = self.options.brain.urge(now, &observation) else { return };
        self.write(&Entry::Urged { record: ticked.record.clone() });
        self.carry_out(&ticked).await;
    }

    fn learn_capacity(&mut self, now: Timestamp, observation: &Observation, window: Option<&Window>) {
        let (Some(window), true) = (window, self.options.learn_capacity) else { return };
        let speed = self.options.tempo.speed();
        self.learner.observe(&CapacityWindow {
            replicas: (observation.replicas.ready.as_f64() + f64::from(self.make_up) - window.impaired).max(0.0),
            completed: window.completed as f64,
            seconds: window.seconds * speed,
            latency_s: window.typical_s.map(|s| s * speed),
            utilisation: None,
            saturated: window.saturated,
        });
        let estimate = self.learner.estimate();
        let Some(in_use) = self.options.brain.controller().map(|c| c.capacity_rps()) else { return };
        if estimate.is_sure() && (estimate.rps / in_use - 1.0).abs() > CAPACITY_CHANGE {
            let command = Command::SetCapacity { rps: estimate.rps };
            if self.options.brain.command(now, &command).is_ok() {
                self.write(&Entry::Commanded { time: now, command });
            }
        }
    }

    /// How many copies are wanted beyond what was decided, because endpoints that are counted do not serve.
    fn make_up_for(&mut self, window: Option<&Window>) {
        let (Some(window), Some(seen)) = (window, &self.seen) else { return };
        if !self.options.make_up || !self.options.brain.is_acting() {
            self.make_up = 0;
            return;
        }
        let own = seen.replicas.desired.0.saturating_sub(self.make_up);
        let most = (f64::from(own) * MAKE_UP).ceil() as u32;
        let wanted = (window.impaired.round() as u32).min(most).min(self.options.limits.1.saturating_sub(own));
        // Up at once, down one at a time: an endpoint that comes and goes is not worth a start each time.
        self.make_up = if wanted >= self.make_up { wanted } else { self.make_up - 1 };
    }

    async fn carry_out(&mut self, ticked: &Ticked) {
        let Some(actuator) = &self.options.actuator else { return };
        let mut orders = ticked.orders.clone();
        for order in &mut orders {
            if let Goal::Replicas { replicas } = &mut order.goal {
                *replicas = Replicas(replicas.0 + self.make_up);
            }
        }
        let unchanged = orders.iter().all(|o| !matches!(o.goal, Goal::Replicas { .. }));
        if unchanged && self.options.make_up && self.options.brain.is_acting() {
            let wanted = Replicas(ticked.record.decision.desired.0 + self.make_up);
            if self.seen.as_ref().is_some_and(|seen| seen.replicas.desired != wanted) {
                let (decision, time) = (ticked.record.id, ticked.record.time);
                orders.push(Order { decision, time, goal: Goal::Replicas { replicas: wanted } });
            }
        }
        for order in orders {
            match timeout(TARGET_TIMEOUT, actuator.apply(&order)).await {
                Ok(Ok(())) => {
                    self.orders += 1;
                    if let (Goal::Replicas { replicas }, Some(seen)) = (&order.goal, &mut self.seen) {
                        seen.replicas.desired = *replicas;
                    }
                }
                Ok(Err(error)) => tracing::warn!("{}: an order was not carried out: {error}", self.options.name),
                Err(_) => tracing::warn!("{}: the target does not take orders", self.options.name),
            }
        }
    }

    fn write(&mut self, entry: &Entry) {
        if let Err(error) = self.journal.append(entry) {
            tracing::error!("{}: the journal cannot be written: {error}", self.options.name);
        }
    }

    /// Saves what a restart goes on from.
    async fn keep(&mut self, now: Timestamp, observation: &Observation) {
        let (Some(keeper), Some(controller)) = (&self.options.keeper, self.options.brain.controller()) else { return };
        let mark = JournalMark { records: self.journal.next_id() - 1, head: self.journal.head().to_owned() };
        let states =
            [("controller", serde_json::to_vec(controller.state())), ("capacity", serde_json::to_vec(&self.learner))];
        let checkpoints = states.into_iter().filter_map(|(kind, bytes)| Some((kind, bytes.ok()?))).collect();
        keeper.commit(&self.options.name, now, checkpoints, observation.samples.clone(), mark).await;
    }

    /// An operator's word: carried out, journalled, audited, answered.
    async fn hear(&mut self, said: Said) {
        let now = self.options.tempo.now();
        let outcome = match plane::command(&said.word, now) {
            Ok(command) => {
                self.options.brain.command(now, &command).map(|orders| (command, orders)).map_err(|e| e.to_string())
            }
            Err(why) => Err(why),
        };
        let answer = match outcome {
            Ok((command, orders)) => {
                self.write(&Entry::Commanded { time: now, command });
                if let Some(actuator) = &self.options.actuator {
                    for order in &orders {
                        if let Err(error) = actuator.apply(order).await {
                            tracing::warn!("{}: an approved order was not carried out: {error}", self.options.name);
                        }
                    }
                }
                Ok(())
            }
            Err(why) => Err(PlaneError::Refused { why }),
        };
        if let Some(keeper) = &self.options.keeper {
            keeper.audit(now, &self.options.name, &said.actor, &said.word, &answer).await;
        }
        // Whoever asked may have gone.
        let _ = said.answer.send(answer);
        let shown = ServiceView::clone(&self.handle.view.load());
        self.handle.view.store(Arc::new(view::operators(shown, &self.options.brain)));
        self.handle.changed.send_modify(|n| *n += 1);
    }

    fn tell(&mut self, now: Timestamp, alerts: &[Alert]) {
        for alert in alerts {
            tracing::warn!("{}: {alert}", self.options.name);
            self.alerts.push_front(view::alert(now, alert));
            self.alerts.truncate(ALERTS);
        }
    }

    /// Adds the tick's load to the league's open step, and hands the step over when it has ended.
    fn forecast(&mut self, now: Timestamp, observation: &Observation) {
        let start = now.floor_to(self.options.league.step);
        let load = observation.value(Metric::RequestRate);
        match self.step.2 {
            Some(open) if open < start => {
                let (sum, count, _) = self.step;
                self.league.push(open, (count > 0).then(|| self.options.tempo.real_rate(sum / f64::from(count))));
                self.step = (0.0, 0, Some(start));
            }
            None => self.step.2 = Some(start),
            Some(_) => {}
        }
        if let Some(load) = load {
            self.step.0 += load;
            self.step.1 += 1;
        }
    }

    /// Publishes what there is to see.
    fn show(&mut self, now: Timestamp, window: &Window, ticked: &Ticked, watch: Stopwatch) {
        let paid = self.seen.as_ref().map_or(0, |s| s.replicas.ready.0 + s.replicas.starting.0);
        if let Some(last) = self.last_now.replace(now) {
            self.replica_seconds += f64::from(paid) * now.since(last).as_secs_f64();
        }
        let real = |rps: f64| self.options.tempo.real_rate(rps);
        let baseline = self.options.brain.controller().and_then(|c| c.virtual_replicas()).map(|(_, b)| b.ready.0);
        let point = HistoryPoint {
            time: now,
            load_rps: ticked.record.observation.value(Metric::RequestRate).map(real),
            saturated: window.saturated,
            ready: self.seen.as_ref().map_or(0, |s| s.replicas.ready.0),
            desired: ticked.record.decision.desired.0,
            baseline: baseline.unwrap_or(ticked.record.baseline.0),
            late: window.late,
            requests: window.completed + window.errors,
            p99_ms: window.p99_ms,
        };
        {
            let mut history = self.handle.history.lock().unwrap_or_else(PoisonError::into_inner);
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(point);
        }
        let took = watch.seconds();
        self.cpu_s += took;
        if self.tick_ms.len() == 1_000 {
            self.tick_ms.pop_front();
        }
        self.tick_ms.push_back(1_000.0 * took);
        let sight = view::Sight {
            options: &self.options,
            now,
            ticked,
            window,
            seen: self.seen.as_ref(),
            stats: self.before.as_ref().map(|(stats, _)| stats),
            standing: &self.league.standing(),
            learner: &self.learner,
            alerts: &self.alerts,
            tick_ms: &self.tick_ms,
            cpu_s: self.cpu_s,
            replica_seconds: self.replica_seconds,
            orders: self.orders,
        };
        self.handle.view.store(Arc::new(view::view(&sight)));
        self.handle.beat.store(Arc::new(now));
        self.handle.changed.send_modify(|n| *n += 1);
    }
}

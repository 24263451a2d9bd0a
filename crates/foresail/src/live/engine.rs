//! The loop of one service: measure, decide, journal, order, show.

mod act;
mod tell;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use foresail_actuate::{Actuator, Observed};
use foresail_core::{
    Frame, JournalRecord, Known, Metric, Observation, Quality, ReplicaCounts, Replicas, Sample, Timestamp,
};
use foresail_proxy::{Proxy, ProxyStats};
use foresail_scale::controller::{Command, Controller, Entry};
use foresail_scale::discrepancy::Discrepancies;
use foresail_scale::{CapacityLearner, CapacityWindow, Service};
use foresail_server::api::plane::{Actor, HistoryPoint, PlaneError, ServiceView, Word};
use foresail_store::{Journal, Rotation};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::alerts::Alerts;
use super::brain::Brain;
use super::exchange::Exchanged;
use super::expectations::{Expectations, OpenStep};
use super::fingerprint::Prints;
use super::guard::GuardWatch;
use super::keeper::Keeper;
use super::league::{League, LeagueOptions};
use super::meter::{Pulse, Window, window};
use super::notices::Notices;
use super::{rotation, routing, view};
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
/// Decisions kept in memory, so that their first pages need no reading of the journal.
const RECENT: usize = 2_000;
/// Alerts taken up again after a restart.
const ALERTS: u32 = 100;

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
    /// What was learned of it before, if anything.
    pub(crate) learner: Option<CapacityLearner>,
    /// Whether endpoints that do not pull their weight are made up for.
    pub(crate) make_up: bool,
    /// What goes otherwise than predicted, and did before; none where nobody is to be told.
    pub(crate) discrepancies: Option<Discrepancies>,
    /// Who decides.
    pub(crate) brain: Brain,
    /// The data plane in front of the service.
    pub(crate) proxy: Option<Arc<Proxy>>,
    /// The load as another source has it, where there is no data plane to ask.
    pub(crate) samples: Option<mpsc::Receiver<Sample>>,
    /// What the proxy and others tell one another.
    pub(crate) exchanged: Exchanged,
    /// What runs it.
    pub(crate) actuator: Option<Arc<dyn Actuator>>,
    /// What is known ahead, as it changes.
    pub(crate) known: watch::Receiver<Arc<Known>>,
    /// What kind of work it is; none where nobody tells.
    pub(crate) fingerprint: Option<Prints>,
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
    /// Whom to tell of alerts.
    pub(crate) notices: Notices,
    /// The history that is shown; of the loop before this one, if there was one.
    pub(crate) points: Points,
    /// Name of the policy.
    pub(crate) policy: String,
    /// Name of the baseline.
    pub(crate) baseline: String,
}

/// A history to be shown.
pub(crate) type Points = Arc<Mutex<VecDeque<HistoryPoint>>>;

/// The newest decisions, oldest first, as they were journalled.
pub(crate) type Recent = Arc<Mutex<VecDeque<JournalRecord>>>;

/// What others may see of a running loop, and say to it.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(super) view: Arc<ArcSwap<ServiceView>>,
    pub(super) points: Points,
    pub(super) recent: Recent,
    pub(super) changed: watch::Sender<u64>,
    pub(super) words: mpsc::Sender<Said>,
    pub(super) journal: PathBuf,
    pub(super) service: Service,
    pub(super) keeper: Option<Keeper>,
    pub(super) exchanged: Exchanged,
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
    /// What the league has told that is journalled.
    told: u64,
    learner: CapacityLearner,
    pulse: Pulse,
    before: Option<(ProxyStats, Stopwatch)>,
    seen: Option<Observed>,
    /// Copies asked for beyond what was decided, to make up for endpoints that do not pull their weight.
    make_up: u32,
    /// The league's open step.
    step: Option<OpenStep>,
    expectations: Option<Expectations>,
    prints: Option<Prints>,
    guard: GuardWatch,
    /// Of the load at the proxy, as the guard has it.
    quality: Quality,
    alerts: Alerts,
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
        let league = League::start(options.league.clone(), options.known.clone(), options.history.take())?;
        let learner = match options.learner.take() {
            Some(learner) => learner,
            None => CapacityLearner::new(options.service.capacity_rps(), options.service.workers())?,
        };
        let kept = options.keeper.as_ref().map(|keeper| keeper.alerts(&options.name, ALERTS)).transpose()?;
        let alerts = Alerts::restore(&options.name, kept.unwrap_or_default(), options.notices.clone());
        let expectations = options.discrepancies.take().map(Expectations::new);
        let prints = options.fingerprint.take();
        let (sender, words) = mpsc::channel(64);
        let empty = view::empty(&options);
        let handle = Handle {
            view: Arc::new(ArcSwap::from_pointee(empty)),
            points: Arc::clone(&options.points),
            recent: Recent::default(),
            changed: options.changed.clone(),
            words: sender,
            journal: options.journal.clone(),
            service: options.service,
            exchanged: options.exchanged.clone(),
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
            told: 0,
            learner,
            pulse: Pulse::over(REACH),
            before: None,
            seen: None,
            make_up: 0,
            step: None,
            expectations,
            prints,
            guard: GuardWatch::default(),
            quality: Quality::Good,
            alerts,
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
        self.watch_guard(now);
        let observation = self.observation(now, window.as_ref());
        self.learn_capacity(now, &observation, window.as_ref());
        self.learn_events(now);
        self.take_prints(now, window.as_ref());
        let ticked = self.options.brain.tick(now, &observation);
        self.write(&Entry::Decided { record: ticked.record.clone() });
        self.alerts.follow(now, &ticked.alerts, &ticked.ended);
        if let Some((stats, _)) = &self.before {
            self.alerts.balancing(now, &stats.balancers);
            self.alerts.routing(now, stats.router.as_ref());
        }
        self.keep(now, &observation).await;
        self.make_up_for(window.as_ref());
        self.carry_out(&ticked).await;
        self.forecast(&observation, window.as_ref());
        self.write_news();
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
        let now = self.options.tempo.now();
        for text in rotation::told(&before, &stats).into_iter().chain(routing::told(&before, &stats)) {
            self.write(&Entry::Told { time: now, text });
        }
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

    fn observation(&mut self, now: Timestamp, window: Option<&Window>) -> Observation {
        let mut samples = Vec::new();
        if let Some(feed) = &mut self.options.samples {
            samples.extend(std::iter::from_fn(|| feed.try_recv().ok()));
        }
        if let Some((window, rps)) = window.and_then(|w| Some((w, w.arrivals_rps()?))) {
            let quality = match self.quality {
                Quality::Good if window.saturated => Quality::Saturated,
                quality => quality,
            };
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

    fn learn_capacity(&mut self, now: Timestamp, observation: &Observation, window: Option<&Window>) {
        let Some(window) = window.filter(|w| self.options.learn_capacity && w.tells_of_capacity()) else { return };
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

    /// Tells the controller of the events that calendars announce, when they change.
    fn learn_events(&mut self, now: Timestamp) {
        // A sender that is gone has nothing new.
        if !self.options.known.has_changed().unwrap_or(false) {
            return;
        }
        let events = self.options.known.borrow_and_update().events.clone();
        let Some(controller) = self.options.brain.controller() else { return };
        if !controller.knows_calendar(now, &events) {
            let command = Command::Calendar { events };
            match self.options.brain.command(now, &command) {
                Ok(_) => self.write(&Entry::Commanded { time: now, command }),
                Err(refused) => tracing::warn!("{}: the calendars' events: {refused}", self.options.name),
            }
        }
    }

    /// Takes what the guard makes of the load, and writes down when it begins to act and when that is over.
    fn watch_guard(&mut self, now: Timestamp) {
        let Some(account) = self.options.proxy.as_ref().and_then(|proxy| proxy.guard_account()) else { return };
        self.quality = self.guard.quality(&account);
        if let Some(entry) = self.guard.tick(now, &account, &self.options.tempo) {
            self.write(&entry);
        }
    }

    /// Takes what the workers have seen of the work; a change of its kind is written down.
    fn take_prints(&mut self, now: Timestamp, window: Option<&Window>) {
        let (Some(prints), Some(proxy)) = (&mut self.prints, &self.options.proxy) else { return };
        if let Some(shifted) = prints.tick(now, proxy.take_workload(), window) {
            self.write(&shifted);
        }
    }

    /// Adds the load to the league's open step; hands the step over when it has ended, and compares it with what was
    /// expected.
    fn forecast(&mut self, observation: &Observation, window: Option<&Window>) {
        let length = self.options.league.step;
        for sample in observation.samples.iter().filter(|s| s.metric == Metric::RequestRate) {
            let start = (sample.time - sample.interval).floor_to(length);
            if let Some(ended) = self.step.take_if(|open| open.start < start) {
                let capacity_rps = self.capacity_rps();
                if let Some(expectations) = &mut self.expectations {
                    let (standing, tempo) = (self.league.standing(), &self.options.tempo);
                    let beside = (&*standing, self.seen.as_ref());
                    expectations.compare(&ended, length, beside, capacity_rps, tempo, &mut self.alerts);
                }
                let regime = self.prints.as_ref().and_then(Prints::regime);
                self.league.push(ended.start, ended.load().map(|load| self.options.tempo.real_rate(load)), regime);
            }
            let is_sound = matches!(sample.quality, Quality::Good | Quality::Saturated);
            let load = is_sound.then_some(sample.value);
            self.step.get_or_insert_with(|| OpenStep::at(start)).add(load, window);
        }
    }

    /// Capacity of a replica by which replicas are counted.
    fn capacity_rps(&self) -> f64 {
        let controller = self.options.brain.controller();
        controller.map_or(self.options.service.capacity_rps(), Controller::capacity_rps)
    }
}

//! What all threads of a proxy share. Request paths read snapshots and write to their own counters; nothing here is
//! locked on their way.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use foresail_route::{BalancerReport, SharedStatistics};
use tokio::sync::{Notify, watch};

use crate::ProxyConfig;
use crate::clock;
use crate::counters::Counters;
use crate::fleet::Fleets;
use crate::guard::SharedGuard;
use crate::router::SharedRouter;
use crate::workload::Waiting;

/// A proxy that has not spoken for so long is not listened to: its word is of another time.
pub(crate) const HEARD_MS: u64 = 10_000;
/// Other proxies that are listened to, beside the latest.
const MOST_HEARD: usize = 31;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) started: Instant,
    pub(crate) fleets: Fleets,
    config: ArcSwap<ProxyConfig>,
    config_generation: AtomicU64,
    /// One per worker.
    pub(crate) counters: Vec<Counters>,
    pub(crate) doors: Vec<Door>,
    /// What their balancers last said of themselves, one per worker.
    pub(crate) balancers: Vec<ArcSwapOption<BalancerReport>>,
    /// What their balancers last told one another, one per worker.
    pub(crate) statistics: Vec<ArcSwapOption<SharedStatistics>>,
    /// What other proxies told last, with the time at which they did, in ms since the start; one word a sender.
    pub(crate) heard: ArcSwap<Vec<(u64, SharedStatistics)>>,
    /// This proxy among those that tell one another; another one after each start.
    pub(crate) name: u64,
    /// What they have seen of the work and nobody has taken yet, one per worker.
    pub(crate) workloads: Vec<Waiting>,
    /// Keys of the hash by which balancers tell clients apart: drawn at the start and told nobody, so that no client can choose
    /// whose say it shares.
    pub(crate) clients: RandomState,
    /// Of the router, if there is one.
    pub(crate) router: Option<Arc<SharedRouter>>,
    /// Of the guard, if there is one.
    pub(crate) guard: Option<Arc<SharedGuard>>,
    /// Requests that wait, all workers together.
    pub(crate) queued: AtomicUsize,
    /// Client connections, all workers together.
    pub(crate) connections: AtomicUsize,
    /// Spans that the collector took, and those that it did not.
    pub(crate) spans_exported: AtomicU64,
    pub(crate) spans_failed: AtomicU64,
    /// An endpoint has failed so often in a row that the supervisor should look.
    pub(crate) alarm: Notify,
    pub(crate) phase: watch::Sender<Phase>,
    /// Another proxy shares the addresses and takes what comes from now on.
    pub(crate) is_succeeded: AtomicBool,
}

/// How a worker is told that an endpoint may have become free.
#[derive(Debug, Default)]
pub(crate) struct Door {
    pub(crate) waiting: AtomicUsize,
    pub(crate) bell: Notify,
}

/// What the proxy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Running,
    /// No new connections; requests may finish until then.
    Draining(Instant),
}

impl Shared {
    pub(crate) fn new(config: ProxyConfig, workers: usize, router: Option<Arc<SharedRouter>>) -> Self {
        Self {
            started: clock::now(),
            fleets: Fleets::new(workers),
            clients: RandomState::new(),
            router,
            guard: config.guard.as_ref().map(|guard| Arc::new(SharedGuard::new(workers, guard))),
            config: ArcSwap::from_pointee(config),
            config_generation: AtomicU64::new(1),
            counters: (0..workers).map(|_| Counters::new()).collect(),
            doors: (0..workers).map(|_| Door::default()).collect(),
            balancers: (0..workers).map(|_| ArcSwapOption::empty()).collect(),
            statistics: (0..workers).map(|_| ArcSwapOption::empty()).collect(),
            heard: ArcSwap::default(),
            // The hasher's keys are the one source of entropy that the standard library offers.
            name: RandomState::new().hash_one("proxy"),
            workloads: (0..workers).map(|_| Waiting::empty()).collect(),
            queued: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            spans_exported: AtomicU64::new(0),
            spans_failed: AtomicU64::new(0),
            alarm: Notify::new(),
            phase: watch::Sender::new(Phase::Running),
            is_succeeded: AtomicBool::new(false),
        }
    }

    pub(crate) fn workers(&self) -> usize {
        self.counters.len()
    }

    pub(crate) fn config(&self) -> Arc<ProxyConfig> {
        self.config.load_full()
    }

    #[inline]
    pub(crate) fn config_generation(&self) -> u64 {
        self.config_generation.load(Ordering::Acquire)
    }

    pub(crate) fn set_config(&self, config: ProxyConfig) {
        self.config.store(Arc::new(config));
        self.config_generation.fetch_add(1, Ordering::Release);
    }

    /// Milliseconds since the proxy started.
    pub(crate) fn ms_at(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }

    /// Keeps another proxy's word in the place of its last one, and lets those go that have not spoken for a while.
    pub(crate) fn hear(&self, statistics: &SharedStatistics, now: Instant) {
        let now_ms = self.ms_at(now);
        self.heard.rcu(|heard| {
            let fresh = |(at_ms, word): &&(u64, SharedStatistics)| {
                now_ms.saturating_sub(*at_ms) < HEARD_MS && word.sender() != statistics.sender()
            };
            let mut heard: Vec<_> = heard.iter().filter(fresh).take(MOST_HEARD).cloned().collect();
            heard.push((now_ms, statistics.clone()));
            heard
        });
    }

    /// Lets every worker look again whether an endpoint is free and whether the set has changed.
    pub(crate) fn ring_all(&self) {
        for door in &self.doors {
            door.bell.notify_one();
        }
    }

    pub(crate) fn drain(&self, grace: Duration) {
        let until = clock::now() + grace;
        self.phase.send_if_modified(|phase| {
            let sooner = match *phase {
                Phase::Running => true,
                Phase::Draining(earlier) => until < earlier,
            };
            if sooner {
                *phase = Phase::Draining(until);
            }
            sooner
        });
    }
}

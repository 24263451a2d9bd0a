//! One thread's view of the proxy: its copies of the snapshots, its pools, its balancer, its queue.

mod entrance;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foresail_core::SeededRng;
use foresail_core::fingerprint::path_pattern;
use foresail_guard::ClientId;
use foresail_route::{Balancer, ClassLatency, Feedback, RetryBudget, RetryBudgetConfig, RouteRequest};
use hyper::header::HeaderValue;
use tokio::sync::Notify;

use crate::counters::Counters;
use crate::guard::Sentry;
use crate::outlets::Outlets;
use crate::pool::LocalEndpoint;
use crate::queue::WaitQueue;
use crate::record::Record;
use crate::router::Desk;
use crate::shared::{Phase, Shared};
use crate::watch::Watch;
use crate::workload::Observer;
use crate::{ProxyConfig, clock};

pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) outlets: Outlets,
    rng: RefCell<SeededRng>,
    config: RefCell<Rc<ProxyConfig>>,
    pub(crate) config_generation: Cell<u64>,
    fleet: RefCell<Rc<LocalFleet>>,
    pub(crate) balancer: RefCell<Box<dyn Balancer>>,
    pub(crate) budget: RefCell<RetryBudget>,
    /// Of asking a second endpoint, if that is wanted.
    pub(crate) hedges: RefCell<Option<RetryBudget>>,
    /// How long answers take, by class of request, as far as anybody wants to know.
    pub(crate) classes: RefCell<ClassLatency>,
    pub(crate) desk: Option<Desk>,
    pub(crate) sentry: Option<Sentry>,
    pub(crate) observer: Observer,
    pub(crate) queue: WaitQueue,
    connections: RefCell<BTreeMap<u64, Rc<Watch>>>,
    next_connection: Cell<u64>,
    per_client: RefCell<BTreeMap<IpAddr, usize>>,
    guests: Cell<usize>,
    left: Notify,
    is_draining: Cell<bool>,
    next_report_ms: Cell<u64>,
    next_exchange_ms: Cell<u64>,
}

/// How often a balancer is asked what it has learned.
const REPORT_MS: u64 = 1_000;

/// How often balancers tell one another what they learned: those of one proxy, which see each other's requests in flight, and
/// where other proxies take part, whose requests nobody here sees.
const EXCHANGE_MS: u64 = 200;
const WITH_OTHERS_MS: u64 = 50;

/// How long an idle connection is left open in a drain: a request may be on its way, and is answered with the word that it
/// was the last one. Closed at once, the connection would take that request with it.
const IDLE: Duration = Duration::from_secs(1);

/// The endpoints with this worker's connections to them.
pub(crate) struct LocalFleet {
    pub(crate) generation: u64,
    pub(crate) endpoints: Vec<Rc<LocalEndpoint>>,
}

impl Worker {
    pub(crate) fn new(index: usize, shared: Arc<Shared>, outlets: Outlets) -> Self {
        let config = Rc::new(ProxyConfig::clone(&shared.config()));
        // The hasher's keys are the one source of entropy that the standard library offers.
        let seed = RandomState::new().hash_one(index);
        let guard = shared.guard.as_ref().zip(config.guard.as_ref());
        let sentry = guard.map(|(shared, config)| Sentry::new(index, Arc::clone(shared), config));
        Self {
            index,
            outlets,
            rng: RefCell::new(SeededRng::seed_from_u64(seed)),
            balancer: RefCell::new(config.balancer.exploring(index as u64, config.explore)),
            budget: RefCell::new(RetryBudget::new(config.retry.budget, 0)),
            hedges: RefCell::new(hedges(&config)),
            classes: RefCell::default(),
            desk: shared.router.as_ref().map(|router| Desk::new(index, Arc::clone(router))),
            sentry,
            observer: Observer::new(clock::now()),
            config_generation: Cell::new(shared.config_generation()),
            config: RefCell::new(config),
            fleet: RefCell::new(Rc::new(LocalFleet { generation: 0, endpoints: Vec::new() })),
            queue: WaitQueue::default(),
            connections: RefCell::new(BTreeMap::new()),
            next_connection: Cell::new(0),
            per_client: RefCell::new(BTreeMap::new()),
            guests: Cell::new(0),
            left: Notify::new(),
            is_draining: Cell::new(false),
            next_report_ms: Cell::new(0),
            next_exchange_ms: Cell::new(0),
            shared,
        }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.shared.counters[self.index]
    }

    /// Gives the record of a request that is over to those who keep it. Whoever has fallen behind does without it.
    pub(crate) fn hand_out(&self, record: Box<Record>) {
        if let Some(spans) = self.outlets.spans.as_ref().filter(|_| record.span.is_some())
            && !spans.send(Record::clone(&record))
        {
            self.counters().spans_dropped.increment();
        }
        if let Some(log) = &self.outlets.log
            && !log.send(record)
        {
            self.counters().log_lines_lost.increment();
        }
    }

    /// Tells the balancer what came of its pick, and now and then others what it makes of it.
    pub(crate) fn feed_back(&self, feedback: &Feedback) {
        let mut balancer = self.balancer.borrow_mut();
        balancer.observe(feedback);
        if feedback.at_ms >= self.next_report_ms.get() {
            self.next_report_ms.set(feedback.at_ms + REPORT_MS);
            if let Some(report) = balancer.report() {
                self.shared.balancers[self.index].store(Some(Arc::new(report)));
            }
        }
        if feedback.at_ms >= self.next_exchange_ms.get() {
            let is_alone = self.shared.heard.load().is_empty();
            self.next_exchange_ms.set(feedback.at_ms + if is_alone { EXCHANGE_MS } else { WITH_OTHERS_MS });
            self.exchange(balancer.as_mut(), feedback.at_ms);
        }
    }

    pub(crate) fn random(&self) -> u64 {
        self.rng.borrow_mut().next_u64()
    }

    /// Whether something comes true that does so with a probability of `share`.
    pub(crate) fn chance(&self, share: f64) -> bool {
        self.rng.borrow_mut().uniform() < share
    }

    /// 128 random bits in hexadecimal.
    pub(crate) fn fresh_id(&self) -> HeaderValue {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 32];
        let words = [self.random(), self.random()];
        for (i, byte) in words.iter().flat_map(|word| word.to_be_bytes()).enumerate() {
            text[2 * i] = DIGITS[usize::from(byte >> 4)];
            text[2 * i + 1] = DIGITS[usize::from(byte & 15)];
        }
        HeaderValue::from_bytes(&text).expect("hexadecimal digits are visible ASCII")
    }

    /// The present settings.
    pub(crate) fn config(&self) -> Rc<ProxyConfig> {
        let generation = self.shared.config_generation();
        if generation != self.config_generation.get() {
            let fresh = Rc::new(ProxyConfig::clone(&self.shared.config()));
            let old = self.config.replace(Rc::clone(&fresh));
            self.config_generation.set(generation);
            if (&old.balancer, old.explore) != (&fresh.balancer, fresh.explore) {
                *self.balancer.borrow_mut() = fresh.balancer.exploring(self.index as u64, fresh.explore);
                self.shared.balancers[self.index].store(None);
                self.shared.statistics[self.index].store(None);
            }
            if old.retry.budget != fresh.retry.budget {
                *self.budget.borrow_mut() = RetryBudget::new(fresh.retry.budget, 0);
            }
            if old.retry.hedge != fresh.retry.hedge {
                *self.hedges.borrow_mut() = hedges(&fresh);
            }
        }
        Rc::clone(&self.config.borrow())
    }

    /// The present endpoints. Connections to those that stay are kept.
    pub(crate) fn fleet(&self) -> Rc<LocalFleet> {
        if self.shared.fleets.generation() != self.fleet.borrow().generation {
            let fresh = self.shared.fleets.load();
            let old = Rc::clone(&self.fleet.borrow());
            let local = |slot: &Arc<crate::fleet::Slot>| {
                let kept = old.endpoints.iter().find(|e| Arc::ptr_eq(&e.slot, slot));
                kept.map_or_else(|| Rc::new(LocalEndpoint::new(Arc::clone(slot))), Rc::clone)
            };
            let endpoints = fresh.slots.iter().map(local).collect();
            *self.fleet.borrow_mut() = Rc::new(LocalFleet { generation: fresh.generation, endpoints });
        }
        Rc::clone(&self.fleet.borrow())
    }

    /// Answers from now on say that they are the last ones. Clients of HTTP/2 are told at once, for there a request that
    /// crosses the message on its way is still answered.
    pub(crate) fn announce_end(&self) {
        self.is_draining.set(true);
        self.connections.borrow().values().filter(|watch| watch.is_raw.get()).for_each(|watch| watch.drain());
    }

    /// Lets connections finish what they are at, then close.
    pub(crate) fn close_idle(&self) {
        self.connections.borrow().values().for_each(|watch| watch.drain());
    }

    pub(crate) fn idle_grace(&self) -> Duration {
        IDLE
    }

    /// By when all connections end; now if the proxy does not drain.
    pub(crate) fn drained_by(&self) -> Instant {
        match *self.shared.phase.borrow() {
            Phase::Draining(until) => until,
            Phase::Running => clock::now(),
        }
    }

    /// Whether connections should end after the request that they are at.
    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.get()
    }

    /// Whether no client connection is left.
    pub(crate) fn is_deserted(&self) -> bool {
        self.guests.get() == 0
    }

    /// Waits for a connection to end.
    pub(crate) async fn deserted(&self) {
        self.left.notified().await;
    }

    pub(crate) fn kill_connections(&self) {
        self.connections.borrow().values().for_each(|watch| watch.kill());
    }

    /// Closes upstream connections that have been idle too long or belong to nobody any more, and tells what the guard, the
    /// observer and the router's desk have seen since they last said so.
    pub(crate) fn sweep(&self, now: Instant) {
        self.observer.hand_over(now, &self.shared.workloads[self.index]);
        if let Some(desk) = &self.desk {
            desk.hand_over(now);
        }
        if let Some(sentry) = &self.sentry {
            sentry.report(now);
        }
        let config = self.config();
        for endpoint in &self.fleet().endpoints {
            endpoint.sweep(now, config.deadlines.upstream_idle);
        }
    }

    /// What is to be known of this request when an endpoint is chosen for it.
    pub(crate) fn wish(
        &self,
        config: &ProxyConfig,
        client: IpAddr,
        has_patience: bool,
        parts: &hyper::http::request::Parts,
    ) -> Wish {
        let is_timed = has_patience || config.retry.hedge.is_some();
        let router = config.router.as_ref().zip(self.desk.as_ref());
        Wish {
            hash: self.hash(config, client, parts),
            client: self.shared.clients.hash_one(ClientId::of(client).word()),
            class: is_timed.then(|| path_pattern(parts.method.as_str(), parts.uri.path())),
            route: router.map(|(settings, desk)| Box::new(desk.request(settings, parts))),
        }
    }

    /// What ties this request to an endpoint, or is its context, if the balancer asks.
    fn hash(&self, config: &ProxyConfig, client: IpAddr, parts: &hyper::http::request::Parts) -> Option<u64> {
        use foresail_route::HashKey;
        match config.balancer.hash_key()? {
            HashKey::ClientAddress => Some(crate::fleet::fnv1a(client.to_string().as_bytes())),
            HashKey::Path => Some(crate::fleet::fnv1a(parts.uri.path().as_bytes())),
            HashKey::Header(name) => parts.headers.get(name).map(|v| crate::fleet::fnv1a(v.as_bytes())),
            _ => None,
        }
    }
}

fn hedges(config: &ProxyConfig) -> Option<RetryBudget> {
    let budget = |share: f64| RetryBudget::new(RetryBudgetConfig { share, least_per_second: 0.0 }, 0);
    config.retry.hedge.map(|hedge| budget(hedge.share))
}

/// What of a request decides where it goes.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// For the balancer.
    pub(crate) hash: Option<u64>,
    /// Whose answer it learns from: a keyed hash of the address, or of the network of 64 bits.
    pub(crate) client: u64,
    /// Of which class it is, if it matters how long the like take.
    pub(crate) class: Option<u64>,
    /// For the router.
    pub(crate) route: Option<Box<RouteRequest>>,
}

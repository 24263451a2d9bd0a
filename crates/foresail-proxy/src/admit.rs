//! Choosing an endpoint and holding a place at it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use foresail_route::{Balancer, Endpoints, Feedback, LoggedPick, Pick, SharedStatistics, Sight, View};

use crate::clock;
use crate::config::Admission;
use crate::pool::LocalEndpoint;
use crate::router::{Desk, Routed};
use crate::shared::HEARD_MS;
use crate::worker::{LocalFleet, Wish, Worker};

/// A place at an endpoint, held from the pick to the last byte of the answer, and given back by being dropped: on
/// success, failure, cancellation and panic alike.
pub(crate) struct Lease {
    pub(crate) endpoint: Rc<LocalEndpoint>,
    worker: Rc<Worker>,
    started: Instant,
    decay: Duration,
    hash: Option<u64>,
    client: u64,
    class: Option<u64>,
    /// Others in flight there when it was picked.
    others: u32,
    /// Why it went to this service, if there are several.
    routed: Option<Routed>,
    /// What the answer said that it used.
    pub(crate) resource: Option<f64>,
    /// The pick, if it is one of those that are written down, until it is known how it went.
    logged: Option<Box<LoggedPick>>,
    is_settled: bool,
}

/// The endpoints as a balancer sees them.
struct Candidates<'a> {
    fleet: &'a LocalFleet,
    tried: &'a [Rc<LocalEndpoint>],
    admission: Admission,
    panic: bool,
    /// The endpoints of one service only, as the router's desk knows them.
    within: Option<(&'a Desk, usize)>,
    now_ms: u64,
    decay: Duration,
}

impl Endpoints for Candidates<'_> {
    fn count(&self) -> usize {
        self.fleet.endpoints.len()
    }

    fn view(&self, index: usize) -> View {
        let slot = &self.fleet.endpoints[index].slot;
        View {
            in_flight: slot.in_flight.taken(),
            latency_ms: slot.latency_ms(self.now_ms, self.decay),
            failure_rate: slot.failure_rate(),
            weight: slot.weight(),
            available: self.is_available(index),
        }
    }

    fn is_available(&self, index: usize) -> bool {
        let endpoint = &self.fleet.endpoints[index];
        endpoint.slot.in_flight.is_free(endpoint.most_in_flight(&self.admission))
            && endpoint.slot.health.is_usable(self.panic)
            && !self.tried.iter().any(|tried| Rc::ptr_eq(tried, endpoint))
            && self.within.is_none_or(|(desk, service)| desk.is_of(index, service))
    }

    fn key(&self, index: usize) -> u64 {
        self.fleet.endpoints[index].slot.key
    }

    fn generation(&self) -> u64 {
        self.fleet.generation
    }
}

impl Worker {
    /// A place at an endpoint, if one is free now. Endpoints in `tried` are taken only if there is no other.
    pub(crate) fn try_lease(self: &Rc<Self>, tried: &[Rc<LocalEndpoint>], wish: &Wish) -> Option<Lease> {
        self.lease_beyond(tried, wish).or_else(|| if tried.is_empty() { None } else { self.lease_beyond(&[], wish) })
    }

    /// A place at an endpoint that is not in `tried`, if one is free now.
    pub(crate) fn lease_beyond(self: &Rc<Self>, tried: &[Rc<LocalEndpoint>], wish: &Wish) -> Option<Lease> {
        let config = self.config();
        let fleet = self.fleet();
        let now = clock::now();
        let mut balancer = self.balancer.borrow_mut();
        let mut candidates = Candidates {
            fleet: &fleet,
            tried,
            admission: config.admission,
            panic: self.shared.fleets.panic.load(Ordering::Relaxed),
            within: None,
            now_ms: self.shared.ms_at(now),
            decay: balancer.latency_decay(),
        };
        // Another worker may take the last place between the look and the grasp; then the next look sees it full.
        for _ in 0..=fleet.endpoints.len() {
            let routed = match self.desk.as_ref().zip(wish.route.as_deref()) {
                None => None,
                Some((desk, request)) => {
                    candidates.within = None;
                    let settings = (&*config, self.config_generation.get());
                    let is_available = |index| candidates.is_available(index);
                    let routed = desk.route(settings, &fleet, request, self.random(), is_available)?;
                    candidates.within = Some((desk, routed.service));
                    Some(routed)
                }
            };
            let pick = Pick { random: self.random(), hash: wish.hash };
            let index = balancer.pick(&candidates, pick)?;
            let is_logged = config.picks.as_ref().is_some_and(|picks| self.chance(picks.share));
            let logged = if is_logged { LoggedPick::of(balancer.as_mut(), &candidates, pick, index) } else { None };
            let endpoint = &fleet.endpoints[index];
            if let Some(others) = endpoint.slot.in_flight.take(endpoint.most_in_flight(&config.admission)) {
                endpoint.slot.shard(self.index).picks.increment();
                return Some(Lease {
                    endpoint: Rc::clone(endpoint),
                    worker: Rc::clone(self),
                    started: now,
                    decay: candidates.decay,
                    hash: wish.hash,
                    client: wish.client,
                    class: wish.class,
                    others,
                    routed,
                    resource: None,
                    logged: logged.map(Box::new),
                    is_settled: false,
                });
            }
        }
        None
    }

    /// Tells the other workers what the balancer learned here, and it what they and other proxies did. What is in flight the
    /// workers all see.
    pub(crate) fn exchange(&self, balancer: &mut dyn Balancer, now_ms: u64) {
        let fleet = self.fleet();
        let decay = balancer.latency_decay();
        let admission = Admission { in_flight_per_endpoint: 0, adaptive: None, ..Admission::default() };
        let candidates = Candidates { fleet: &fleet, tried: &[], admission, panic: false, within: None, now_ms, decay };
        let Some(own) = balancer.share(self.index as u64, &candidates) else { return };
        self.shared.statistics[self.index].store(Some(Arc::new(own)));
        let others = self.shared.statistics.iter().enumerate().filter(|(index, _)| *index != self.index);
        let mut hear = |statistics: &SharedStatistics, sight| {
            if let Err(error) = balancer.merge(statistics.clone(), sight) {
                tracing::debug!(%error, ?sight, "another's statistics are of no use here");
            }
        };
        others.filter_map(|(_, cell)| cell.load_full()).for_each(|statistics| hear(&statistics, Sight::Shared));
        let heard = self.shared.heard.load();
        let fresh = heard.iter().filter(|(at_ms, _)| now_ms.saturating_sub(*at_ms) < HEARD_MS);
        fresh.for_each(|(_, statistics)| hear(statistics, Sight::Own));
    }

    /// An endpoint has a free place: lets a waiting request look, here or at another worker.
    fn release(&self) {
        let doors = &self.shared.doors;
        if self.shared.queued.load(Ordering::SeqCst) == 0 {
            return;
        }
        self.queue.wake_front();
        let others = doors.iter().enumerate().filter(|(i, _)| *i != self.index);
        for (_, door) in others {
            if door.waiting.load(Ordering::SeqCst) > 0 {
                door.bell.notify_one();
            }
        }
    }
}

impl Lease {
    /// Since when the place is held: what was waited for it is over then.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The head of an answer that is no failure has come.
    pub(crate) fn answered(&mut self, now: Instant) {
        let (first_byte_ms, now_ms) = self.took(now);
        if let Some(adaptive) = &self.worker.config().admission.adaptive {
            self.endpoint.limit.borrow_mut().observe(adaptive, first_byte_ms, self.others, now_ms);
        }
        if let Some(class) = self.class {
            self.worker.classes.borrow_mut().observe(class, first_byte_ms, now_ms);
        }
    }

    /// Another endpoint was asked too, and has answered before this one: it takes longer than that at least.
    pub(crate) fn outpaced(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.took(now);
        }
    }

    /// Tells all who choose endpoints how long this one took, and gives that in ms with the time of now.
    fn took(&mut self, now: Instant) -> (f64, u64) {
        let taken_ms = now.saturating_duration_since(self.started).as_secs_f64() * 1000.0;
        let now_ms = self.worker.shared.ms_at(now);
        self.endpoint.slot.observe(Some(taken_ms), now_ms, self.decay);
        self.feed_back(Some(taken_ms), now);
        (taken_ms, now_ms)
    }

    /// The endpoint has said what it has in flight, from whomever.
    pub(crate) fn hinted(&self, in_flight: f64, now: Instant) {
        let slot = &self.endpoint.slot;
        let unseen = (in_flight - f64::from(slot.in_flight.taken())).max(0.0);
        self.worker.balancer.borrow_mut().hint(slot.key, unseen, self.worker.shared.ms_at(now));
    }

    /// Writes the pick down, if it is one of those, now that it is known how it went.
    fn log_pick(&mut self, latency_ms: Option<f64>) {
        let Some((mut pick, log)) = self.logged.take().zip(self.worker.outlets.picks.as_ref()) else { return };
        let failure_cost_ms = || self.worker.config().balancer.failure_cost().as_secs_f64() * 1_000.0;
        pick.reward = -latency_ms.unwrap_or_else(failure_cost_ms);
        if !log.send(pick) {
            self.worker.counters().log_lines_lost.increment();
        }
    }

    /// Tells a balancer that learns, and the router, what came of their choice.
    fn feed_back(&mut self, latency_ms: Option<f64>, now: Instant) {
        self.log_pick(latency_ms);
        let at_ms = self.worker.shared.ms_at(now);
        let (key, in_flight) = (self.endpoint.slot.key, self.others);
        let feedback = Feedback { key, context: self.hash, client: Some(self.client), latency_ms, in_flight, at_ms };
        self.worker.feed_back(&feedback);
        if let Some((desk, routed)) = self.worker.desk.as_ref().zip(self.routed.as_ref()) {
            desk.tell(routed, latency_ms, self.resource, at_ms, now);
        }
    }

    /// The endpoint failed. Counted once, whatever else goes wrong afterwards.
    pub(crate) fn failed(&mut self) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let slot = Arc::clone(&self.endpoint.slot);
        slot.shard(self.worker.index).failed.increment();
        slot.observe(None, 0, self.decay);
        self.feed_back(None, clock::now());
        let run = self.worker.config().health.outlier.consecutive_failures;
        if run > 0 && slot.consecutive_failures.load(Ordering::Relaxed).is_multiple_of(run) {
            self.worker.shared.alarm.notify_one();
        }
    }

    /// The answer was delivered to its last byte.
    pub(crate) fn completed(&mut self, now: Instant) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let shard = self.endpoint.slot.shard(self.worker.index);
        shard.completed.increment();
        shard.latency.record(now.saturating_duration_since(self.started).as_micros() as u64);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.endpoint.slot.in_flight.give_back();
        self.worker.release();
    }
}

//! Choosing an endpoint and holding a place at it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use foresail_route::{Balancer, Endpoints, Feedback, Pick, SharedStatistics, Sight, View};

use crate::clock;
use crate::pool::LocalEndpoint;
use crate::worker::{LocalFleet, Worker};

/// A place at an endpoint, held from the pick to the last byte of the answer, and given back by being dropped: on
/// success, failure, cancellation and panic alike.
pub(crate) struct Lease {
    pub(crate) endpoint: Rc<LocalEndpoint>,
    worker: Rc<Worker>,
    started: Instant,
    decay: Duration,
    hash: Option<u64>,
    /// Others in flight there when it was picked.
    others: u32,
    is_settled: bool,
}

/// The endpoints as a balancer sees them.
struct Candidates<'a> {
    fleet: &'a LocalFleet,
    tried: &'a [Rc<LocalEndpoint>],
    most_in_flight: u32,
    panic: bool,
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
        endpoint.slot.in_flight.is_free(self.most_in_flight)
            && endpoint.slot.health.is_usable(self.panic)
            && !self.tried.iter().any(|tried| Rc::ptr_eq(tried, endpoint))
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
    pub(crate) fn try_lease(self: &Rc<Self>, tried: &[Rc<LocalEndpoint>], hash: Option<u64>) -> Option<Lease> {
        self.lease_beyond(tried, hash).or_else(|| if tried.is_empty() { None } else { self.lease_beyond(&[], hash) })
    }

    fn lease_beyond(self: &Rc<Self>, tried: &[Rc<LocalEndpoint>], hash: Option<u64>) -> Option<Lease> {
        let config = self.config();
        let fleet = self.fleet();
        let now = clock::now();
        let limit = config.admission.in_flight_per_endpoint;
        let most_in_flight = if limit == 0 { u32::MAX } else { limit };
        let mut balancer = self.balancer.borrow_mut();
        let candidates = Candidates {
            fleet: &fleet,
            tried,
            most_in_flight,
            panic: self.shared.fleets.panic.load(Ordering::Relaxed),
            now_ms: self.shared.ms_at(now),
            decay: balancer.latency_decay(),
        };
        // Another worker may take the last place between the look and the grasp; then the next look sees it full.
        for _ in 0..=fleet.endpoints.len() {
            let index = balancer.pick(&candidates, Pick { random: self.random(), hash })?;
            let endpoint = &fleet.endpoints[index];
            if let Some(others) = endpoint.slot.in_flight.take(most_in_flight) {
                endpoint.slot.shard(self.index).picks.increment();
                return Some(Lease {
                    endpoint: Rc::clone(endpoint),
                    worker: Rc::clone(self),
                    started: now,
                    decay: candidates.decay,
                    hash,
                    others,
                    is_settled: false,
                });
            }
        }
        None
    }

    /// Tells the other workers what the balancer learned here, and it what the others did. What is in flight they all see.
    pub(crate) fn exchange(&self, balancer: &mut dyn Balancer, now_ms: u64) {
        let fleet = self.fleet();
        let decay = balancer.latency_decay();
        let candidates =
            Candidates { fleet: &fleet, tried: &[], most_in_flight: u32::MAX, panic: false, now_ms, decay };
        let Some(own) = balancer.share(self.index as u64, &candidates) else { return };
        self.shared.statistics[self.index].store(Some(Arc::new(own)));
        let others = self.shared.statistics.iter().enumerate().filter(|(index, _)| *index != self.index);
        for statistics in others.filter_map(|(_, cell)| cell.load_full()) {
            if let Err(error) = balancer.merge(SharedStatistics::clone(&statistics), Sight::Shared) {
                tracing::debug!(%error, "another worker's statistics are of no use here");
            }
        }
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
    pub(crate) fn answered(&self, now: Instant) {
        let first_byte_ms = now.saturating_duration_since(self.started).as_secs_f64() * 1000.0;
        let now_ms = self.worker.shared.ms_at(now);
        self.endpoint.slot.observe(Some(first_byte_ms), now_ms, self.decay);
        self.feed_back(Some(first_byte_ms), now_ms);
    }

    /// Tells a balancer that learns what came of its pick.
    fn feed_back(&self, latency_ms: Option<f64>, at_ms: u64) {
        let (key, in_flight) = (self.endpoint.slot.key, self.others);
        let feedback = Feedback { key, context: self.hash, client: None, latency_ms, in_flight, at_ms };
        self.worker.feed_back(&feedback);
    }

    /// The endpoint failed. Counted once, whatever else goes wrong afterwards.
    pub(crate) fn failed(&mut self) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let slot = &self.endpoint.slot;
        slot.shard(self.worker.index).failed.increment();
        slot.observe(None, 0, self.decay);
        self.feed_back(None, self.worker.shared.ms_at(clock::now()));
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

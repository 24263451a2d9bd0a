//! The event loop: requests, workers, starts, patience and retries on one clock.

mod requests;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use foresail_core::{ReplicaCounts, Replicas, SeededRng, Timestamp};
use foresail_scale::Service;

use super::arrivals::ArrivalStream;
use super::fleet::Fleet;
use super::ledger::{Ledger, Waiting};
use super::options::{Dispatch, EventOptions, micros};
use super::run::{Totals, Watch};

/// What is to happen. Ties in time are resolved in this order: workers fall free before anybody asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A worker finishes; `wasted` when the client had given up before it began.
    Departure { replica: u32, wasted: bool },
    /// A start ends, well or not.
    Started { replica: u32 },
    /// A client tries again.
    Retry { attempt: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: u64,
    what: What,
}

/// A service in virtual time, request by request. Times are microseconds since the start.
pub(super) struct EventPlant {
    service: Service,
    options: EventOptions,
    start: Timestamp,
    now: u64,
    events: BinaryHeap<Reverse<Event>>,
    arrivals: ArrivalStream,
    fleet: Fleet,
    ledger: Ledger,
    shared: VecDeque<u64>,
    /// No more retries: the last tick has ended.
    closed: bool,
    allowance: f64,
    mean_service: f64,
    slo: u64,
    patience: u64,
    service_rng: SeededRng,
    start_rng: SeededRng,
    choice_rng: SeededRng,
    /// Microseconds of work in this tick, and of workers there to do it.
    work: u64,
    room: u64,
    /// First attempts, and late ones among them, by tick of arrival.
    pub(super) requests: Vec<u64>,
    pub(super) late: Vec<u64>,
    /// Attempts of this tick, retries included.
    pub(super) attempts: u64,
    pub(super) totals: Totals,
}

impl EventPlant {
    pub(super) fn new(
        service: Service,
        options: &EventOptions,
        replicas: Replicas,
        start: Timestamp,
        seed: u64,
    ) -> Self {
        let rng = SeededRng::seed_from_u64(seed);
        Self {
            service,
            options: options.clone(),
            start,
            now: 0,
            events: BinaryHeap::new(),
            arrivals: ArrivalStream::new(options.arrivals, rng.fork(1)),
            fleet: Fleet::new(replicas, service.workers(), options.dispatch),
            ledger: Ledger::default(),
            shared: VecDeque::new(),
            closed: false,
            allowance: 0.0,
            mean_service: f64::from(service.workers()) / service.capacity_rps() * 1e6,
            slo: micros(service.wait_slo()),
            patience: micros(service.client_timeout()),
            service_rng: rng.fork(2),
            start_rng: rng.fork(3),
            choice_rng: rng.fork(4),
            work: 0,
            room: 0,
            requests: Vec::new(),
            late: Vec::new(),
            attempts: 0,
            totals: Totals::default(),
        }
    }

    pub(super) fn replicas(&self) -> ReplicaCounts {
        self.fleet.counts()
    }

    /// Requests in the queues, those of clients who have left included where the service cannot tell.
    pub(super) fn queued(&self) -> usize {
        if self.options.serve_abandoned && self.options.dispatch == Dispatch::SharedQueue {
            self.shared.len()
        } else {
            self.ledger.waiting()
        }
    }

    /// Requests that wait with their clients, or are being served.
    pub(super) fn in_system(&self) -> u64 {
        self.ledger.waiting() as u64 + self.totals.started - self.totals.served
    }

    /// Brings the plant to `desired` replicas: starts what is missing, cancels the youngest starts first, then removes.
    pub(super) fn scale_to(&mut self, desired: Replicas, watch: &mut impl Watch) {
        let wanted = desired.0;
        for _ in self.fleet.counts().desired.0..wanted {
            self.start_one();
        }
        for _ in wanted..self.fleet.counts().desired.0 {
            for ticket in self.fleet.remove_one() {
                if self.ledger.is_waiting(ticket) {
                    self.move_on(ticket, watch);
                }
            }
        }
    }

    fn start_one(&mut self) {
        let replica = self.fleet.order();
        let delay = self.options.startup.draw(&self.service, &mut self.start_rng);
        let time = self.now.saturating_add(delay);
        self.events.push(Reverse(Event { time, what: What::Started { replica } }));
    }

    /// Runs one tick, up to and including what happens at `end`, with `rate_rps` arriving before it.
    pub(super) fn tick(&mut self, end: u64, rate_rps: f64, watch: &mut impl Watch) {
        self.requests.push(0);
        self.late.push(0);
        (self.attempts, self.work, self.room) = (0, 0, 0);
        let rate = rate_rps * 1e-6;
        let mut arrival = self.arrivals.next(rate, end);
        while let Some(when) = arrival {
            self.advance(when, watch);
            self.arrive(0, watch);
            arrival = self.arrivals.next(rate, end);
        }
        self.advance(end, watch);
    }

    /// Share of the tick's worker time that was spent at work, 0 to 1; 1 when there was no worker and somebody waits.
    pub(super) fn utilisation(&self) -> f64 {
        if self.room > 0 {
            (self.work as f64 / self.room as f64).min(1.0)
        } else {
            f64::from(u8::from(self.ledger.waiting() > 0))
        }
    }

    /// After the last tick: waits until everybody who still waits has waited too long, and calls them late.
    pub(super) fn close(&mut self, watch: &mut impl Watch) {
        self.closed = true;
        let waits = self.slo.min(self.patience).saturating_add(1);
        self.advance(self.now.saturating_add(waits), watch);
        let left: Vec<Waiting> = self.ledger.left().collect();
        for waiting in &left {
            self.count_late(waiting);
        }
    }

    /// Lets everything happen that is due by `until`.
    fn advance(&mut self, until: u64, watch: &mut impl Watch) {
        loop {
            let event = self.events.peek().map_or(u64::MAX, |Reverse(event)| event.time);
            let leaves = self.ledger.oldest().map_or(u64::MAX, |(_, arrived)| arrived.saturating_add(self.patience));
            if event.min(leaves) > until {
                break;
            }
            self.totals.events += 1;
            if event <= leaves {
                self.happen(watch);
            } else {
                self.pass_time(leaves);
                self.give_up(watch);
            }
        }
        self.pass_time(until);
    }

    fn pass_time(&mut self, now: u64) {
        let span = now - self.now;
        self.work += self.fleet.busy() * span;
        self.room += self.fleet.workers() * span;
        self.now = now;
    }

    fn happen(&mut self, watch: &mut impl Watch) {
        let Some(Reverse(event)) = self.events.pop() else {
            return;
        };
        self.pass_time(event.time);
        match event.what {
            What::Departure { replica, wasted } => {
                if !wasted {
                    self.totals.served += 1;
                }
                if self.fleet.release(replica) {
                    self.find_work(replica, watch);
                }
            }
            What::Started { replica } => self.end_start(replica, watch),
            What::Retry { attempt } => {
                if !self.closed {
                    self.totals.retries += 1;
                    self.arrive(attempt, watch);
                }
            }
        }
    }

    fn end_start(&mut self, replica: u32, watch: &mut impl Watch) {
        if !self.fleet.end_start(replica) {
            return; // cancelled
        }
        if self.options.failed_starts > 0.0 && self.start_rng.uniform() < self.options.failed_starts {
            self.totals.failed_starts += 1;
            self.start_one();
            return;
        }
        let warm = self.options.warm_up.map_or(0, |warm_up| self.now.saturating_add(micros(warm_up.duration)));
        self.fleet.ready(replica, warm);
        if self.options.dispatch == Dispatch::SharedQueue {
            for _ in 0..self.service.workers() {
                let Some(free) = self.fleet.take_free() else {
                    break;
                };
                self.find_work(free, watch);
            }
        } else {
            // Whoever came while nobody served waits here.
            for ticket in std::mem::take(&mut self.shared) {
                if self.ledger.is_waiting(ticket) {
                    self.move_on(ticket, watch);
                }
            }
        }
    }
}

//! The event loop: requests, workers, starts, patience and retries on one clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use foresail_core::{ReplicaCounts, Replicas, SeededRng, Timestamp};
use foresail_scale::Service;

use super::arrivals::ArrivalStream;
use super::fleet::Fleet;
use super::ledger::{Ledger, SHARED, Waiting};
use super::options::{Dispatch, EventOptions, micros};
use super::run::{Fate, Settled, Totals, Watch};

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

/// Most retries a budget can save up.
const BUDGET_CAP: f64 = 100.0;

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

    /// An attempt arrives now.
    fn arrive(&mut self, attempt: u32, watch: &mut impl Watch) {
        let tick = (self.requests.len() - 1) as u32;
        self.attempts += 1;
        self.totals.attempts += 1;
        self.totals.events += 1;
        if attempt == 0 {
            self.requests[tick as usize] += 1;
            if let Some(budget) = self.options.retries.and_then(|retries| retries.budget) {
                self.allowance = (self.allowance + budget).min(BUDGET_CAP);
            }
        }
        let (worker, replica) = match self.options.dispatch {
            Dispatch::SharedQueue => (self.fleet.take_free(), SHARED),
            Dispatch::Random | Dispatch::LeastLoaded => match self.fleet.choose(&mut self.choice_rng) {
                Some(chosen) => (self.fleet.has_room(chosen).then_some(chosen), chosen),
                None => (None, SHARED),
            },
        };
        if let Some(worker) = worker {
            self.totals.started += 1;
            self.settled(watch, self.now, attempt, Fate::Started);
            self.serve(worker, false);
        } else if self.is_full(replica) {
            if attempt == 0 {
                self.late[tick as usize] += 1;
            }
            self.totals.rejected += 1;
            self.settled(watch, self.now, attempt, Fate::Rejected);
            self.try_again(attempt);
        } else {
            let ticket = self.ledger.push(self.now, tick, attempt, replica);
            if replica == SHARED { self.shared.push_back(ticket) } else { self.fleet.enqueue(replica, ticket) }
        }
    }

    fn is_full(&mut self, replica: u32) -> bool {
        let Some(limit) = self.options.queue_limit else {
            return false;
        };
        let queued = match (replica, self.options.serve_abandoned) {
            (SHARED, true) => self.shared.len(),
            (SHARED, false) => self.ledger.waiting(),
            (_, true) => self.fleet.queue(replica).len(),
            (_, false) => self.fleet.waiting(replica) as usize,
        };
        queued >= limit as usize
    }

    /// A worker of `replica` is free: it takes the next in its queue.
    fn find_work(&mut self, replica: u32, watch: &mut impl Watch) {
        let shared = self.options.dispatch == Dispatch::SharedQueue;
        loop {
            let next = if shared { self.shared.pop_front() } else { self.fleet.queue(replica).pop_front() };
            let Some(ticket) = next else {
                if shared {
                    self.fleet.set_free(replica);
                }
                return;
            };
            if let Some(waited) = self.ledger.settle(ticket) {
                self.begin(&waited, replica, watch);
                return;
            }
            if self.options.serve_abandoned {
                self.totals.wasted += 1;
                self.serve(replica, true);
                return;
            }
        }
    }

    /// One who waited comes to a worker of `replica`.
    fn begin(&mut self, waited: &Waiting, replica: u32, watch: &mut impl Watch) {
        self.fleet.wait_ended(waited.replica);
        if self.now - waited.arrived > self.slo {
            self.count_late(waited);
        }
        self.totals.started += 1;
        self.settled(watch, waited.arrived, waited.attempt, Fate::Started);
        self.serve(replica, false);
    }

    fn serve(&mut self, replica: u32, wasted: bool) {
        let cold = self.fleet.occupy(replica, self.now);
        let mut span = self.mean_service * self.options.service_time.draw(&mut self.service_rng);
        if let Some(warm_up) = self.options.warm_up.filter(|_| cold) {
            span /= warm_up.speed;
        }
        let time = self.now.saturating_add((span + 0.5) as u64);
        self.events.push(Reverse(Event { time, what: What::Departure { replica, wasted } }));
    }

    /// The one that has waited longest leaves.
    fn give_up(&mut self, watch: &mut impl Watch) {
        let Some(waited) = self.ledger.oldest().and_then(|(ticket, _)| self.ledger.settle(ticket)) else {
            return;
        };
        self.fleet.wait_ended(waited.replica);
        self.count_late(&waited);
        self.totals.timed_out += 1;
        self.settled(watch, waited.arrived, waited.attempt, Fate::TimedOut);
        if !self.options.serve_abandoned {
            let ledger = &self.ledger;
            let queue = if waited.replica == SHARED { &mut self.shared } else { self.fleet.queue(waited.replica) };
            while queue.front().is_some_and(|ticket| !ledger.is_waiting(*ticket)) {
                queue.pop_front();
            }
        }
        self.try_again(waited.attempt);
    }

    /// Sends one who waits to another replica, or to the shared queue when none serves.
    fn move_on(&mut self, ticket: u64, watch: &mut impl Watch) {
        match self.fleet.choose(&mut self.choice_rng) {
            Some(replica) if self.fleet.has_room(replica) => {
                if let Some(mut waited) = self.ledger.settle(ticket) {
                    waited.replica = SHARED; // the replica it stood at is gone, and with it its count
                    self.begin(&waited, replica, watch);
                }
            }
            Some(replica) => {
                self.ledger.moved(ticket, replica);
                self.fleet.enqueue(replica, ticket);
            }
            None => {
                self.ledger.moved(ticket, SHARED);
                self.shared.push_back(ticket);
            }
        }
    }

    fn try_again(&mut self, attempt: u32) {
        let Some(retries) = self.options.retries.filter(|retries| attempt + 1 < retries.max_attempts && !self.closed)
        else {
            return;
        };
        if retries.budget.is_some() {
            if self.allowance < 1.0 {
                return;
            }
            self.allowance -= 1.0;
        }
        let longest = retries.backoff.as_secs_f64() * 1e6 * f64::from(attempt).exp2();
        let time = self.now.saturating_add((longest * self.choice_rng.uniform()) as u64);
        self.events.push(Reverse(Event { time, what: What::Retry { attempt: attempt + 1 } }));
    }

    /// Only a first attempt is a request of the scenario; what follows is load.
    fn count_late(&mut self, waited: &Waiting) {
        if waited.attempt == 0 {
            self.late[waited.tick as usize] += 1;
        }
    }

    fn settled(&self, watch: &mut impl Watch, arrived: u64, attempt: u32, fate: Fate) {
        let at = |time: u64| Timestamp::from_micros(self.start.as_micros().saturating_add_unsigned(time));
        watch.settled(&Settled { arrived: at(arrived), time: at(self.now), attempt, fate });
    }
}

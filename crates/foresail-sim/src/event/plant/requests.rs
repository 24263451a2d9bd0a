//! The life of a request: it arrives, waits, is served or gives up, and tries again.

use std::cmp::Reverse;

use foresail_core::Timestamp;

use super::{Event, EventPlant, What};
use crate::event::ledger::{SHARED, Waiting};
use crate::event::options::Dispatch;
use crate::event::run::{Fate, Settled, Watch};

/// Most retries a budget can save up.
const BUDGET_CAP: f64 = 100.0;

impl EventPlant {
    /// An attempt arrives now.
    pub(super) fn arrive(&mut self, attempt: u32, watch: &mut impl Watch) {
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
    pub(super) fn find_work(&mut self, replica: u32, watch: &mut impl Watch) {
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
    pub(super) fn give_up(&mut self, watch: &mut impl Watch) {
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
    pub(super) fn move_on(&mut self, ticket: u64, watch: &mut impl Watch) {
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
    pub(super) fn count_late(&mut self, waited: &Waiting) {
        if waited.attempt == 0 {
            self.late[waited.tick as usize] += 1;
        }
    }

    fn settled(&self, watch: &mut impl Watch, arrived: u64, attempt: u32, fate: Fate) {
        let at = |time: u64| Timestamp::from_micros(self.start.as_micros().saturating_add_unsigned(time));
        watch.settled(&Settled { arrived: at(arrived), time: at(self.now), attempt, fate });
    }
}

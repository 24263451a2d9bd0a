//! One request from its head to the last byte of its answer: counted in once, counted out once.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::ProxyConfig;
use crate::admit::Lease;
use crate::clock;
use crate::pool::Link;
use crate::record::Record;
use crate::stream::Progress;
use crate::watch::Watch;
use crate::worker::Worker;
use crate::workload::Kind;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed,
    Rejected,
    Aborted,
}

/// A request that has arrived. Dropped without a word it counts as aborted by the client.
pub(crate) struct Exchange {
    worker: Rc<Worker>,
    pub(crate) config: Rc<ProxyConfig>,
    pub(crate) started: Instant,
    /// By when the last byte must be out.
    pub(crate) total: Instant,
    pub(crate) record: Option<Box<Record>>,
    /// Of what kind it is, if that is observed.
    pub(crate) kind: Option<Kind>,
    is_in_flight: bool,
    is_over: bool,
}

impl Exchange {
    pub(crate) fn begin(
        worker: Rc<Worker>,
        config: Rc<ProxyConfig>,
        started: Instant,
        patience: Option<Duration>,
        record: Option<Box<Record>>,
        kind: Option<Kind>,
    ) -> Self {
        worker.counters().arrivals.increment();
        let longest = config.deadlines.total;
        let total = started + patience.map_or(longest, |patience| patience.min(longest));
        Self { worker, config, started, total, record, kind, is_in_flight: false, is_over: false }
    }

    /// The request has a place at an endpoint.
    pub(crate) fn admitted(&mut self) {
        if !std::mem::replace(&mut self.is_in_flight, true) {
            self.worker.counters().in_flight.increment();
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome, now: Instant) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let counters = self.worker.counters();
        let taken = now.saturating_duration_since(self.started);
        if self.is_in_flight {
            counters.in_flight.decrement();
        }
        let is_late = taken > self.config.late_after || matches!(outcome, Outcome::Failed | Outcome::Rejected);
        if is_late {
            counters.late.increment();
        }
        match outcome {
            Outcome::Completed => counters.completed.increment(),
            Outcome::Failed => counters.failed.increment(),
            Outcome::Rejected => counters.rejected.increment(),
            Outcome::Aborted => counters.aborted.increment(),
        }
        if matches!(outcome, Outcome::Completed | Outcome::Failed) {
            counters.latency.record(taken.as_micros() as u64);
        }
        if let Some(kind) = &self.kind {
            let (observer, shared) = (&self.worker.observer, &self.worker.shared);
            observer.ended(kind, outcome, taken, now.saturating_duration_since(shared.started));
            observer.hand_over(now, &shared.workloads[self.worker.index]);
        }
        if let Some(mut record) = self.record.take() {
            record.end(outcome, taken);
            self.worker.hand_out(record);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_over {
            self.end(Outcome::Aborted, clock::now());
        }
    }
}

/// Marks a client connection as busy.
pub(crate) struct Active {
    watch: Rc<Watch>,
    /// Of the HTTP/2 stream that the request is on.
    progress: Option<Rc<Progress>>,
    counted: bool,
}

impl Active {
    pub(crate) fn new(watch: Rc<Watch>) -> Self {
        let progress = watch.progress.borrow().clone();
        Self { watch, progress, counted: true }
    }

    fn end(&mut self, now: Instant) {
        if std::mem::replace(&mut self.counted, false) {
            self.watch.end_request(now);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        if self.counted {
            self.end(clock::now());
        }
    }
}

/// Everything that lasts until the answer's last byte.
pub(crate) struct Flight {
    pub(crate) exchange: Option<Exchange>,
    pub(crate) active: Active,
    pub(crate) lease: Option<Lease>,
    pub(crate) link: Option<Link>,
    pub(crate) outcome: Outcome,
}

impl Flight {
    /// An answer that needs no endpoint.
    pub(crate) fn ours(exchange: Option<Exchange>, active: Active, outcome: Outcome) -> Self {
        Self { exchange, active, lease: None, link: None, outcome }
    }

    pub(crate) fn waits_for_endpoint(&self) {
        if let Some(progress) = &self.active.progress {
            progress.waits_for_endpoint();
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        if let Some(progress) = &self.active.progress {
            progress.handed_over();
        }
        let Some(exchange) = &mut self.exchange else { return };
        if let Some(record) = &mut exchange.record {
            record.sent_bytes += bytes as u64;
        }
        if let Some(kind) = &mut exchange.kind {
            kind.sent_bytes += bytes as u64;
        }
    }

    pub(crate) fn stall(&self) -> Duration {
        self.exchange.as_ref().map_or(Duration::from_secs(3600), |e| e.config.deadlines.stall)
    }

    pub(crate) fn total_deadline(&self) -> Instant {
        self.exchange.as_ref().map_or_else(|| clock::now() + Duration::from_secs(3600), |e| e.total)
    }

    /// The last byte was handed over.
    pub(crate) fn complete(mut self) {
        let now = clock::now();
        self.waits_for_endpoint();
        let most_idle = self.exchange.as_ref().map_or(0, |e| e.config.limits.idle_upstream);
        if let Some(exchange) = &mut self.exchange {
            exchange.end(self.outcome, now);
        }
        self.active.end(now);
        if let Some(mut lease) = self.lease.take() {
            if self.outcome == Outcome::Completed {
                lease.completed(now);
            }
            if let Some(link) = self.link.take() {
                lease.endpoint.put(link, most_idle);
            }
        }
    }

    /// The endpoint did not deliver the whole answer.
    pub(crate) fn broken(mut self) {
        let now = clock::now();
        if let Some(exchange) = &mut self.exchange {
            exchange.end(Outcome::Failed, now);
        }
        if let Some(lease) = &mut self.lease {
            lease.failed();
        }
    }
}

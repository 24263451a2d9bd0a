//! The workers of the sample service: each request occupies one for its service time, others wait in a bounded queue.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use foresail_core::SeededRng;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};

use super::fault::Fault;
use super::{Distribution, ServiceOptions};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Served,
    Failed,
    /// The queue was full.
    Refused,
}

/// The workers, the queue before them, and what is counted of both.
#[derive(Debug)]
pub(super) struct Workers {
    slots: Arc<Semaphore>,
    workers: AtomicUsize,
    queue_limit: usize,
    mean: Duration,
    distribution: Distribution,
    draws: Mutex<SeededRng>,
    /// Microseconds by which requests so far took longer than drawn: timers fire late, by up to a millisecond and more on
    /// a busy machine. The next requests make up for it, so that the capacity is what was asked for.
    debt_us: AtomicI64,
    queued: AtomicUsize,
    busy: AtomicUsize,
    arrived: AtomicU64,
    served: AtomicU64,
    failed: AtomicU64,
    refused: AtomicU64,
    busy_us: AtomicU64,
    slow_percent: AtomicU32,
    failing_millionths: AtomicU32,
    failing_fast_millionths: AtomicU32,
    warm_percent: AtomicU32,
    hanging: AtomicBool,
    /// Rung when the process is to crash.
    pub(super) crash: Notify,
}

impl Workers {
    pub(super) fn new(options: &ServiceOptions) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(options.workers)),
            workers: AtomicUsize::new(options.workers),
            queue_limit: options.queue,
            mean: options.service_time.0,
            distribution: options.distribution,
            draws: Mutex::new(SeededRng::seed_from_u64(options.seed).fork(options.id)),
            debt_us: AtomicI64::new(0),
            queued: AtomicUsize::new(0),
            busy: AtomicUsize::new(0),
            arrived: AtomicU64::new(0),
            served: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            busy_us: AtomicU64::new(0),
            slow_percent: AtomicU32::new(100),
            failing_millionths: AtomicU32::new(0),
            failing_fast_millionths: AtomicU32::new(0),
            warm_percent: AtomicU32::new(0),
            hanging: AtomicBool::new(false),
            crash: Notify::new(),
        }
    }

    /// Notes that a request has come, whatever becomes of it.
    pub(super) fn arrive(&self) {
        self.arrived.fetch_add(1, Ordering::Relaxed);
    }

    /// Has a worker do one request's work.
    pub(super) async fn work(&self) -> Outcome {
        if self.fails_at_once() {
            self.failed.fetch_add(1, Ordering::Relaxed);
            return Outcome::Failed;
        }
        let slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) => {
                let _place = Occupied::take(&self.queued);
                if self.queued.load(Ordering::Relaxed) > self.queue_limit {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return Outcome::Refused;
                }
                self.slots.acquire().await.expect("the semaphore is never closed")
            }
        };
        let _busy = Occupied::take(&self.busy);
        let (drawn, fails) = self.draw();
        self.occupy(drawn).await;
        drop(slot);
        if fails {
            self.failed.fetch_add(1, Ordering::Relaxed);
            Outcome::Failed
        } else {
            self.served.fetch_add(1, Ordering::Relaxed);
            Outcome::Served
        }
    }

    fn fails_at_once(&self) -> bool {
        let share = f64::from(self.failing_fast_millionths.load(Ordering::Relaxed)) / 1e6;
        share > 0.0 && self.draws.lock().unwrap_or_else(PoisonError::into_inner).uniform() < share
    }

    fn draw(&self) -> (Duration, bool) {
        let mut draws = self.draws.lock().unwrap_or_else(PoisonError::into_inner);
        let factor = match self.distribution {
            Distribution::Exponential => draws.exponential(),
            Distribution::Lognormal => (draws.normal() - 0.5).exp(),
            Distribution::Fixed => 1.0,
        };
        let slow = f64::from(self.slow_percent.load(Ordering::Relaxed)) / 100.0;
        let failing = f64::from(self.failing_millionths.load(Ordering::Relaxed)) / 1e6;
        (self.mean.mul_f64(factor * slow), draws.uniform() < failing)
    }

    async fn occupy(&self, drawn: Duration) {
        let begun = Instant::now();
        let drawn_us = drawn.as_micros() as i64;
        // Taken by one request alone. What is owed beyond a second is forgiven: it comes of a machine that stood still.
        let debt = self.debt_us.swap(0, Ordering::Relaxed).clamp(-1_000_000, 1_000_000);
        let due_us = drawn_us - debt;
        if due_us > 0 {
            sleep(Duration::from_micros(due_us as u64)).await;
        }
        let took_us = begun.elapsed().as_micros() as i64;
        self.debt_us.fetch_add(took_us - due_us, Ordering::Relaxed);
        self.busy_us.fetch_add(took_us as u64, Ordering::Relaxed);
    }

    /// Has `workers` workers from now on. Fewer of them end what they have begun first.
    pub(super) async fn resize(&self, workers: usize) {
        let before = self.workers.swap(workers, Ordering::Relaxed);
        if workers > before {
            self.slots.add_permits(workers - before);
        } else {
            let fewer = u32::try_from(before - workers).unwrap_or(u32::MAX);
            let slots = self.slots.acquire_many(fewer).await.expect("the semaphore is never closed");
            slots.forget();
        }
    }

    /// Lets `fault` happen, when its time has come.
    pub(super) async fn suffer(&self, fault: Fault) {
        match fault {
            Fault::Slow(factor) => self.slow_percent.store((factor * 100.0) as u32, Ordering::Relaxed),
            Fault::Failing(share) => self.failing_millionths.store((share * 1e6) as u32, Ordering::Relaxed),
            Fault::FailingFast(share) => self.failing_fast_millionths.store((share * 1e6) as u32, Ordering::Relaxed),
            Fault::Crash(after) => {
                sleep(after).await;
                self.crash.notify_one();
            }
            Fault::Hang(after) => {
                sleep(after).await;
                self.hanging.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn is_hanging(&self) -> bool {
        self.hanging.load(Ordering::Relaxed)
    }

    /// Notes that caches hold `share` of the working set.
    pub(super) fn warm(&self, share: f64) {
        self.warm_percent.store((share.clamp(0.0, 1.0) * 100.0) as u32, Ordering::Relaxed);
    }

    /// All that is counted, in Prometheus' text format.
    pub(super) fn metrics(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let level = |gauge: &AtomicUsize| gauge.load(Ordering::Relaxed) as f64;
        let mut text = String::new();
        for (name, kind, help, value) in [
            ("in_flight", "gauge", "Requests being worked on.", level(&self.busy)),
            ("queue_length", "gauge", "Requests waiting for a worker.", level(&self.queued)),
            ("workers", "gauge", "Workers there are.", level(&self.workers)),
            ("arrived_total", "counter", "Requests that came for a worker.", count(&self.arrived)),
            ("served_total", "counter", "Requests answered with success.", count(&self.served)),
            ("failed_total", "counter", "Requests answered with a fault.", count(&self.failed)),
            ("refused_total", "counter", "Requests refused, the queue being full.", count(&self.refused)),
            ("busy_seconds_total", "counter", "Time that workers were occupied.", count(&self.busy_us) / 1e6),
            (
                "warm_ratio",
                "gauge",
                "Share of the working set that was asked to be warm.",
                f64::from(self.warm_percent.load(Ordering::Relaxed)) / 100.0,
            ),
        ] {
            let name = format!("foresail_sample_{name}");
            let written = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
            written.expect("a string takes what is written to it");
        }
        text
    }
}

/// One more in a gauge, until it is dropped: a request whose client goes away leaves nothing behind.
struct Occupied<'a>(&'a AtomicUsize);

impl<'a> Occupied<'a> {
    fn take(gauge: &'a AtomicUsize) -> Self {
        gauge.fetch_add(1, Ordering::Relaxed);
        Self(gauge)
    }
}

impl Drop for Occupied<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

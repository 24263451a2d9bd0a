//! The task that owns all state of a service's copies: its loop, and what it is commanded.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use foresail_core::{Goal, Order, ReplicaCounts, Replicas};
use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::config::{OnExit, ProcessConfig};
use super::copies::Copy;
use super::keeper::{Event, Sender, Wish};
use super::logs::LogFolder;
use super::watchdog::Watchdog;
use crate::{CopyState, Error, Observed, ReadyCopy};

/// How often logs are looked at and a state that could not be saved is saved again.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// Start-up delays kept for the next observation.
const STARTUPS: usize = 1024;

/// Beyond drain and grace, how long the end of a killed process is waited for.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// What the handle asks of the supervisor.
#[derive(Debug)]
pub(super) enum Command {
    Observe(oneshot::Sender<Observed>),
    Apply(Order, Reply),
    Stop(Reply),
    Leave(Reply),
}

type Reply = oneshot::Sender<Result<(), Error>>;

pub(super) struct Supervisor {
    pub(super) config: ProcessConfig,
    pub(super) fence: Option<u64>,
    pub(super) desired: u32,
    pub(super) size: f64,
    pub(super) next_id: u64,
    pub(super) copies: BTreeMap<u64, Copy>,
    pub(super) boot_id: String,
    pub(super) logs: LogFolder,
    pub(super) watchdog: Option<Watchdog>,
    pub(super) endpoints: watch::Sender<Vec<ReadyCopy>>,
    pub(super) startups: VecDeque<Duration>,
    pub(super) failed_starts: u32,
    pub(super) last_hang: Option<Instant>,
    /// Whether the state on disk is not this one.
    pub(super) dirty: bool,
    /// Whether the file that tells copies their size is not of this size.
    pub(super) size_dirty: bool,
    /// By when everything must have stopped, once it is to.
    pub(super) deadline: Option<Instant>,
    pub(super) event_sender: mpsc::Sender<(Sender, Event)>,
    pub(super) keepers: JoinSet<()>,
    pub(super) events: mpsc::Receiver<(Sender, Event)>,
    pub(super) tidying: Option<JoinHandle<()>>,
    /// Whether the copies have been dealt with, so that the end of this task is no crash.
    pub(super) settled: bool,
    /// Keeps other actuators out of the folder.
    pub(super) _lock: File,
}

impl Supervisor {
    /// Runs until it is told to end, or its handle is gone.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut housekeeping = interval(HOUSEKEEPING);
        housekeeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut applied: Vec<Reply> = Vec::new();
        let mut ending: Vec<Reply> = Vec::new();
        loop {
            self.step().await;
            for reply in applied.drain(..) {
                answer(reply, Ok(()));
            }
            if self.deadline.is_some_and(|deadline| self.copies.is_empty() || Instant::now() >= deadline) {
                break;
            }
            let retry_at = self.copies.values().filter_map(|copy| copy.retry_at).min();
            tokio::select! {
                Some((sender, event)) = self.events.recv() => {
                    self.on_event(sender, event);
                    while let Ok((sender, event)) = self.events.try_recv() {
                        self.on_event(sender, event);
                    }
                }
                command = commands.recv() => match command {
                    None => return,
                    Some(Command::Observe(reply)) => drop(reply.send(self.observe())),
                    Some(Command::Apply(order, reply)) => match self.take(&order) {
                        Ok(()) => applied.push(reply),
                        Err(error) => answer(reply, Err(error)),
                    },
                    Some(Command::Stop(reply)) => {
                        let patience = self.config.drain + self.config.grace + KILL_PATIENCE;
                        self.deadline.get_or_insert_with(|| Instant::now() + patience);
                        ending.push(reply);
                    }
                    Some(Command::Leave(reply)) => {
                        ending.push(reply);
                        break;
                    }
                },
                _ = housekeeping.tick() => self.tidy(),
                () = sleep_until(retry_at.unwrap_or_else(Instant::now)), if retry_at.is_some() => {}
            }
        }
        let stuck = if self.deadline.is_some() { self.copies.len() } else { 0 };
        self.settle().await;
        // The lock is free before anybody hears that it is.
        let program = PathBuf::from(self.config.command.first().map_or("", String::as_str));
        drop(self);
        for reply in ending {
            let result = if stuck == 0 {
                Ok(())
            } else {
                let source = io::Error::new(io::ErrorKind::TimedOut, format!("{stuck} copies do not end"));
                Err(Error::Io { path: program.clone(), source })
            };
            answer(reply, result);
        }
    }

    /// Leaves what runs to itself.
    async fn settle(&mut self) {
        self.dirty = true;
        self.save().await;
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.release().await;
        }
        self.settled = true;
    }

    fn observe(&mut self) -> Observed {
        let count = |states: &[CopyState]| {
            Replicas(self.copies.values().filter(|copy| states.contains(&copy.state)).count() as u32)
        };
        Observed {
            replicas: ReplicaCounts {
                desired: Replicas(self.wanted()),
                ready: count(&[CopyState::Ready]),
                starting: count(&[CopyState::Starting, CopyState::Unready, CopyState::BackingOff]),
            },
            size: self.size,
            copies: self.copies.values().map(|copy| copy.status(self.config.host)).collect(),
            startups: self.startups.drain(..).collect(),
            failed_starts: std::mem::take(&mut self.failed_starts),
        }
    }

    /// Takes up an order: what follows from it comes with the next step.
    fn take(&mut self, order: &Order) -> Result<(), Error> {
        if self.deadline.is_some() {
            return Err(Error::Closed);
        }
        if let Some(applied) = self.fence.filter(|applied| order.decision < *applied) {
            return Err(Error::Stale { decision: order.decision, applied });
        }
        match order.goal {
            Goal::Replicas { replicas: Replicas(wanted) } => {
                if wanted > self.config.max_copies {
                    tracing::warn!(decision = order.decision, wanted, most = self.config.max_copies, "order cut");
                }
                self.desired = wanted.min(self.config.max_copies);
            }
            Goal::Size { factor } => {
                if !(factor.is_finite() && factor > 0.0 && factor <= 1000.0) {
                    return Err(Error::BadGoal { what: "size", value: factor, range: "above 0, at most 1000" });
                }
                if self.config.resize.is_none() && factor != self.size {
                    return Err(Error::Unsupported { goal: "resize its copies", missing: "resize" });
                }
                self.size_dirty |= factor != self.size;
                self.size = factor;
            }
            // The handle calls the hook, once the fence has let it pass.
            Goal::Warm { share } => {
                if !(0.0..=1.0).contains(&share) {
                    return Err(Error::BadGoal { what: "share", value: share, range: "0 to 1" });
                }
                if self.config.warm.is_none() {
                    return Err(Error::Unsupported { goal: "warm its copies", missing: "warm" });
                }
            }
            _ => return Err(Error::Unsupported { goal: "do this", missing: "a means for it" }),
        }
        self.fence = Some(order.decision);
        self.dirty = true;
        for copy in self.copies.values_mut().filter(|copy| copy.state == CopyState::Failed) {
            copy.enter(CopyState::BackingOff);
            (copy.failures, copy.retry_at) = (0, Some(Instant::now()));
        }
        Ok(())
    }

    /// Copies wanted now.
    pub(super) fn wanted(&self) -> u32 {
        if self.deadline.is_some() { 0 } else { self.desired }
    }

    pub(super) fn note_startup(&mut self, startup: Duration) {
        if self.startups.len() == STARTUPS {
            self.startups.pop_front();
        }
        self.startups.push_back(startup);
    }

    fn tidy(&mut self) {
        while let Some(ended) = self.keepers.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "keeper of a copy failed");
            }
        }
        if self.tidying.as_ref().is_some_and(|task| !task.is_finished()) {
            return;
        }
        let (logs, live) = (self.logs.clone(), self.copies.keys().copied().collect());
        self.tidying = Some(tokio::task::spawn_blocking(move || {
            if let Err(error) = logs.tidy(&live) {
                tracing::warn!(%error, "logs not tidied");
            }
        }));
    }
}

/// An end that nobody asked for (a panic, a runtime or a handle dropped): no time for grace.
impl Drop for Supervisor {
    fn drop(&mut self) {
        if self.settled || self.config.on_exit == OnExit::Leave {
            return;
        }
        for copy in self.copies.values() {
            copy.wish(Wish::Kill);
            if let Some(identity) = copy.identity() {
                identity.signal_group(Signal::KILL);
            }
        }
    }
}

fn answer(reply: Reply, result: Result<(), Error>) {
    drop(reply.send(result)); // whoever asked may have stopped waiting
}

//! Looks after one process from its start, or its adoption, to its end: probes it, signals it, waits for it.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::config::{Probe, ProcessConfig, Readiness};
use super::http;
use super::running::Running;

/// What the supervisor wants of a process. Only ever grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wish {
    Serve,
    Stop,
    Kill,
}

/// What became of a process.
#[derive(Debug)]
pub(super) enum Event {
    /// Its probe succeeds, for the first time or again.
    Ready,
    /// It was ready, and its probe has failed as often as is allowed.
    Failing,
    /// Its probe has failed for the hang timeout.
    Hung,
    /// It has ended, with all of its group.
    Ended(String),
}

/// From which copy, and from which of its processes (0, then one more with each restart), an event comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) id: u64,
    pub(super) attempt: u32,
}

/// The looking after of one process.
pub(super) struct Keeper {
    pub(super) sender: Sender,
    pub(super) address: SocketAddr,
    pub(super) running: Running,
    /// Whether it is known to have been ready.
    pub(super) ready: bool,
    pub(super) wish: watch::Receiver<Wish>,
    pub(super) events: mpsc::Sender<(Sender, Event)>,
    pub(super) readiness: Readiness,
    pub(super) start_timeout: Duration,
    pub(super) drain: Duration,
    pub(super) grace: Duration,
}

impl Keeper {
    pub(super) fn new(
        config: &ProcessConfig,
        sender: Sender,
        address: SocketAddr,
        running: Running,
        events: mpsc::Sender<(Sender, Event)>,
    ) -> (Self, watch::Sender<Wish>) {
        let (wishes, wish) = watch::channel(Wish::Serve);
        let keeper = Self {
            sender,
            address,
            running,
            ready: false,
            wish,
            events,
            readiness: config.readiness.clone(),
            start_timeout: config.start_timeout,
            drain: config.drain,
            grace: config.grace,
        };
        (keeper, wishes)
    }

    /// Runs to the end of the process.
    pub(super) async fn keep(mut self) {
        let identity = self.running.identity;
        let how = match self.serve().await {
            Some(how) => how,
            None => self.stop().await,
        };
        // What the process started itself must not outlive it.
        identity.signal_group(Signal::KILL);
        self.report(Event::Ended(how)).await;
    }

    /// Probes until the process ends (and says how) or is wished to.
    async fn serve(&mut self) -> Option<String> {
        let started = Instant::now();
        let mut failures = 0;
        let mut failing_since = None;
        let mut pause = Duration::ZERO;
        loop {
            let good = tokio::select! {
                biased;
                how = self.running.ended() => return Some(how),
                () = wished(&mut self.wish, Wish::Stop) => return None,
                good = probe(pause, &self.readiness, self.address) => good,
            };
            pause = if good { self.readiness.ready_interval } else { self.readiness.interval };
            if good {
                failing_since = None;
                if !self.ready || failures >= self.readiness.unready_after {
                    self.report(Event::Ready).await;
                }
                (self.ready, failures) = (true, 0);
            } else if self.ready {
                failures = failures.saturating_add(1);
                let since = *failing_since.get_or_insert_with(Instant::now);
                if failures == self.readiness.unready_after {
                    self.report(Event::Failing).await;
                }
                let hang_timeout = self.readiness.hang_timeout;
                if !hang_timeout.is_zero() && since.elapsed() >= hang_timeout {
                    self.report(Event::Hung).await;
                }
            } else if started.elapsed() >= self.start_timeout {
                self.running.identity.signal_group(Signal::KILL);
                return Some(format!("not ready after {:?}; {}", self.start_timeout, self.running.ended().await));
            }
        }
    }

    /// Drains, asks, waits and kills.
    async fn stop(&mut self) -> String {
        let identity = self.running.identity;
        for (signal, patience) in [(Signal::TERM, self.drain), (Signal::KILL, self.grace)] {
            tokio::select! {
                biased;
                how = self.running.ended() => return how,
                () = wished(&mut self.wish, Wish::Kill) => {
                    identity.signal_group(Signal::KILL);
                    break;
                }
                () = sleep(patience) => identity.signal_group(signal),
            }
        }
        self.running.ended().await
    }

    async fn report(&self, event: Event) {
        // Nobody listens only when the supervisor is gone.
        drop(self.events.send((self.sender, event)).await);
    }
}

/// Waits for a wish of at least `strength`. A supervisor that is gone wishes nothing: its copies may have been left on
/// purpose, and this task is about to be cancelled.
async fn wished(wish: &mut watch::Receiver<Wish>, strength: Wish) {
    if wish.wait_for(|wish| *wish >= strength).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn probe(pause: Duration, readiness: &Readiness, address: SocketAddr) -> bool {
    sleep(pause).await;
    match &readiness.probe {
        Probe::Tcp => http::accepts(address, readiness.timeout).await,
        Probe::Http { path } => match http::call(address, Method::GET, path, readiness.timeout).await {
            Ok(status) => (200..400).contains(&status.as_u16()),
            Err(_) => false,
        },
    }
}

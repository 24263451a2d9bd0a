//! What follows from the state: starting, stopping, resizing, publishing, saving.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use tokio::time::Instant;

use super::backoff::Next;
use super::config::{ResizeBy, ResizeSignal};
use super::copies::Copy;
use super::keeper::{Event, Keeper, Sender, Wish};
use super::plan::{Planned, plan};
use super::ports::free_port;
use super::resize;
use super::spawn::{Role, spawn};
use super::state::State;
use super::supervisor::Supervisor;
use crate::{CopyState, ReadyCopy, clock};

impl Supervisor {
    /// Does everything that is due. The order matters: a copy is out of the endpoints before it is asked to stop.
    pub(super) async fn step(&mut self) {
        self.reconcile();
        self.publish();
        for copy in self.copies.values().filter(|copy| copy.state == CopyState::Stopping) {
            copy.wish(Wish::Stop);
        }
        self.resize().await;
        if let Some(watchdog) = &mut self.watchdog {
            let groups = self.copies.values().filter_map(|copy| Some(copy.identity()?.pid)).collect();
            if let Err(error) = watchdog.tell(groups).await {
                tracing::warn!(%error, "no watchdog: copies would outlive a crash");
            }
        }
        self.save().await;
    }

    fn reconcile(&mut self) {
        let wanted = self.wanted();
        let copies: Vec<Planned> = self.copies.values().map(|copy| copy.planned(self.is_outdated(copy))).collect();
        let plan = plan(&copies, wanted);
        self.dirty |= plan.start > 0 || !plan.stop.is_empty();
        for id in plan.stop {
            let has_process = self.copies.get(&id).is_some_and(|copy| copy.process.is_some());
            if !has_process {
                self.copies.remove(&id);
            } else if let Some(copy) = self.copies.get_mut(&id) {
                tracing::info!(copy = id, state = ?copy.state, "stopping");
                copy.enter(CopyState::Stopping);
            }
        }
        for _ in 0..plan.start {
            self.copies.insert(self.next_id, Copy::new(self.next_id, self.size));
            self.next_id += 1;
        }
        let now = Instant::now();
        let due = self.copies.values().filter(|copy| copy.retry_at.is_some_and(|at| at <= now));
        for id in due.map(|copy| copy.id).collect::<Vec<_>>() {
            self.launch(id);
        }
    }

    fn is_outdated(&self, copy: &Copy) -> bool {
        self.config.resize.as_ref().is_some_and(|resize| resize.by == ResizeBy::Restart)
            && self.config.workers(copy.size) != self.config.workers(self.size)
    }

    fn launch(&mut self, id: u64) {
        let taken: BTreeSet<u16> = self.copies.values().map(|copy| copy.port).collect();
        let workers = self.config.workers(self.size);
        let Some(copy) = self.copies.get_mut(&id) else { return };
        copy.retry_at = None;
        let wanted_at = Instant::now();
        let started = free_port(self.config.host, self.config.ports, &taken).and_then(|port| {
            copy.port = port;
            spawn(&self.config, &Role { id, port, workers }, &self.logs)
        });
        self.dirty = true;
        match started {
            Ok(running) => {
                let identity = running.identity;
                let address = SocketAddr::new(self.config.host, copy.port);
                tracing::info!(copy = id, pid = identity.pid, %address, "started");
                let (keeper, wishes) =
                    Keeper::new(&self.config, copy.sender(), address, running, self.event_sender.clone());
                self.keepers.spawn(keeper.keep());
                copy.process = Some((identity, wishes));
                (copy.wanted_at, copy.size) = (Some(wanted_at), self.size);
                copy.enter(CopyState::Starting);
            }
            Err(error) => self.on_end(id, &describe(&error, &self.config.command)),
        }
    }

    pub(super) fn on_event(&mut self, sender: Sender, event: Event) {
        let Some(copy) = self.copies.get_mut(&sender.id).filter(|copy| copy.sender() == sender) else { return };
        self.dirty = true;
        match (event, copy.state) {
            (Event::Ready, CopyState::Starting) => {
                copy.enter(CopyState::Ready);
                copy.ready_since = Some(copy.since);
                if let Some(wanted_at) = copy.wanted_at {
                    let startup = wanted_at.elapsed();
                    copy.startup = Some(startup);
                    tracing::info!(copy = copy.id, ?startup, "ready");
                    self.note_startup(startup);
                }
            }
            (Event::Ready, CopyState::Unready) => copy.enter(CopyState::Ready),
            (Event::Failing, CopyState::Ready) => {
                tracing::warn!(copy = copy.id, "fails its probe");
                copy.enter(CopyState::Unready);
            }
            (Event::Hung, CopyState::Unready | CopyState::Ready) => {
                let pause = self.config.readiness.hang_timeout;
                if self.last_hang.is_none_or(|last| last.elapsed() >= pause) {
                    tracing::warn!(copy = copy.id, "hangs, and is killed");
                    copy.wish(Wish::Kill);
                    self.last_hang = Some(Instant::now());
                }
            }
            (Event::Ended(how), _) => self.on_end(sender.id, &how),
            (Event::Ready | Event::Failing | Event::Hung, _) => {}
        }
    }

    /// The process of a copy has ended, or could not be started.
    fn on_end(&mut self, id: u64, how: &str) {
        let Some(copy) = self.copies.get_mut(&id) else { return };
        copy.process = None;
        if copy.state == CopyState::Stopping {
            tracing::info!(copy = id, how, "stopped");
            self.copies.remove(&id);
            return;
        }
        let ready_for = copy.ready_since.take().map(|since| clock::now().since(since));
        if ready_for.is_some_and(|span| span >= self.config.backoff.stable_after) {
            copy.failures = 0;
        } else {
            copy.failures = copy.failures.saturating_add(1);
            self.failed_starts = self.failed_starts.saturating_add(1);
        }
        copy.restarts = copy.restarts.saturating_add(1);
        match self.config.backoff.next(copy.failures) {
            Next::Retry(pause) => {
                tracing::warn!(copy = id, how, ?pause, failures = copy.failures, "ended; to be started again");
                copy.retry_at = Some(Instant::now() + pause);
                copy.enter(CopyState::BackingOff);
            }
            Next::GiveUp => {
                tracing::error!(copy = id, how, failures = copy.failures, "ended; given up until the next order");
                copy.enter(CopyState::Failed);
            }
        }
    }

    /// Tells the world where traffic may go. Copies that fail their probe are left out, unless fewer than half of
    /// those wanted would remain: then the cause is a common one, and leaving them out would only make it worse.
    pub(super) fn publish(&self) {
        let enough = self.count(CopyState::Ready) * 2 >= self.wanted() as usize;
        let serves = |copy: &&Copy| copy.state == CopyState::Ready || (copy.state == CopyState::Unready && !enough);
        let address = |copy: &Copy| SocketAddr::new(self.config.host, copy.port);
        let ready: Vec<ReadyCopy> =
            self.copies.values().filter(serves).map(|copy| ReadyCopy { id: copy.id, address: address(copy) }).collect();
        self.endpoints.send_if_modified(|now| {
            let changed = *now != ready;
            if changed {
                *now = ready;
            }
            changed
        });
    }

    fn count(&self, state: CopyState) -> usize {
        self.copies.values().filter(|copy| copy.state == state).count()
    }

    /// Writes the size where copies read it, and then tells those that serve.
    async fn resize(&mut self) {
        let Some(by) = self.config.resize.as_ref().map(|resize| resize.by) else { return };
        let workers = self.config.workers(self.size);
        if self.size_dirty {
            let folder = self.config.folder.clone();
            let written = tokio::task::spawn_blocking(move || resize::publish(&folder, workers)).await;
            match written {
                Ok(Ok(())) => self.size_dirty = false,
                Ok(Err(error)) => tracing::warn!(%error, "size not written; tried again"),
                Err(error) => tracing::warn!(%error, "size not written; tried again"),
            }
        }
        let ResizeBy::Signal { signal } = by else { return };
        if !self.size_dirty {
            self.tell_sizes(signal, workers);
        }
    }

    fn tell_sizes(&mut self, signal: ResizeSignal, workers: u32) {
        for copy in self.copies.values_mut().filter(|copy| copy.state == CopyState::Ready) {
            if self.config.workers(copy.size) != workers
                && let Some(identity) = copy.identity()
            {
                resize::tell(signal, identity);
                copy.size = self.size;
                self.dirty = true;
            }
        }
    }

    /// Saves the state if it has changed. A full disk must not keep the service from scaling: what cannot be saved is
    /// saved later.
    pub(super) async fn save(&mut self) {
        if !self.dirty {
            return;
        }
        let mut state = State::new(self.desired, self.boot_id.clone());
        (state.fence, state.size, state.next_id) = (self.fence, self.size, self.next_id);
        state.copies = self.copies.values().filter_map(Copy::record).collect();
        let folder = self.config.folder.clone();
        match tokio::task::spawn_blocking(move || state.save(&folder)).await {
            Ok(Ok(())) => self.dirty = false,
            Ok(Err(error)) => tracing::warn!(%error, "state not saved; tried again"),
            Err(error) => tracing::warn!(%error, "state not saved; tried again"),
        }
    }
}

fn describe(error: &io::Error, command: &[String]) -> String {
    format!("{}: {error}", command.first().map_or("", String::as_str))
}

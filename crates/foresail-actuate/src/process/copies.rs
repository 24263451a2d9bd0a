//! A copy as the supervisor knows it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use foresail_core::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;

use super::keeper::{Sender, Wish};
use super::plan::Planned;
use super::running::Identity;
use super::state::Record;
use crate::{CopyState, CopyStatus, clock};

#[derive(Debug)]
pub(super) struct Copy {
    pub(super) id: u64,
    pub(super) port: u16,
    pub(super) state: CopyState,
    /// When it came into that state.
    pub(super) since: Timestamp,
    /// Its process, unless it has none.
    pub(super) process: Option<(Identity, watch::Sender<Wish>)>,
    /// When its present process was decided on; none for an adopted one.
    pub(super) wanted_at: Option<Instant>,
    /// Since when it has been ready, lapses aside.
    pub(super) ready_since: Option<Timestamp>,
    pub(super) startup: Option<Duration>,
    pub(super) restarts: u32,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it is to be started again.
    pub(super) retry_at: Option<Instant>,
    /// Size its process was started with or last told of.
    pub(super) size: f64,
}

impl Copy {
    /// A copy to be started at once.
    pub(super) fn new(id: u64, size: f64) -> Self {
        Self {
            id,
            port: 0,
            state: CopyState::BackingOff,
            since: clock::now(),
            process: None,
            wanted_at: None,
            ready_since: None,
            startup: None,
            restarts: 0,
            failures: 0,
            retry_at: Some(Instant::now()),
            size,
        }
    }

    pub(super) fn enter(&mut self, state: CopyState) {
        self.state = state;
        self.since = clock::now();
    }

    /// The name its present process reports under.
    pub(super) fn sender(&self) -> Sender {
        Sender { id: self.id, attempt: self.restarts }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.process.as_ref().map(|(identity, _)| *identity)
    }

    /// Passes a wish on to its keeper.
    pub(super) fn wish(&self, wish: Wish) {
        if let Some((_, wishes)) = &self.process {
            wishes.send_if_modified(|now| {
                let stronger = wish > *now;
                *now = (*now).max(wish);
                stronger
            });
        }
    }

    pub(super) fn planned(&self, outdated: bool) -> Planned {
        Planned { id: self.id, state: self.state, outdated }
    }

    /// Without its memory, which is read where reading may take its time.
    pub(super) fn status(&self, host: IpAddr) -> CopyStatus {
        CopyStatus {
            id: self.id,
            address: SocketAddr::new(host, self.port),
            state: self.state,
            pid: self.identity().map(|identity| identity.pid),
            memory_bytes: None,
            startup: self.startup,
            restarts: self.restarts,
            since: self.since,
        }
    }

    pub(super) fn record(&self) -> Option<Record> {
        self.identity().map(|Identity { pid, start_ticks }| Record {
            id: self.id,
            port: self.port,
            pid,
            start_ticks,
            stopping: self.state == CopyState::Stopping,
            ready_since: self.ready_since,
            startup_ms: self.startup.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
            restarts: self.restarts,
            size: self.size,
        })
    }
}

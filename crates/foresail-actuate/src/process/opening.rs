//! How a supervisor begins: it takes its folder, reads what was saved, and adopts what still runs.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::config::{OnCrash, ProcessConfig};
use super::copies::Copy;
use super::keeper::Keeper;
use super::logs::LogFolder;
use super::running::{Identity, Running};
use super::state::{Record, State};
use super::supervisor::Supervisor;
use super::watchdog::Watchdog;
use super::{adopt, proc_fs};
use crate::{CopyState, Error, ReadyCopy, clock};

/// How long a lock is waited for. One that was just released may seem held for a moment, by a process between its fork and
/// its exec.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// What start-up reads from disk and from the kernel.
struct Opened {
    config: ProcessConfig,
    lock: File,
    logs: LogFolder,
    state: State,
    survivors: Vec<Record>,
}

impl Supervisor {
    /// Takes the folder, and adopts what an earlier actuator left running there.
    pub(super) async fn start(config: ProcessConfig, endpoints: watch::Sender<Vec<ReadyCopy>>) -> Result<Self, Error> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        let Opened { config, lock, logs, state, survivors } = loop {
            let config = config.clone();
            match tokio::task::spawn_blocking(move || open(config)).await.map_err(|_| Error::Closed)? {
                Err(Error::Locked { .. }) if Instant::now() < deadline => sleep(LOCK_PATIENCE / 10).await,
                opened => break opened?,
            }
        };
        let watchdog = match config.on_crash {
            OnCrash::Leave => None,
            OnCrash::Stop => {
                let shell = PathBuf::from("sh");
                Some(Watchdog::start(config.grace).map_err(Error::io(&shell))?)
            }
        };
        let (event_sender, events) = mpsc::channel(1024);
        let State { boot_id, fence, desired, size, next_id, .. } = state;
        let desired = desired.min(config.max_copies);
        let mut supervisor = Self {
            fence,
            desired,
            size,
            next_id,
            copies: BTreeMap::new(),
            boot_id,
            logs,
            watchdog,
            endpoints,
            startups: VecDeque::new(),
            failed_starts: 0,
            last_hang: None,
            dirty: true,
            size_dirty: config.resize.is_some(),
            deadline: None,
            event_sender,
            keepers: JoinSet::new(),
            events,
            tidying: None,
            settled: false,
            _lock: lock,
            config,
        };
        for record in &survivors {
            supervisor.adopt(record);
        }
        supervisor.publish();
        Ok(supervisor)
    }

    fn adopt(&mut self, record: &Record) {
        let Record { id, port, pid, start_ticks, stopping, ready_since, startup_ms, restarts, size } = *record;
        tracing::info!(copy = id, pid, port, "adopted");
        let identity = Identity { pid, start_ticks };
        let mut copy = Copy::new(id, size);
        (copy.port, copy.restarts, copy.ready_since, copy.retry_at) = (port, restarts, ready_since, None);
        copy.startup = startup_ms.map(Duration::from_millis);
        copy.enter(match (stopping, ready_since) {
            (true, _) => CopyState::Stopping,
            (false, Some(_)) => CopyState::Ready,
            (false, None) => CopyState::Starting,
        });
        let address = SocketAddr::new(self.config.host, port);
        let running = Running::adopted(identity);
        let (mut keeper, wishes) =
            Keeper::new(&self.config, copy.sender(), address, running, self.event_sender.clone());
        keeper.ready = ready_since.is_some();
        copy.process = Some((identity, wishes));
        self.keepers.spawn(keeper.keep());
        self.next_id = self.next_id.max(id + 1);
        self.copies.insert(id, copy);
    }
}

fn open(mut config: ProcessConfig) -> Result<Opened, Error> {
    config.check()?;
    fs::create_dir_all(&config.folder).map_err(Error::io(&config.folder))?;
    config.folder = fs::canonicalize(&config.folder).map_err(Error::io(&config.folder))?;
    let path = config.folder.join("lock");
    let lock = File::create(&path).map_err(Error::io(&path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Locked { path: config.folder }),
        Err(TryLockError::Error(source)) => return Err(Error::Io { path, source }),
    }
    let folder = config.logs.folder.clone().unwrap_or_else(|| config.folder.join("logs"));
    let logs = LogFolder::open(folder.clone(), config.logs.max_bytes, config.logs.keep).map_err(Error::io(&folder))?;
    let boot_id = proc_fs::boot_id();
    let mut state = State::load(&config.folder)?.unwrap_or_else(|| State::new(config.initial, boot_id.clone()));
    let mut survivors = adopt::survivors(&state, &boot_id, &config.folder);
    let now = clock::now();
    for record in &mut survivors {
        record.ready_since = record.ready_since.map(|since| since.min(now));
    }
    // The last order may not have been saved, on a full disk for one: what serves goes on until an order says otherwise.
    let serving = survivors.iter().filter(|record| !record.stopping).count();
    state.desired = state.desired.max(u32::try_from(serving).unwrap_or(u32::MAX));
    if config.resize.is_none() {
        state.size = 1.0;
    }
    state.boot_id = boot_id;
    Ok(Opened { config, lock, logs, state, survivors })
}

//! A process with its group: our child, or one adopted after a restart of Foresail.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::Child;
use tokio::time::sleep;

use super::proc_fs;

/// How often an adopted process is looked for: the kernel reports the end of children only.
const POLL: Duration = Duration::from_millis(100);

/// A running process, by a name that is never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// Its start, in clock ticks since that of the machine; 0 if it ended before that could be read.
    pub(super) start_ticks: u64,
}

impl Identity {
    pub(super) fn of(pid: u32) -> Self {
        Self { pid, start_ticks: proc_fs::start_ticks(pid).unwrap_or(0) }
    }

    pub(super) fn is_alive(self) -> bool {
        proc_fs::start_ticks(self.pid) == Some(self.start_ticks)
    }

    /// Signals the process alone.
    pub(super) fn signal(self, signal: Signal) -> io::Result<()> {
        if !self.is_alive() {
            return Err(io::ErrorKind::NotFound.into());
        }
        kill_process(self.raw()?, signal).map_err(Into::into)
    }

    /// Signals every process of its group; that none is left is no error.
    pub(super) fn signal_group(self, signal: Signal) {
        let sent = self.raw().map(|pid| kill_process_group(pid, signal));
        if let Ok(Err(error)) = sent
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(pid = self.pid, ?signal, %error, "process group not signalled");
        }
    }

    fn raw(self) -> io::Result<Pid> {
        i32::try_from(self.pid).ok().and_then(Pid::from_raw).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// A process until its end.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) identity: Identity,
    child: Option<Child>,
}

impl Running {
    pub(super) fn own(child: Child) -> Self {
        Self { identity: Identity::of(child.id().unwrap_or(0)), child: Some(child) }
    }

    pub(super) fn adopted(identity: Identity) -> Self {
        Self { identity, child: None }
    }

    /// Waits for its end and says how it ended. May be cancelled and called again.
    pub(super) async fn ended(&mut self) -> String {
        match &mut self.child {
            Some(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => {
                while self.identity.is_alive() {
                    sleep(POLL).await;
                }
                "adopted process is gone".to_owned()
            }
        }
    }
}

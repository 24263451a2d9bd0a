//! Processes of a trial: started in groups of their own, gone with their handle, their CPU time read from outside.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running process with its children.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command`; what it says goes to a file of `folder`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command, name: &str, folder: &Path) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.out"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let err = out.try_clone()?;
        let command = command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// Waits until it listens on `port`.
    ///
    /// # Errors
    /// If it ends, or does not within some seconds, with what it said.
    pub(crate) async fn listens(&mut self, port: u16) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        while TcpStream::connect(local(port)).await.is_err() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{} does not listen: {}", self.name, said.trim());
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// CPU seconds of all its threads and its children's so far, as the scheduler counts them; none where it does not.
    pub(crate) fn cpu_s(&self) -> Option<f64> {
        let ns: Option<u64> = self.family()?.into_iter().map(run_ns).sum();
        ns.map(|ns| ns as f64 / 1e9)
    }

    /// Most memory that it and its children had resident so far, MiB; pages that they share count for each.
    pub(crate) fn most_resident_mib(&self) -> Option<f64> {
        let kib: Option<u64> = self.family()?.into_iter().map(most_resident_kib).sum();
        kib.map(|kib| kib as f64 / 1024.0)
    }

    /// Its number and those of its children.
    fn family(&self) -> Option<Vec<u32>> {
        let own = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).ok()?;
        Some(std::iter::once(own).chain(children.split_whitespace().filter_map(|id| id.parse().ok())).collect())
    }
}

/// At once: a trial leaves nothing to be saved.
impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // An error says that it has gone by itself.
            let _ = kill_process_group(group, Signal::KILL);
        }
        drop(self.child.wait());
    }
}

/// Time on a processor of all threads of a process, ns.
fn run_ns(process: u32) -> Option<u64> {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of = |thread: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    threads.map(of).sum()
}

fn most_resident_kib(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

/// An address of this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Ports that are free now.
///
/// # Errors
/// If there are not as many.
pub(crate) fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let held: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind(local(0))).collect::<Result<_, _>>()?;
    Ok(held.iter().map(|listener| listener.local_addr().map(|address| address.port())).collect::<Result<_, _>>()?)
}

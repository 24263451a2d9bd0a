//! Fleets of test copies, orders for them, and waiting for what must come.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use foresail_actuate::process::{Backoff, Probe, ProcessActuator, ProcessConfig, Readiness};
use foresail_actuate::{Actuator, CopyState, Error, Observed, ReadyCopy};
use foresail_core::{Goal, Order, Replicas, Timestamp};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// Far more than anything here takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// This binary in the role of a test of `roles`.
pub(crate) fn role(name: &str) -> Vec<String> {
    let exe = std::env::current_exe().unwrap().display().to_string();
    [exe.as_str(), "--exact", &format!("roles::{name}"), "--nocapture", "--quiet"].map(str::to_owned).to_vec()
}

/// One copy of the test service, quick to probe, to forget and to stop.
pub(crate) fn service(folder: &Path) -> ProcessConfig {
    let mut config = ProcessConfig::new(role("serve"), folder.join("fleet"));
    config.env.insert("TEST_SERVES".to_owned(), "yes".to_owned());
    config.readiness = Readiness {
        probe: Probe::Http { path: "/ready".to_owned() },
        interval: ms(20),
        ready_interval: ms(20),
        timeout: ms(500),
        unready_after: 2,
        hang_timeout: Duration::ZERO,
    };
    config.backoff = Backoff { initial: ms(30), max: ms(100), stable_after: Duration::ZERO, give_up_after: None };
    config.drain = ms(20);
    config.grace = Duration::from_secs(5);
    config
}

/// The same, behind a line of shell that starts it with `"$0" "$@"`.
pub(crate) fn behind_shell(mut config: ProcessConfig, script: &str) -> ProcessConfig {
    let mut command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
    command.append(&mut config.command);
    config.command = command;
    config
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) async fn start(config: &ProcessConfig) -> ProcessActuator {
    ProcessActuator::start(config.clone()).await.unwrap()
}

pub(crate) async fn order(fleet: &ProcessActuator, decision: u64, goal: Goal) -> Result<(), Error> {
    fleet.apply(&Order { decision, time: Timestamp::EPOCH, goal }).await
}

pub(crate) async fn scale(fleet: &ProcessActuator, decision: u64, replicas: u32) {
    order(fleet, decision, Goal::Replicas { replicas: Replicas(replicas) }).await.unwrap();
}

/// Waits until the endpoints are as `expected`, and returns them.
pub(crate) async fn endpoints(
    fleet: &ProcessActuator,
    mut expected: impl FnMut(&[ReadyCopy]) -> bool,
) -> Vec<ReadyCopy> {
    let mut endpoints = fleet.endpoints();
    let found = timeout(PATIENCE, endpoints.wait_for(|now| expected(now))).await;
    found.expect("endpoints in time").expect("a running fleet").clone()
}

pub(crate) async fn ready(fleet: &ProcessActuator, count: usize) -> Vec<ReadyCopy> {
    endpoints(fleet, |now| now.len() == count).await
}

/// Waits until an observation is as `expected`, and returns it.
pub(crate) async fn observed(fleet: &ProcessActuator, mut expected: impl FnMut(&Observed) -> bool) -> Observed {
    let (mut startups, mut failed_starts) = (Vec::new(), 0);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut seen = fleet.observe().await.unwrap();
        startups.append(&mut seen.startups);
        failed_starts += seen.failed_starts;
        (seen.startups, seen.failed_starts) = (startups.clone(), failed_starts);
        if expected(&seen) {
            return seen;
        }
        assert!(Instant::now() < deadline, "not in time: {seen:?}");
        sleep(ms(10)).await;
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        sleep(ms(10)).await;
    }
}

pub(crate) fn pids(seen: &Observed) -> Vec<u32> {
    seen.copies.iter().filter_map(|copy| copy.pid).collect()
}

pub(crate) fn states(seen: &Observed) -> Vec<CopyState> {
    seen.copies.iter().map(|copy| copy.state).collect()
}

/// Whether a process runs, zombies aside.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

pub(crate) async fn gone(pids: &[u32]) {
    until("end of processes", async || !pids.iter().any(|pid| runs(*pid))).await;
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Processes whose environment marks them as of this fleet, group leaders or not.
pub(crate) fn marked(config: &ProcessConfig) -> Vec<u32> {
    let mark = format!("FORESAIL_COPY={}#", config.folder.canonicalize().unwrap().display());
    let pids = std::fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|variable| variable.starts_with(mark.as_bytes())) && runs(*pid)
    })
    .collect()
}

//! What is configured about copies of a command. Durations are written `250ms`, `30s`, `5m`, `1h`. The ranges in these
//! comments are checked by [`ProcessConfig::check`].

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use foresail_core::humane;

/// Copies of a command, kept alive on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessConfig {
    /// Program and arguments. In the arguments, `{port}`, `{id}` and `{workers}` stand for the copy's own.
    pub command: Vec<String>,
    /// Folder of this service alone: state file, logs. Created if absent.
    pub folder: PathBuf,
    /// Environment added to what Foresail has itself, with the placeholders of `command`. `PORT` is always set.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Whether copies see Foresail's own environment.
    #[serde(default = "yes")]
    pub inherit_env: bool,
    /// Folder the copies run in; Foresail's own if absent.
    #[serde(default)]
    pub working_folder: Option<PathBuf>,
    /// Copies wanted where no earlier run left its number, at most `max_copies`.
    #[serde(default = "initial")]
    pub initial: u32,
    /// Most copies ever wanted, 1 to 10000; orders for more are cut to it.
    #[serde(default = "max_copies")]
    pub max_copies: u32,
    /// Address the copies listen on.
    #[serde(default = "host")]
    pub host: IpAddr,
    /// Ports to choose from; whatever the system has free if absent.
    #[serde(default)]
    pub ports: Option<PortRange>,
    /// When a copy may be sent traffic.
    #[serde(default)]
    pub readiness: Readiness,
    /// A copy not ready after this long is killed and counts as a failed start; 100ms to 1h.
    #[serde(default = "start_timeout", with = "humane::Text")]
    pub start_timeout: Duration,
    /// From leaving the endpoints to SIGTERM, for requests on their way to it; at most 10m.
    #[serde(default = "drain", with = "humane::Text")]
    pub drain: Duration,
    /// From SIGTERM to SIGKILL; at most 1h.
    #[serde(default = "grace", with = "humane::Text")]
    pub grace: Duration,
    /// Pauses between starts of a copy that keeps ending.
    #[serde(default)]
    pub backoff: Backoff,
    /// What a copy may use.
    #[serde(default)]
    pub limits: ResourceLimits,
    /// How a copy is given another size; orders for another size are refused if absent.
    #[serde(default)]
    pub resize: Option<Resize>,
    /// How a copy is told to warm its caches; such orders are refused if absent.
    #[serde(default)]
    pub warm: Option<Warm>,
    /// What an orderly end of Foresail does with the copies.
    #[serde(default)]
    pub on_exit: OnExit,
    /// What a crash of Foresail does with the copies.
    #[serde(default)]
    pub on_crash: OnCrash,
    /// Where the output of copies goes.
    #[serde(default)]
    pub logs: Logs,
}

/// Ports `first` to `last`, both included, 1024 or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest, at least `first`.
    pub last: u16,
}

/// When a copy may be sent traffic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Readiness {
    /// What is asked of it.
    pub probe: Probe,
    /// Time between probes of a copy that is not ready or has just failed one, 10ms to 10m.
    #[serde(with = "humane::Text")]
    pub interval: Duration,
    /// Time between probes of a ready copy, 10ms to 10m.
    #[serde(with = "humane::Text")]
    pub ready_interval: Duration,
    /// A probe unanswered after this long has failed; 10ms to 10m.
    #[serde(with = "humane::Text")]
    pub timeout: Duration,
    /// Failed probes in a row after which a ready copy gets no more traffic, 1 to 100. Where that would leave fewer than
    /// half of the copies wanted, the cause is taken to be a common one (overload) and they keep their traffic.
    pub unready_after: u32,
    /// A copy that fails its probe for this long is killed and started again, one copy in such a time; `0s` for never,
    /// at most 1h.
    #[serde(with = "humane::Text")]
    pub hang_timeout: Duration,
}

/// What is asked of a copy to learn whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// An HTTP GET, answered with a status from 200 to 399.
    Http {
        /// Path, beginning with a slash.
        path: String,
    },
    /// That it accepts a connection.
    Tcp,
}

/// Pauses between starts of a copy that keeps ending: `initial`, then twice as long each time, up to `max`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Backoff {
    /// The first pause, 10ms to 1h.
    #[serde(with = "humane::Text")]
    pub initial: Duration,
    /// The longest pause, at least `initial` and at most 1d (24h).
    #[serde(with = "humane::Text")]
    pub max: Duration,
    /// A copy ready for this long has forgotten its failures, and is started again at once if it ends; at most 24h.
    #[serde(with = "humane::Text")]
    pub stable_after: Duration,
    /// Failures in a row after which a copy is given up until the next order; never if absent, at least 1.
    pub give_up_after: Option<u32>,
}

/// What a copy may use. Set right after its start; what it starts itself inherits them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResourceLimits {
    /// Address space, bytes, at least 1 MiB.
    pub address_space_bytes: Option<u64>,
    /// Open files, at least 16.
    pub open_files: Option<u64>,
    /// Niceness, -20 (favoured) to 19; below that of Foresail it needs privileges.
    pub nice: Option<i32>,
}

/// How a copy is given another size: its number of workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resize {
    /// Workers of a copy of size 1, at least 1. A copy of size `s` has `base_workers × s`, rounded, and at least one.
    pub base_workers: u32,
    /// Environment variable that tells a new copy its number of workers.
    #[serde(default = "workers_env")]
    pub env: String,
    /// How running copies learn of it.
    #[serde(default)]
    pub by: ResizeBy,
}

/// How running copies learn of another size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ResizeBy {
    /// They are replaced one at a time, a new one being ready before an old one goes.
    #[default]
    Restart,
    /// They get a signal, and read the number of workers from the file that `FORESAIL_SIZE_FILE` names in their
    /// environment. A copy is first signalled when it is ready.
    Signal {
        /// Which signal.
        signal: ResizeSignal,
    },
}

/// A signal that services use for "read your settings again".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResizeSignal {
    /// SIGHUP.
    Hup,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
}

/// How a copy is told to warm its caches: an HTTP POST with `share=` in its query, the share of the working set to load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    /// Path, beginning with a slash.
    pub path: String,
    /// How long one copy may take, 10ms to 1h.
    #[serde(default = "warm_timeout", with = "humane::Text")]
    pub timeout: Duration,
}

/// What an orderly end of Foresail does with the copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExit {
    /// They are stopped.
    #[default]
    Stop,
    /// They go on, to be adopted.
    Leave,
}

/// What becomes of the copies when Foresail is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnCrash {
    /// They go on, to be adopted: a service outlives its autoscaler.
    #[default]
    Leave,
    /// They are stopped, by a small watchdog process that notices.
    Stop,
}

/// Where the output of copies goes: a file a copy, with one older generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// Folder; `logs` in the service's folder if absent.
    pub folder: Option<PathBuf>,
    /// A file that has outgrown this (looked at every second) becomes the older generation; at least 1024.
    pub max_bytes: u64,
    /// How many copies that are gone keep their files, the newest; at most 10000.
    pub keep: u32,
}

fn yes() -> bool {
    true
}

fn initial() -> u32 {
    1
}

fn max_copies() -> u32 {
    100
}

fn host() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn start_timeout() -> Duration {
    Duration::from_secs(60)
}

fn drain() -> Duration {
    Duration::from_millis(200)
}

fn grace() -> Duration {
    Duration::from_secs(10)
}

fn workers_env() -> String {
    "WORKERS".to_owned()
}

fn warm_timeout() -> Duration {
    Duration::from_secs(30)
}

impl Default for Readiness {
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            interval: Duration::from_millis(250),
            ready_interval: Duration::from_secs(2),
            timeout: Duration::from_secs(1),
            unready_after: 3,
            hang_timeout: Duration::from_secs(30),
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(60),
            stable_after: Duration::from_secs(30),
            give_up_after: None,
        }
    }
}

impl Default for Logs {
    fn default() -> Self {
        Self { folder: None, max_bytes: 4 << 20, keep: 20 }
    }
}

impl ProcessConfig {
    /// `command` kept in `folder`, with the defaults for all else.
    pub fn new<C: Into<String>>(command: impl IntoIterator<Item = C>, folder: impl Into<PathBuf>) -> Self {
        Self {
            command: command.into_iter().map(Into::into).collect(),
            folder: folder.into(),
            env: BTreeMap::new(),
            inherit_env: yes(),
            working_folder: None,
            initial: initial(),
            max_copies: max_copies(),
            host: host(),
            ports: None,
            readiness: Readiness::default(),
            start_timeout: start_timeout(),
            drain: drain(),
            grace: grace(),
            backoff: Backoff::default(),
            limits: ResourceLimits::default(),
            resize: None,
            warm: None,
            on_exit: OnExit::default(),
            on_crash: OnCrash::default(),
            logs: Logs::default(),
        }
    }

    /// Workers of a copy of `size`: 1 where no resizing is configured.
    pub(super) fn workers(&self, size: f64) -> u32 {
        let base = self.resize.as_ref().map_or(1, |resize| resize.base_workers);
        (f64::from(base) * size).round().max(1.0) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ProcessConfig, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn defaults_are_good_and_written_back_alike() {
        let config = read(r#"{"command": ["serve"], "folder": "/x"}"#).unwrap();
        assert_eq!(config, ProcessConfig::new(["serve"], "/x"));
        config.check().unwrap();
        let written = serde_json::to_string(&config).unwrap();
        assert!(written.contains(r#""start_timeout":"1m""#), "{written}");
        assert_eq!(read(&written).unwrap(), config);
    }

    #[test]
    fn choices_are_tagged_and_unknown_keys_refused() {
        let config = read(
            r#"{"command": ["serve"], "folder": "/x", "readiness": {"probe": {"kind": "http", "path": "/ok"},
                "interval": "50ms"}, "resize": {"base_workers": 4, "by": {"kind": "signal", "signal": "usr1"}},
                "on_exit": "leave", "on_crash": "stop"}"#,
        )
        .unwrap();
        assert_eq!(config.readiness.probe, Probe::Http { path: "/ok".to_owned() });
        assert_eq!(config.readiness.timeout, Duration::from_secs(1));
        assert_eq!(config.workers(1.5), 6);
        assert!(read(r#"{"command": ["serve"], "folder": "/x", "comand": []}"#).is_err());
        assert!(read(r#"{"command": ["serve"], "folder": "/x", "drain": "1 second"}"#).is_err());
    }
}

//! The configuration of `foresail run`: one TOML file, checked before anything starts.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foresail_actuate::process::ProcessConfig;
use foresail_core::{Limits, Mode, Replicas, TimeZone, humane};
use foresail_proxy::ProxyConfig;
use foresail_scale::Service;
use foresail_scale::planner::{Budget, DownRules, Guardrails, Surge};
use foresail_scale::policies::{PolicyOptions, build};
use foresail_server::api::ServerConfig;
use serde::{Deserialize, Serialize};

use crate::failure::usage;

/// Everything that is configured.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Folder for journals and state; relative to the configuration file.
    #[serde(default = "data")]
    pub(crate) data: PathBuf,
    /// API and dashboard.
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// Services by name (letters, digits, `-`, `_`, `.`).
    #[serde(default)]
    pub(crate) service: BTreeMap<String, ServiceConfig>,
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceConfig {
    /// `observe`, `recommend` or `act`.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// The policy that decides while it proves itself.
    #[serde(default = "policy")]
    pub(crate) policy: String,
    /// What it has to beat.
    #[serde(default = "baseline")]
    pub(crate) baseline: String,
    /// Time between two decisions, 100ms to 10m.
    #[serde(default = "tick", with = "humane")]
    pub(crate) tick: Duration,
    /// Share of requests that may be late, above 0 and below 1.
    #[serde(default = "late_fraction")]
    pub(crate) late_fraction: f64,
    /// Wait for a free worker after which a request is late.
    #[serde(default = "late_after", with = "humane")]
    pub(crate) late_after: Duration,
    /// How long a client waits before it gives up.
    #[serde(default = "client_timeout", with = "humane")]
    pub(crate) client_timeout: Duration,
    /// Requests a second that one replica can serve, above 0: where learning begins.
    pub(crate) capacity_rps: f64,
    /// Requests that one replica works on at a time, 1 to 1024.
    #[serde(default = "workers")]
    pub(crate) workers: u32,
    /// Time from an order to a replica that serves, until some have been measured.
    #[serde(default = "startup", with = "humane")]
    pub(crate) startup: Duration,
    /// Learn the capacity from what is served.
    #[serde(default = "yes")]
    pub(crate) learn_capacity: bool,
    /// Start copies for endpoints that do not pull their weight.
    #[serde(default = "yes")]
    pub(crate) make_up: bool,
    /// Fewest replicas.
    #[serde(default = "one")]
    pub(crate) min: u32,
    /// Most replicas, at least `min`.
    pub(crate) max: u32,
    /// Zone of the calendar.
    #[serde(default = "utc")]
    pub(crate) zone: String,
    /// Brakes.
    #[serde(default)]
    pub(crate) guardrails: GuardrailsConfig,
    /// A file of past load to learn from before the first decision.
    #[serde(default)]
    pub(crate) history: Option<HistoryConfig>,
    /// The data plane.
    #[serde(default)]
    pub(crate) proxy: Option<ProxyConfig>,
    /// Upstreams that run elsewhere.
    #[serde(default)]
    pub(crate) endpoints: Vec<SocketAddr>,
    /// Copies of a command on this machine.
    #[serde(default)]
    pub(crate) process: Option<ProcessConfig>,
}

/// Brakes of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GuardrailsConfig {
    /// Replicas that may always be started at once.
    pub(crate) surge_least: u32,
    /// Share of what there is that may be started at once, at least 0.
    pub(crate) surge_share: f64,
    /// Time in which that much may be started.
    #[serde(with = "humane")]
    pub(crate) surge_period: Duration,
    /// For how long the need must have stayed lower before anything is removed.
    #[serde(with = "humane")]
    pub(crate) down_hold: Duration,
    /// Share of what there is that may be removed in a period, 0 to 1.
    pub(crate) down_share: f64,
    /// Time in which that much may be removed.
    #[serde(with = "humane")]
    pub(crate) down_period: Duration,
    /// Changes of at most this share are left alone, 0 to 1.
    pub(crate) hysteresis: f64,
    /// Replica-hours a day that may be spent beyond what is needed at once.
    pub(crate) replica_hours_per_day: Option<f64>,
}

impl Default for GuardrailsConfig {
    fn default() -> Self {
        let (surge, down) = (Surge::default(), DownRules::default());
        Self {
            surge_least: surge.least,
            surge_share: surge.share,
            surge_period: surge.period,
            down_hold: down.hold,
            down_share: down.share,
            down_period: down.period,
            hysteresis: 0.0,
            replica_hours_per_day: None,
        }
    }
}

/// Past load in a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryConfig {
    /// CSV, Parquet or saved Prometheus JSON, as `foresail forecast` reads it.
    pub(crate) file: PathBuf,
    /// Its column of requests.
    pub(crate) value: String,
    /// Time that the values count: `1s` where they are a second, `1m` where they are a minute.
    #[serde(default = "second", with = "humane")]
    pub(crate) per: Duration,
}

fn data() -> PathBuf {
    "foresail-data".into()
}
fn policy() -> String {
    "foresail".to_owned()
}
fn baseline() -> String {
    "hpa@0.7".to_owned()
}
fn tick() -> Duration {
    Duration::from_secs(15)
}
fn late_fraction() -> f64 {
    0.001
}
fn late_after() -> Duration {
    Duration::from_millis(200)
}
fn client_timeout() -> Duration {
    Duration::from_secs(10)
}
fn workers() -> u32 {
    8
}
fn startup() -> Duration {
    Duration::from_secs(60)
}
fn yes() -> bool {
    true
}
fn one() -> u32 {
    1
}
fn utc() -> String {
    "UTC".to_owned()
}
fn second() -> Duration {
    Duration::from_secs(1)
}

/// A value that is out of range, and where it stands.
struct Wrong {
    /// The way to it: `service`, `web`, `max`.
    path: Vec<String>,
    what: String,
}

impl Config {
    /// Reads and checks `file`.
    ///
    /// # Errors
    /// In one line: file, line, key, value and what is accepted.
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).map_err(|e| usage(format!("{}: {e}", file.display())))?;
        Self::parse(&text, file)
    }

    /// As [`Config::read`], of the text of `file`.
    ///
    /// # Errors
    /// Likewise.
    pub(crate) fn parse(text: &str, file: &Path) -> anyhow::Result<Self> {
        let mut config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            let said: Vec<&str> = e.message().split_whitespace().collect();
            usage(format!("{}:{line}: {}", file.display(), said.join(" ")))
        })?;
        if let Some(folder) = file.parent() {
            config.data = folder.join(&config.data);
            for service in config.service.values_mut() {
                if let Some(history) = &mut service.history {
                    history.file = folder.join(&history.file);
                }
            }
        }
        config.check().map_err(|wrong| {
            let line = find(text, &wrong.path).map_or(1, |at| line_of(text, at));
            usage(format!("{}:{line}: {}: {}", file.display(), wrong.path.join("."), wrong.what))
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Wrong> {
        let at = |path: &[&str], what: String| Wrong { path: path.iter().map(|p| (*p).to_owned()).collect(), what };
        self.server.check().map_err(|e| at(&["server"], e.to_string()))?;
        if self.service.is_empty() {
            return Err(at(&["service"], "is missing; at least one [service.NAME] is needed".to_owned()));
        }
        for (name, service) in &self.service {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
                return Err(at(&["service", name], "is no name: letters, digits, -, _ and ., at most 63".to_owned()));
            }
            service.check().map_err(|(key, what)| at(&["service", name, key], what))?;
        }
        Ok(())
    }
}

impl ServiceConfig {
    fn check(&self) -> Result<(), (&'static str, String)> {
        let ticks = Duration::from_millis(100)..=Duration::from_secs(600);
        if !ticks.contains(&self.tick) {
            return Err(("tick", format!("is {}, accepted is 100ms to 10m", humane::format(self.tick))));
        }
        if !(self.late_fraction > 0.0 && self.late_fraction < 1.0) {
            return Err(("late_fraction", format!("is {}, accepted is above 0 and below 1", self.late_fraction)));
        }
        if self.min > self.max || self.max == 0 || self.max > 10_000 {
            return Err(("max", format!("is {}, accepted is min ({}) to 10000, at least 1", self.max, self.min)));
        }
        if self.startup.is_zero() || self.startup > Duration::from_secs(3_600) {
            return Err(("startup", format!("is {}, accepted is 1ms to 1h", humane::format(self.startup))));
        }
        if self.late_after.is_zero() || self.client_timeout <= self.late_after {
            return Err(("late_after", "is not above 0 and below client_timeout".to_owned()));
        }
        let service = self.service().map_err(|e| ("capacity_rps", e.to_string()))?;
        self.zone().map_err(|e| ("zone", e.to_string()))?;
        self.guardrails().check().map_err(|e| ("guardrails", e.to_string()))?;
        let options = PolicyOptions::new(self.limits());
        build(&self.policy, &service, &options).map_err(|e| ("policy", e.to_string()))?;
        build(&self.baseline, &service, &options).map_err(|e| ("baseline", e.to_string()))?;
        if let Some(proxy) = &self.proxy {
            proxy.check().map_err(|e| ("proxy", e.to_string()))?;
        }
        if let Some(process) = &self.process {
            process.check().map_err(|e| ("process", e.to_string()))?;
        }
        if self.proxy.is_none() {
            return Err(("proxy", "is missing; the load is measured there".to_owned()));
        }
        if self.process.is_none() && self.endpoints.is_empty() {
            return Err(("process", "is missing; name a command to run, or endpoints that run elsewhere".to_owned()));
        }
        if self.process.is_none() && self.mode == Mode::Act {
            return Err(("mode", "is act, but nothing can be ordered without [process]".to_owned()));
        }
        if self.history.as_ref().is_some_and(|h| h.per.is_zero()) {
            return Err(("history", "per is 0s, accepted is 1ms or more".to_owned()));
        }
        Ok(())
    }

    /// What one replica can do.
    ///
    /// # Errors
    /// For values out of range.
    pub(crate) fn service(&self) -> Result<Service, foresail_scale::Error> {
        Service::request(self.capacity_rps, self.startup)?
            .with_workers(self.workers)?
            .with_wait_slo(self.late_after)?
            .with_client_timeout(self.client_timeout)
    }

    /// Fewest and most replicas.
    pub(crate) fn limits(&self) -> Limits {
        Limits { min: Replicas(self.min), max: Replicas(self.max) }
    }

    /// Zone of the calendar.
    ///
    /// # Errors
    /// For a zone there is not.
    pub(crate) fn zone(&self) -> Result<TimeZone, foresail_core::Error> {
        TimeZone::named(&self.zone)
    }

    /// Limits and brakes.
    pub(crate) fn guardrails(&self) -> Guardrails {
        let g = &self.guardrails;
        let surge = Surge { least: g.surge_least, share: g.surge_share, period: g.surge_period };
        let down = DownRules { hold: g.down_hold, share: g.down_share, period: g.down_period, ..DownRules::default() };
        let budget = Budget { replica_hours_per_day: g.replica_hours_per_day, ..Budget::default() };
        Guardrails { surge, down, budget, hysteresis: g.hysteresis, ..Guardrails::new(self.limits()) }
    }
}

/// Line (from 1) of a byte of `text`.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// Where the value at `path` begins in `text`; of as much of the path as there is.
fn find(text: &str, path: &[String]) -> Option<usize> {
    let table = toml::de::DeTable::parse(text).ok()?;
    let mut at = None;
    let mut here = table.into_inner();
    for key in path {
        let (found, value) = here.into_iter().find(|(k, _)| k.get_ref() == key)?;
        at = Some(found.span().start);
        match value.into_inner() {
            toml::de::DeValue::Table(table) => here = table,
            _ => break,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[service.web]
capacity_rps = 100.0
max = 20

[service.web.proxy]
listen = [{ address = "127.0.0.1:0" }]

[service.web.process]
command = ["server", "--port", "{port}"]
folder = "web"
"#;

    #[test]
    fn a_short_file_is_enough_and_comes_with_safe_defaults() {
        let config = Config::parse(GOOD, Path::new("dir/foresail.toml")).expect("valid");
        let web = &config.service["web"];
        assert_eq!((web.mode, web.policy.as_str(), web.min), (Mode::Recommend, "foresail", 1));
        assert_eq!(config.data, Path::new("dir/foresail-data"));
        assert_eq!(web.guardrails().down.hold, Duration::from_secs(120));
    }

    #[test]
    fn the_documented_file_is_valid() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/foresail.toml"));
        let config = Config::read(file).expect("valid");
        let web = &config.service["web"];
        assert_eq!((web.max, web.workers, web.guardrails.down_share), (40, 8, 0.1));
    }

    /// What is wrong, and how the line that says so begins.
    #[test]
    fn what_is_wrong_is_named_with_its_line_and_what_is_accepted() {
        for (from, to, said) in [
            ("max = 20", "max = 0", "f.toml:4: service.web.max: is 0, accepted is"),
            ("max = 20", "max = \"many\"", "f.toml:4: invalid type"),
            ("max = 20", "max = 20\nmaxx = 1", "f.toml:5: unknown field `maxx`"),
            ("max = 20", "max = 20\ntick = \"15\"", "f.toml:5: \"15\" is no duration"),
            ("max = 20", "max = 20\ntick = \"1h\"", "f.toml:5: service.web.tick: is 1h, accepted is 100ms to 10m"),
            ("max = 20", "max = 20\npolicy = \"hpb\"", "f.toml:5: service.web.policy:"),
            ("max = 20", "max = 20\nlate_fraction = 1.0", "f.toml:5: service.web.late_fraction: is 1, accepted"),
            ("capacity_rps = 100.0", "capacity_rps = -1.0", "f.toml:3: service.web.capacity_rps:"),
            ("[service.web]", "[service.\"a b\"]", "f.toml:"),
            (GOOD, "data = \"x\"", "f.toml:1: service: is missing"),
        ] {
            let text = GOOD.replace(from, to);
            let error = Config::parse(&text, Path::new("f.toml")).expect_err(to).to_string();
            assert!(error.starts_with(said), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}

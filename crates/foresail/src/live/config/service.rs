//! `[service.NAME]`: what is kept of a service, how it is measured and what runs it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use foresail_actuate::process::ProcessConfig;
use foresail_core::{Limits, Mode, Replicas, TimeZone, humane};
use foresail_proxy::ProxyConfig;
use foresail_scale::Service;
use foresail_scale::planner::{Budget, DownRules, Guardrails, Surge};
use foresail_scale::policies::{PolicyOptions, build};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exchange::ExchangeConfig;
use super::fingerprint::FingerprintConfig;
use super::known::KnownConfig;
use super::source::{HistoryConfig, PrometheusConfig};

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    #[serde(default = "tick", with = "humane::Text")]
    pub(crate) tick: Duration,
    /// Share of requests that may be late, above 0 and below 1.
    #[serde(default = "late_fraction")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) late_fraction: f64,
    /// Wait for a free worker after which a request is late.
    #[serde(default = "late_after", with = "humane::Text")]
    pub(crate) late_after: Duration,
    /// How long a client waits before it gives up.
    #[serde(default = "client_timeout", with = "humane::Text")]
    pub(crate) client_timeout: Duration,
    /// Requests a second that one replica can serve, above 0: where learning begins.
    #[schemars(range(min = 0.0))]
    pub(crate) capacity_rps: f64,
    /// Requests that one replica works on at a time, 1 to 1024.
    #[serde(default = "workers")]
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) workers: u32,
    /// Time from an order to a replica that serves, until some have been measured.
    #[serde(default = "startup", with = "humane::Text")]
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
    #[schemars(range(min = 1, max = 10_000))]
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
    /// A Prometheus that knows the load: of the past, and of now where there is no proxy.
    #[serde(default)]
    pub(crate) prometheus: Option<PrometheusConfig>,
    /// What is known ahead.
    #[serde(default)]
    pub(crate) known: KnownConfig,
    /// What kind of work it does, as its proxy sees it.
    #[serde(default)]
    pub(crate) fingerprint: FingerprintConfig,
    /// The data plane.
    #[serde(default)]
    pub(crate) proxy: Option<ProxyConfig>,
    /// Other proxies of the same endpoints.
    #[serde(default)]
    pub(crate) exchange: Option<ExchangeConfig>,
    /// Upstreams that run elsewhere.
    #[serde(default)]
    pub(crate) endpoints: Vec<SocketAddr>,
    /// Copies of a command on this machine.
    #[serde(default)]
    pub(crate) process: Option<ProcessConfig>,
}

/// Brakes of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GuardrailsConfig {
    /// Replicas that may always be started at once.
    pub(crate) surge_least: u32,
    /// Share of what there is that may be started at once, at least 0.
    #[schemars(range(min = 0.0))]
    pub(crate) surge_share: f64,
    /// Time in which that much may be started.
    #[serde(with = "humane::Text")]
    pub(crate) surge_period: Duration,
    /// For how long the need must have stayed lower before anything is removed.
    #[serde(with = "humane::Text")]
    pub(crate) down_hold: Duration,
    /// Share of what there is that may be removed in a period, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) down_share: f64,
    /// Time in which that much may be removed.
    #[serde(with = "humane::Text")]
    pub(crate) down_period: Duration,
    /// Changes of at most this share are left alone, 0 to 1.
    #[schemars(range(min = 0.0, max = 1.0))]
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

impl ServiceConfig {
    /// Everything that can be checked without touching anything; key and what is wrong with it.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
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
        if let Some(prometheus) = &self.prometheus {
            prometheus.check().map_err(|e| ("prometheus", e))?;
        }
        self.known.check().map_err(|e| ("known", e))?;
        self.fingerprint.check().map_err(|e| ("fingerprint", e))?;
        if let Some(exchange) = &self.exchange {
            exchange.check().map_err(|e| ("exchange", e))?;
            if self.proxy.is_none() || self.process.is_some() {
                let why = "needs proxy, and endpoints instead of process: copies of one machine are no other proxy's";
                return Err(("exchange", why.to_owned()));
            }
        }
        if self.proxy.is_none() && self.prometheus.is_none() {
            return Err(("proxy", "is missing, and prometheus too; the load is measured by one of them".to_owned()));
        }
        if self.proxy.is_some() && self.process.is_none() && self.endpoints.is_empty() {
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

    /// Paths that were relative to the file, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(history) = &mut self.history {
            history.file = folder.join(&history.file);
        }
        if let Some(prometheus) = &mut self.prometheus {
            prometheus.client.resolve(folder);
        }
        if let Some(proxy) = &mut self.proxy {
            proxy.resolve(folder);
        }
        if let Some(exchange) = &mut self.exchange {
            exchange.resolve(folder);
        }
        self.known.resolve(folder);
        self.fingerprint.resolve(folder);
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

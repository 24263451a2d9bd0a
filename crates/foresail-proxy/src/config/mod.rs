//! The settings of a proxy: safe defaults, ranges in every field's documentation.

mod deadlines;
mod health;
mod limits;
mod listen;
mod otlp;
mod picks;
mod router;

use std::path::{Path, PathBuf};
use std::time::Duration;

use foresail_guard::GuardConfig;
use foresail_route::{BalancerKind, RetryBudgetConfig};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use deadlines::Deadlines;
pub use health::{ActiveCheck, HealthConfig};
pub use limits::{Admission, Limits};
pub use listen::{CertificatePair, Endpoint, ListenConfig, TlsConfig, UpstreamTls};
pub use otlp::{HeaderText, OtlpConfig};
pub use picks::PickLogConfig;
pub use router::RouterSettings;

use crate::Error;
use crate::error::check;

/// Everything a proxy needs to know besides its endpoints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyConfig {
    /// Where to listen; at least one. Default: a free port of the loopback address.
    pub listen: Vec<ListenConfig>,
    /// Threads, 1 to 1024, each with a runtime, listeners and upstream connections of its own; 0 (the default) is one per
    /// core.
    pub workers: usize,
    /// How endpoints are chosen.
    pub balancer: BalancerKind,
    /// Share of the picks that are at random among the endpoints that are available, 0 to 0.2: held out from what the balancer
    /// has learned, so that it cannot confirm itself. Default 0.
    pub explore: f64,
    /// A file of picks with their propensities, if wanted.
    pub picks: Option<PickLogConfig>,
    /// Which of several services answers a request, if there are several.
    pub router: Option<RouterSettings>,
    /// Sizes that are refused beyond.
    pub limits: Limits,
    /// Times that are cut off beyond.
    pub deadlines: Deadlines,
    /// Second attempts.
    pub retry: RetryConfig,
    /// What keeps a sick endpoint out.
    pub health: HealthConfig,
    /// Peers whose `X-Forwarded-*`, `X-Request-Id` and PROXY headers are believed, as networks such as `10.0.0.0/8`.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// A line per request, if wanted.
    pub access_log: Option<AccessLog>,
    /// A span per request, if wanted.
    pub otlp: Option<OtlpConfig>,
    /// How much is let in at once.
    pub admission: Admission,
    /// Who is let in when there is too much, if that is to be guarded; observes unless told to enforce.
    pub guard: Option<GuardConfig>,
    /// Whether requests are counted by kind, for whoever takes them by [`Proxy::take_workload`](crate::Proxy::take_workload);
    /// said by that one rather than in a file. Off by default.
    #[serde(skip)]
    pub fingerprint: bool,
    /// A request that takes longer than this, to its last byte, is counted late; `1ms` to `1h`, default `250ms`.
    #[serde(with = "foresail_core::humane::Text")]
    pub late_after: Duration,
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            listen: vec![ListenConfig::default()],
            workers: 0,
            balancer: BalancerKind::default(),
            explore: 0.0,
            picks: None,
            router: None,
            limits: Limits::default(),
            deadlines: Deadlines::default(),
            retry: RetryConfig::default(),
            health: HealthConfig::default(),
            trusted_proxies: Vec::new(),
            access_log: None,
            otlp: None,
            admission: Admission::default(),
            guard: None,
            fingerprint: false,
            late_after: Duration::from_millis(250),
        }
    }
}

impl ProxyConfig {
    /// Paths that were relative to `folder`, from here.
    pub fn resolve(&mut self, folder: &Path) {
        let guard = self.guard.iter_mut().flat_map(|guard| guard.state.iter_mut().chain(&mut guard.geoip));
        let router = self.router.iter_mut().filter_map(|router| router.state.as_mut());
        let log = self.access_log.iter_mut().map(|log| &mut log.path);
        let otlp = self.otlp.iter_mut().filter_map(|otlp| otlp.authorities.as_mut());
        let tls = self.listen.iter_mut().filter_map(|listen| listen.tls.as_mut()).flat_map(|tls| {
            let more = tls.more.iter_mut().flat_map(|pair| [&mut pair.certificate, &mut pair.key]);
            [&mut tls.certificate, &mut tls.key].into_iter().chain(more)
        });
        let picks = self.picks.iter_mut().map(|picks| &mut picks.path);
        for path in guard.chain(router).chain(log).chain(otlp).chain(tls).chain(picks) {
            *path = folder.join(&path);
        }
    }

    /// # Errors
    /// [`Error::OutOfRange`], [`Error::Route`] or [`Error::Guard`], naming the field that is out of its range.
    pub fn check(&self) -> Result<(), Error> {
        check(!self.listen.is_empty(), "listen", "empty", "at least one address")?;
        check(self.workers <= 1024, "workers", self.workers, "0 to 1024")?;
        check_duration(
            self.late_after,
            "late_after",
            Duration::from_millis(1),
            Duration::from_secs(3600),
            "1ms to 1h",
        )?;
        self.balancer.check()?;
        check((0.0..=0.2).contains(&self.explore), "explore", self.explore, "0 to 0.2")?;
        self.picks.as_ref().map_or(Ok(()), PickLogConfig::check)?;
        let can_tell = self.picks.is_none() || self.balancer.knows_propensities();
        check(can_tell, "picks", "for a balancer in turn or by a ring", "with one that draws endpoints")?;
        self.router.as_ref().map_or(Ok(()), RouterSettings::check)?;
        self.limits.check()?;
        self.deadlines.check()?;
        self.retry.check()?;
        self.health.check()?;
        self.admission.check()?;
        self.guard.as_ref().map_or(Ok(()), GuardConfig::check)?;
        self.access_log.as_ref().map_or(Ok(()), AccessLog::check)?;
        self.otlp.as_ref().map_or(Ok(()), OtlpConfig::check)
    }
}

/// Second attempts for requests that may be repeated: idempotent methods without a body. A request of which nothing was
/// sent (the connection was refused or already gone) is repeated whatever its method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetryConfig {
    /// Attempts after the first, 0 to 10, never twice at one endpoint while another is there.
    pub attempts: u32,
    /// Whether an answer of 502, 503 or 504 is retried, not only a broken connection.
    pub on_gateway_errors: bool,
    /// What share of the traffic retries may add.
    pub budget: RetryBudgetConfig,
    /// Whether a second endpoint is asked while the first is late, if that is wanted.
    pub hedge: Option<HedgeConfig>,
}

/// Asking a second endpoint while the first is late (a hedged request; Dean and Barroso 2013, "The Tail at Scale"): GET and HEAD
/// without a body, at most once a request. The first answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HedgeConfig {
    /// Which share of the answers to requests of its kind (method and pattern of the path) come sooner than one that is late, 0.5
    /// to 0.999, as learned; of a kind that is rare nobody knows, and nothing is late.
    pub quantile: f64,
    /// What share of the traffic that may add, 0.001 to 0.1.
    pub share: f64,
}

impl Default for HedgeConfig {
    fn default() -> Self {
        Self { quantile: 0.95, share: 0.02 }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self { attempts: 1, on_gateway_errors: true, budget: RetryBudgetConfig::default(), hedge: None }
    }
}

impl RetryConfig {
    fn check(&self) -> Result<(), Error> {
        check(self.attempts <= 10, "retry.attempts", self.attempts, "0 to 10")?;
        if let Some(hedge) = &self.hedge {
            check((0.5..=0.999).contains(&hedge.quantile), "retry.hedge.quantile", hedge.quantile, "0.5 to 0.999")?;
            check((0.001..=0.1).contains(&hedge.share), "retry.hedge.share", hedge.share, "0.001 to 0.1")?;
        }
        Ok(self.budget.check()?)
    }
}

/// Where and how requests are logged. Lines are written by a thread of their own; when it falls behind, lines are dropped
/// and counted rather than requests delayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessLog {
    /// The file lines are appended to. It is opened again when it has been moved away.
    pub path: PathBuf,
    /// How a line looks.
    #[serde(default)]
    pub format: LogFormat,
    /// Lines that may wait for the writer, 16 to 1000000.
    #[serde(default = "default_buffer")]
    pub buffer: usize,
}

fn default_buffer() -> usize {
    8192
}

impl AccessLog {
    fn check(&self) -> Result<(), Error> {
        check((16..=1_000_000).contains(&self.buffer), "access_log.buffer", self.buffer, "16 to 1000000")
    }
}

/// How a line of the access log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// An object a line.
    #[default]
    Json,
    /// Apache's combined format.
    Combined,
}

pub(crate) fn check_duration(
    value: Duration,
    key: &'static str,
    least: Duration,
    most: Duration,
    range: &'static str,
) -> Result<(), Error> {
    check((least..=most).contains(&value), key, format!("{value:?}"), range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_survive_a_round_trip() {
        let config = ProxyConfig::default();
        config.check().unwrap();
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<ProxyConfig>(&text).unwrap(), config);
        assert_eq!(serde_json::from_str::<ProxyConfig>("{}").unwrap(), config);
    }

    #[test]
    fn errors_name_key_value_and_range() {
        let check = |text: &str, expected: &str| {
            let error = serde_json::from_str::<ProxyConfig>(text).unwrap().check().unwrap_err();
            assert_eq!(error.to_string(), expected);
        };
        check(r#"{"workers":5000}"#, "workers is 5000, accepted is 0 to 1024");
        check(r#"{"deadlines":{"header":"0s"}}"#, "deadlines.header is 0ns, accepted is 100ms to 10m");
        check(r#"{"explore":0.5}"#, "explore is 0.5, accepted is 0 to 0.2");
        check(r#"{"picks":{"path":"p","share":0}}"#, "picks.share is 0, accepted is 0.0001 to 1");
        check(
            r#"{"picks":{"path":"p"},"balancer":{"policy":"round_robin"}}"#,
            "picks is for a balancer in turn or by a ring, accepted is with one that draws endpoints",
        );
        check(r#"{"retry":{"attempts":11}}"#, "retry.attempts is 11, accepted is 0 to 10");
        check(r#"{"retry":{"hedge":{"share":0.5}}}"#, "retry.hedge.share is 0.5, accepted is 0.001 to 0.1");
        check(
            r#"{"admission":{"adaptive":{"floor":9,"most":8}}}"#,
            "admission.adaptive.most is 8, accepted is floor to 100000",
        );
        check(r#"{"otlp":{"endpoint":"http://a","sample":1.5}}"#, "otlp.sample is 1.5, accepted is 0 to 1");
        check(
            r#"{"otlp":{"endpoint":"http://user:secret@a"}}"#,
            "otlp.endpoint is not a usable address: it holds credentials, which belong into the options, \
             accepted is http:// or https:// and a host",
        );
        check(
            r#"{"otlp":{"endpoint":"http://a","headers":{"content-type":"x"}}}"#,
            "otlp.headers is content-type, accepted is names of headers that the exporter does not set itself",
        );
        check(
            r#"{"router":{"services":{"a":["x"],"b":["y","x"]}}}"#,
            "router.services is x, accepted is each endpoint once",
        );
        check(
            r#"{"router":{"services":{"a":["x"]},"learn":{"hold_out":0.9}}}"#,
            "router.learn.hold_out is 0.9, accepted is 0.001 to 0.5",
        );
        assert!(serde_json::from_str::<ProxyConfig>(r#"{"colour":1}"#).is_err());
    }
}

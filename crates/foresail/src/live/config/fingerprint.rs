//! Whether and how often it is told what kind of work a service is doing.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use foresail_core::fingerprint::MOST_METRICS;
use foresail_core::humane;
use foresail_http::Endpoint;
use foresail_ingest::PrometheusHttp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientConfig;

/// The fingerprint of a service's work, taken by its proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FingerprintConfig {
    /// Whether it is taken; a request costs less than 0.5 µs for it.
    pub(crate) on: bool,
    /// Length of an interval, of which each is one fingerprint, 10s to 10m. A change is told after two of them.
    #[serde(with = "humane::Text")]
    pub(crate) interval: Duration,
    /// The application's own figures that belong to it.
    pub(crate) metrics: Option<OwnMetricsConfig>,
}

/// Figures of the application (cache hit ratio, queue depth, pool use) as a running Prometheus has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnMetricsConfig {
    /// Its address, up to what comes before `/api/v1`.
    pub(crate) url: String,
    /// A name and the PromQL of one series each, 1 to 32.
    pub(crate) queries: BTreeMap<String, String>,
    /// Younger samples are not asked for, since some may still be on their way; 0s to 10m.
    #[serde(default, with = "humane::Text")]
    pub(crate) delay: Duration,
    /// As whom and how patiently it is asked.
    #[serde(default)]
    pub(crate) client: ClientConfig,
}

impl Default for FingerprintConfig {
    fn default() -> Self {
        Self { on: true, interval: Duration::from_secs(30), metrics: None }
    }
}

impl FingerprintConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(Duration::from_secs(10)..=Duration::from_secs(600)).contains(&self.interval) {
            return Err(format!("interval is {}, accepted is 10s to 10m", humane::format(self.interval)));
        }
        self.metrics.as_ref().map_or(Ok(()), |metrics| metrics.check().map_err(|e| format!("metrics.{e}")))
    }

    /// Paths that were relative to `folder`, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        if let Some(metrics) = &mut self.metrics {
            metrics.client.resolve(folder);
        }
    }
}

impl OwnMetricsConfig {
    fn check(&self) -> Result<(), String> {
        Endpoint::parse(&self.url).map_err(|e| format!("url: {e}"))?;
        if !(1..=MOST_METRICS).contains(&self.queries.len()) {
            return Err(format!("queries has {} entries, accepted are 1 to {MOST_METRICS}", self.queries.len()));
        }
        if let Some((name, _)) = self.queries.iter().find(|(name, query)| name.is_empty() || query.trim().is_empty()) {
            return Err(format!("queries.{name} is empty; expected a name and PromQL that gives one series"));
        }
        if self.delay > Duration::from_secs(600) {
            return Err(format!("delay is {}, accepted is 0s to 10m", humane::format(self.delay)));
        }
        self.client.check()
    }

    /// Ready to be asked.
    ///
    /// # Errors
    /// If a file of credentials cannot be read or used.
    pub(crate) fn source(&self) -> anyhow::Result<PrometheusHttp> {
        self.client.prometheus(&self.url, self.delay)
    }
}

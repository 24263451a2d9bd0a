//! Where the load is known from, beside the proxy.

use std::path::PathBuf;
use std::time::Duration;

use foresail_core::humane;
use foresail_http::Endpoint;
use foresail_ingest::PrometheusHttp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientConfig;

/// A running Prometheus (or what speaks its protocol), asked and never written to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrometheusConfig {
    /// Its address, up to what comes before `/api/v1`.
    pub(crate) url: String,
    /// Gives one series: requests a second, as `sum(rate(http_requests_total{service="web"}[1m]))` does.
    pub(crate) query: String,
    /// Younger samples are not asked for, since some may still be on their way; 0s to 10m.
    #[serde(default = "delay", with = "humane::Text")]
    pub(crate) delay: Duration,
    /// How much of the past is asked for at the start; 0s to 90d.
    #[serde(default = "backfill", with = "humane::Text")]
    pub(crate) backfill: Duration,
    /// As whom and how patiently it is asked.
    #[serde(default)]
    pub(crate) client: ClientConfig,
}

/// Past load in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryConfig {
    /// CSV, Parquet or saved Prometheus JSON, as `foresail forecast` reads it.
    pub(crate) file: PathBuf,
    /// Its column of requests.
    pub(crate) value: String,
    /// Time that the values count: `1s` where they are a second, `1m` where they are a minute.
    #[serde(default = "second", with = "humane::Text")]
    pub(crate) per: Duration,
}

fn delay() -> Duration {
    Duration::from_secs(30)
}
fn backfill() -> Duration {
    Duration::from_secs(14 * 86_400)
}
fn second() -> Duration {
    Duration::from_secs(1)
}

impl PrometheusConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        Endpoint::parse(&self.url).map_err(|e| format!("url: {e}"))?;
        if self.query.trim().is_empty() {
            return Err("query is empty; expected PromQL that gives requests a second".to_owned());
        }
        if self.delay > Duration::from_secs(600) {
            return Err(format!("delay is {}, accepted is 0s to 10m", humane::format(self.delay)));
        }
        if self.backfill > Duration::from_secs(90 * 86_400) {
            return Err(format!("backfill is {}, accepted is 0s to 90d", humane::format(self.backfill)));
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

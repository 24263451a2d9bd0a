//! Where spans go.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use foresail_http::Endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_duration;
use crate::Error;
use crate::error::check;
use crate::scan::is_token;

/// Headers that the exporter sets itself.
const OURS: [&str; 7] =
    ["host", "content-type", "content-length", "transfer-encoding", "connection", "user-agent", "accept"];

/// Export of a span per request to an OpenTelemetry collector: OTLP over HTTP, in JSON. Spans are sent by a thread of
/// their own; when it falls behind, spans are dropped and counted rather than requests delayed.
///
/// With it every request that has arrived gets a span, in the trace that its `traceparent` names or in a new one, and the
/// endpoint is told that span as its parent. A caller's decision to record a trace or not is kept, whoever the caller is.
/// Queries are not exported, for they may hold secrets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtlpConfig {
    /// The collector, such as `http://127.0.0.1:4318`; spans go to `v1/traces` below it.
    pub endpoint: String,
    /// Share of the traces begun here that are recorded, 0 to 1, default 0.01.
    #[serde(default = "sample")]
    pub sample: f64,
    /// `service.name` of the spans, 1 to 255 bytes, default `foresail`.
    #[serde(default = "service_name")]
    pub service_name: String,
    /// Further headers, such as one that says who is asking.
    #[serde(default)]
    pub headers: BTreeMap<String, HeaderText>,
    /// PEM file with authorities that may have signed the collector's certificate, beside the public ones.
    #[serde(default)]
    pub authorities: Option<PathBuf>,
    /// Most time for one delivery, `100ms` to `1m`, default `10s`.
    #[serde(default = "timeout", with = "foresail_core::humane::Text")]
    pub timeout: Duration,
    /// For how long the delivery of a batch is tried again while the collector is away or busy, `0s` to `10m`, default
    /// `30s`.
    #[serde(default = "retry_for", with = "foresail_core::humane::Text")]
    pub retry_for: Duration,
    /// How long a span may wait for others to go with it, `10ms` to `1m`, default `1s`.
    #[serde(default = "delay", with = "foresail_core::humane::Text")]
    pub delay: Duration,
    /// Spans in one delivery, 1 to 10000, default 512.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Spans that may wait for delivery, 16 to 1000000, default 4096.
    #[serde(default = "queue")]
    pub queue: usize,
}

/// The value of a header: a text, or `{ file = "/path" }` where it is secret. A file is read when the proxy starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum HeaderText {
    /// As it stands.
    Plain(String),
    /// The content of a file, without white space around it.
    Secret {
        /// The file.
        file: PathBuf,
    },
}

fn sample() -> f64 {
    0.01
}

fn service_name() -> String {
    "foresail".to_owned()
}

fn timeout() -> Duration {
    Duration::from_secs(10)
}

fn retry_for() -> Duration {
    Duration::from_secs(30)
}

fn delay() -> Duration {
    Duration::from_secs(1)
}

fn batch() -> usize {
    512
}

fn queue() -> usize {
    4096
}

impl OtlpConfig {
    /// Everything but the address as it is by default.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            sample: sample(),
            service_name: service_name(),
            headers: BTreeMap::new(),
            authorities: None,
            timeout: timeout(),
            retry_for: retry_for(),
            delay: delay(),
            batch: batch(),
            queue: queue(),
        }
    }

    /// Where the collector takes spans.
    pub(crate) fn address(&self) -> Result<Endpoint, Error> {
        let base = Endpoint::parse(&self.endpoint).map_err(|error| Error::OutOfRange {
            key: "otlp.endpoint",
            // Not the address itself, which may hold credentials.
            value: error.to_string(),
            range: "http:// or https:// and a host",
        })?;
        Ok(base.with_path("/v1/traces"))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        self.address()?;
        check((0.0..=1.0).contains(&self.sample), "otlp.sample", self.sample, "0 to 1")?;
        let name = &self.service_name;
        check((1..=255).contains(&name.len()), "otlp.service_name", name, "1 to 255 bytes")?;
        for (name, text) in &self.headers {
            let sound = !name.is_empty() && name.bytes().all(is_token);
            let accepted = sound && !OURS.contains(&name.to_ascii_lowercase().as_str());
            check(accepted, "otlp.headers", name, "names of headers that the exporter does not set itself")?;
            let visible = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b));
            let accepted = !matches!(text, HeaderText::Plain(text) if !visible(text));
            check(accepted, "otlp.headers", format!("not to be sent ({name})"), "visible ASCII characters")?;
        }
        let seconds = Duration::from_secs;
        check_duration(self.timeout, "otlp.timeout", Duration::from_millis(100), seconds(60), "100ms to 1m")?;
        check_duration(self.retry_for, "otlp.retry_for", Duration::ZERO, seconds(600), "0s to 10m")?;
        check_duration(self.delay, "otlp.delay", Duration::from_millis(10), seconds(60), "10ms to 1m")?;
        check((1..=10_000).contains(&self.batch), "otlp.batch", self.batch, "1 to 10000")?;
        check((16..=1_000_000).contains(&self.queue), "otlp.queue", self.queue, "16 to 1000000")
    }
}

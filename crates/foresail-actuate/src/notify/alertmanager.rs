//! Prometheus' Alertmanager.
//!
//! Protocol: `POST /api/v2/alerts` of
//! <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use foresail_core::Timestamp;
use foresail_http::{Client, ClientOptions, Endpoint};
use serde::Serialize;

use super::delivery::{Delivery, Notice};
use super::sender::{SendError, Sender};

/// Where to, and under which labels.
#[derive(Clone, Debug)]
pub struct AlertmanagerOptions {
    /// Its address, up to what comes before `/api/v2`.
    pub url: String,
    /// Labels for every alert (`cluster`, `team`); names are letters, digits and underscores.
    pub labels: BTreeMap<String, String>,
    /// Where people find more: the dashboard.
    pub generator_url: Option<String>,
    /// An alert that is not repeated for so long counts as over. Several times the resend interval; default 5 min.
    pub expires_after: Duration,
    /// Authorisation, time-outs and authorities.
    pub client: ClientOptions,
}

impl AlertmanagerOptions {
    /// The Alertmanager at `url`, by the defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            labels: BTreeMap::new(),
            generator_url: None,
            expires_after: Duration::from_secs(300),
            client: ClientOptions::default(),
        }
    }
}

/// Hands alerts to an Alertmanager, which routes them on. Use
/// [`NotifierOptions::for_alertmanager`](super::NotifierOptions::for_alertmanager): it must be reminded often.
///
/// Labels are `alertname` (the kind), `service`, `severity`, `subject` if there is one, and those configured;
/// annotations are `summary` (the text), `action`, and each figure of the context under its name.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    endpoint: Endpoint,
    client: Client,
    labels: BTreeMap<String, String>,
    generator_url: Option<String>,
    expires_after: Duration,
}

/// An alert as the protocol has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
}

impl Alertmanager {
    /// An Alertmanager.
    ///
    /// # Errors
    /// [`SendError::Http`] or [`SendError::BadOption`] for an address, labels or client options that cannot be used.
    pub fn new(options: AlertmanagerOptions) -> Result<Self, SendError> {
        if !options.labels.keys().all(|name| label(name) == *name) {
            let expected = "names of letters, digits and underscores";
            return Err(SendError::BadOption { option: "labels", expected });
        }
        Ok(Self {
            endpoint: Endpoint::parse(&options.url)?.with_path("/api/v2/alerts"),
            client: Client::new(&options.client)?,
            labels: options.labels,
            generator_url: options.generator_url,
            expires_after: options.expires_after,
        })
    }

    pub(super) fn body(&self, now: Timestamp, delivery: &Delivery) -> Vec<u8> {
        let posted: Vec<Posted> = delivery.alerts.iter().map(|notice| self.posted(now, notice)).collect();
        serde_json::to_vec(&posted).expect("plain data with text keys always serialises")
    }

    fn posted(&self, now: Timestamp, notice: &Notice) -> Posted {
        let alert = &notice.alert;
        let mut labels = self.labels.clone();
        labels.insert("alertname".to_owned(), alert.kind.clone());
        labels.insert("service".to_owned(), alert.service.clone());
        labels.insert("severity".to_owned(), alert.severity.word().to_owned());
        labels.insert("subject".to_owned(), alert.subject.clone());
        // An empty value is no label to Prometheus, and refused by some receivers.
        labels.retain(|_, value| !value.is_empty());
        let mut annotations: BTreeMap<String, String> =
            alert.context.iter().map(|(name, value)| (label(name), value.to_string())).collect();
        annotations.insert("summary".to_owned(), alert.text.clone());
        annotations.extend(alert.action.clone().map(|action| ("action".to_owned(), action)));
        Posted {
            labels,
            annotations,
            starts_at: alert.began,
            ends_at: notice.ended.unwrap_or(now + self.expires_after),
            generator_url: self.generator_url.clone(),
        }
    }
}

#[async_trait]
impl Sender for Alertmanager {
    async fn send(&self, now: Timestamp, delivery: &Delivery) -> Result<(), SendError> {
        SendError::check(&self.client.post_json(&self.endpoint, &[], self.body(now, delivery)).await?)
    }
}

/// A name as Prometheus has them: what it does not allow becomes an underscore.
fn label(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let text: String = name.chars().map(allowed).collect();
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() { format!("_{text}") } else { text }
}

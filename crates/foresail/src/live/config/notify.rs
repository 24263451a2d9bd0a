//! `[[notify]]`: who is told of alerts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foresail_actuate::notify::{Alertmanager, AlertmanagerOptions, NotifierOptions, Sender, Webhook, WebhookOptions};
use foresail_http::Endpoint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::{ClientConfig, secret};

/// A receiver of alerts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum ReceiverConfig {
    /// Each message is posted as JSON.
    Webhook {
        /// Its name, different from every other receiver's.
        name: String,
        /// Where to.
        url: String,
        /// File with at least 16 bytes that sign each message.
        #[serde(default)]
        secret_file: Option<PathBuf>,
        /// As whom and how patiently.
        #[serde(default)]
        client: ClientConfig,
        /// How soon, how often and how persistently.
        #[serde(default)]
        pacing: NotifierOptions,
    },
    /// A Prometheus Alertmanager, which groups and routes by itself.
    Alertmanager {
        /// Its name, different from every other receiver's.
        name: String,
        /// Its address, up to what comes before `/api/v2`.
        url: String,
        /// Labels for every alert.
        #[serde(default)]
        labels: BTreeMap<String, String>,
        /// As whom and how patiently.
        #[serde(default)]
        client: ClientConfig,
    },
}

impl ReceiverConfig {
    /// Its name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Webhook { name, .. } | Self::Alertmanager { name, .. } => name,
        }
    }

    /// How it is paced.
    pub(crate) fn pacing(&self) -> NotifierOptions {
        match self {
            Self::Webhook { pacing, .. } => pacing.clone(),
            Self::Alertmanager { .. } => NotifierOptions::for_alertmanager(),
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let (Self::Webhook { name, url, client, .. } | Self::Alertmanager { name, url, client, .. }) = self;
        if name.is_empty() || name.len() > 63 {
            return Err(format!("name is {name:?}, accepted are 1 to 63 characters"));
        }
        Endpoint::parse(url).map_err(|e| format!("{name}: url: {e}"))?;
        client.check().map_err(|e| format!("{name}: {e}"))
    }

    /// Paths that were relative to `folder`, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        let (Self::Webhook { client, .. } | Self::Alertmanager { client, .. }) = self;
        client.resolve(folder);
        if let Self::Webhook { secret_file: Some(file), .. } = self {
            *file = folder.join(&file);
        }
    }

    /// The way to it. `dashboard` is where people find more.
    ///
    /// # Errors
    /// If a file cannot be read, or an option cannot be used.
    pub(crate) fn sender(&self, dashboard: &str) -> anyhow::Result<Box<dyn Sender>> {
        Ok(match self {
            Self::Webhook { url, secret_file, client, .. } => {
                let secret = secret_file.as_deref().map(secret).transpose()?;
                Box::new(Webhook::new(WebhookOptions { url: url.clone(), secret, client: client.options()? })?)
            }
            Self::Alertmanager { url, labels, client, .. } => Box::new(Alertmanager::new(AlertmanagerOptions {
                labels: labels.clone(),
                generator_url: Some(dashboard.to_owned()),
                client: client.options()?,
                ..AlertmanagerOptions::new(url)
            })?),
        })
    }
}

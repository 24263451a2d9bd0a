//! How another server is asked: as whom, trusting whom, how patiently.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use foresail_core::humane;
use foresail_http::{Auth, ClientOptions, Secret};
use foresail_ingest::{PrometheusHttp, PrometheusOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Credentials stand in files of their own, which are read when the program starts and when it reloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClientConfig {
    /// File with a bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// User, together with `password_file`.
    pub(crate) user: Option<String>,
    /// File with the user's password.
    pub(crate) password_file: Option<PathBuf>,
    /// Certificates (PEM) of authorities to trust beside the public ones.
    pub(crate) ca_file: Option<PathBuf>,
    /// Most time for one request, 100ms to 5m.
    #[serde(with = "humane::Text")]
    pub(crate) timeout: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { token_file: None, user: None, password_file: None, ca_file: None, timeout: Duration::from_secs(10) }
    }
}

impl ClientConfig {
    /// What is wrong with it, as far as can be seen without opening a file.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(Duration::from_millis(100)..=Duration::from_secs(300)).contains(&self.timeout) {
            return Err(format!("client.timeout is {}, accepted is 100ms to 5m", humane::format(self.timeout)));
        }
        match (&self.token_file, &self.user, &self.password_file) {
            (_, None, None) | (None, Some(_), Some(_)) => Ok(()),
            (Some(_), ..) => Err("client has token_file and user, accepted is one of them".to_owned()),
            _ => Err("client needs user and password_file together".to_owned()),
        }
    }

    /// Paths that were relative to `folder`, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in [&mut self.token_file, &mut self.password_file, &mut self.ca_file].into_iter().flatten() {
            *path = folder.join(&path);
        }
    }

    /// The same with what is in the files.
    ///
    /// # Errors
    /// Naming the file that cannot be read.
    pub(crate) fn options(&self) -> anyhow::Result<ClientOptions> {
        let auth = match (&self.token_file, &self.user, &self.password_file) {
            (Some(file), ..) => Auth::Bearer(secret(file)?),
            (None, Some(user), Some(file)) => Auth::Basic { user: user.clone(), password: secret(file)? },
            _ => Auth::None,
        };
        let read = |file: &PathBuf| fs::read(file).with_context(|| format!("cannot read {}", file.display()));
        let ca_pem = self.ca_file.as_ref().map(read).transpose()?;
        Ok(ClientOptions { auth, ca_pem, timeout: self.timeout, ..ClientOptions::default() })
    }

    /// A Prometheus ready to be asked for what is older than `delay`.
    ///
    /// # Errors
    /// If a file of credentials cannot be read or used.
    pub(super) fn prometheus(&self, url: &str, delay: Duration) -> anyhow::Result<PrometheusHttp> {
        let client = self.options()?;
        Ok(PrometheusHttp::new(PrometheusOptions {
            auth: client.auth,
            ca_pem: client.ca_pem,
            timeout: client.timeout,
            evaluation_delay: delay,
            ..PrometheusOptions::new(url)
        })?)
    }
}

/// The secret in a file, without the white space around it.
pub(super) fn secret(file: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Secret::from(text.trim().to_owned()))
}

//! What is known ahead: calendars, national holidays, signals from outside.

use std::path::Path;
use std::time::Duration;

use foresail_core::humane;
use foresail_http::Endpoint;
use foresail_ingest::countries;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::client::ClientConfig;

/// Files and addresses that are read again and again. What cannot be read keeps what was read last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KnownConfig {
    /// Countries (two letters) whose national holidays count.
    pub(crate) holidays: Vec<String>,
    /// Calendars of events and deployments, CSV or iCalendar: files, or addresses that begin with http:// or https://.
    pub(crate) calendars: Vec<String>,
    /// Signals from outside (a time column, a signal a column), likewise.
    pub(crate) signals: Vec<String>,
    /// Time between two readings, 1s to 1d.
    #[serde(with = "humane::Text")]
    pub(crate) every: Duration,
    /// As whom and how patiently addresses are asked.
    pub(crate) client: ClientConfig,
}

impl Default for KnownConfig {
    fn default() -> Self {
        Self {
            holidays: Vec::new(),
            calendars: Vec::new(),
            signals: Vec::new(),
            every: Duration::from_secs(300),
            client: ClientConfig::default(),
        }
    }
}

/// Whether a place is an address, and no file.
pub(crate) fn is_address(place: &str) -> bool {
    place.contains("://")
}

impl KnownConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = countries();
        if let Some(country) = self.holidays.iter().find(|country| !known.iter().any(|k| k == *country)) {
            return Err(format!("holidays names {country:?}, accepted are two letters of a country, such as \"DE\""));
        }
        for place in self.places().filter(|place| is_address(place)) {
            Endpoint::parse(place).map_err(|e| format!("{place}: {e}"))?;
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&self.every) {
            return Err(format!("every is {}, accepted is 1s to 1d", humane::format(self.every)));
        }
        self.client.check()
    }

    /// Paths that were relative to `folder`, from here.
    pub(super) fn resolve(&mut self, folder: &Path) {
        for place in self.calendars.iter_mut().chain(&mut self.signals).filter(|place| !is_address(place)) {
            *place = folder.join(&*place).to_string_lossy().into_owned();
        }
        self.client.resolve(folder);
    }

    fn places(&self) -> impl Iterator<Item = &String> {
        self.calendars.iter().chain(&self.signals)
    }
}

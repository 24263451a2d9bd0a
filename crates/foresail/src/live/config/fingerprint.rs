//! Whether and how often it is told what kind of work a service is doing.

use std::time::Duration;

use foresail_core::humane;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The fingerprint of a service's work, taken by its proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FingerprintConfig {
    /// Whether it is taken; a request costs less than 0.5 µs for it.
    pub(crate) on: bool,
    /// Length of an interval, of which each is one fingerprint, 10s to 10m. A change is told after two of them.
    #[serde(with = "humane::Text")]
    pub(crate) interval: Duration,
}

impl Default for FingerprintConfig {
    fn default() -> Self {
        Self { on: true, interval: Duration::from_secs(30) }
    }
}

impl FingerprintConfig {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        if !(Duration::from_secs(10)..=Duration::from_secs(600)).contains(&self.interval) {
            return Err(format!("interval is {}, accepted is 10s to 10m", humane::format(self.interval)));
        }
        Ok(())
    }
}

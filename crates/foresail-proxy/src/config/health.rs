//! What keeps a sick endpoint out.

use std::time::Duration;

use foresail_route::{OutlierConfig, SlowStart};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check_duration;
use crate::Error;
use crate::error::check;

/// Health of endpoints, as their answers show it and as probes find it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HealthConfig {
    /// Ejection of endpoints whose answers fail (5xx, broken or late connections).
    pub outlier: OutlierConfig,
    /// How a new endpoint comes to its full share.
    pub slow_start: SlowStart,
    /// Probes, if wanted.
    pub active: Option<ActiveCheck>,
}

/// A probe asks every endpoint for a path now and then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveCheck {
    /// What is asked for; begins with `/`.
    pub path: String,
    /// Time between probes, `100ms` to `1h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub interval: Duration,
    /// How long an answer may take, `10ms` to `1m`.
    #[serde(with = "foresail_core::humane::Text")]
    pub timeout: Duration,
    /// Answers below 400 in a row that make an endpoint healthy, 1 to 100.
    pub healthy_after: u32,
    /// Failures in a row that make it unhealthy, 1 to 100.
    pub unhealthy_after: u32,
}

impl Default for ActiveCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(1),
            healthy_after: 1,
            unhealthy_after: 3,
        }
    }
}

impl HealthConfig {
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.outlier.check()?;
        self.slow_start.check()?;
        let Some(active) = &self.active else { return Ok(()) };
        let ms = Duration::from_millis;
        let sound = active.path.starts_with('/') && active.path.bytes().all(|b| (0x21..0x7f).contains(&b));
        check(sound, "health.active.path", &active.path, "a path that begins with / and holds no space")?;
        check_duration(active.interval, "health.active.interval", ms(100), ms(3_600_000), "100ms to 1h")?;
        check_duration(active.timeout, "health.active.timeout", ms(10), ms(60_000), "10ms to 1m")?;
        check(
            (1..=100).contains(&active.healthy_after),
            "health.active.healthy_after",
            active.healthy_after,
            "1 to 100",
        )?;
        let after = active.unhealthy_after;
        check((1..=100).contains(&after), "health.active.unhealthy_after", after, "1 to 100")
    }
}

//! The router's settings.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// What a request costs, in ms: `latency_weight · latency + failure_weight · failure_cost` if it fails `+ resource_weight ·
/// resource`. The router sends it where that is expected to be least, with `queue_weight` times what it makes others wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RouterConfig {
    /// Weight of a millisecond, 0 to 1000.
    pub latency_weight: f64,
    /// Weight of a failure, 0 to 1000.
    pub failure_weight: f64,
    /// What a failed answer costs, `0s` to `1m`.
    #[serde(with = "foresail_core::humane::Text")]
    pub failure_cost: Duration,
    /// Weight of a unit of the resource that a service says it used (`x-foresail-load`), else of a millisecond of service; 0
    /// to 1000, default 0: resources do not count.
    pub resource_weight: f64,
    /// Weight of what a request makes others wait, 0 to 10; 1 is the optimum of all requests together.
    pub queue_weight: f64,
    /// What of a request names its class.
    pub class: ClassKey,
    /// The header that names the user's context, such as a kind of client or a tenant; none if empty.
    pub context: String,
    /// Classes told apart, 2 to 256; further ones are judged together.
    pub classes: usize,
    /// Contexts told apart, 2 to 64; further ones are judged together.
    pub contexts: usize,
    /// Answers until the router decides, 50 to 100000; before that it is the service with the least requests in flight.
    pub cold_start: u64,
    /// Share of requests that goes to the service with the least in flight for comparison, 0.001 to 0.5.
    pub hold_out: f64,
    /// Share of requests that goes to any service, so that everything is tried and every choice can be judged afterwards;
    /// 0.001 to 0.5.
    pub exploration: f64,
    /// How much of its doubt the router turns into hope, 0 to 10.
    pub optimism: f64,
    /// How fast answers are forgotten, `1s` to `1h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub memory: Duration,
    /// Time between two fits of the forest's structure, `1s` to `1h`.
    #[serde(with = "foresail_core::humane::Text")]
    pub refit: Duration,
}

/// What of a request names its class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ClassKey {
    /// Its method and path, segments with digits taken as one.
    #[default]
    Pattern,
    /// A request header; requests without it are one class.
    Header(String),
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            latency_weight: 1.0,
            failure_weight: 1.0,
            failure_cost: Duration::from_secs(1),
            resource_weight: 0.0,
            queue_weight: 1.0,
            class: ClassKey::default(),
            context: String::new(),
            classes: 64,
            contexts: 16,
            cold_start: 200,
            hold_out: 0.015,
            exploration: 0.005,
            optimism: 1.0,
            memory: Duration::from_secs(60),
            refit: Duration::from_secs(60),
        }
    }
}

impl RouterConfig {
    /// # Errors
    /// [`Error::OutOfRange`] for a setting out of its range.
    pub fn check(&self) -> Result<(), Error> {
        let hour = Duration::from_secs(3600);
        for (key, value) in [
            ("router.learn.latency_weight", self.latency_weight),
            ("router.learn.failure_weight", self.failure_weight),
            ("router.learn.resource_weight", self.resource_weight),
        ] {
            check((0.0..=1000.0).contains(&value), key, value, "0 to 1000")?;
        }
        for (key, value) in [("router.learn.queue_weight", self.queue_weight), ("router.learn.optimism", self.optimism)]
        {
            check((0.0..=10.0).contains(&value), key, value, "0 to 10")?;
        }
        for (key, value) in [("router.learn.hold_out", self.hold_out), ("router.learn.exploration", self.exploration)] {
            check((0.001..=0.5).contains(&value), key, value, "0.001 to 0.5")?;
        }
        for (key, value) in [("router.learn.memory", self.memory), ("router.learn.refit", self.refit)] {
            check((Duration::from_secs(1)..=hour).contains(&value), key, format!("{value:?}"), "1s to 1h")?;
        }
        let cost = self.failure_cost;
        check(cost <= Duration::from_secs(60), "router.learn.failure_cost", format!("{cost:?}"), "0s to 1m")?;
        check((2..=256).contains(&self.classes), "router.learn.classes", self.classes, "2 to 256")?;
        check((2..=64).contains(&self.contexts), "router.learn.contexts", self.contexts, "2 to 64")?;
        check((50..=100_000).contains(&self.cold_start), "router.learn.cold_start", self.cold_start, "50 to 100000")?;
        let named = !matches!(&self.class, ClassKey::Header(name) if name.is_empty());
        check(named, "router.learn.class.header", "empty", "the name of a header")
    }

    /// What a request has cost: `None` for the latency of a failure.
    pub(super) fn cost(&self, latency_ms: Option<f64>, resource: f64) -> f64 {
        match latency_ms {
            Some(latency) => self.latency_weight * latency + self.resource_weight * resource,
            None => self.failure_weight * self.failure_cost.as_secs_f64() * 1000.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_errors_name_key_value_and_range() {
        RouterConfig::default().check().unwrap();
        let refuse = |text: &str, expected: &str| {
            let config: RouterConfig = serde_json::from_str(text).unwrap();
            assert_eq!(config.check().unwrap_err().to_string(), expected);
        };
        refuse(r#"{"hold_out":0.0}"#, "router.learn.hold_out is 0, accepted is 0.001 to 0.5");
        refuse(r#"{"refit":"2h"}"#, "router.learn.refit is 7200s, accepted is 1s to 1h");
        refuse(r#"{"latency_weight":-1.0}"#, "router.learn.latency_weight is -1, accepted is 0 to 1000");
        refuse(r#"{"class":{"header":""}}"#, "router.learn.class.header is empty, accepted is the name of a header");
        assert!(serde_json::from_str::<RouterConfig>(r#"{"colour":1}"#).is_err());
    }
}

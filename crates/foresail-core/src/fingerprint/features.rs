//! What a fingerprint is made of.

use serde::{Deserialize, Serialize};

use crate::Error;

/// Most request parameters.
const MOST_PARAMETERS: usize = 8;
/// Most metrics of the application.
pub const MOST_METRICS: usize = 32;
/// Classes that patterns are hashed into for the mix.
pub const CLASSES: usize = 16;
/// Features before the mix.
pub(super) const PLAIN: [&str; 11] = [
    "rate_log2",
    "rate_change",
    "burstiness",
    "error_share",
    "latency_p50_log2",
    "latency_p90_over_p50",
    "latency_p99_over_p50",
    "cost_log2",
    "entropy_bits",
    "distinct_log2",
    "top_share",
];

/// What is fingerprinted, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FingerprintOptions {
    /// Names of the numbers that come with each request (payload size, items, …), at most 8.
    pub parameters: Vec<String>,
    /// Names of the application's own metrics (cache hit ratio, queue depth, pool use), at most 32.
    pub metrics: Vec<String>,
    /// Numbers in a fingerprint, 1 to 16.
    pub components: usize,
    /// Intervals remembered, 16 to 100,000.
    pub remembered: usize,
    /// Intervals over which features' usual values and the axes forget, 32 to 10⁶.
    pub memory: f64,
}

impl Default for FingerprintOptions {
    fn default() -> Self {
        Self { parameters: Vec::new(), metrics: Vec::new(), components: 6, remembered: 4_096, memory: 4_096.0 }
    }
}

impl FingerprintOptions {
    /// Refuses what is out of range.
    pub(super) fn check(&self) -> Result<(), Error> {
        let within = |option: &'static str, value: f64, range: std::ops::RangeInclusive<f64>| {
            if range.contains(&value) {
                Ok(())
            } else {
                Err(Error::BadOption { option, value, least: *range.start(), most: *range.end() })
            }
        };
        within("parameters", self.parameters.len() as f64, 0.0..=MOST_PARAMETERS as f64)?;
        within("metrics", self.metrics.len() as f64, 0.0..=MOST_METRICS as f64)?;
        within("components", self.components as f64, 1.0..=16.0)?;
        within("remembered", self.remembered as f64, 16.0..=100_000.0)?;
        within("memory", self.memory, 32.0..=1e6)
    }

    /// Features of an interval.
    pub(super) fn width(&self) -> usize {
        PLAIN.len() + CLASSES + 2 * self.parameters.len() + self.metrics.len()
    }
}

/// Names of the features of an interval, in their order.
pub fn feature_names(options: &FingerprintOptions) -> Vec<String> {
    let plain = PLAIN.iter().map(|name| (*name).to_owned());
    let mix = (0..CLASSES).map(|class| format!("mix_{class}"));
    let parameters = options.parameters.iter();
    let parameters = parameters.flat_map(|name| [format!("{name}_log2"), format!("{name}_cost_correlation")]);
    plain.chain(mix).chain(parameters).chain(options.metrics.iter().cloned()).collect()
}

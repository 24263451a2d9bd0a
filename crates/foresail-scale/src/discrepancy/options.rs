//! When a discrepancy counts as one.

use std::time::Duration;

use foresail_core::humane;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// Everything that may be set. Durations are of the service's own clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscrepancyOptions {
    /// Load against its forecast.
    pub load: LoadOptions,
    /// Memory of copies.
    pub memory: MemoryOptions,
    /// What a request takes of a replica.
    pub efficiency: EfficiencyOptions,
    /// Utilisation after actions against what was predicted.
    pub actions: ActionOptions,
}

/// When load counts as unexpected.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoadOptions {
    /// Forecasts compared with what came before anything is said, 10 to 100,000.
    pub warm_up: u32,
    /// A load counts towards a spike from this multiple of the median forecast on, 1.01 to 100.
    pub spike_ratio: f64,
    /// A load counts towards a drop up to this multiple of the median forecast, 0 to 0.99.
    pub drop_ratio: f64,
    /// Past errors (as standard deviations) that are tolerated for ever, 1 to 10: the slack of the cumulative sums. One tick
    /// adds no more than this to the evidence.
    pub slack_sd: f64,
    /// Evidence that raises, in standard deviations beyond the slack summed over ticks: at least twice the slack, at most
    /// 100 times it, so that one tick is never enough.
    pub evidence_sd: f64,
    /// Errors below this share of the median forecast are never unusual, 0 to 1.
    pub least_error: f64,
    /// What holds for this long is taken for usual from then on, and is no longer told; 10m to 30d.
    #[serde(with = "humane")]
    pub usual_after: Duration,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            warm_up: 240,
            spike_ratio: 1.25,
            drop_ratio: 0.6,
            slack_sd: 3.0,
            evidence_sd: 9.0,
            least_error: 0.03,
            usual_after: Duration::from_secs(6 * 3_600),
        }
    }
}

/// When memory counts as leaking.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryOptions {
    /// Memory is averaged over this; 1s to 1d. Up to 48 such averages a copy are looked at.
    #[serde(with = "humane")]
    pub slot: Duration,
    /// After its start a copy may fill its caches for this long; at most 1d.
    #[serde(with = "humane")]
    pub warm_up: Duration,
    /// Averages needed before anything is said, 8 to 48.
    pub least_slots: u32,
    /// Growth an hour, as a share of the memory in use, that is a leak: above 0, at most 1.
    pub least_growth: f64,
    /// Standard errors by which the growth must be above 0, 2 to 10.
    pub sure_sd: f64,
    /// Looks in a row that must find it, 1 to 20.
    pub agreeing: u32,
    /// A limit reached within this is critical; at most 30d.
    #[serde(with = "humane")]
    pub critical_within: Duration,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            slot: Duration::from_secs(600),
            warm_up: Duration::from_secs(900),
            least_slots: 12,
            least_growth: 0.005,
            sure_sd: 4.0,
            agreeing: 3,
            critical_within: Duration::from_secs(12 * 3_600),
        }
    }
}

/// When a request counts as having become dearer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EfficiencyOptions {
    /// Work per request is averaged over this; 1s to 1d. The newest 12 averages are compared with the 288 before them.
    #[serde(with = "humane")]
    pub slot: Duration,
    /// Averages in the past needed before anything is said, 24 to 288.
    pub least_past: u32,
    /// Share by which a request must have become dearer, above 0, at most 10. It has recovered at half of this.
    pub least_loss: f64,
    /// Standard errors by which the loss must be above 0, 2 to 10.
    pub sure_sd: f64,
    /// Looks in a row that must find it, or find it gone, 1 to 20.
    pub agreeing: u32,
    /// A loss that has held for this long is taken for usual from then on; 1h to 30d.
    #[serde(with = "humane")]
    pub usual_after: Duration,
}

impl Default for EfficiencyOptions {
    fn default() -> Self {
        Self {
            slot: Duration::from_secs(300),
            least_past: 72,
            least_loss: 0.1,
            sure_sd: 4.0,
            agreeing: 3,
            usual_after: Duration::from_secs(3 * 86_400),
        }
    }
}

/// When predictions of utilisation count as wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActionOptions {
    /// Ticks over which the utilisation after an action is averaged, from when its replicas are due; 1 to 100.
    pub settle_ticks: u32,
    /// Actions compared before anything is said, 5 to 24.
    pub least_actions: u32,
    /// Mean error that is large, as a share of capacity: above 0, at most 1. It is small again at half of this.
    pub least_error: f64,
    /// Standard errors by which the mean error must be above 0, 2 to 10.
    pub sure_sd: f64,
    /// Comparisons older than this no longer count; 1m to 365d.
    #[serde(with = "humane")]
    pub memory: Duration,
}

impl Default for ActionOptions {
    fn default() -> Self {
        Self {
            settle_ticks: 2,
            least_actions: 12,
            least_error: 0.1,
            sure_sd: 3.5,
            memory: Duration::from_secs(7 * 86_400),
        }
    }
}

impl DiscrepancyOptions {
    /// Refuses values outside their ranges.
    ///
    /// # Errors
    /// [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        let Self { load, memory, efficiency, actions } = self;
        whole("load.warm_up", load.warm_up, 10, 100_000, "10 to 100000")?;
        number("load.spike_ratio", load.spike_ratio, 1.01, 100.0, "1.01 to 100")?;
        number("load.drop_ratio", load.drop_ratio, 0.0, 0.99, "0 to 0.99")?;
        number("load.slack_sd", load.slack_sd, 1.0, 10.0, "1 to 10")?;
        let (least, most) = (2.0 * load.slack_sd, 100.0 * load.slack_sd);
        number("load.evidence_sd", load.evidence_sd, least, most, "2 to 100 times load.slack_sd")?;
        number("load.least_error", load.least_error, 0.0, 1.0, "0 to 1")?;
        span("load.usual_after", load.usual_after, 600, 30 * DAY, "10m to 30d")?;

        span("memory.slot", memory.slot, 1, DAY, "1s to 1d")?;
        span("memory.warm_up", memory.warm_up, 0, DAY, "0s to 1d")?;
        whole("memory.least_slots", memory.least_slots, 8, 48, "8 to 48")?;
        share("memory.least_growth", memory.least_growth, 1.0, "above 0 and at most 1")?;
        number("memory.sure_sd", memory.sure_sd, 2.0, 10.0, "2 to 10")?;
        whole("memory.agreeing", memory.agreeing, 1, 20, "1 to 20")?;
        span("memory.critical_within", memory.critical_within, 0, 30 * DAY, "0s to 30d")?;

        span("efficiency.slot", efficiency.slot, 1, DAY, "1s to 1d")?;
        whole("efficiency.least_past", efficiency.least_past, 24, 288, "24 to 288")?;
        share("efficiency.least_loss", efficiency.least_loss, 10.0, "above 0 and at most 10")?;
        number("efficiency.sure_sd", efficiency.sure_sd, 2.0, 10.0, "2 to 10")?;
        whole("efficiency.agreeing", efficiency.agreeing, 1, 20, "1 to 20")?;
        span("efficiency.usual_after", efficiency.usual_after, 3_600, 30 * DAY, "1h to 30d")?;

        whole("actions.settle_ticks", actions.settle_ticks, 1, 100, "1 to 100")?;
        whole("actions.least_actions", actions.least_actions, 5, 24, "5 to 24")?;
        share("actions.least_error", actions.least_error, 1.0, "above 0 and at most 1")?;
        number("actions.sure_sd", actions.sure_sd, 2.0, 10.0, "2 to 10")?;
        span("actions.memory", actions.memory, 60, 365 * DAY, "1m to 365d")
    }
}

const DAY: u64 = 86_400;

fn whole(name: &'static str, value: u32, least: u32, most: u32, range: &'static str) -> Result<(), Error> {
    check((least..=most).contains(&value), name, value, range)
}

fn number(name: &'static str, value: f64, least: f64, most: f64, range: &'static str) -> Result<(), Error> {
    check((least..=most).contains(&value), name, value, range)
}

fn share(name: &'static str, value: f64, most: f64, range: &'static str) -> Result<(), Error> {
    check(value > 0.0 && value <= most, name, value, range)
}

fn span(name: &'static str, value: Duration, least: u64, most: u64, range: &'static str) -> Result<(), Error> {
    let held = value >= Duration::from_secs(least) && value <= Duration::from_secs(most);
    check(held, name, humane::format(value), range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_good_and_what_is_out_of_range_is_named() {
        assert_eq!(DiscrepancyOptions::default().check(), Ok(()));
        let refused = |change: &dyn Fn(&mut DiscrepancyOptions), expected: &str| {
            let mut options = DiscrepancyOptions::default();
            change(&mut options);
            assert_eq!(options.check().unwrap_err().to_string(), expected);
        };
        refused(&|o| o.load.spike_ratio = f64::NAN, "load.spike_ratio is NaN, accepted is 1.01 to 100");
        refused(&|o| o.load.evidence_sd = 5.0, "load.evidence_sd is 5, accepted is 2 to 100 times load.slack_sd");
        refused(&|o| o.memory.slot = Duration::ZERO, "memory.slot is 0s, accepted is 1s to 1d");
        refused(&|o| o.efficiency.least_loss = 0.0, "efficiency.least_loss is 0, accepted is above 0 and at most 10");
        refused(&|o| o.actions.least_actions = 25, "actions.least_actions is 25, accepted is 5 to 24");
        let text = serde_json::to_string(&DiscrepancyOptions::default()).unwrap();
        assert!(text.contains(r#""usual_after":"6h""#), "{text}");
        assert_eq!(serde_json::from_str::<DiscrepancyOptions>(&text).unwrap(), DiscrepancyOptions::default());
        assert!(serde_json::from_str::<DiscrepancyOptions>(r#"{"load":{"slack":1}}"#).is_err());
    }
}

//! Statistics that balancers tell one another.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::learned::Sums;

/// What the present code writes and reads.
pub(super) const VERSION: u32 = 1;

/// What one balancer has learned of each endpoint from its own answers. Plain data, to be sent in any form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedStatistics {
    pub(super) version: u32,
    pub(super) sender: u64,
    /// Grows with every share of the sender; across its restarts too, if its clock does.
    pub(super) sequence: u64,
    pub(super) arms: Vec<SharedArm>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SharedArm {
    pub(super) key: u64,
    pub(super) sums: Sums,
    pub(super) in_flight: u32,
}

impl SharedStatistics {
    /// Who learned it.
    pub fn sender(&self) -> u64 {
        self.sender
    }

    /// What balancers that see each other's requests in flight, as workers of one proxy do, have learned together as of
    /// `now_ms` of their clock, under the name of `sender`: one word instead of one each, for other proxies. Answers are
    /// forgotten with `memory`, since a balancer without requests has not said anything for a while. `None` without parts.
    pub fn pooled<'a>(
        sender: u64,
        now_ms: u64,
        memory: Duration,
        parts: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Self> {
        let mut sequence = None;
        let mut arms = BTreeMap::<u64, SharedArm>::new();
        for part in parts {
            sequence = sequence.max(Some(part.sequence));
            for arm in &part.arms {
                let mut sums = arm.sums;
                sums.fade(now_ms, memory);
                let none = SharedArm { key: arm.key, sums: Sums::default(), in_flight: 0 };
                let all = arms.entry(arm.key).or_insert(none);
                all.sums = all.sums.plus(&sums).bounded();
                all.in_flight = all.in_flight.max(arm.in_flight);
            }
        }
        let arms = arms.into_values().collect();
        Some(Self { version: VERSION, sender, sequence: sequence?, arms })
    }
}

/// Whether this balancer's views count the sender's requests in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// They do: workers of one proxy.
    Shared,
    /// They do not: another proxy. What it has in flight is then estimated from what it tells.
    Own,
}

//! Statistics that balancers tell one another.

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

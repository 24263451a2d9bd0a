//! Records of an append-only journal. Written by the store, replayed by `explain`.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Decision, Observation, Replicas, Timestamp};

/// What may be done with a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Decide and record; show nothing to approve.
    Observe,
    /// Decide and offer; a person approves or rejects.
    #[default]
    Recommend,
    /// Decide and order.
    Act,
}

/// Which way a pause holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// No orders at all.
    #[default]
    Both,
    /// Nothing is added.
    Up,
    /// Nothing is removed.
    Down,
}

/// What a journal can hold, a line each: decisions alone, or decisions among other entries (commands) that replay needs.
pub trait Journalled: Serialize + DeserializeOwned + PartialEq {
    /// The number of a decision: 1, 2, 3 and so on in the order of the journal. `None` for entries that have none.
    fn id(&self) -> Option<u64>;
    /// When it came about.
    fn time(&self) -> Timestamp;
}

/// One decision with all it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JournalRecord {
    /// Counts from 1 within a journal.
    pub id: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// Name of the policy.
    pub policy: String,
    /// Mode in force.
    pub mode: Mode,
    /// What was seen.
    pub observation: Observation,
    /// What was decided and why.
    pub decision: Decision,
    /// What the baseline wanted at the same instant.
    pub baseline: Replicas,
    /// Hash of the policy's configuration and the learner's version.
    pub version: String,
}

impl Journalled for JournalRecord {
    fn id(&self) -> Option<u64> {
        Some(self.id)
    }

    fn time(&self) -> Timestamp {
        self.time
    }
}

//! Learned state as plain data with a version.

use serde::{Deserialize, Serialize};

use super::{contextual, epsilon_greedy, learned, supervised, thompson, ucb};
use crate::Error;

/// What the present code writes and reads.
const VERSION: u32 = 2;

/// What a balancer has learned, to be written down and handed back after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedBalancer {
    version: u32,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    EpsilonGreedy(epsilon_greedy::Saved),
    Thompson(thompson::Saved),
    Ucb(ucb::Saved),
    Contextual(contextual::Saved),
    Learned(learned::Saved),
    Supervised(supervised::Saved),
}

impl State {
    pub(super) fn into_saved(self) -> SavedBalancer {
        SavedBalancer { version: VERSION, state: self }
    }
}

impl SavedBalancer {
    /// The state, if this code can read its version.
    pub(super) fn into_state(self) -> Result<State, Error> {
        if self.version == VERSION {
            Ok(self.state)
        } else {
            Err(Error::OtherVersion { found: self.version, read: VERSION })
        }
    }
}

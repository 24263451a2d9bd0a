//! What people tell a controller: modes, pauses, the kill switch, overrides, answers to recommendations, events.

use foresail_core::{Direction, Event, Goal, Mode, Replicas, Timestamp};
use serde::{Deserialize, Serialize};

/// A word from an operator. Part of the journal, for decisions depend on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Command {
    /// From now on in this mode.
    SetMode {
        /// Which.
        mode: Mode,
    },
    /// No orders, or none in one direction, until then.
    Pause {
        /// When it ends by itself.
        until: Timestamp,
        /// Which way.
        direction: Direction,
    },
    /// Ends a pause.
    Resume,
    /// The kill switch: no orders of any kind until revived, manual ones included.
    Kill,
    /// Ends a kill.
    Revive,
    /// This many replicas (within the limits) until then, whatever is measured or forecast.
    Override {
        /// How many.
        replicas: Replicas,
        /// When it ends by itself.
        until: Timestamp,
    },
    /// Ends an override.
    ClearOverride,
    /// Carries the pending recommendation out.
    Approve {
        /// Its id.
        id: u64,
    },
    /// Drops the pending recommendation, and the like of it for as long as answers are waited for.
    Reject {
        /// Its id.
        id: u64,
    },
    /// An event is announced.
    Announce {
        /// Which.
        event: Event,
    },
    /// The calendars announce these events, and none besides; what operators announced stays.
    Calendar {
        /// Which.
        events: Vec<Event>,
    },
    /// One replica serves this many requests a second, as has been measured: everything that counts replicas counts by it.
    SetCapacity {
        /// Requests a second, a finite number above 0.
        rps: f64,
    },
    /// Announced events of that label are off.
    Withdraw {
        /// Their label.
        label: String,
    },
}

/// Why a command was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No such recommendation is pending: answered, replaced or expired.
    #[error("no recommendation {0} is pending")]
    NotPending(u64),
    /// The kill switch is on.
    #[error("the kill switch is on")]
    Killed,
    /// The end of a pause, an override or an event is not ahead.
    #[error("{what} ends at {until}, which is not ahead")]
    Over {
        /// What would end.
        what: &'static str,
        /// When.
        until: Timestamp,
    },
    /// The factor of an event is no number of at least 0.
    #[error("the factor of an event is {0}, accepted is at least 0")]
    BadFactor(f64),
    /// A policy runs alone, without a controller that could be told anything.
    #[error("a policy runs alone here: there is nothing to command")]
    NoController,
    /// A capacity is no number above 0.
    #[error("the capacity is {0}, accepted is a number above 0")]
    BadCapacity(f64),
    /// Too many announced events.
    #[error("there are {0} announced events, no more are taken")]
    TooManyEvents(usize),
}

/// A recommendation that waits for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pending {
    /// Id of the decision that first made it.
    pub id: u64,
    /// When that was.
    pub time: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// Replicas recommended.
    pub desired: Replicas,
    /// What to bring about.
    pub goals: Vec<Goal>,
    /// Why.
    pub reason: String,
}

/// A number of replicas that was answered and is not offered again until then.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) desired: Replicas,
    pub(super) until: Timestamp,
}

//! The journal replayed: the same observations and commands give the same records, byte for byte.

use foresail_core::{JournalRecord, Journalled, Timestamp};
use serde::{Deserialize, Serialize};

use super::Controller;
use super::command::{Command, Refused};

/// A line of a controller's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum Entry {
    /// A decision.
    Decided {
        /// With all it was made from.
        record: JournalRecord,
    },
    /// A decision between two ticks.
    Urged {
        /// With all it was made from.
        record: JournalRecord,
    },
    /// A command that was accepted.
    Commanded {
        /// When.
        time: Timestamp,
        /// What.
        command: Command,
    },
    /// Something that was found, and bears on no decision by itself: that the load has changed, that a forecaster leads.
    Told {
        /// When.
        time: Timestamp,
        /// What.
        text: String,
    },
}

impl Journalled for Entry {
    fn id(&self) -> Option<u64> {
        match self {
            Self::Decided { record } | Self::Urged { record } => Some(record.id),
            Self::Commanded { .. } | Self::Told { .. } => None,
        }
    }

    fn time(&self) -> Timestamp {
        match self {
            Self::Decided { record } | Self::Urged { record } => record.time,
            Self::Commanded { time, .. } | Self::Told { time, .. } => *time,
        }
    }
}

/// Where a replay left the journal.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Divergence {
    /// Another decision.
    #[error("decision {id} differs: recorded {recorded}, replayed {replayed}")]
    Decision {
        /// Id of the record.
        id: u64,
        /// The record as JSON.
        recorded: String,
        /// What the replay made, as JSON.
        replayed: String,
    },
    /// A command that was accepted is refused now.
    #[error("the command of {time} is refused: {refused}")]
    Command {
        /// When it was given.
        time: Timestamp,
        /// Why it is refused.
        refused: Refused,
    },
    /// A record cannot be written as JSON.
    #[error("decision {id} cannot be written: {message}")]
    Unwritable {
        /// Id of the record.
        id: u64,
        /// What is wrong.
        message: String,
    },
}

/// Feeds a journal to a controller that stands as the one that wrote it stood before the first entry, and compares the
/// records: one newly built with the same options and policies, or, for what followed a restart, one restored from the
/// state and the policies of that restart. Returns how many decisions agreed.
///
/// # Errors
/// [`Divergence`] at the first entry that differs.
pub fn replay_journal<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    controller: &mut Controller,
) -> Result<usize, Divergence> {
    let mut agreed = 0;
    for entry in entries {
        match entry {
            Entry::Decided { record } | Entry::Urged { record } => {
                let made = match entry {
                    Entry::Urged { .. } => controller.urge(record.time, &record.observation),
                    _ => Some(controller.tick(record.time, &record.observation)),
                };
                let Some(made) = made.map(|ticked| ticked.record) else {
                    let (recorded, replayed) = (record.decision.desired.to_string(), "nothing".to_owned());
                    return Err(Divergence::Decision { id: record.id, recorded, replayed });
                };
                let text = |r: &JournalRecord| {
                    let unwritable = |e: serde_json::Error| Divergence::Unwritable { id: r.id, message: e.to_string() };
                    serde_json::to_string(r).map_err(unwritable)
                };
                let (recorded, replayed) = (text(record)?, text(&made)?);
                if recorded != replayed {
                    return Err(Divergence::Decision { id: record.id, recorded, replayed });
                }
                agreed += 1;
            }
            Entry::Commanded { time, command } => {
                let refused = |refused| Divergence::Command { time: *time, refused };
                controller.command(*time, command).map_err(refused)?;
            }
            Entry::Told { .. } => {}
        }
    }
    Ok(agreed)
}

//! What can go wrong between an order and its target.

use std::io;
use std::path::{Path, PathBuf};

/// Causes of failure at the edge that acts.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configured value outside its range.
    #[error("{key} = {value}: expected {range}")]
    Config {
        /// The key, dotted.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        range: &'static str,
    },
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file, directory or program.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another actuator keeps its copies in this folder.
    #[error("{}: another actuator has it", .path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// A state file that is not what was written.
    #[error("{}: damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An order older than one already applied.
    #[error("order of decision {decision} comes after that of decision {applied}")]
    Stale {
        /// The decision of the order refused.
        decision: u64,
        /// The newest decision applied.
        applied: u64,
    },
    /// A goal whose number means nothing.
    #[error("goal {what} = {value}: expected {range}")]
    BadGoal {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: f64,
        /// What is accepted.
        range: &'static str,
    },
    /// A goal this target has no means for.
    #[error("this target cannot {goal}: {missing} is not configured")]
    Unsupported {
        /// What was asked for.
        goal: &'static str,
        /// The configuration that would allow it.
        missing: &'static str,
    },
    /// Some copies did not answer the warm-up hook with success.
    #[error("warm-up failed on {failed} of {of} copies; the first said: {first}")]
    Warm {
        /// How many failed.
        failed: usize,
        /// How many were asked.
        of: usize,
        /// What the first of them said.
        first: String,
    },
    /// The actuator has been shut down.
    #[error("the actuator is shut down")]
    Closed,
}

impl Error {
    /// Whether trying again later may succeed without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), Interrupted | ResourceBusy | StorageFull | TimedOut | WouldBlock)
            }
            Self::Locked { .. } | Self::Warm { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}

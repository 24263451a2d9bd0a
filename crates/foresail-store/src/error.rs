//! What can go wrong with history on disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Causes of failure in the store. Each names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Another writer has it open.
    #[error("{}: another writer has it open", .path.display())]
    Locked {
        /// The lock, or the locked file.
        path: PathBuf,
    },
    /// A file that is not what was written.
    #[error("{}: damaged: {what}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A store of other features than those asked for.
    #[error("{}: {source}", .path.display())]
    Schema {
        /// The store's manifest.
        path: PathBuf,
        /// The difference.
        source: foresail_core::Error,
    },
    /// A feature vector of the wrong length.
    #[error("{got} features where the schema has {expected}")]
    Width {
        /// Features in the schema.
        expected: usize,
        /// Features given.
        got: usize,
    },
    /// A line of a journal that is not what was written, or is not in its place.
    #[error("{}:{line}: {what}", .path.display())]
    Line {
        /// The journal.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A record whose id is not the next one.
    #[error("{}: record {got} where {expected} is next", .path.display())]
    OutOfOrder {
        /// The journal.
        path: PathBuf,
        /// The next id.
        expected: u64,
        /// The id given.
        got: u64,
    },
    /// A record that would not read back as it is (it holds a number that is not finite, or a time out of range).
    #[error("record {id} would not read back the same: {what}")]
    Unfaithful {
        /// Its id.
        id: u64,
        /// What happens to it.
        what: String,
    },
}

impl Error {
    /// Whether trying again later may succeed without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{Interrupted, ResourceBusy, StorageFull, TimedOut, WouldBlock};
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), Interrupted | ResourceBusy | StorageFull | TimedOut | WouldBlock)
            }
            Self::Locked { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, what: &dyn fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.to_string() }
    }
}

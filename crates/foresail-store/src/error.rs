//! What can go wrong with history on disk.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{ErrorCode, ffi};

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
    /// SQLite refused.
    #[error("{}: {source}", .path.display())]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// A database of another build's layout.
    #[error("{}: schema version {found}, this build uses {known}", .path.display())]
    Version {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version this build writes.
        known: u32,
    },
    /// Snapshots of which none can be used.
    #[error("{}: no usable snapshot of {kind:?} of {service:?}; the newest, {version}: {what}", .path.display())]
    NoSnapshot {
        /// The database.
        path: PathBuf,
        /// Whose snapshots.
        service: String,
        /// Snapshots of what.
        kind: String,
        /// Version of the newest.
        version: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A series that cannot be made of what is stored.
    #[error("{source}")]
    Frame {
        /// Why.
        source: foresail_core::Error,
    },
    /// A series of more rows than are ever needed.
    #[error("{rows} rows, expected at most {most} (is a time wrong, or the step too small?)")]
    TooLong {
        /// Rows asked for.
        rows: u64,
        /// The bound.
        most: u64,
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
        use io::ErrorKind::{Interrupted, QuotaExceeded, ResourceBusy, StorageFull, TimedOut, WouldBlock};
        match self {
            Self::Io { source, .. } => {
                let kind = source.kind();
                matches!(kind, Interrupted | QuotaExceeded | ResourceBusy | StorageFull | TimedOut | WouldBlock)
            }
            Self::Sqlite { source, .. } => is_passing(source),
            Self::Locked { .. } => true,
            _ => false,
        }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }

    pub(crate) fn sqlite(path: &Path) -> impl FnOnce(rusqlite::Error) -> Self + '_ {
        |source| match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::damaged(path, &source),
            _ => Self::Sqlite { path: path.to_owned(), source },
        }
    }

    pub(crate) fn damaged(path: &Path, what: &dyn fmt::Display) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.to_string() }
    }
}

/// Whether SQLite may take the same thing later: another connection is in the way, or there is no room to write.
fn is_passing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseBusy, DatabaseLocked, DiskFull, OperationInterrupted, OutOfMemory};
    let Some(error) = error.sqlite_error() else { return false };
    let is_write = matches!(error.extended_code, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_FSYNC);
    is_write || matches!(error.code, DatabaseBusy | DatabaseLocked | DiskFull | OperationInterrupted | OutOfMemory)
}

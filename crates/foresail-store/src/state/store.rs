//! Opening the file.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Params, Row};

use super::options::StateOptions;
use super::schema;
use crate::{Error, disk};

/// Pages of the write-ahead log after which its file is cut back, in bytes.
const LOG_LIMIT: u32 = 64 << 20;

/// The state of a control plane on disk. One writer has it open; others may read beside it.
#[derive(Debug)]
pub struct StateStore {
    pub(super) path: PathBuf,
    pub(super) connection: Connection,
    pub(super) options: StateOptions,
    /// Held open, and so locked, for as long as the store is; a reader has none.
    _lock: Option<File>,
}

impl StateStore {
    /// Opens the store at `path` with default bounds, or begins one.
    ///
    /// # Errors
    /// As [`StateStore::with_options`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::with_options(path, StateOptions::default())
    }

    /// Opens the store at `path`, or begins one; brings an older one up to date.
    ///
    /// # Errors
    /// [`Error::Locked`] if another writer has it open, [`Error::Version`] if a newer build wrote it,
    /// [`Error::Damaged`] if it is not a state store, [`Error::Sqlite`], [`Error::Io`].
    pub fn with_options(path: impl AsRef<Path>, options: StateOptions) -> Result<Self, Error> {
        let path = path.as_ref();
        let options = options.within_range();
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(Error::io(directory))?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let lock = File::create(&lock_path).map_err(Error::io(&lock_path))?;
        disk::lock(&lock, &lock_path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut connection = connect(path, flags, &options)?;
        schema::check(&connection, path)?;
        let prepare = |connection: &Connection| {
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update_and_check(None, "journal_size_limit", LOG_LIMIT, |_| Ok(()))?;
            if let Some(max_bytes) = options.max_bytes {
                let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
                let pages = (max_bytes / page.max(1)).clamp(1, u64::from(u32::MAX - 1));
                connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            }
            Ok(())
        };
        prepare(&connection).map_err(Error::sqlite(path))?;
        schema::migrate(&mut connection, path)?;
        Ok(Self { path: path.to_owned(), connection, options, _lock: Some(lock) })
    }

    /// Opens the store at `path` for reading, beside a writer or without one; every write is refused.
    ///
    /// # Errors
    /// As [`StateStore::with_options`]; [`Error::Version`] for an older store as well, which only a writer brings up to
    /// date.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let options = StateOptions::default();
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, &options)?;
        let found = schema::check(&connection, path)?;
        if found != schema::VERSION {
            return Err(Error::Version { path: path.to_owned(), found, known: schema::VERSION });
        }
        Ok(Self { path: path.to_owned(), connection, options, _lock: None })
    }

    /// Reads the whole file and checks that its structure holds. Linear in its size.
    ///
    /// # Errors
    /// [`Error::Damaged`] with the first thing found wrong.
    pub fn check(&self) -> Result<(), Error> {
        let said: String =
            self.connection.pragma_query_value(None, "quick_check", |row| row.get(0)).map_err(self.failed())?;
        if said == "ok" { Ok(()) } else { Err(Error::damaged(&self.path, &said)) }
    }

    /// The rows that `sql` finds.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        row: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Error> {
        let mut query = self.connection.prepare_cached(sql).map_err(self.failed())?;
        let rows = query.query_map(parameters, row).map_err(self.failed())?;
        rows.collect::<rusqlite::Result<_>>().map_err(self.failed())
    }

    pub(super) fn failed(&self) -> impl FnOnce(rusqlite::Error) -> Error + '_ {
        Error::sqlite(&self.path)
    }
}

fn connect(path: &Path, flags: OpenFlags, options: &StateOptions) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Error::sqlite(path))?;
    connection.busy_timeout(options.busy_timeout).map_err(Error::sqlite(path))?;
    Ok(connection)
}

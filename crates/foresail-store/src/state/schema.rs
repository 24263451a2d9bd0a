//! The tables, and how older files become like newer ones.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;

/// Marks a SQLite file as ours ("fsst").
const APPLICATION: i32 = 0x6673_7374;

/// Each brings a file of the version that is its index to the next version. Never changed once released.
const MIGRATIONS: [&str; 1] = [r"
CREATE TABLE state (
    service TEXT NOT NULL, kind TEXT NOT NULL, version INTEGER NOT NULL,
    time INTEGER NOT NULL, length INTEGER NOT NULL, checksum TEXT NOT NULL, blob BLOB NOT NULL,
    PRIMARY KEY (service, kind, version)
) STRICT;
CREATE TABLE recent (
    service TEXT NOT NULL, time INTEGER NOT NULL, metric TEXT NOT NULL,
    interval INTEGER NOT NULL, value REAL NOT NULL, quality TEXT NOT NULL,
    PRIMARY KEY (service, time, metric)
) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (
    fingerprint TEXT PRIMARY KEY NOT NULL, service TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL,
    began INTEGER NOT NULL, ended INTEGER, last_sent INTEGER, detail TEXT NOT NULL
) STRICT;
CREATE INDEX alerts_by_time ON alerts (began);
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL,
    action TEXT NOT NULL, detail TEXT NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TABLE journal (
    service TEXT PRIMARY KEY NOT NULL, time INTEGER NOT NULL, records INTEGER NOT NULL, head TEXT NOT NULL
) STRICT;
"];

/// The version this build writes.
pub(super) const VERSION: u32 = MIGRATIONS.len() as u32;

/// Refuses a file that is not ours or is newer than this build; says which version it has.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<u32, Error> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let application = number("application_id").map_err(Error::sqlite(path))?;
    let found = number("user_version").map_err(Error::sqlite(path))?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: u32 = connection.query_row(tables, [], |row| row.get(0)).map_err(Error::sqlite(path))?;
    let is_new = tables == 0 && application == 0 && found == 0;
    if !is_new && application != APPLICATION {
        return Err(Error::damaged(path, &"a database of something else"));
    }
    let found = u32::try_from(found).map_err(|_| Error::damaged(path, &format!("schema version {found}")))?;
    if found > VERSION {
        return Err(Error::Version { path: path.to_owned(), found, known: VERSION });
    }
    Ok(found)
}

/// Brings the file to this build's version, a step a transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let found = check(connection, path)?;
    for (version, step) in (1..).zip(&MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.map_err(Error::sqlite(path))?;
        transaction.execute_batch(step).map_err(Error::sqlite(path))?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(Error::sqlite(path))?;
        transaction.pragma_update(None, "user_version", version).map_err(Error::sqlite(path))?;
        transaction.commit().map_err(Error::sqlite(path))?;
    }
    Ok(())
}

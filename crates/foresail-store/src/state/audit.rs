//! Who did what.

use foresail_core::Timestamp;
use rusqlite::{Row, params};
use serde_json::Value;

use super::alerts::json;
use super::store::StateStore;
use crate::Error;

/// Something that was done, or tried.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub actor: String,
    /// In which role.
    pub role: String,
    /// What.
    pub action: String,
    /// With which arguments.
    pub detail: Value,
    /// How it ended: `ok`, or why it was refused.
    pub outcome: String,
}

/// An entry with its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Counts up; never used twice.
    pub id: u64,
    /// What was done.
    pub entry: AuditEntry,
}

impl StateStore {
    /// Adds to the audit log and gives the entry's id. It is on disk when this returns. Entries are never changed or
    /// removed: the database refuses it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn append_audit(&mut self, entry: &AuditEntry) -> Result<u64, Error> {
        let write = || {
            let sql = "INSERT INTO audit (time, actor, role, action, detail, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let AuditEntry { time, actor, role, action, detail, outcome } = entry;
            let values = params![time.as_micros(), actor, role, action, detail.to_string(), outcome];
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            let written = self.connection.prepare_cached(sql)?.execute(values);
            self.connection.pragma_update(None, "synchronous", "NORMAL")?;
            written?;
            Ok(self.connection.last_insert_rowid().unsigned_abs())
        };
        write().map_err(self.failed())
    }

    /// At most `limit` entries, newest first; only those before the one with id `before`, where given, so that the last
    /// id of a page asks for the next page.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn audit(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditRecord>, Error> {
        let before = before.map_or(i64::MAX, |id| i64::try_from(id).unwrap_or(i64::MAX));
        let sql = "SELECT id, time, actor, role, action, detail, outcome FROM audit
            WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
        self.rows(sql, params![before, limit], record)
    }
}

fn record(row: &Row<'_>) -> rusqlite::Result<AuditRecord> {
    let entry = AuditEntry {
        time: Timestamp::from_micros(row.get(1)?),
        actor: row.get(2)?,
        role: row.get(3)?,
        action: row.get(4)?,
        detail: json(row, 5)?,
        outcome: row.get(6)?,
    };
    Ok(AuditRecord { id: row.get(0)?, entry })
}

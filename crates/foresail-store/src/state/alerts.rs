//! Alerts that last or have lasted.

use foresail_core::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::store::StateStore;
use crate::Error;

/// An alert, by what makes it the same alert.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertRow {
    /// Two reports of one alert share it.
    pub fingerprint: String,
    /// Whom it concerns.
    pub service: String,
    /// What it is about.
    pub kind: String,
    /// The sentence people read.
    pub text: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; `None` while it lasts.
    pub ended: Option<Timestamp>,
    /// When people were last told.
    pub last_sent: Option<Timestamp>,
    /// Recommended action, figures and anything else.
    pub detail: Value,
}

impl StateStore {
    /// Alerts, newest first, at most `limit`; of one service only, where given; lasting ones only, if asked.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn alerts(&self, service: Option<&str>, lasting: bool, limit: u32) -> Result<Vec<AlertRow>, Error> {
        let sql = "SELECT fingerprint, service, kind, text, began, ended, last_sent, detail FROM alerts
            WHERE (?1 IS NULL OR service = ?1) AND NOT (?2 AND ended IS NOT NULL)
            ORDER BY began DESC, fingerprint LIMIT ?3";
        self.rows(sql, params![service, lasting, limit], alert)
    }

    /// Forgets alerts that ended before `before`; says how many.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn forget_alerts(&mut self, before: Timestamp) -> Result<usize, Error> {
        self.connection.execute("DELETE FROM alerts WHERE ended < ?1", [before.as_micros()]).map_err(self.failed())
    }
}

/// Adds an alert, or puts it in the place of what was known of it.
pub(super) fn write(on: &Connection, alert: &AlertRow) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO alerts (fingerprint, service, kind, text, began, ended, last_sent, detail)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    on.prepare_cached(sql)?.execute(params![
        alert.fingerprint,
        alert.service,
        alert.kind,
        alert.text,
        alert.began.as_micros(),
        alert.ended.map(Timestamp::as_micros),
        alert.last_sent.map(Timestamp::as_micros),
        alert.detail.to_string(),
    ])?;
    Ok(())
}

fn alert(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    let time = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_micros));
    Ok(AlertRow {
        fingerprint: row.get(0)?,
        service: row.get(1)?,
        kind: row.get(2)?,
        text: row.get(3)?,
        began: Timestamp::from_micros(row.get(4)?),
        ended: time(5)?,
        last_sent: time(6)?,
        detail: json(row, 7)?,
    })
}

/// A column of JSON.
pub(super) fn json(row: &Row<'_>, column: usize) -> rusqlite::Result<Value> {
    let text: String = row.get(column)?;
    let wrong = |e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e));
    serde_json::from_str(&text).map_err(wrong)
}

//! What a turn of the loop leaves behind, written whole or not at all.

use foresail_core::{Sample, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::alerts::{self, AlertRow};
use super::store::StateStore;
use super::{samples, snapshots};
use crate::Error;

/// Something that can be restored, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint<'a> {
    /// What it is of: `controller`, `forecaster`, …
    pub kind: &'a str,
    /// Its bytes (JSON by custom); compressed on the way to disk.
    pub bytes: &'a [u8],
}

/// How far a journal had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalMark {
    /// Id of its last record.
    pub records: u64,
    /// The chain after its last entry: [`Journal::head`](crate::Journal::head).
    pub head: String,
}

/// All that one turn of the loop of one service writes.
#[derive(Clone, Debug)]
pub struct Tick<'a> {
    /// The service.
    pub service: &'a str,
    /// The time of the turn.
    pub time: Timestamp,
    /// Controller state and learners that changed. Each becomes the newest snapshot of its kind.
    pub checkpoints: &'a [Checkpoint<'a>],
    /// What was measured; a sample of the same metric and time replaces the one before. Values that are not finite are
    /// left out.
    pub samples: &'a [Sample],
    /// Alerts that began, changed or ended.
    pub alerts: &'a [AlertRow],
    /// Where the journal stands once this turn's entries are in it.
    pub journal: Option<JournalMark>,
}

impl StateStore {
    /// Writes a tick in one transaction. When this returns, the death of the process cannot undo it.
    ///
    /// Append the tick's entries to the journal first: after a crash in between, the journal is ahead of the state, and
    /// feeding the controller [`entries_after`](crate::entries_after) the saved state brings it level again.
    ///
    /// # Errors
    /// [`Error::Sqlite`], after which nothing of the tick is stored and the store goes on; with a full disk
    /// [`Error::is_transient`] is true.
    pub fn commit_tick(&mut self, tick: &Tick<'_>) -> Result<(), Error> {
        let (keep, recent) = (self.options.snapshots, self.options.recent);
        let path = self.path.clone();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = transaction.map_err(Error::sqlite(&path))?;
        let write = |on: &Connection| {
            for checkpoint in tick.checkpoints {
                snapshots::write(on, tick.service, checkpoint, tick.time, keep)?;
            }
            samples::write(on, tick.service, tick.samples)?;
            samples::forget_oldest(on, tick.service, tick.time - recent)?;
            tick.alerts.iter().try_for_each(|alert| alerts::write(on, alert))?;
            if let Some(JournalMark { records, head }) = &tick.journal {
                let sql = "INSERT INTO journal (service, time, records, head) VALUES (?1, ?2, ?3, ?4)
                    ON CONFLICT (service) DO UPDATE SET time = ?2, records = ?3, head = ?4";
                on.prepare_cached(sql)?.execute(params![tick.service, tick.time.as_micros(), records, head])?;
            }
            Ok(())
        };
        write(&transaction).and_then(|()| transaction.commit()).map_err(Error::sqlite(&path))
    }

    /// Where the journal of `service` stood at its last tick. If the journal no longer reaches that far, or its chain
    /// there differs, lines were taken from it.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn journal_mark(&self, service: &str) -> Result<Option<JournalMark>, Error> {
        let sql = "SELECT records, head FROM journal WHERE service = ?1";
        let mark = |row: &rusqlite::Row<'_>| Ok(JournalMark { records: row.get(0)?, head: row.get(1)? });
        let read = || self.connection.prepare_cached(sql)?.query_row([service], mark).optional();
        read().map_err(self.failed())
    }
}

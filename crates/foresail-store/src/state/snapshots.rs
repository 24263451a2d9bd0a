//! The newest few snapshots of each kind.

use std::fmt::Display;
use std::io::Read;

use foresail_core::Timestamp;
use rusqlite::{Connection, Row, params};

use super::store::StateStore;
use super::tick::Checkpoint;
use crate::Error;
use crate::disk::sha256;

/// Level of compression: snapshots are written with every tick.
const LEVEL: i32 = 1;

/// A snapshot that could be used, and those that could not.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored<T> {
    /// What was restored.
    pub value: T,
    /// Counts up with every snapshot of its kind.
    pub version: u64,
    /// The time of the tick that wrote it.
    pub time: Timestamp,
    /// Newer ones that were passed over, newest first. Not empty means: what happened after `time` is lost, say so.
    pub broken: Vec<Broken>,
}

/// A snapshot that is not what was written, or was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub version: u64,
    /// What is wrong with it.
    pub what: String,
}

/// A row as it lies in the table.
struct Stored {
    version: u64,
    time: Timestamp,
    length: u64,
    checksum: String,
    blob: Vec<u8>,
}

impl StateStore {
    /// The newest snapshot of `kind` that is intact and that `decode` accepts; `None` if there never was one.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`] if there are snapshots and none can be used; [`Error::Sqlite`].
    pub fn restore<T, E: Display>(
        &self,
        service: &str,
        kind: &str,
        mut decode: impl FnMut(&[u8]) -> Result<T, E>,
    ) -> Result<Option<Restored<T>>, Error> {
        let mut broken = Vec::new();
        for stored in self.stored(service, kind)? {
            let bytes = stored.open(service, kind);
            match bytes.and_then(|bytes| decode(&bytes).map_err(|e| e.to_string())) {
                Ok(value) => {
                    return Ok(Some(Restored { value, version: stored.version, time: stored.time, broken }));
                }
                Err(what) => broken.push(Broken { version: stored.version, what }),
            }
        }
        match broken.into_iter().next() {
            None => Ok(None),
            Some(Broken { version, what }) => Err(Error::NoSnapshot {
                path: self.path.clone(),
                service: service.to_owned(),
                kind: kind.to_owned(),
                version,
                what,
            }),
        }
    }

    /// Services that have a snapshot of `kind`, in order.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn services(&self, kind: &str) -> Result<Vec<String>, Error> {
        self.rows("SELECT DISTINCT service FROM state WHERE kind = ?1 ORDER BY service", [kind], |row| row.get(0))
    }

    /// Newest first.
    fn stored(&self, service: &str, kind: &str) -> Result<Vec<Stored>, Error> {
        let sql = "SELECT version, time, length, checksum, blob FROM state
            WHERE service = ?1 AND kind = ?2 ORDER BY version DESC";
        let stored = |row: &Row<'_>| {
            Ok(Stored {
                version: row.get(0)?,
                time: Timestamp::from_micros(row.get(1)?),
                length: row.get(2)?,
                checksum: row.get(3)?,
                blob: row.get(4)?,
            })
        };
        self.rows(sql, [service, kind], stored)
    }
}

impl Stored {
    /// Its bytes, if they are those that were written.
    fn open(&self, service: &str, kind: &str) -> Result<Vec<u8>, String> {
        if checksum(service, kind, self.version, &self.blob) != self.checksum {
            return Err("its checksum differs".to_owned());
        }
        let mut bytes = Vec::new();
        let unpack = |bytes: &mut Vec<u8>| {
            zstd::stream::read::Decoder::new(self.blob.as_slice())?.take(self.length + 1).read_to_end(bytes)
        };
        unpack(&mut bytes).map_err(|e| format!("it cannot be decompressed: {e}"))?;
        if bytes.len() as u64 == self.length { Ok(bytes) } else { Err("it has another length".to_owned()) }
    }
}

/// Adds a snapshot and forgets those beyond the newest `keep`.
pub(super) fn write(
    on: &Connection,
    service: &str,
    checkpoint: &Checkpoint<'_>,
    time: Timestamp,
    keep: u32,
) -> rusqlite::Result<()> {
    let kind = checkpoint.kind;
    let blob = zstd::bulk::compress(checkpoint.bytes, LEVEL)
        .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let newest = "SELECT coalesce(max(version), 0) FROM state WHERE service = ?1 AND kind = ?2";
    let newest: u64 = on.prepare_cached(newest)?.query_row([service, kind], |row| row.get(0))?;
    let version = newest + 1;
    let sql = "INSERT INTO state (service, kind, version, time, length, checksum, blob)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let checksum = checksum(service, kind, version, &blob);
    let length = checkpoint.bytes.len() as u64;
    on.prepare_cached(sql)?.execute(params![service, kind, version, time.as_micros(), length, checksum, blob])?;
    let sql = "DELETE FROM state WHERE service = ?1 AND kind = ?2 AND version <= ?3";
    on.prepare_cached(sql)?.execute(params![service, kind, version.saturating_sub(u64::from(keep))])?;
    Ok(())
}

/// Covers whose snapshot it is, so that a row in another's place is found as well.
fn checksum(service: &str, kind: &str, version: u64, blob: &[u8]) -> String {
    sha256(&[service.as_bytes(), b"\0", kind.as_bytes(), b"\0", &version.to_le_bytes(), blob])
}

//! The samples of the last few days.

use std::time::Duration;

use foresail_core::{Metric, Quality, Sample, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer, value};

use super::store::StateStore;
use crate::Error;

/// Times that one tick forgets at most: more than it adds, and few enough that a clock which jumped ahead for a moment
/// does not empty the table.
const FORGOTTEN_A_TICK: u32 = 8;

impl StateStore {
    /// Samples of `service` whose interval ended in `[from, to)`, by time and then by metric.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn samples(&self, service: &str, from: Timestamp, to: Timestamp) -> Result<Vec<Sample>, Error> {
        let sql = "SELECT metric, time, interval, value, quality FROM recent
            WHERE service = ?1 AND time >= ?2 AND time < ?3 ORDER BY time, metric";
        self.rows(sql, params![service, from.as_micros(), to.as_micros()], sample)
    }

    /// Times of the oldest and the newest sample of each service that has any.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn sampled(&self) -> Result<Vec<(String, Timestamp, Timestamp)>, Error> {
        let sql = "SELECT service, min(time), max(time) FROM recent GROUP BY service ORDER BY service";
        let time = |row: &Row<'_>, column: usize| row.get(column).map(Timestamp::from_micros);
        self.rows(sql, [], |row| Ok((row.get(0)?, time(row, 1)?, time(row, 2)?)))
    }

    /// Time of the oldest sample of `service` at or after `from`.
    pub(crate) fn sampled_from(&self, service: &str, from: Timestamp) -> Result<Option<Timestamp>, Error> {
        let sql = "SELECT time FROM recent WHERE service = ?1 AND time >= ?2 ORDER BY time LIMIT 1";
        let time = |row: &Row<'_>| row.get(0).map(Timestamp::from_micros);
        Ok(self.rows(sql, params![service, from.as_micros()], time)?.pop())
    }

    /// Forgets samples of `service` from before `before`; says how many.
    ///
    /// # Errors
    /// [`Error::Sqlite`].
    pub fn forget_samples(&mut self, service: &str, before: Timestamp) -> Result<usize, Error> {
        let sql = "DELETE FROM recent WHERE service = ?1 AND time < ?2";
        self.connection.execute(sql, params![service, before.as_micros()]).map_err(self.failed())
    }
}

/// Adds samples, each in the place of one of the same metric and time.
pub(super) fn write(on: &Connection, service: &str, samples: &[Sample]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO recent (service, time, metric, interval, value, quality) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (service, time, metric) DO UPDATE SET interval = ?4, value = ?5, quality = ?6";
    let mut insert = on.prepare_cached(sql)?;
    for sample in samples.iter().filter(|s| s.value.is_finite()) {
        let interval = i64::try_from(sample.interval.as_micros()).unwrap_or(i64::MAX);
        let (metric, quality) = (word(&sample.metric), word(&sample.quality));
        insert.execute(params![service, sample.time.as_micros(), metric, interval, sample.value, quality])?;
    }
    Ok(())
}

/// Forgets the oldest samples from before `before`, a few times of them.
pub(super) fn forget_oldest(on: &Connection, service: &str, before: Timestamp) -> rusqlite::Result<()> {
    let sql = "DELETE FROM recent WHERE service = ?1 AND time IN (
        SELECT DISTINCT time FROM recent WHERE service = ?1 AND time < ?2 ORDER BY time LIMIT ?3)";
    on.prepare_cached(sql)?.execute(params![service, before.as_micros(), FORGOTTEN_A_TICK])?;
    Ok(())
}

fn sample(row: &Row<'_>) -> rusqlite::Result<Sample> {
    Ok(Sample {
        metric: said::<Metric>(row, 0)?,
        time: Timestamp::from_micros(row.get(1)?),
        interval: Duration::from_micros(row.get::<_, i64>(2)?.max(0) as u64),
        value: row.get(3)?,
        quality: said::<Quality>(row, 4)?,
    })
}

fn said<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    meant(&text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(e)))
}

/// The word by which a unit variant is known in files.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    let text = serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned));
    text.expect("metrics and qualities are written as words")
}

/// The variant that a word stands for.
pub(crate) fn meant<T: DeserializeOwned>(word: &str) -> Result<T, value::Error> {
    T::deserialize(word.into_deserializer())
}

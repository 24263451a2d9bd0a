//! Where a model stands in time, and the local time of day of the rows ahead.

use std::time::Duration;

use foresail_core::{Frame, TimeZone, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const WEEK_US: i64 = 7 * 86_400_000_000;
/// The epoch was a Thursday; weeks here start on Monday.
const EPOCH_IN_WEEK_US: i64 = 3 * 86_400_000_000;

/// The regular grid of a series, standing at the row to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Clock {
    next: Timestamp,
    step_us: i64,
    #[serde(serialize_with = "zone_name", deserialize_with = "named_zone")]
    zone: TimeZone,
}

impl Clock {
    /// At the first row of `history`.
    pub(crate) fn at_start(history: &Frame) -> Self {
        Self { next: history.start(), step_us: history.step().as_micros() as i64, zone: history.zone().clone() }
    }

    /// At the first row after `history`.
    pub(crate) fn at_end(history: &Frame) -> Self {
        Self { next: history.end(), ..Self::at_start(history) }
    }

    /// Start of the row to come.
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// Length of a row.
    pub(crate) fn step(&self) -> Duration {
        Duration::from_micros(self.step_us as u64)
    }

    /// The zone of its calendar.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Start of the row `ahead` rows after the one to come.
    pub(crate) fn time(&self, ahead: usize) -> Timestamp {
        let span = self.step_us.saturating_mul(ahead as i64);
        Timestamp::from_micros(self.next.as_micros().saturating_add(span))
    }

    /// Whole rows from the row to come to the one that `time` is nearest to the start of; negative if that has passed.
    pub(crate) fn steps_to(&self, time: Timestamp) -> i64 {
        let span = time.as_micros().saturating_sub(self.next.as_micros());
        span.saturating_add(self.step_us / 2).div_euclid(self.step_us)
    }

    /// Moves on by `rows`.
    pub(crate) fn advance(&mut self, rows: i64) {
        let span = self.step_us.saturating_mul(rows);
        self.next = Timestamp::from_micros(self.next.as_micros().saturating_add(span));
    }

    /// Number of the row to come, counted since the epoch: the same whatever was left out on the way.
    pub(crate) fn index(&self) -> i64 {
        self.next.as_micros().div_euclid(self.step_us)
    }

    /// Place of the row to come in a cycle of `rows` rows (at least 1).
    pub(crate) fn slot(&self, rows: usize) -> usize {
        self.index().rem_euclid(rows as i64) as usize
    }

    /// Local time at the start of the row to come, in microseconds since a local midnight that starts a Monday.
    pub(crate) fn local_us(&self) -> i64 {
        self.next.as_micros() + EPOCH_IN_WEEK_US + offset_us(self.next, &self.zone)
    }

    /// [`Clock::local_us`] of the row to come and the `horizon - 1` after it. The zone is asked twice, not once a row,
    /// unless its clocks change on the way.
    pub(crate) fn local_ahead(&self, horizon: usize) -> impl Iterator<Item = i64> + '_ {
        let first = offset_us(self.next, &self.zone);
        let fixed = offset_us(self.time(horizon), &self.zone) == first;
        (0..horizon).map(move |ahead| {
            let time = self.time(ahead);
            let offset = if fixed { first } else { offset_us(time, &self.zone) };
            time.as_micros() + EPOCH_IN_WEEK_US + offset
        })
    }

    /// Whether restored state can be reckoned with.
    pub(crate) fn is_sound(&self) -> bool {
        self.step_us > 0
    }
}

/// What a local clock is ahead of UTC, in microseconds.
fn offset_us(time: Timestamp, zone: &TimeZone) -> i64 {
    if *zone == TimeZone::utc() {
        return 0;
    }
    let civil = time.civil(zone);
    let local_secs = i64::from(civil.weekday) * 86_400
        + i64::from(civil.hour) * 3600
        + i64::from(civil.minute) * 60
        + i64::from(civil.second);
    let utc_us = (time.as_micros() + EPOCH_IN_WEEK_US).rem_euclid(WEEK_US);
    let ahead = local_secs * 1_000_000 - (utc_us - utc_us.rem_euclid(1_000_000));
    // Either may have wrapped into another week; offsets are well under half of one.
    (ahead + WEEK_US / 2).rem_euclid(WEEK_US) - WEEK_US / 2
}

fn zone_name<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

fn named_zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
    TimeZone::named(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str, zone: &str) -> Clock {
        let zone = TimeZone::named(zone).unwrap();
        Clock { next: Timestamp::parse(time).unwrap(), step_us: 3_600_000_000, zone }
    }

    fn check(time: &str, zone: &str, weekday: i64, hour: i64) {
        let local = at(time, zone).local_us().rem_euclid(WEEK_US);
        assert_eq!(local, (weekday * 24 + hour) * 3_600_000_000, "{time} in {zone}");
    }

    #[test]
    fn local_time_is_reckoned_from_monday() {
        check("2026-11-23T00:00:00Z", "UTC", 0, 0);
        check("1969-12-31T23:00:00Z", "UTC", 2, 23);
        check("2026-11-22T23:30:00Z", "Asia/Kolkata", 0, 5);
        check("2026-11-23T02:00:00Z", "America/New_York", 6, 21);
        check("2026-07-06T00:00:00Z", "Europe/Berlin", 0, 2);
    }

    #[test]
    fn a_change_of_clocks_on_the_way_is_followed() {
        let clock = at("2026-10-24T22:00:00Z", "Europe/Berlin");
        let hours: Vec<i64> = clock.local_ahead(5).map(|us| us.rem_euclid(WEEK_US) / 3_600_000_000 - 6 * 24).collect();
        assert_eq!(hours, [0, 1, 2, 2, 3]);
    }

    #[test]
    fn the_nearest_row_is_meant() {
        let clock = at("2026-10-24T22:00:00Z", "UTC");
        let steps = |secs: i64| clock.steps_to(Timestamp::from_micros(clock.next.as_micros() + secs * 1_000_000));
        assert_eq!([steps(0), steps(3599), steps(7100), steps(-100), steps(-3600)], [0, 1, 2, 0, -1]);
    }
}

//! Turns the cells of the time column into instants: form, zone, daylight saving, range.

use foresail_core::TimeZone;
use jiff::tz::AmbiguousOffset;

use crate::EpochUnit;
use crate::cell::Cell;
use crate::stamp::{self, Epoch, MICROS_PER_SECOND, Moment};

/// 1900-01-01T00:00:00Z and 2200-01-01T00:00:00Z. What lies outside is a sentinel such as 0001-01-01 or a number read
/// in the wrong unit, and would stretch the grid over centuries.
const EARLIEST: i64 = -2_208_988_800 * MICROS_PER_SECOND;
const LATEST: i64 = 7_258_118_400 * MICROS_PER_SECOND;

/// How the time column is written. A typed time (Parquet) is read whatever the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeForm {
    Text,
    Epoch(EpochUnit),
}

impl TimeForm {
    /// As the quality summary calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Text => "date and time",
            Self::Epoch(EpochUnit::Seconds) => "epoch s",
            Self::Epoch(EpochUnit::Millis) => "epoch ms",
            Self::Epoch(EpochUnit::Micros) => "epoch us",
            Self::Epoch(EpochUnit::Nanos) => "epoch ns",
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Text => "RFC 3339 such as 2026-03-01T12:00:00Z, YYYY-MM-DD HH:MM:SS or YYYY-MM-DD, from 1900 to 2199",
            Self::Epoch(EpochUnit::Seconds) => "seconds since 1970 such as 1772366400, from 1900 to 2199",
            Self::Epoch(EpochUnit::Millis) => "milliseconds since 1970 such as 1772366400000, from 1900 to 2199",
            Self::Epoch(EpochUnit::Micros) => "microseconds since 1970 such as 1772366400000000, from 1900 to 2199",
            Self::Epoch(EpochUnit::Nanos) => "nanoseconds since 1970 such as 1772366400000000000, from 1900 to 2199",
        }
    }
}

/// Reads one time column from top to bottom.
pub(crate) struct Clock {
    form: TimeForm,
    /// `None` is UTC, which needs no look-up.
    zone: Option<jiff::tz::TimeZone>,
    /// The row before, which tells the two passes through a repeated hour apart.
    previous: i64,
    /// Local times that the clocks skipped.
    pub(crate) skipped: u64,
    /// Local times that occur twice.
    pub(crate) repeated: u64,
}

impl Clock {
    pub(crate) fn new(form: TimeForm, zone: &TimeZone) -> Self {
        Self { form, zone: library_zone(zone), previous: i64::MIN, skipped: 0, repeated: 0 }
    }

    pub(crate) fn form(&self) -> TimeForm {
        self.form
    }

    /// The instant in `cell`, in microseconds since the epoch.
    ///
    /// # Errors
    /// The forms that would have been accepted.
    pub(crate) fn read(&mut self, cell: Cell<'_>) -> Result<i64, &'static str> {
        let written = match (cell, self.form) {
            (Cell::Instant(micros), _) => Some(Moment::Instant(micros)),
            (Cell::Local(micros), _) => Some(Moment::Local(micros)),
            (Cell::Text(text), TimeForm::Text) => stamp::parse(text),
            (Cell::Text(text), TimeForm::Epoch(unit)) => Epoch::parse(text).map(|e| Moment::Instant(e.micros(unit))),
            (Cell::Int(whole), TimeForm::Epoch(unit)) => {
                Some(Moment::Instant(Epoch { whole, billionths: 0 }.micros(unit)))
            }
            (Cell::Float(x), TimeForm::Epoch(unit)) => Epoch::from_f64(x).map(|e| Moment::Instant(e.micros(unit))),
            (Cell::Empty, _) | (Cell::Int(_) | Cell::Float(_), TimeForm::Text) => None,
        };
        let instant = match written {
            Some(Moment::Instant(micros)) => Some(micros),
            // Checked before the zone is asked, whose calendar ends.
            Some(Moment::Local(micros)) if (EARLIEST..LATEST).contains(&micros) => self.resolve(micros),
            _ => None,
        };
        let instant = instant.filter(|t| (EARLIEST..LATEST).contains(t)).ok_or(self.form.expected())?;
        self.previous = instant;
        Ok(instant)
    }

    fn resolve(&mut self, local: i64) -> Option<i64> {
        let Some(zone) = &self.zone else { return Some(local) };
        let clock_face = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(local).ok()?);
        let at = |offset: jiff::tz::Offset| local - i64::from(offset.seconds()) * MICROS_PER_SECOND;
        Some(match zone.to_ambiguous_timestamp(clock_face).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Gap { before, .. } => {
                self.skipped += 1;
                at(before)
            }
            AmbiguousOffset::Fold { before, after } => {
                self.repeated += 1;
                let second_pass = at(before) <= self.previous && at(after) > self.previous;
                at(if second_pass { after } else { before })
            }
        })
    }
}

/// The calendar library's own zone; `None` for UTC.
fn library_zone(zone: &TimeZone) -> Option<jiff::tz::TimeZone> {
    if *zone == TimeZone::utc() { None } else { jiff::tz::TimeZone::get(zone.name()).ok() }
}

/// How far the clocks of `zone` are ahead of UTC at an instant, in microseconds.
pub(crate) fn offset_micros(zone: &TimeZone, instant: i64) -> i64 {
    let offset = library_zone(zone).zip(jiff::Timestamp::from_microsecond(instant).ok());
    offset.map_or(0, |(zone, instant)| i64::from(zone.to_offset(instant).seconds()) * MICROS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Clock {
        Clock::new(TimeForm::Text, &TimeZone::named("Europe/Berlin").expect("bundled"))
    }

    fn read(clock: &mut Clock, texts: &[&str]) -> Vec<String> {
        let show = |micros| foresail_core::Timestamp::from_micros(micros).to_string();
        texts.iter().map(|t| show(clock.read(Cell::Text(t.as_bytes())).expect("a time"))).collect()
    }

    #[test]
    fn a_skipped_hour_moves_forward() {
        let mut clock = berlin();
        let instants = read(&mut clock, &["2026-03-29 01:30:00", "2026-03-29 02:30:00", "2026-03-29 03:30:00"]);
        assert_eq!(instants, ["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"]);
        assert_eq!((clock.skipped, clock.repeated), (1, 0));
    }

    #[test]
    fn a_repeated_hour_is_told_apart_by_order() {
        let mut clock = berlin();
        let local = [
            "2026-10-25 01:30:00",
            "2026-10-25 02:00:00",
            "2026-10-25 02:30:00",
            "2026-10-25 02:00:00",
            "2026-10-25 02:30:00",
        ];
        let instants = read(&mut clock, &local);
        assert_eq!(instants[1..3], ["2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z"]);
        assert_eq!(instants[3..], ["2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"]);
        assert_eq!(clock.repeated, 4);
    }

    #[test]
    fn an_offset_beats_the_zone_and_sentinels_are_refused() {
        let mut clock = berlin();
        assert_eq!(read(&mut clock, &["2026-07-01T12:00:00Z"]), ["2026-07-01T12:00:00Z"]);
        assert!(clock.read(Cell::Text(b"0001-01-01T00:00:00Z")).is_err());
        assert!(clock.read(Cell::Text(b"9999-12-31")).is_err());
        let mut seconds = Clock::new(TimeForm::Epoch(EpochUnit::Seconds), &TimeZone::utc());
        assert!(seconds.read(Cell::Text(b"1633478400000")).is_err());
        assert_eq!(seconds.read(Cell::Float(1.5)), Ok(1_500_000));
    }
}

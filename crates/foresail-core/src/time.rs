//! Instants on the microsecond, and the calendar seen from a time zone.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::civil;
use serde::{Deserialize, Serialize};

use crate::Error;

/// An instant: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// From microseconds since the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From seconds since the epoch; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, with fraction.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Reads RFC 3339 (`2026-03-01T12:00:00Z`, with any offset), `2026-03-01 12:00:00` or `2026-03-01` (both UTC).
    ///
    /// # Errors
    /// [`Error::BadTime`] if `text` is none of these.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_in(text, &TimeZone::utc())
    }

    /// Like [`Timestamp::parse`], reading times without an offset in `zone`. A local time that the clocks skipped is
    /// moved forward by the gap; one that occurs twice is the earlier.
    ///
    /// # Errors
    /// [`Error::BadTime`] if `text` is no time.
    pub fn parse_in(text: &str, zone: &TimeZone) -> Result<Self, Error> {
        let text = text.trim();
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(instant.as_microsecond()));
        }
        let bad = || Error::BadTime(text.to_owned());
        let local = match text.parse::<civil::DateTime>() {
            Ok(local) => local,
            Err(_) => text.parse::<civil::Date>().map_err(|_| bad())?.at(0, 0, 0, 0),
        };
        let zoned = zone.0.to_zoned(local).map_err(|_| bad())?;
        Ok(Self(zoned.timestamp().as_microsecond()))
    }

    /// The calendar at this instant, seen from `zone`.
    pub fn civil(self, zone: &TimeZone) -> Civil {
        let instant = jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let local = instant.to_zoned(zone.0.clone()).datetime();
        Civil {
            year: local.year(),
            month: local.month() as u8,
            day_of_month: local.day() as u8,
            day_of_year: local.day_of_year() as u16,
            days_in_month: local.days_in_month() as u8,
            weekday: local.weekday().to_monday_zero_offset() as u8,
            hour: local.hour() as u8,
            minute: local.minute() as u8,
            second: local.second() as u8,
        }
    }

    /// How long after `earlier` this is; zero if it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// Rounds down to a multiple of `step` since the epoch.
    pub fn floor_to(self, step: Duration) -> Self {
        let step = (step.as_micros() as i64).max(1);
        Self(self.0.div_euclid(step) * step)
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC, with as many digits of a second as are needed.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) => write!(f, "{}us", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text).map_err(serde::de::Error::custom)
        } else {
            i64::deserialize(deserializer).map(Self)
        }
    }
}

/// A time zone of the bundled IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(jiff::tz::TimeZone);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const fn utc() -> Self {
        Self(jiff::tz::TimeZone::UTC)
    }

    /// The zone of an IANA name such as `Europe/Berlin`.
    ///
    /// # Errors
    /// [`Error::BadZone`] if there is none.
    pub fn named(name: &str) -> Result<Self, Error> {
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Ok(Self::utc());
        }
        jiff::tz::TimeZone::get(name).map(Self).map_err(|_| Error::BadZone(name.to_owned()))
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Seconds by which local time is ahead of UTC at `at`, and the instant from which that may differ, if there is one.
    pub fn offset_at(&self, at: Timestamp) -> (i32, Option<Timestamp>) {
        let instant = jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let change = self.0.following(instant).next().map(|t| Timestamp(t.timestamp().as_microsecond()));
        (self.0.to_offset(instant).seconds(), change)
    }
}

/// Calendar fields of an instant in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of the Gregorian calendar.
    pub year: i16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day_of_month: u8,
    /// 1 to 366.
    pub day_of_year: u16,
    /// 28 to 31.
    pub days_in_month: u8,
    /// Monday is 0, Sunday 6.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Civil {
    /// Minutes since local midnight, with fraction.
    pub fn minute_of_day(&self) -> f64 {
        f64::from(self.hour) * 60.0 + f64::from(self.minute) + f64::from(self.second) / 60.0
    }

    /// Saturday or Sunday.
    pub fn is_weekend(&self) -> bool {
        self.weekday >= 5
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_documented_form() {
        let expected = Timestamp::from_secs(1_772_366_400);
        for text in
            ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01 12:00:00", " 2026-03-01T12:00:00 "]
        {
            assert_eq!(Timestamp::parse(text), Ok(expected), "{text}");
        }
        assert_eq!(Timestamp::parse("2026-03-01"), Ok(expected - Duration::from_secs(43_200)));
        assert_eq!(expected.to_string(), "2026-03-01T12:00:00Z");
        assert!(Timestamp::parse("noon").is_err());
    }

    #[test]
    fn a_skipped_local_time_moves_forward_and_a_repeated_one_is_the_earlier() {
        let berlin = TimeZone::named("Europe/Berlin").expect("bundled");
        let skipped = Timestamp::parse_in("2026-03-29 02:30:00", &berlin).expect("a time");
        assert_eq!(skipped.to_string(), "2026-03-29T01:30:00Z");
        let repeated = Timestamp::parse_in("2026-10-25 02:30:00", &berlin).expect("a time");
        assert_eq!(repeated.to_string(), "2026-10-25T00:30:00Z");
        assert_eq!(repeated.civil(&berlin).hour, 2);
        assert_eq!(repeated.civil(&berlin).weekday, 6);
    }
}

//! Times as text and as numbers.
//!
//! Written by hand because the time column is most of the work of reading a series: a date parser that knows every form
//! costs several times the rest of the row.

use crate::EpochUnit;

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// With an offset: microseconds since the epoch.
    Instant(i64),
    /// Without one: microseconds since 1970-01-01 00:00 on the local clock.
    Local(i64),
}

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
pub(crate) const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Reads `YYYY-MM-DD`, optionally followed by `T` or a space and `HH:MM`, `:SS`, a fraction of a second, and an offset
/// (`Z`, `UTC`, `+01`, `+0100` or `+01:00`).
pub(crate) fn parse(text: &[u8]) -> Option<Moment> {
    let (date, rest) = text.split_at_checked(10)?;
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let days = days_from_civil(digits(&date[..4])?, digits(&date[5..7])?, digits(&date[8..])?)?;
    let midnight = days * MICROS_PER_DAY;
    let Some((&separator, rest)) = rest.split_first() else {
        return Some(Moment::Local(midnight));
    };
    if !matches!(separator, b'T' | b't' | b' ') || rest.len() < 5 || rest[2] != b':' {
        return None;
    }
    let (hour, minute) = (digits(&rest[..2])?, digits(&rest[3..5])?);
    let (second, rest) = match &rest[5..] {
        [b':', a, b, rest @ ..] => (digits(&[*a, *b])?, rest),
        rest => (0, rest),
    };
    // A leap second is the second before it: the grid has no place of its own for it.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, rest) = match rest {
        [b'.' | b',', rest @ ..] => fraction_micros(rest)?,
        rest => (0, rest),
    };
    let local = midnight + (hour * 3_600 + minute * 60 + second.min(59)) * MICROS_PER_SECOND + fraction;
    match rest.trim_ascii_start() {
        b"" => Some(Moment::Local(local)),
        b"Z" | b"z" | b"UTC" | b"GMT" => Some(Moment::Instant(local)),
        offset => Some(Moment::Instant(local - offset_seconds(offset)? * MICROS_PER_SECOND)),
    }
}

/// The number of decimal digits only.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0_i64, |n, &c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
}

/// A fraction of a second in microseconds, finer digits cut, and what follows it.
fn fraction_micros(text: &[u8]) -> Option<(i64, &[u8])> {
    let end = text.iter().position(|c| !c.is_ascii_digit()).unwrap_or(text.len());
    let (fraction, rest) = text.split_at(end);
    let micros = (0..6).fold(0, |n, i| n * 10 + fraction.get(i).map_or(0, |c| i64::from(c - b'0')));
    (!fraction.is_empty()).then_some((micros, rest))
}

fn offset_seconds(text: &[u8]) -> Option<i64> {
    let (sign, rest) = match text {
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match rest {
        [_, _] => (digits(rest)?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (digits(&[*a, *b])?, digits(&[*c, *d])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// A numeric time: a whole number of units, rounded down, and the rest in billionths of a unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Epoch {
    pub(crate) whole: i64,
    pub(crate) billionths: i64,
}

impl Epoch {
    /// Reads digits with an optional sign and fraction exactly, and other forms of a number as a float.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (negative, unsigned) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let point = unsigned.iter().position(|&c| c == b'.').unwrap_or(unsigned.len());
        let (whole, fraction) = (&unsigned[..point], unsigned.get(point + 1..).unwrap_or(&[]));
        let exact = !whole.is_empty() && whole.len() <= 18 && whole.iter().chain(fraction).all(u8::is_ascii_digit);
        if !exact {
            return Self::from_f64(std::str::from_utf8(text).ok()?.parse().ok()?);
        }
        let whole = digits(whole)?;
        let billionths = (0..9).fold(0, |n, i| n * 10 + fraction.get(i).map_or(0, |c| i64::from(c - b'0')));
        Some(match (negative, billionths) {
            (false, _) => Self { whole, billionths },
            (true, 0) => Self { whole: -whole, billionths },
            (true, _) => Self { whole: -whole - 1, billionths: 1_000_000_000 - billionths },
        })
    }

    /// From a float; `None` beyond what can be a time.
    pub(crate) fn from_f64(number: f64) -> Option<Self> {
        if !number.is_finite() || number.abs() >= 9e18 {
            return None;
        }
        let whole = number.floor();
        Some(Self { whole: whole as i64, billionths: ((number - whole) * 1e9).round() as i64 })
    }

    /// Microseconds since the epoch; saturates, which is out of any accepted range.
    pub(crate) fn micros(self, unit: EpochUnit) -> i64 {
        match unit {
            EpochUnit::Seconds => self.whole.saturating_mul(1_000_000).saturating_add(self.billionths / 1_000),
            EpochUnit::Millis => self.whole.saturating_mul(1_000).saturating_add(self.billionths / 1_000_000),
            EpochUnit::Micros => self.whole,
            EpochUnit::Nanos => self.whole.div_euclid(1_000),
        }
    }
}

impl EpochUnit {
    /// The unit in which a number of this magnitude is a time of our age.
    pub(crate) fn of_magnitude(magnitude: f64) -> Self {
        match magnitude.abs() {
            m if m < 1e11 => Self::Seconds,
            m if m < 1e14 => Self::Millis,
            m if m < 1e17 => Self::Micros,
            _ => Self::Nanos,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<Moment>) {
        assert_eq!(parse(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn reads_the_documented_forms() {
        let noon = 1_772_366_400_000_000;
        for text in ["2026-03-01T12:00:00Z", "2026-03-01t12:00:00z", "2026-03-01 12:00:00 UTC", "2026-03-01T12:00Z"] {
            check(text, Some(Moment::Instant(noon)));
        }
        for text in [
            "2026-03-01T13:00:00+01:00",
            "2026-03-01 17:30:00+0530",
            "2026-03-01 04:00:00 -08",
            "2026-03-01T12:00-00:00",
        ] {
            check(text, Some(Moment::Instant(noon)));
        }
        check("2026-03-01 12:00:00", Some(Moment::Local(noon)));
        check("2026-03-01T12:00", Some(Moment::Local(noon)));
        check("2026-03-01", Some(Moment::Local(noon - MICROS_PER_DAY / 2)));
        check("2026-03-01 12:00:00.25", Some(Moment::Local(noon + 250_000)));
        check("2026-03-01T12:00:00.123456789Z", Some(Moment::Instant(noon + 123_456)));
        check("2016-12-31T23:59:60Z", Some(Moment::Instant(1_483_228_799_000_000)));
        check("1969-12-31T23:59:59Z", Some(Moment::Instant(-1_000_000)));
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "noon",
            "12:00:00",
            "2026-13-01",
            "2026-02-29",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:60",
            "2026-03-01T12",
            "2026/03/01",
            "01-03-2026",
            "2026-03-01T12:00:00+1",
            "2026-03-01T12:00:00.Z",
            "2026-03-01x12:00",
            "2026-03-01 noon",
            "٢٠٢٦-03-01",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn agrees_with_the_calendar_library_over_two_centuries() {
        let mut date = jiff::civil::date(1900, 1, 1);
        for day in -25_567_i64.. {
            check(&date.to_string(), Some(Moment::Local(day * MICROS_PER_DAY)));
            if date.year() == 2100 {
                break;
            }
            date = date.tomorrow().expect("far from the end of time");
        }
    }

    #[test]
    fn epochs_are_exact_to_the_microsecond() {
        let micros = |text: &str, unit| Epoch::parse(text.as_bytes()).map(|e| e.micros(unit));
        assert_eq!(micros("1633478400.123456", EpochUnit::Seconds), Some(1_633_478_400_123_456));
        assert_eq!(micros("1633478400123.5", EpochUnit::Millis), Some(1_633_478_400_123_500));
        assert_eq!(micros("1633478400123456789", EpochUnit::Nanos), Some(1_633_478_400_123_456));
        assert_eq!(micros("-0.25", EpochUnit::Seconds), Some(-250_000));
        assert_eq!(micros("1.6334784e9", EpochUnit::Seconds), Some(1_633_478_400_000_000));
        assert_eq!(micros("1e30", EpochUnit::Seconds), None);
        assert_eq!(micros("12a", EpochUnit::Seconds), None);
        assert_eq!(micros(".", EpochUnit::Seconds), None);
    }

    #[test]
    fn the_unit_follows_the_magnitude() {
        for (magnitude, unit) in [
            (0.0, EpochUnit::Seconds),
            (1.7e9, EpochUnit::Seconds),
            (1.7e12, EpochUnit::Millis),
            (1.7e15, EpochUnit::Micros),
            (1.7e18, EpochUnit::Nanos),
        ] {
            assert_eq!(EpochUnit::of_magnitude(magnitude), unit);
        }
    }
}

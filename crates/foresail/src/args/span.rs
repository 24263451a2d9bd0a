//! Values as people write them: `30s`, `1h30m`, `2026-03-01`, `0.05,0.5,0.95`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use foresail_core::Timestamp;

/// A span of time as written on the command line: a number with a unit, or several in a row (`1h30m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

const UNITS: [(&str, u64); 7] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
    ("w", 604_800_000_000),
];

const LONGEST_MICROS: u64 = 366 * 100 * 86_400_000_000;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("{text:?} is not a duration; accepted are numbers with a unit, such as 30s, 1m, 1h30m, 1d or 1w")
        };
        let mut rest = text.trim();
        let mut micros: u64 = 0;
        if rest.is_empty() {
            return Err(bad());
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(bad)?;
            let number: f64 = rest[..digits].parse().map_err(|_| bad())?;
            let after = &rest[digits..];
            let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
            let (_, unit) = UNITS.iter().find(|(name, _)| *name == &after[..letters]).ok_or_else(bad)?;
            let part = (number * *unit as f64).round();
            if part > LONGEST_MICROS as f64 {
                return Err(format!("{text:?} is too long; accepted is at most 100 years"));
            }
            micros += part as u64;
            rest = &after[letters..];
        }
        if micros == 0 {
            return Err(format!("{text:?} is no time at all; accepted is a duration above 0"));
        }
        if micros > LONGEST_MICROS {
            return Err(format!("{text:?} is too long; accepted is at most 100 years"));
        }
        Ok(Self(Duration::from_micros(micros)))
    }
}

/// The way people would write it: the largest units first, none that is zero.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut micros = self.0.as_micros() as u64;
        for (name, unit) in UNITS.iter().rev() {
            if micros >= *unit {
                write!(f, "{}{name}", micros / unit)?;
                micros %= unit;
            }
        }
        Ok(())
    }
}

/// An instant: RFC 3339, `2026-03-01 12:00:00` or `2026-03-01` (UTC).
pub(crate) fn when(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).map_err(|error| error.to_string())
}

/// A finite number above 0.
pub(crate) fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!("{text:?} is not accepted; expected a number above 0")),
    }
}

/// A number strictly between 0 and 1.
pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value < 1.0 => Ok(value),
        _ => Err(format!("{text:?} is not accepted; expected a number above 0 and below 1")),
    }
}

/// Quantile levels in ascending order, from a comma-separated list.
pub(crate) fn levels(texts: &[f64]) -> Vec<f64> {
    let mut levels = texts.to_vec();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_people_do() {
        for (text, seconds, written) in [
            ("30s", 30.0, "30s"),
            ("1m", 60.0, "1m"),
            ("90s", 90.0, "1m30s"),
            ("1h30m", 5_400.0, "1h30m"),
            ("1d", 86_400.0, "1d"),
            ("1.5h", 5_400.0, "1h30m"),
            ("2w", 1_209_600.0, "2w"),
            ("500ms", 0.5, "500ms"),
        ] {
            let span: Span = text.parse().expect(text);
            assert_eq!(span.0.as_secs_f64(), seconds, "{text}");
            assert_eq!(span.to_string(), written);
        }
        for text in ["", "30", "s", "0s", "1x", "-1s", "1.2.3s", "1e9w", "∞s", "99999999999999999999d"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_outside_their_range_are_refused() {
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("2.5") == Ok(2.5));
        assert!(fraction("1").is_err() && fraction("nan").is_err() && fraction("0.001") == Ok(0.001));
        assert_eq!(levels(&[0.9, 0.1, 0.9]), [0.1, 0.9]);
    }
}

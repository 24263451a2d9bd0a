//! Durations as people write them in a configuration: `250ms`, `30s`, `5m`, `1h`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number with a unit.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, name) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
    Some(Duration::from_millis(number.parse::<u64>().ok()?.checked_mul(*unit)?))
}

/// Writes it with the largest unit that leaves no rest; what is below a millisecond is cut off.
pub(crate) fn format(span: Duration) -> String {
    let millis = span.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let whole = UNITS.iter().find(|(_, unit)| millis.is_multiple_of(u128::from(*unit)));
    let (name, unit) = whole.expect("every span is a whole number of milliseconds");
    format!("{}{name}", millis / u128::from(*unit))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        serde::de::Error::custom(format!("{text:?} is not a duration; accepted are 250ms, 30s, 5m, 1h and the like"))
    })
}

pub(crate) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format(*span))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_written_as_people_do() {
        for (text, millis, written) in [
            ("250ms", 250, "250ms"),
            ("30s", 30_000, "30s"),
            ("300s", 300_000, "5m"),
            ("1h", 3_600_000, "1h"),
            ("1500ms", 1_500, "1500ms"),
            ("0s", 0, "0s"),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
            assert_eq!(format(Duration::from_millis(millis)), written);
        }
        for text in ["", "30", "s", "1.5s", "-1s", "1d", "1m30s", "99999999999999999999s", "18446744073709551615h"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

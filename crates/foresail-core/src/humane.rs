//! Durations as people write them: `"250ms"`, `"30s"`, `"1m30s"`, `"2h"`, `"14d"`; for `#[serde(with = "foresail_core::humane")]`,
//! or with [`Text`] where the field stands in a configuration and has a JSON schema.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer};

/// Units from the longest, each in microseconds.
const UNITS: [(&str, u64); 6] =
    [("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1_000), ("us", 1)];

/// Reads numbers with units, such as `1m30s`; `None` if `text` is no duration.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut micros = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: u64 = number.parse().ok()?;
        let (_, scale) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        micros = micros.checked_add(number.checked_mul(scale)?)?;
        rest = after;
    }
    Some(Duration::from_micros(micros))
}

/// Writes it as [`parse`] reads it, down to the microsecond.
pub fn format(duration: Duration) -> String {
    let mut micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, scale) in UNITS {
        if micros >= scale {
            text.push_str(&format!("{}{name}", micros / scale));
            micros %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Writes a duration, down to the microsecond.
///
/// # Errors
/// What the serializer says.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// Reads whole numbers with the units `d`, `h`, `m`, `s`, `ms` and `us`, added up.
///
/// # Errors
/// A message with an example, if the text is no duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected =
        || serde::de::Error::custom(format!("{text:?} is no duration, write for example \"250ms\" or \"1m30s\""));
    parse(&text).ok_or_else(expected)
}

/// A duration as this module writes it: serde and schemars both know it by `#[serde(with = "foresail_core::humane::Text")]`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Text {
    /// As [`serialize`].
    ///
    /// # Errors
    /// Likewise.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(duration, serializer)
    }

    /// As [`deserialize`].
    ///
    /// # Errors
    /// Likewise.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        deserialize(deserializer)
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let units: Vec<&str> = UNITS.iter().map(|(name, _)| *name).collect();
        json_schema!({
            "type": "string",
            "pattern": format!("^([0-9]+({}))+$", units.join("|")),
            "examples": ["250ms", "30s", "1m30s", "2h", "14d"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write_and_writes_what_it_reads() {
        for (text, micros) in [
            ("250ms", 250_000),
            ("30s", 30_000_000),
            ("1m30s", 90_000_000),
            ("14d", 1_209_600_000_000),
            ("0s", 0),
            ("7us", 7),
        ] {
            let found = parse(text).unwrap();
            assert_eq!(found, Duration::from_micros(micros), "{text}");
            assert_eq!(format(found), text);
        }
        for text in ["", "s", "5", "5 s", "-1s", "1.5s", "99999999999999999h", "3days"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}

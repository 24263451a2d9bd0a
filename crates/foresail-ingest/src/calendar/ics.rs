//! iCalendar (RFC 5545): its events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use foresail_core::{TimeZone, Timestamp};
use jiff::civil::DateTime;

use super::recurrence::Rule;
use super::{Entry, Reading};
use crate::Error;
use crate::error::shown;

/// A line of the calendar, unfolded.
struct Property {
    line: u64,
    name: String,
    /// Parameters by their upper-case names.
    parameters: BTreeMap<String, String>,
    value: String,
}

/// A start or an end.
struct When {
    local: DateTime,
    zone: TimeZone,
    is_date: bool,
}

impl When {
    fn instant(&self, local: DateTime) -> Timestamp {
        Timestamp::parse_in(&local.to_string(), &self.zone).unwrap_or(Timestamp::EPOCH)
    }
}

/// The properties of one event.
type Component = Vec<Property>;

pub(super) fn read(reading: &mut Reading<'_>, text: &[u8]) -> Result<(), Error> {
    let mut events: Vec<Component> = Vec::new();
    let mut current: Option<Component> = None;
    // Alarms and the like lie within events and have properties of the same names.
    let mut within: Vec<String> = Vec::new();
    for (line, text) in unfold(text) {
        let property = parse(reading, line, &text)?;
        let is_event = property.value.eq_ignore_ascii_case("VEVENT");
        if property.name == "BEGIN" {
            within.push(property.value.to_ascii_uppercase());
            if is_event {
                current = Some(Vec::new());
            }
        } else if property.name == "END" {
            if within.pop().as_deref() != Some(property.value.to_ascii_uppercase().as_str()) {
                return Err(bad(reading, &property, "an end to what was begun last"));
            }
            if is_event {
                events.extend(current.take());
            }
        } else if let Some(event) = &mut current
            && within.last().is_some_and(|name| name == "VEVENT")
        {
            event.push(property);
        }
    }
    // Occurrences that were moved are events of their own, and stand for the one they replace.
    let mut moved: BTreeSet<(String, Timestamp)> = BTreeSet::new();
    for event in &events {
        if let (Some(uid), Some(id)) = (find(event, "UID"), find(event, "RECURRENCE-ID")) {
            let when = when(reading, id)?;
            moved.insert((uid.value.clone(), when.instant(when.local)));
        }
    }
    events.iter().try_for_each(|event| take(reading, event, &moved))
}

/// The text's lines, each with its number; one that begins with a space goes on with the one before.
fn unfold(text: &[u8]) -> Vec<(u64, String)> {
    let mut lines: Vec<(u64, Vec<u8>)> = Vec::new();
    for (number, line) in (1..).zip(text.split(|c| *c == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match (line.first(), lines.last_mut()) {
            (Some(b' ' | b'\t'), Some((_, last))) => last.extend_from_slice(&line[1..]),
            (None, _) => {}
            _ => lines.push((number, line.to_vec())),
        }
    }
    lines.into_iter().map(|(number, line)| (number, String::from_utf8_lossy(&line).into_owned())).collect()
}

fn parse(reading: &Reading<'_>, line: u64, text: &str) -> Result<Property, Error> {
    // A colon within quotes belongs to a parameter.
    let mut quoted = false;
    let colon = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    });
    let Some((colon, _)) = colon else {
        return Err(Error::BadFormat {
            place: reading.place(line, "property"),
            found: shown(text.as_bytes()),
            expected: "NAME:VALUE",
        });
    };
    let mut parts = text[..colon].split(';');
    let name = parts.next().unwrap_or_default().to_ascii_uppercase();
    let parameters = parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.to_ascii_uppercase(), value.trim_matches('"').to_owned()))
        .collect();
    Ok(Property { line, name, parameters, value: text[colon + 1..].to_owned() })
}

fn find<'a>(event: &'a Component, name: &str) -> Option<&'a Property> {
    event.iter().find(|property| property.name == name)
}

fn bad(reading: &Reading<'_>, property: &Property, expected: &'static str) -> Error {
    let place = reading.place(property.line, &property.name);
    Error::BadFormat { place, found: shown(property.value.as_bytes()), expected }
}

/// `20261127`, `20261127T180000` or `20261127T180000Z`, in the zone that the property names.
fn when(reading: &Reading<'_>, property: &Property) -> Result<When, Error> {
    one_time(reading, property, &property.value)
}

fn one_time(reading: &Reading<'_>, property: &Property, text: &str) -> Result<When, Error> {
    let refused = || Error::BadTime {
        place: reading.place(property.line, &property.name),
        found: shown(text.as_bytes()),
        expected: "20261127, 20261127T180000 or 20261127T180000Z",
    };
    let digits = text.strip_suffix('Z').unwrap_or(text);
    if !digits.is_ascii() || !matches!(digits.len(), 8 | 15) {
        return Err(refused());
    }
    let date = format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..8]);
    let time = if digits.len() == 15 && digits.as_bytes()[8] == b'T' {
        format!("T{}:{}:{}", &digits[9..11], &digits[11..13], &digits[13..15])
    } else if digits.len() == 8 {
        "T00:00:00".to_owned()
    } else {
        return Err(refused());
    };
    let local: DateTime = format!("{date}{time}").parse().map_err(|_| refused())?;
    let zone = match property.parameters.get("TZID") {
        _ if text.ends_with('Z') => TimeZone::utc(),
        Some(name) => TimeZone::named(name).map_err(|_| Error::BadFormat {
            place: reading.place(property.line, &property.name),
            found: format!("the zone {name:?}"),
            expected: "a zone of the IANA database, such as Europe/Berlin",
        })?,
        None => reading.zone.clone(),
    };
    Ok(When { local, zone, is_date: digits.len() == 8 })
}

/// `P1D`, `PT1H30M`, `P2W`.
fn duration(reading: &Reading<'_>, property: &Property) -> Result<Duration, Error> {
    let refused = || bad(reading, property, "a duration such as PT1H30M, P1D or P2W");
    let text = property.value.strip_prefix('+').unwrap_or(&property.value);
    let mut rest = text.strip_prefix('P').ok_or_else(refused)?;
    let (mut seconds, mut in_time) = (0_u64, false);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            (rest, in_time) = (after, true);
            continue;
        }
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
        let count: u64 = rest[..digits].parse().map_err(|_| refused())?;
        let unit = match (rest.as_bytes()[digits], in_time) {
            (b'W', false) => 604_800,
            (b'D', false) => 86_400,
            (b'H', true) => 3600,
            (b'M', true) => 60,
            (b'S', true) => 1,
            _ => return Err(refused()),
        };
        seconds = seconds.saturating_add(count.saturating_mul(unit));
        rest = &rest[digits + 1..];
    }
    Ok(Duration::from_secs(seconds.min(u64::from(u32::MAX))))
}

fn take(reading: &mut Reading<'_>, event: &Component, moved: &BTreeSet<(String, Timestamp)>) -> Result<(), Error> {
    if find(event, "STATUS").is_some_and(|status| status.value.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(());
    }
    let Some(started) = find(event, "DTSTART") else {
        let line = event.first().map_or(1, |property| property.line);
        return Err(Error::BadFormat {
            place: reading.place(line, "DTSTART"),
            found: "an event without a start".to_owned(),
            expected: "DTSTART",
        });
    };
    let start = when(reading, started)?;
    // How long it is: on the wall for days, in time for the rest.
    let first = start.instant(start.local);
    let length = match (find(event, "DTEND"), find(event, "DURATION")) {
        (Some(end), _) => {
            let end = when(reading, end)?;
            Some(end.instant(end.local).since(first))
        }
        (None, Some(property)) => Some(duration(reading, property)?),
        (None, None) if start.is_date => Some(Duration::from_secs(86_400)),
        (None, None) => None,
    };
    let mut without = BTreeSet::new();
    for property in event.iter().filter(|property| property.name == "EXDATE") {
        for text in property.value.split(',') {
            let when = one_time(reading, property, text)?;
            without.insert(when.instant(when.local));
        }
    }
    let uid = find(event, "UID").map_or("", |property| &property.value);
    let is_moved_itself = find(event, "RECURRENCE-ID").is_some();
    let text = |name: &str| find(event, name).map(|property| unescape(&property.value)).unwrap_or_default();
    let kind = text("CATEGORIES").split(',').next().unwrap_or_default().trim().to_owned();
    let factor = match find(event, "X-FORESAIL-FACTOR") {
        Some(property) => reading.number(property.line, &property.name, property.value.trim())?,
        None => 1.0,
    };
    let floor = match find(event, "X-FORESAIL-FLOOR") {
        Some(property) => reading.floor(property.line, &property.name, property.value.trim())?,
        None => 0,
    };
    let starts = match find(event, "RRULE") {
        Some(property) if !is_moved_itself => {
            let rule =
                Rule::parse(&property.value, start.local).map_err(|expected| bad(reading, property, expected))?;
            let end = reading.window.end;
            rule.occurrences(start.local, |local| start.instant(local) >= end)
        }
        _ => vec![start.local],
    };
    for local in starts {
        let from = start.instant(local);
        if without.contains(&from) || (!is_moved_itself && moved.contains(&(uid.to_owned(), from))) {
            continue;
        }
        let to = length.map(|length| {
            if start.is_date {
                // So many days later, whatever the clocks do.
                let days = (length.as_secs() + 43_200) / 86_400;
                (0..days.min(4000)).fold(from, |at, _| reading.day_after(at))
            } else {
                from + length
            }
        });
        let entry = Entry { from, to, kind: kind.clone(), label: text("SUMMARY"), factor, floor };
        reading.take(started.line, entry)?;
    }
    Ok(())
}

fn unescape(text: &str) -> String {
    text.replace("\\n", " ").replace("\\N", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
}

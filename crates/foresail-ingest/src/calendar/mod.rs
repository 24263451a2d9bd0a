//! Calendars of business events and deployments: CSV tables and iCalendar files.
//!
//! An entry of the kind `deploy` (or `deployment`) is a deploy marker, any other an event. What events of a kind bring is
//! learned elsewhere; an announced factor or floor is taken from the columns `factor` and `floor`, or from the properties
//! `X-FORESAIL-FACTOR` and `X-FORESAIL-FLOOR`.

mod ics;
mod recurrence;
mod table;

use std::io::{Cursor, Read};
use std::ops::Range;
use std::time::Duration;

use foresail_core::{Deploy, Event, TimeZone, Timestamp};

use crate::decompress::{decompress, read_error};
use crate::{At, Error, Place, Source};

/// Longest calendar read, and most entries taken from one.
const MAX_BYTES: u64 = 64 << 20;
const MAX_ENTRIES: usize = 200_000;

/// What a calendar announces, in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calendar {
    /// Events.
    pub events: Vec<Event>,
    /// Deploy markers.
    pub deploys: Vec<Deploy>,
}

/// Reads a calendar, plain or compressed: iCalendar (RFC 5545) if it begins like one, else a table with a header.
///
/// A table has columns `from` (or `start`), `to` (or `end`), `kind`, `label` (or `name`, `summary`), `factor` and `floor`,
/// of which the first is needed. An end that is a date alone includes that day; without an end, a date is a day long, and
/// only a deployment needs none. Of an iCalendar, events are read with their `RRULE` (of `FREQ`, `INTERVAL`, `COUNT`,
/// `UNTIL`, `BYDAY`, `BYMONTHDAY`, `BYMONTH`), `EXDATE` and moved occurrences; cancelled ones are left out. Times without a
/// zone are in `zone`. Only what touches `window` is given.
///
/// # Errors
/// The first thing that cannot be understood, with file, line, field and what was expected there. A rule of recurrence
/// beyond the above is one.
pub fn read_calendar(source: impl Into<Source>, zone: &TimeZone, window: Range<Timestamp>) -> Result<Calendar, Error> {
    let source = source.into();
    let file = source.name();
    let whole = || Place { file: file.clone(), ..Place::default() };
    let (raw, _) = source.open().map_err(|source| Error::Io { place: whole(), verb: "read", source })?;
    let (codec, mut bytes) =
        decompress(raw, MAX_BYTES).map_err(|source| Error::Io { place: whole(), verb: "read", source })?;
    let mut text = Vec::new();
    bytes.read_to_end(&mut text).map_err(|e| read_error(whole(), codec, MAX_BYTES, e))?;
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
    let mut reading = Reading { file: &file, zone, window, calendar: Calendar::default() };
    let begin = b"BEGIN:VCALENDAR";
    if text.get(..begin.len()).is_some_and(|head| head.eq_ignore_ascii_case(begin)) {
        ics::read(&mut reading, text)?;
    } else {
        table::read(&mut reading, Cursor::new(text))?;
    }
    let mut calendar = reading.calendar;
    calendar.events.sort_by(|a, b| (a.from, a.to, &a.kind, &a.label).cmp(&(b.from, b.to, &b.kind, &b.label)));
    calendar.deploys.sort_by(|a, b| (a.at, &a.label).cmp(&(b.at, &b.label)));
    Ok(calendar)
}

/// A calendar being read.
struct Reading<'a> {
    file: &'a str,
    zone: &'a TimeZone,
    window: Range<Timestamp>,
    calendar: Calendar,
}

/// An entry before it is told what it is.
struct Entry {
    from: Timestamp,
    /// None where none is given.
    to: Option<Timestamp>,
    kind: String,
    label: String,
    factor: f64,
    floor: u32,
}

impl Reading<'_> {
    fn place(&self, line: u64, field: &str) -> Place {
        Place { file: self.file.to_owned(), at: At::Line(line), column: Some(field.to_owned()) }
    }

    /// Takes an entry if it touches the window.
    fn take(&mut self, line: u64, entry: Entry) -> Result<(), Error> {
        let count = self.calendar.events.len() + self.calendar.deploys.len();
        if count >= MAX_ENTRIES {
            return Err(Error::TooManyCells { place: self.place(line, "from"), max_cells: MAX_ENTRIES });
        }
        let Entry { from, to, kind, label, factor, floor } = entry;
        if matches!(kind.to_ascii_lowercase().as_str(), "deploy" | "deployment") {
            if self.window.contains(&from) {
                self.calendar.deploys.push(Deploy { at: from, label });
            }
            return Ok(());
        }
        let Some(to) = to.filter(|to| *to > from) else {
            let found = to.map_or_else(String::new, |to| to.to_string());
            return Err(Error::BadTime { place: self.place(line, "to"), found, expected: "an end after the start" });
        };
        if from < self.window.end && self.window.start < to {
            self.calendar.events.push(Event { from, to, factor, floor, kind, label });
        }
        Ok(())
    }

    /// A time as people write it: RFC 3339, `2026-11-27 18:00:00`, or a date.
    fn time(&self, line: u64, field: &str, text: &str) -> Result<Timestamp, Error> {
        Timestamp::parse_in(text, self.zone).map_err(|_| Error::BadTime {
            place: self.place(line, field),
            found: crate::error::shown(text.as_bytes()),
            expected: "RFC 3339, 2026-11-27 18:00:00 or 2026-11-27",
        })
    }

    fn number(&self, line: u64, field: &str, text: &str) -> Result<f64, Error> {
        text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0).ok_or_else(|| Error::BadNumber {
            place: self.place(line, field),
            found: crate::error::shown(text.as_bytes()),
        })
    }

    fn floor(&self, line: u64, field: &str, text: &str) -> Result<u32, Error> {
        text.parse().map_err(|_| Error::BadNumber {
            place: self.place(line, field),
            found: crate::error::shown(text.as_bytes()),
        })
    }

    /// The local midnight after a date.
    fn day_after(&self, midnight: Timestamp) -> Timestamp {
        // Days have 23 to 25 hours; a day and a half on is the next day in any zone.
        let next = midnight + Duration::from_secs(129_600);
        let date = next.civil(self.zone);
        let text = format!("{:04}-{:02}-{:02}", date.year, date.month, date.day_of_month);
        Timestamp::parse_in(&text, self.zone).unwrap_or(next)
    }
}

#[cfg(test)]
mod tests;

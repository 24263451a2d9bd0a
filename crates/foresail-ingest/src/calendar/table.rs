//! A calendar as a table.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Entry, Reading};
use crate::error::shown;
use crate::{At, Error, Place};

/// Fields, and the names their columns may have.
const FIELDS: [(&str, &[&str]); 6] = [
    ("from", &["from", "start", "begin", "date", "time", "timestamp", "at"]),
    ("to", &["to", "end", "until"]),
    ("kind", &["kind", "category", "type"]),
    ("label", &["label", "name", "summary", "title", "event", "version"]),
    ("factor", &["factor"]),
    ("floor", &["floor"]),
];

pub(super) fn read(reading: &mut Reading<'_>, bytes: impl Read) -> Result<(), Error> {
    let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(bytes);
    let bad = |line: u64, error: &csv::Error| Error::BadFormat {
        place: Place { file: reading.file.to_owned(), at: At::Line(line), column: None },
        found: error.to_string(),
        expected: "text in UTF-8, its fields separated by commas",
    };
    let header = reader.headers().map_err(|error| bad(1, &error))?.clone();
    let column =
        |field: usize| header.iter().position(|name| FIELDS[field].1.contains(&name.to_ascii_lowercase().as_str()));
    let columns: [Option<usize>; 6] = std::array::from_fn(column);
    if columns[0].is_none() {
        return Err(Error::NoSuchColumn {
            place: Place { file: reading.file.to_owned(), at: At::Line(1), column: Some("from".to_owned()) },
            available: header.iter().collect::<Vec<_>>().join(", "),
        });
    }
    let mut record = StringRecord::new();
    loop {
        let line = reader.position().line();
        if !reader.read_record(&mut record).map_err(|error| bad(line, &error))? {
            return Ok(());
        }
        let line = record.position().map_or(line, csv::Position::line);
        if record.len() != header.len() {
            let place = Place { file: reading.file.to_owned(), at: At::Line(line), column: None };
            return Err(Error::UnevenRow { place, found: record.len(), expected: header.len(), hint: "" });
        }
        let field = |i: usize| columns[i].and_then(|column| record.get(column)).unwrap_or("");
        let entry = entry(reading, line, &std::array::from_fn(field))?;
        reading.take(line, entry)?;
    }
}

fn entry(reading: &Reading<'_>, line: u64, fields: &[&str; 6]) -> Result<Entry, Error> {
    let [from_text, to_text, kind, label, factor, floor] = *fields;
    let from = reading.time(line, FIELDS[0].0, from_text)?;
    // Ten characters are a date.
    let to = match (to_text.len(), from_text.len()) {
        (0, 10) => Some(reading.day_after(from)),
        (0, _) => None,
        (10, _) => Some(reading.day_after(reading.time(line, FIELDS[1].0, to_text)?)),
        _ => Some(reading.time(line, FIELDS[1].0, to_text)?),
    };
    if kind.is_empty() && label.is_empty() && factor.is_empty() && floor.is_empty() {
        return Err(Error::BadFormat {
            place: reading.place(line, FIELDS[2].0),
            found: format!("the entry of {} says nothing", shown(from_text.as_bytes())),
            expected: "a kind, a label, a factor or a floor",
        });
    }
    Ok(Entry {
        from,
        to,
        kind: kind.to_owned(),
        label: label.to_owned(),
        factor: if factor.is_empty() { 1.0 } else { reading.number(line, FIELDS[4].0, factor)? },
        floor: if floor.is_empty() { 0 } else { reading.floor(line, FIELDS[5].0, floor)? },
    })
}

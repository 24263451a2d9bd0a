//! Separated text: comma, semicolon, tab or bar; with a header or without.

use std::io::{Cursor, Read};

use ::csv::{ByteRecord, ReaderBuilder};

use crate::cell::{Cell, Number};
use crate::clock::Clock;
use crate::decompress::{read_error, read_head};
use crate::error::shown;
use crate::read::Input;
use crate::schema::{self, Offer, Profile, SAMPLE_ROWS};
use crate::stamp;
use crate::table::{Samples, Table, TableBuilder};
use crate::{At, Error};

/// How much is looked at to tell text from other things and to find the separator.
const HEAD_BYTES: usize = 64 << 10;

const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Reads the whole input, row by row: memory holds the samples, never the text.
///
/// # Errors
/// See [`Error`]; positions are lines.
pub(crate) fn read(input: &Input<'_>, mut bytes: Box<dyn Read>) -> Result<Table, Error> {
    let head = read_head(&mut bytes, HEAD_BYTES)
        .map_err(|e| read_error(input.place(At::Line(1), None), input.codec, input.options.max_bytes, e))?;
    refuse_other_formats(input, &head)?;
    let delimiter = input.options.delimiter.unwrap_or_else(|| separator_of(&head));
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(HEAD_BYTES)
        .from_reader(Cursor::new(head).chain(bytes));
    let mut records = Records { reader, input, line: 1 };

    let mut first = ByteRecord::new();
    if !records.next(&mut first)? {
        let place = input.place(At::Line(1), None);
        return Err(Error::BadFormat {
            place,
            found: "the input is empty".to_owned(),
            expected: "a header line and at least 2 rows",
        });
    }
    let headless = is_data(&first);
    let header_at = At::Line(records.line);
    let names: Vec<String> = if headless {
        (1..=first.len()).map(|i| format!("column{i}")).collect()
    } else {
        first.iter().map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned()).collect()
    };

    // The columns are chosen by what stands in them, so the first rows wait.
    let mut sample = Vec::new();
    if headless {
        sample.push((records.line, first));
    }
    let mut record = ByteRecord::new();
    while sample.len() < SAMPLE_ROWS && records.next(&mut record)? {
        sample.push((records.line, record.clone()));
    }
    let whole_rows = || sample.iter().map(|(_, r)| r).filter(|r| r.len() == names.len());
    let offers: Vec<Offer> = names
        .iter()
        .enumerate()
        .map(|(i, name)| Offer { name: name.clone(), profile: Profile::of(whole_rows().map(|r| Cell::text(&r[i]))) })
        .collect();
    if sample.is_empty() && !input.options.lenient {
        return Err(Error::TooFewRows { place: input.place(header_at, None), found: 0 });
    }
    let schema = schema::choose(input.file, header_at, &offers, input.options)?;

    let columns = schema.values.iter().map(|&i| Samples::named(&names[i])).collect();
    let clock = Clock::new(schema.form, &input.options.zone);
    let mut table = TableBuilder::new(input.file, header_at, names[schema.time].clone(), clock, columns, input.options);
    let mut take = |line: u64, record: &ByteRecord| {
        let at = At::Line(line);
        if record.len() != names.len() {
            return table.uneven_row(at, record.len(), names.len(), uneven_hint(record, names.len()));
        }
        table.row(at, Cell::text(&record[schema.time]), |i| Cell::text(&record[schema.values[i]]))
    };
    for (line, record) in sample {
        take(line, &record)?;
    }
    while records.next(&mut record)? {
        take(records.line, &record)?;
    }
    Ok(table.finish())
}

/// The records of an input and the line at which each begins.
pub(crate) struct Records<'a, R> {
    pub(crate) reader: ::csv::Reader<R>,
    pub(crate) input: &'a Input<'a>,
    pub(crate) line: u64,
}

impl<R: Read> Records<'_, R> {
    pub(crate) fn next(&mut self, record: &mut ByteRecord) -> Result<bool, Error> {
        let more = self.reader.read_byte_record(record).map_err(|error| {
            let place = self.input.place(At::Line(self.reader.position().line()), None);
            match error.into_kind() {
                ::csv::ErrorKind::Io(e) => read_error(place, self.input.codec, self.input.options.max_bytes, e),
                other => Error::BadFormat { place, found: format!("{other:?}"), expected: "separated text" },
            }
        })?;
        if more {
            self.line = record.position().map_or(self.line, |p| p.line());
        }
        Ok(more)
    }
}

fn refuse_other_formats(input: &Input<'_>, head: &[u8]) -> Result<(), Error> {
    let found = match head {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "the text is UTF-16".to_owned(),
        [b'P', b'K', 3, 4, ..] => "this is a zip archive or a spreadsheet".to_owned(),
        head if head.contains(&0) => {
            let start = shown(&head[..head.len().min(8)]);
            format!("the input holds NUL bytes and begins {start:?}, so it is not text")
        }
        _ => return Ok(()),
    };
    let place = input.place(At::Line(1), None);
    Err(Error::BadFormat {
        place,
        found,
        expected: "CSV as UTF-8 text, Parquet or Prometheus JSON, plain, gzip or zstd",
    })
}

/// The most frequent separator outside quotes in the first line that has any text; a comma if none occurs.
fn separator_of(head: &[u8]) -> u8 {
    let line = head.split(|&c| c == b'\n').find(|l| !l.trim_ascii().is_empty()).unwrap_or(&[]);
    let mut counts = [0_usize; SEPARATORS.len()];
    let mut quoted = false;
    for &c in line {
        quoted ^= c == b'"';
        if let Some(i) = SEPARATORS.iter().position(|&s| s == c && !quoted) {
            counts[i] += 1;
        }
    }
    // The first of the largest: ties go to the comma.
    let best = (0..counts.len()).rev().max_by_key(|&i| counts[i]).unwrap_or(0);
    SEPARATORS[best]
}

/// Whether a first record is data rather than names: every cell is filled, and one is a time or all are numbers.
fn is_data(record: &ByteRecord) -> bool {
    let cells = || record.iter().map(Cell::text);
    let is_number = |cell: Cell<'_>| matches!(cell.number(), Number::Finite(_));
    let is_time = |cell: Cell<'_>| matches!(cell, Cell::Text(text) if stamp::parse(text).is_some());
    cells().all(|c| c != Cell::Empty) && (cells().any(is_time) || cells().all(is_number))
}

fn uneven_hint(record: &ByteRecord, expected: usize) -> &'static str {
    if record.iter().any(|cell| cell.contains(&b'\n')) {
        " (a quote that is not closed?)"
    } else if record.len() == 1 && expected > 1 {
        " (a line cut off, or a different separator?)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_separator_is_the_most_frequent_one_outside_quotes() {
        for (head, expected) in [
            ("a,b,c\n1;2;3;4\n", b','),
            ("\n\na;b;c\n", b';'),
            ("\"a,b,c,d\"\tb\n", b'\t'),
            ("time|value", b'|'),
            ("single\n", b','),
            ("", b','),
        ] {
            assert_eq!(separator_of(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn a_first_line_of_data_is_no_header() {
        for (cells, expected) in [
            (&["2026-03-01", "web", "5"][..], true),
            (&["1633478400", "5"], true),
            (&["timestamp", "value"], false),
            (&["timestamp", "5"], false),
            (&["", "5"], false),
        ] {
            assert_eq!(is_data(&ByteRecord::from(cells)), expected, "{cells:?}");
        }
    }
}

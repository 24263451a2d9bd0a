//! Reading a journal from its beginning.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use foresail_core::JournalRecord;

use super::line;
use crate::Error;

/// No line is longer than this: a record takes a few kilobytes.
const LONGEST_LINE: u64 = 16 << 20;

/// A last line that a crash kept from being finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its number, from 1.
    pub line: u64,
    /// How much of it there is.
    pub bytes: u64,
}

/// The records of a journal in order, each checked against the chain. Ends after the first error.
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    input: BufReader<File>,
    chain: String,
    line: u64,
    records: u64,
    /// Length of all that was read and found whole.
    whole: u64,
    torn: Option<Torn>,
    is_done: bool,
}

impl JournalReader {
    /// Opens the journal at `path`. An empty file is an empty journal.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Line`] if its first line is not that of a journal this build can read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::open(path).map_err(Error::io(path))?;
        let mut reader = Self {
            path: path.to_owned(),
            input: BufReader::new(file),
            chain: line::genesis(),
            line: 0,
            records: 0,
            whole: 0,
            torn: None,
            is_done: false,
        };
        if let Some(first) = reader.next_line()?
            && first != line::HEADER.as_bytes()
        {
            return Err(reader.wrong(format!("expected {} as its first line", line::HEADER)));
        }
        Ok(reader)
    }

    /// The unfinished last line, once the end is reached; `None` if there is none.
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// The chain after the last record read: what [`Journal::head`](super::Journal::head) was then.
    pub fn head(&self) -> &str {
        &self.chain
    }

    /// Records read.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Bytes of the lines read and found whole.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// The next whole line without its line feed.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        self.line += 1;
        let mut text = Vec::new();
        let mut limited = (&mut self.input).take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut text).map_err(Error::io(&self.path))? as u64;
        if text.pop_if(|last| *last == b'\n').is_some() {
            self.whole += read;
            return Ok(Some(text));
        }
        if read == LONGEST_LINE {
            return Err(self.wrong(format!("longer than {LONGEST_LINE} bytes")));
        }
        self.is_done = true;
        if read > 0 {
            self.torn = Some(Torn { line: self.line, bytes: read });
        }
        Ok(None)
    }

    fn next_record(&mut self) -> Result<Option<JournalRecord>, Error> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        let (record, chain) = line::parse(&self.chain, &text).map_err(|what| self.wrong(what))?;
        if record.id != self.records + 1 {
            return Err(self.wrong(format!("record {} where {} is next", record.id, self.records + 1)));
        }
        self.records += 1;
        self.chain = chain;
        Ok(Some(record))
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Line { path: self.path.clone(), line: self.line, what: what.into() }
    }
}

impl Iterator for JournalReader {
    type Item = Result<JournalRecord, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_record().transpose();
        self.is_done |= !matches!(next, Some(Ok(_)));
        next
    }
}

/// The record with `id` of the journal at `path`, if there is one. Reads, and so checks, all lines up to it.
///
/// # Errors
/// As [`JournalReader::open`], and [`Error::Line`] for a damaged line on the way.
pub fn find(path: impl AsRef<Path>, id: u64) -> Result<Option<JournalRecord>, Error> {
    for record in JournalReader::open(path)? {
        let record = record?;
        if record.id == id {
            return Ok(Some(record));
        }
    }
    Ok(None)
}

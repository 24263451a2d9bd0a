//! Appending to a journal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use foresail_core::JournalRecord;

use super::line;
use super::reader::{JournalReader, Torn};
use crate::{Error, disk};

/// The one writer of a journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    chain: String,
    records: u64,
    /// Length of the file up to the last acknowledged line.
    end: u64,
    /// A write has failed and may have left half a line behind.
    is_dirty: bool,
    torn: Option<Torn>,
}

impl Journal {
    /// Opens the journal at `path`, or begins one. Reads and checks all of it; a torn last line is cut off.
    ///
    /// # Errors
    /// [`Error::Line`] for the first damaged line, [`Error::Locked`] if another writer has it open, [`Error::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let options = OpenOptions::new().append(true).create(true).to_owned();
        let file = options.open(&path).map_err(Error::io(&path))?;
        disk::lock(&file, &path)?;
        let mut reader = JournalReader::open(&path)?;
        reader.by_ref().try_for_each(|record| record.map(drop))?;
        let mut journal = Self {
            chain: reader.head().to_owned(),
            records: reader.records(),
            end: reader.whole(),
            is_dirty: reader.torn().is_some(),
            torn: reader.torn(),
            path,
            file,
        };
        if journal.end == 0 {
            journal.write(format!("{}\n", line::HEADER).as_bytes())?;
            journal.sync()?;
            journal.path.parent().map_or(Ok(()), disk::sync_directory)?;
        } else if journal.is_dirty {
            journal.cut()?;
            journal.sync()?;
        }
        Ok(journal)
    }

    /// Adds a record, whose id must be [`Journal::next_id`]. When this returns the operating system has the line; it is
    /// on disk after [`Journal::sync`].
    ///
    /// # Errors
    /// [`Error::OutOfOrder`]; [`Error::Unfaithful`] if the record would not read back equal; [`Error::Io`], after which
    /// the record is not in the journal.
    pub fn append(&mut self, record: &JournalRecord) -> Result<(), Error> {
        let (got, expected) = (record.id, self.next_id());
        if got != expected {
            return Err(Error::OutOfOrder { path: self.path.clone(), expected, got });
        }
        let unfaithful = |what: String| Error::Unfaithful { id: got, what };
        let body = serde_json::to_vec(record).map_err(|e| unfaithful(e.to_string()))?;
        let back: JournalRecord = serde_json::from_slice(&body).map_err(|e| unfaithful(e.to_string()))?;
        if back != *record {
            return Err(unfaithful("a value changes on the way".to_owned()));
        }
        let (text, chain) = line::compose(&self.chain, &body);
        self.write(&text)?;
        self.chain = chain;
        self.records += 1;
        Ok(())
    }

    /// Forces everything appended to disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::io(&self.path))
    }

    /// The id the next record must have: one more than there are records.
    pub fn next_id(&self) -> u64 {
        self.records + 1
    }

    /// The chain after the last record. Whoever keeps a copy elsewhere can tell whether the end was cut off.
    pub fn head(&self) -> &str {
        &self.chain
    }

    /// The unfinished line that was cut off when the journal was opened, if there was one.
    pub fn recovered(&self) -> Option<Torn> {
        self.torn
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.is_dirty {
            self.cut()?;
        }
        self.is_dirty = true;
        self.file.write_all(text).map_err(Error::io(&self.path))?;
        self.is_dirty = false;
        self.end += text.len() as u64;
        Ok(())
    }

    fn cut(&mut self) -> Result<(), Error> {
        self.file.set_len(self.end).map_err(Error::io(&self.path))?;
        self.is_dirty = false;
        Ok(())
    }
}

//! Appending to a journal.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foresail_core::{JournalRecord, Journalled, Timestamp};

use super::files;
use super::line::{self, Header};
use super::reader::{JournalReader, Torn};
use crate::{Error, disk};

const DAY: Duration = Duration::from_secs(86_400);

/// When a journal goes on in a new file, and how many full ones stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Once the file has at least this many bytes.
    pub max_bytes: Option<u64>,
    /// With the first entry of another day (UTC) than the file's first.
    pub daily: bool,
    /// Full files beyond this number are deleted, oldest first; `None` deletes none.
    pub keep: Option<u32>,
}

/// The one writer of a journal.
#[derive(Debug)]
pub struct Journal<E = JournalRecord> {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    part: u32,
    chain: String,
    records: u64,
    /// Time of the first entry in this file.
    first: Option<Timestamp>,
    /// Length of the file up to the last acknowledged line.
    end: u64,
    /// A write has failed and may have left half a line behind.
    is_dirty: bool,
    torn: Option<Torn>,
    entry: PhantomData<fn(E)>,
}

impl Journal {
    /// Opens a journal of decisions alone that never rotates. See [`Journal::of_entries`].
    ///
    /// # Errors
    /// As there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of_entries(path, Rotation::default())
    }
}

impl<E: Journalled> Journal<E> {
    /// Opens the journal at `path`, or begins one. Reads and checks the file that is appended to (the full ones before
    /// it are not read); a torn last line is cut off.
    ///
    /// # Errors
    /// [`Error::Line`] for the first damaged line, [`Error::Locked`] if another writer has it open, [`Error::Io`].
    pub fn of_entries(path: impl AsRef<Path>, rotation: Rotation) -> Result<Self, Error> {
        let path = path.as_ref().to_owned();
        let parts = files::parts(&path)?;
        if let Some(&last) = parts.last()
            && !path.try_exists().map_err(Error::io(&path))?
        {
            // A crash came between the two renames of a rotation.
            begin(&path, &continuation::<E>(&path, last)?)?;
            fs::rename(files::upcoming(&path), &path).map_err(Error::io(&path))?;
        }
        let options = OpenOptions::new().append(true).create(true).to_owned();
        let file = options.open(&path).map_err(Error::io(&path))?;
        disk::lock(&file, &path)?;
        let mut reader = JournalReader::<E>::alone(&path)?;
        let mut first = None;
        for entry in reader.by_ref() {
            let time = entry?.time();
            first = first.or(Some(time));
        }
        let mut journal = Self {
            part: reader.part(),
            chain: reader.head().to_owned(),
            records: reader.records(),
            end: reader.whole(),
            is_dirty: reader.torn().is_some(),
            torn: reader.torn(),
            path,
            rotation,
            file,
            first,
            entry: PhantomData,
        };
        if journal.end == 0 {
            let header = parts.last().map_or(Ok(Header::First), |last| continuation::<E>(&journal.path, *last))?;
            journal.write(format!("{}\n", header.text()).as_bytes())?;
            journal.take_header(&header);
            journal.sync()?;
            journal.path.parent().map_or(Ok(()), disk::sync_directory)?;
        } else if journal.is_dirty {
            journal.cut()?;
            journal.sync()?;
        }
        Ok(journal)
    }

    /// Adds an entry; the id of one that has an id must be [`Journal::next_id`]. When this returns the operating system
    /// has the line; it is on disk after [`Journal::sync`]. May begin a new file first.
    ///
    /// # Errors
    /// [`Error::OutOfOrder`]; [`Error::Unfaithful`] if the entry would not read back equal; [`Error::Io`], after which
    /// the entry is not in the journal.
    pub fn append(&mut self, entry: &E) -> Result<(), Error> {
        let expected = self.next_id();
        let id = entry.id();
        if let Some(got) = id.filter(|got| *got != expected) {
            return Err(Error::OutOfOrder { path: self.path.clone(), expected, got });
        }
        let unfaithful = |what: String| Error::Unfaithful { id: expected, what };
        let body = serde_json::to_vec(entry).map_err(|e| unfaithful(e.to_string()))?;
        let back: E = serde_json::from_slice(&body).map_err(|e| unfaithful(e.to_string()))?;
        if back != *entry {
            return Err(unfaithful("a value changes on the way".to_owned()));
        }
        if self.is_full(entry.time()) {
            self.rotate()?;
        }
        let (text, chain) = line::compose(&self.chain, &body);
        self.write(&text)?;
        self.chain = chain;
        self.records = id.unwrap_or(self.records);
        self.first = self.first.or(Some(entry.time()));
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

    /// The chain after the last entry. Whoever keeps a copy elsewhere can tell whether the end was cut off.
    pub fn head(&self) -> &str {
        &self.chain
    }

    /// The unfinished line that was cut off when the journal was opened, if there was one.
    pub fn recovered(&self) -> Option<Torn> {
        self.torn
    }

    /// Whether an entry of this time belongs into a new file.
    fn is_full(&self, time: Timestamp) -> bool {
        let Some(first) = self.first else { return false };
        let is_long = self.rotation.max_bytes.is_some_and(|max| self.end >= max);
        is_long || (self.rotation.daily && time.floor_to(DAY) > first.floor_to(DAY))
    }

    /// Goes on in a new file. The file before is whole and on disk before it gets its number; the new one has its
    /// header and is locked before it gets its name.
    fn rotate(&mut self) -> Result<(), Error> {
        if self.is_dirty {
            self.cut()?;
        }
        self.sync()?;
        let header = Header::Continued { part: self.part + 1, records: self.records, chain: self.chain.clone() };
        let file = begin(&self.path, &header)?;
        let numbered = files::numbered(&self.path, self.part);
        match fs::rename(&self.path, &numbered) {
            // An attempt before this one got as far as here.
            Err(error) if error.kind() == ErrorKind::NotFound && numbered.exists() => {}
            renamed => renamed.map_err(Error::io(&self.path))?,
        }
        fs::rename(files::upcoming(&self.path), &self.path).map_err(Error::io(&self.path))?;
        self.file = file;
        self.end = header.text().len() as u64 + 1;
        self.first = None;
        self.take_header(&header);
        self.path.parent().map_or(Ok(()), disk::sync_directory)?;
        self.forget()
    }

    fn take_header(&mut self, header: &Header) {
        self.part = header.part();
        self.records = header.records();
        self.chain = header.chain();
    }

    /// Deletes full files beyond those that stay.
    fn forget(&self) -> Result<(), Error> {
        let Some(keep) = self.rotation.keep else { return Ok(()) };
        for part in files::parts(&self.path)? {
            if part.saturating_add(keep) < self.part {
                let path = files::numbered(&self.path, part);
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(())
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

/// Writes the file that is about to become the journal: locked, with its header alone, and on disk.
fn begin(journal: &Path, header: &Header) -> Result<File, Error> {
    let path = files::upcoming(journal);
    let options = OpenOptions::new().append(true).create(true).to_owned();
    let mut file = options.open(&path).map_err(Error::io(&path))?;
    disk::lock(&file, &path)?;
    let text = format!("{}\n", header.text());
    file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(Error::io(&path))?;
    file.sync_all().map_err(Error::io(&path))?;
    Ok(file)
}

/// The header of the file after the full part `last`, which is read whole.
fn continuation<E: Journalled>(journal: &Path, last: u32) -> Result<Header, Error> {
    let path = files::numbered(journal, last);
    let mut reader = JournalReader::<E>::alone(&path)?;
    reader.by_ref().try_for_each(|entry| entry.map(drop))?;
    if let Some(torn) = reader.torn() {
        let what = "the file ends in the middle of this line".to_owned();
        return Err(Error::Line { path, line: torn.line, what });
    }
    Ok(Header::Continued { part: last + 1, records: reader.records(), chain: reader.head().to_owned() })
}

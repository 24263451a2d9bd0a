//! Reading a journal from its beginning.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use foresail_core::{JournalRecord, Journalled};

use super::files;
use super::line::{self, Header};
use crate::Error;

/// No line is longer than this: a record takes a few kilobytes.
const LONGEST_LINE: u64 = 16 << 20;

/// A last line that a crash kept from being finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its number within its file, from 1.
    pub line: u64,
    /// How much of it there is.
    pub bytes: u64,
}

/// The entries of a journal in order, over all its files, each checked against the chain. Ends after the first error.
#[derive(Debug)]
pub struct JournalReader<E = JournalRecord> {
    journal: PathBuf,
    file: PartFile,
    /// Reads the one file alone.
    is_alone: bool,
    chain: String,
    records: u64,
    torn: Option<Torn>,
    is_done: bool,
    entry: PhantomData<fn() -> E>,
}

/// One file of a journal, read line by line.
#[derive(Debug)]
struct PartFile {
    path: PathBuf,
    input: BufReader<File>,
    part: u32,
    /// Full, and so never written again.
    is_full: bool,
    line: u64,
    /// Length of all that was read and found whole.
    whole: u64,
    /// A line whose end has not been read yet.
    partial: Vec<u8>,
}

impl PartFile {
    /// Opens a file and reads its header; `None` if there is no file, and no header if it is empty or only begun.
    fn open(path: PathBuf, is_full: bool) -> Result<Option<(Self, Option<Header>)>, Error> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let input = BufReader::new(file);
        let mut file = Self { path, input, part: 1, is_full, line: 0, whole: 0, partial: Vec::new() };
        let Some(first) = file.next_line()? else { return Ok(Some((file, None))) };
        let header = Header::parse(&first);
        let header = header.ok_or_else(|| file.wrong(format!("expected {} as its first line", line::HEADER)))?;
        file.part = header.part();
        Ok(Some((file, Some(header))))
    }

    /// The next whole line without its line feed. What is behind the last line feed stays in `partial`.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let left = LONGEST_LINE.saturating_sub(self.partial.len() as u64);
        let mut limited = (&mut self.input).take(left);
        limited.read_until(b'\n', &mut self.partial).map_err(Error::io(&self.path))?;
        if self.partial.last() == Some(&b'\n') {
            self.line += 1;
            self.whole += self.partial.len() as u64;
            let mut text = std::mem::take(&mut self.partial);
            text.pop();
            return Ok(Some(text));
        }
        if self.partial.len() as u64 >= LONGEST_LINE {
            self.line += 1;
            return Err(self.wrong(format!("longer than {LONGEST_LINE} bytes")));
        }
        Ok(None)
    }

    fn torn(&self) -> Option<Torn> {
        (!self.partial.is_empty()).then(|| Torn { line: self.line + 1, bytes: self.partial.len() as u64 })
    }

    fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Line { path: self.path.clone(), line: self.line, what: what.into() }
    }
}

impl JournalReader {
    /// Opens a journal of decisions alone. See [`JournalReader::of_entries`].
    ///
    /// # Errors
    /// As there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::of_entries(path)
    }
}

impl<E: Journalled> JournalReader<E> {
    /// Opens the journal at `path`, at the beginning of its oldest file. An empty file is an empty journal.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Line`] if its first line is not that of a journal this build can read.
    pub fn of_entries(path: impl AsRef<Path>) -> Result<Self, Error> {
        let journal = path.as_ref();
        match files::parts(journal)?.first() {
            Some(&part) => Self::begin(journal, &files::numbered(journal, part), true),
            None => Self::begin(journal, journal, false),
        }
    }

    /// The file at `path` alone, whatever there is before or after it.
    pub(super) fn alone(path: &Path) -> Result<Self, Error> {
        let mut reader = Self::begin(path, path, false)?;
        reader.is_alone = true;
        Ok(reader)
    }

    fn begin(journal: &Path, path: &Path, is_full: bool) -> Result<Self, Error> {
        // What the system itself says of it.
        let source = || File::open(path).err().unwrap_or_else(|| ErrorKind::NotFound.into());
        let missing = || Error::Io { path: path.to_owned(), source: source() };
        let (file, header) = PartFile::open(path.to_owned(), is_full)?.ok_or_else(missing)?;
        if is_full && header.is_none() {
            return Err(Error::damaged(path, &"a full part without its first line"));
        }
        let is_done = header.is_none();
        let header = header.unwrap_or(Header::First);
        Ok(Self {
            journal: journal.to_owned(),
            torn: file.torn(),
            file,
            is_alone: false,
            chain: header.chain(),
            records: header.records(),
            is_done,
            entry: PhantomData,
        })
    }

    /// The unfinished last line, once the end is reached; `None` if there is none.
    pub fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// The chain after the last entry read: what [`Journal::head`](super::Journal::head) was then.
    pub fn head(&self) -> &str {
        &self.chain
    }

    /// Id of the last record read, or of the last one before the oldest file there is; 0 before the first.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Number of the file that is being read.
    pub(super) fn part(&self) -> u32 {
        self.file.part
    }

    /// Bytes of its lines read and found whole.
    pub(super) fn whole(&self) -> u64 {
        self.file.whole
    }

    /// The next whole line, from the next file if this one is full and at its end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            if let Some(text) = self.file.next_line()? {
                return Ok(Some(text));
            }
            if self.is_alone {
                break;
            }
            if self.file.is_full {
                if self.file.torn().is_some() {
                    self.file.line += 1;
                    return Err(self.file.wrong("the file ends in the middle of this line"));
                }
                self.advance()?;
            } else if files::numbered(&self.journal, self.file.part).exists() {
                // The writer went on to another file meanwhile; what it wrote here before it did is still to be read.
                self.file.is_full = true;
            } else {
                break;
            }
        }
        self.is_done = true;
        self.torn = self.file.torn();
        Ok(None)
    }

    /// Goes on to the file after a full one.
    fn advance(&mut self) -> Result<(), Error> {
        let next = self.file.part + 1;
        let numbered = files::numbered(&self.journal, next);
        let is_next = |(file, _): &(PartFile, Option<Header>)| file.part == next;
        // Between these looks the writer may rename the file that is looked for.
        let found = match PartFile::open(numbered.clone(), true)? {
            Some(found) => Some(found),
            None => match PartFile::open(self.journal.clone(), false)?.filter(is_next) {
                Some(found) => Some(found),
                None => PartFile::open(numbered.clone(), true)?,
            },
        };
        let Some((file, header)) = found else {
            let what = format!("missing, though there is a part {}", self.file.part);
            return Err(Error::damaged(&numbered, &what));
        };
        let goes_on = Header::Continued { part: next, records: self.records, chain: self.chain.clone() };
        if header.as_ref() != Some(&goes_on) {
            return Err(file.wrong("this file does not go on where the one before it ends"));
        }
        self.chain = goes_on.chain();
        self.file = file;
        Ok(())
    }

    fn next_entry(&mut self) -> Result<Option<E>, Error> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        let (entry, chain) = line::parse::<E>(&self.chain, &text).map_err(|what| self.file.wrong(what))?;
        if let Some(id) = entry.id() {
            if id != self.records + 1 {
                return Err(self.file.wrong(format!("record {id} where {} is next", self.records + 1)));
            }
            self.records = id;
        }
        self.chain = chain;
        Ok(Some(entry))
    }
}

impl<E: Journalled> Iterator for JournalReader<E> {
    type Item = Result<E, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_entry().transpose();
        self.is_done |= !matches!(next, Some(Ok(_)));
        next
    }
}

/// The decision with `id` of the journal at `path`, if there is one. Reads, and so checks, all lines up to it.
///
/// # Errors
/// As [`JournalReader::open`], and [`Error::Line`] for a damaged line on the way.
pub fn find(path: impl AsRef<Path>, id: u64) -> Result<Option<JournalRecord>, Error> {
    find_entry(path, id)
}

/// [`find`] in a journal of any kind of entries.
///
/// # Errors
/// As there.
pub fn find_entry<E: Journalled>(path: impl AsRef<Path>, id: u64) -> Result<Option<E>, Error> {
    for entry in JournalReader::<E>::of_entries(path)? {
        let entry = entry?;
        if entry.id() == Some(id) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// All that follows the record with `id` (everything, if `id` is 0): what a controller whose state was saved after that
/// record has yet to be fed. Begins at the newest file that reaches back to it, and checks all lines from there on.
///
/// # Errors
/// As [`JournalReader::of_entries`], and [`Error::Line`] for a damaged line on the way.
pub fn entries_after<E: Journalled>(path: impl AsRef<Path>, id: u64) -> Result<Vec<E>, Error> {
    let journal = path.as_ref();
    let mut from = None;
    if let Some((_, Some(header))) = PartFile::open(journal.to_owned(), false)?
        && header.records() < id
    {
        from = Some((journal.to_owned(), false));
    }
    let mut parts = files::parts(journal)?;
    while let Some(part) = parts.pop().filter(|_| from.is_none()) {
        let path = files::numbered(journal, part);
        if let Some((_, Some(header))) = PartFile::open(path.clone(), true)?
            && (header.records() < id || parts.is_empty())
        {
            from = Some((path, true));
        }
    }
    let (path, is_full) = from.unwrap_or_else(|| (journal.to_owned(), false));
    let mut reader = JournalReader::<E>::begin(journal, &path, is_full)?;
    while reader.records < id {
        if reader.next().transpose()?.is_none() {
            break;
        }
    }
    reader.collect()
}

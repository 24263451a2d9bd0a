//! Why an input was refused.

use std::io;

use crate::quality::span;
use crate::{Codec, Place};

/// Causes of refusal. Each message names file, position, column and what was expected there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input could not be opened or read, or an output not written.
    #[error("{place}: {source}; expected a file that can be {verb}")]
    Io {
        /// How far reading had come.
        place: Place,
        /// `read` or `written`.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A compressed stream is truncated or damaged.
    #[error("{place}: broken {codec} data ({cause}); expected whole {codec} streams to the end of the file")]
    Compression {
        /// How far reading had come.
        place: Place,
        /// The compression its first bytes announced.
        codec: Codec,
        /// What the decoder said.
        cause: String,
    },
    /// More bytes than the bound, once decompressed.
    #[error("{place}: the input is longer than {max_bytes} bytes once decompressed; expected at most that many")]
    TooManyBytes {
        /// How far reading had come.
        place: Place,
        /// The bound.
        max_bytes: u64,
    },
    /// More samples than the bound.
    #[error("{place}: more than {max_cells} samples; expected at most that many (rows times value columns)")]
    TooManyCells {
        /// The row too many.
        place: Place,
        /// The bound.
        max_cells: usize,
    },
    /// The bytes are not of the format they should be.
    #[error("{place}: {found}; expected {expected}")]
    BadFormat {
        /// Where it shows.
        place: Place,
        /// What is there.
        found: String,
        /// What should be there.
        expected: &'static str,
    },
    /// A cell of the time column is no time.
    #[error("{place}: {found:?} is not a usable time; expected {expected}")]
    BadTime {
        /// The cell.
        place: Place,
        /// Its text, cut if long.
        found: String,
        /// The forms accepted here.
        expected: &'static str,
    },
    /// A cell of a value column is no number.
    #[error("{place}: {found:?} is not a number; expected one such as 12, -0.5 or 1.2e3, or an empty cell for a gap")]
    BadNumber {
        /// The cell.
        place: Place,
        /// Its text, cut if long.
        found: String,
    },
    /// A row has more or fewer cells than there are columns.
    #[error("{place}: cells in this row: {found}; expected {expected}, one for each column{hint}")]
    UnevenRow {
        /// The row.
        place: Place,
        /// Cells in it.
        found: usize,
        /// Columns there are.
        expected: usize,
        /// What may have caused it; empty if nothing stands out.
        hint: &'static str,
    },
    /// A column was asked for that is not there.
    #[error("{place}: there is no such column; expected one of {available}")]
    NoSuchColumn {
        /// The header, with the name asked for.
        place: Place,
        /// The names there are.
        available: String,
    },
    /// A column is there but cannot be used for what it was asked for.
    #[error("{place}: the column holds {found}; expected {expected}")]
    UnusableColumn {
        /// The column.
        place: Place,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
    /// No column could be taken for the time.
    #[error(
        "{place}: no column holds times (there are {available}); expected one named timestamp, time, ts, datetime, date or ds, one of RFC 3339 or epoch times, or its name given"
    )]
    NoTimeColumn {
        /// The header.
        place: Place,
        /// The names there are.
        available: String,
    },
    /// No column holds numbers.
    #[error("{place}: no column besides the time holds numbers (there are {available}); expected at least one")]
    NoValueColumn {
        /// The header.
        place: Place,
        /// The names there are.
        available: String,
    },
    /// A chosen column's name occurs twice.
    #[error("{place}: two columns have this name; expected different names")]
    DuplicateColumn {
        /// The header, with the name.
        place: Place,
    },
    /// Too little to make a series of.
    #[error("{place}: usable rows: {found}; expected at least 2")]
    TooFewRows {
        /// The last row, or the header if there is none.
        place: Place,
        /// Rows with a readable time.
        found: usize,
    },
    /// All rows have one time, so that no step can be inferred.
    #[error("{place}: all {rows} rows have the time {time}; expected at least two different times, or a step given")]
    NoStep {
        /// The time column.
        place: Place,
        /// Rows read.
        rows: usize,
        /// The one time.
        time: foresail_core::Timestamp,
    },
    /// Two times lie so far apart that the grid between them would be huge.
    #[error(
        "{place}: the times reach from {from} to {to}, which makes {cells} grid cells at a step of {step}; expected at most {max_cells} (is a time wrong, or the step too small?)",
        step = span(*step_s)
    )]
    GridTooLarge {
        /// The row farthest from the others.
        place: Place,
        /// Earliest time.
        from: foresail_core::Timestamp,
        /// Latest time.
        to: foresail_core::Timestamp,
        /// The grid's step in seconds.
        step_s: f64,
        /// Rows times columns that would be needed.
        cells: u64,
        /// The bound.
        max_cells: usize,
    },
    /// An option that cannot be.
    #[error("option {option}: {found:?} is not possible; expected {expected}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What was given.
        found: String,
        /// What can be given.
        expected: String,
    },
    /// The frame's own checks refused what was read.
    #[error("{place}: {source}")]
    Frame {
        /// The input.
        place: Place,
        /// The refusal.
        source: foresail_core::Error,
    },
}

impl Error {
    /// Whether trying again may help: only an interrupted or slow input.
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), Interrupted | ResourceBusy | TimedOut | WouldBlock))
    }
}

/// Longest piece of an input that an error repeats, in characters.
const MAX_FOUND: usize = 40;

/// `bytes` as an error shows them: as text, cut after [`MAX_FOUND`] characters.
pub(crate) fn shown(bytes: &[u8]) -> String {
    // A prefix long enough for MAX_FOUND characters of any width: an input may be one huge cell.
    let prefix = &bytes[..bytes.len().min(4 * MAX_FOUND + 4)];
    let text = String::from_utf8_lossy(prefix);
    if text.chars().count() <= MAX_FOUND {
        return text.into_owned();
    }
    text.chars().take(MAX_FOUND).chain(['…']).collect()
}

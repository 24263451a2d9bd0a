//! Why an input was refused.

use std::io;
#[cfg(feature = "http")]
use std::time::Duration;

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
    /// No answer from the source.
    #[cfg(feature = "http")]
    #[error("{0}")]
    Http(#[from] foresail_http::Error),
    /// The source answers that it cannot.
    #[cfg(feature = "http")]
    #[error("{url} answers {status}{kind}: {message}", kind = if kind.is_empty() { String::new() } else { format!(" ({kind})") })]
    Refused {
        /// What was asked, without the query.
        url: String,
        /// The status.
        status: u16,
        /// Prometheus' name for the cause (`bad_data`, `timeout`, …); empty if it gave none.
        kind: String,
        /// What it says, cut if long.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The source answers, and warns that the answer may lack something.
    #[cfg(feature = "http")]
    #[error("{url} answers with a warning, so the answer may be partial: {}", .warnings.join("; "))]
    Partial {
        /// What was asked, without the query.
        url: String,
        /// What it warns of.
        warnings: Vec<String>,
    },
    /// The source answers with nothing.
    #[cfg(feature = "http")]
    #[error("no data for {query:?} {when}; expected at least one series (is the name right, and its target up?)")]
    NoData {
        /// The query, cut if long.
        query: String,
        /// The time asked for.
        when: String,
    },
    /// The source answers with more than one series where one number is needed.
    #[cfg(feature = "http")]
    #[error("{found} series for {query:?}; expected one (join them, as with sum())")]
    ManySeries {
        /// The query, cut if long.
        query: String,
        /// How many.
        found: usize,
    },
    /// A sample from after the time that was asked for.
    #[cfg(feature = "http")]
    #[error("{url} answers with a sample of {found} where one of {asked} at the latest was asked for")]
    TooYoung {
        /// What was asked, without the query.
        url: String,
        /// The sample's time.
        found: foresail_core::Timestamp,
        /// The time asked for.
        asked: foresail_core::Timestamp,
    },
}

impl Error {
    /// Whether trying again may help: an interrupted or slow input; a source that is busy, out of reach or silent.
    pub fn is_transient(&self) -> bool {
        use io::ErrorKind::{Interrupted, ResourceBusy, TimedOut, WouldBlock};
        match self {
            Self::Io { source, .. } => matches!(source.kind(), Interrupted | ResourceBusy | TimedOut | WouldBlock),
            #[cfg(feature = "http")]
            Self::Http(error) => error.is_transient(),
            #[cfg(feature = "http")]
            Self::Refused { status, kind, .. } => {
                // An answer of 200 may say so too, behind a proxy that knows no better.
                matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
                    || matches!(kind.as_str(), "timeout" | "canceled" | "unavailable" | "internal")
            }
            #[cfg(feature = "http")]
            Self::Partial { warnings, .. } => !warnings.iter().any(|w| w.starts_with("PromQL warning")),
            #[cfg(feature = "http")]
            Self::NoData { .. } => true,
            _ => false,
        }
    }

    /// How long the source asks to be left alone, where it does.
    #[cfg(feature = "http")]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Refused { retry_after, .. } = self { *retry_after } else { None }
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

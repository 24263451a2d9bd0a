//! What can be wrong with a series or a time.

use std::time::Duration;

/// Causes of refusal in the foundation types.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A column differs in length from the first.
    #[error("column {column:?} has {got} values, expected {expected}")]
    UnevenColumn {
        /// The offending column.
        column: String,
        /// Its length.
        got: usize,
        /// The length of the first column.
        expected: usize,
    },
    /// A value that is not finite was handed to a constructor.
    #[error("column {column:?} holds a non-finite value at row {row}")]
    NonFinite {
        /// The offending column.
        column: String,
        /// Row index, from 0.
        row: usize,
    },
    /// The grid step is zero or not a whole number of microseconds.
    #[error("step {0:?} is not a positive whole number of microseconds")]
    BadStep(Duration),
    /// A frame without columns.
    #[error("a frame needs at least one column")]
    NoColumns,
    /// No column of that name.
    #[error("no column {name:?}; there are {available}")]
    NoSuchColumn {
        /// What was asked for.
        name: String,
        /// The columns there are, comma separated.
        available: String,
    },
    /// Two columns of one name.
    #[error("column {0:?} appears twice")]
    DuplicateColumn(String),
    /// A text that is no time.
    #[error("{0:?} is not a time (expected RFC 3339, YYYY-MM-DD HH:MM:SS or YYYY-MM-DD)")]
    BadTime(String),
    /// A time zone that the bundled database does not know.
    #[error("{0:?} is not a known IANA time zone")]
    BadZone(String),
    /// A step that does not divide a day, or is shorter than a second, where features need both.
    #[error("step {0:?} does not divide a day into rows of at least a second")]
    StepNotInDay(Duration),
    /// Features of another definition than those a model was trained on.
    #[error("features differ from those expected: {0}")]
    SchemaMismatch(String),
    /// An option out of its range.
    #[error("{option} is {value}, accepted is {least} to {most}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// The value given.
        value: f64,
        /// The least that is accepted.
        least: f64,
        /// The most.
        most: f64,
    },
    /// Saved state that cannot be restored.
    #[error("saved state cannot be restored: {0}")]
    BadSnapshot(String),
}

//! What can be wrong with settings or saved state of a guard.

/// Causes of refusal in the guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting out of its range.
    #[error("{key} is {value}, accepted is {range}")]
    OutOfRange {
        /// Its key.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        range: &'static str,
    },
    /// Learned state written by another version, or damaged.
    #[error("learned state of the guard cannot be used: {0}")]
    BadState(String),
    /// Too few rows, or rows of differing length, to grow an isolation forest on.
    #[error("an isolation forest needs at least two rows of one length, got {rows} of {width} features")]
    TooFewRows {
        /// Rows given.
        rows: usize,
        /// Features of the first.
        width: usize,
    },
    /// A GeoIP database that cannot be read.
    #[error("no usable GeoIP database: {0}")]
    BadDatabase(String),
}

/// Refuses `value` unless `accepted`.
#[expect(clippy::needless_pass_by_value, reason = "numbers are handed over as they are")]
pub(crate) fn check(accepted: bool, key: &'static str, value: impl ToString, range: &'static str) -> Result<(), Error> {
    if accepted { Ok(()) } else { Err(Error::OutOfRange { key, value: value.to_string(), range }) }
}

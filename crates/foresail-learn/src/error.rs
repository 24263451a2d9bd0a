//! Why a learner refuses its parameters or its data.

/// Causes of refusal in learning.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter out of its range.
    #[error("{parameter} is {value}, accepted is {range}")]
    BadParameter {
        /// Its name.
        parameter: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        range: &'static str,
    },
    /// Values that do not fill whole rows.
    #[error("{values} values do not fill rows of {width} features")]
    RaggedMatrix {
        /// Values given.
        values: usize,
        /// Features in a row.
        width: usize,
    },
    /// Features and targets of different length.
    #[error("{rows} rows of features, {targets} targets")]
    LengthMismatch {
        /// Rows of features.
        rows: usize,
        /// Targets.
        targets: usize,
    },
    /// Nothing to learn from.
    #[error("there are no rows to learn from")]
    NoRows,
    /// A target that is not finite.
    #[error("target {row} is not finite")]
    NonFiniteTarget {
        /// Index of the row, from 0.
        row: usize,
    },
}

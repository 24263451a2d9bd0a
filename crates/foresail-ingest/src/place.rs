//! Where in an input something was found.

use std::fmt;

/// A position in an input, as precise as its format allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// The input as a whole: a file that cannot be opened, a footer that cannot be read.
    #[default]
    Whole,
    /// A line of text, from 1, the header included.
    Line(u64),
    /// A character of a line, both from 1: JSON, which is often one long line.
    Character {
        /// The line.
        line: u64,
        /// The byte within it.
        character: u64,
    },
    /// A row of a table without lines, from 1: Parquet.
    Row(u64),
}

/// File, position and column of a finding; displays as `load.csv, line 3, column "requests"`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The input's path or given name.
    pub file: String,
    /// The position in it.
    pub at: At,
    /// The column, where one is concerned.
    pub column: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        match self.at {
            At::Whole => {}
            At::Line(line) => write!(f, ", line {line}")?,
            At::Character { line, character } => write!(f, ", line {line}, character {character}")?,
            At::Row(row) => write!(f, ", row {row}")?,
        }
        match &self.column {
            Some(column) => write!(f, ", column {column:?}"),
            None => Ok(()),
        }
    }
}

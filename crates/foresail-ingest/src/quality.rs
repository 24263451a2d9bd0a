//! What was found and repaired on the way from an input to a frame.

use std::fmt;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Codec, Format};

/// An account of one input. Every rule of [`ReadOptions`](crate::ReadOptions) that had to be applied is counted here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The input's path or given name.
    pub file: String,
    /// Its format.
    pub format: Format,
    /// Its compression.
    pub compression: Codec,
    /// The column the times were taken from.
    pub time_column: String,
    /// How they are written: `date and time`, or `epoch` and a unit.
    pub time_form: String,
    /// Zone of times without an offset, and of the frame's calendar.
    pub zone: String,
    /// Data rows in the input, those left out included; of Prometheus, different times.
    pub rows_read: u64,
    /// Of them, left out for a time that could not be understood (lenient only).
    pub bad_times: u64,
    /// Of them, left out for having too many or too few cells (lenient only).
    pub uneven_rows: u64,
    /// Rows earlier than the row before them; sorted.
    pub disordered: u64,
    /// Rows with the very time of another.
    pub duplicates: u64,
    /// Rows, duplicates apart, that share a step of the grid with an earlier row; aggregated.
    pub merged: u64,
    /// Rows whose time lies between two points of the grid; rounded down.
    pub off_grid: u64,
    /// Steps made of fewer rows than the input's own step would give, where it divides the grid's.
    pub partial_rows: u64,
    /// Local times that the clocks skipped; moved forward.
    pub dst_skipped: u64,
    /// Local times that occur twice; told apart by order.
    pub dst_repeated: u64,
    /// Start of the frame.
    pub from: Timestamp,
    /// End of the frame.
    pub to: Timestamp,
    /// The grid's step in seconds.
    pub step_s: f64,
    /// Whether the step was inferred.
    pub step_inferred: bool,
    /// Rows of the frame.
    pub grid_rows: u64,
    /// Of them, rows for which the input has none.
    pub missing_rows: u64,
    /// Runs of missing rows.
    pub gaps: u64,
    /// The longest of them in seconds.
    pub longest_gap_s: f64,
    /// The value columns as read, before any of them were summed.
    pub columns: Vec<ColumnQuality>,
}

/// An account of one value column.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColumnQuality {
    /// Its name.
    pub name: String,
    /// Empty cells; gaps.
    pub empty: u64,
    /// Cells that are no number; gaps (lenient only).
    pub bad: u64,
    /// NaN and infinities; gaps.
    pub non_finite: u64,
    /// Negative values; kept, gaps or zeros, as asked, and in a counter always gaps.
    pub negative: u64,
    /// Times a counter began again.
    pub resets: u64,
    /// Rows of the frame without a value.
    pub gaps: u64,
}

impl Quality {
    /// The flaws of the rows that occurred, with their counts.
    fn flaws(&self) -> impl Iterator<Item = (u64, &'static str)> {
        [
            (self.bad_times, "left out for their time"),
            (self.uneven_rows, "left out for their number of cells"),
            (self.disordered, "out of order, sorted"),
            (self.duplicates, "with the time of another"),
            (self.merged, "aggregated with others of their step"),
            (self.off_grid, "rounded down to the grid"),
            (self.dst_skipped, "in an hour the clocks skipped, moved forward"),
            (self.dst_repeated, "in an hour the clocks repeat, told apart by order"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
    }

    /// Whether nothing had to be repaired and nothing is missing.
    pub fn is_clean(&self) -> bool {
        let column_is_clean = |c: &ColumnQuality| c.empty + c.bad + c.non_finite + c.negative + c.resets + c.gaps == 0;
        self.flaws().next().is_none()
            && self.missing_rows + self.partial_rows == 0
            && self.columns.iter().all(column_is_clean)
    }
}

/// A short table for people.
impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inferred = if self.step_inferred { "inferred" } else { "given" };
        writeln!(
            f,
            "{}: {} rows, {} in {:?} ({}, zone {})",
            self.file, self.rows_read, self.format, self.time_column, self.time_form, self.zone
        )?;
        writeln!(
            f,
            "  {} to {} at a step of {} ({inferred}): {} rows on the grid",
            self.from,
            self.to,
            span(self.step_s),
            self.grid_rows
        )?;
        if self.missing_rows > 0 {
            let longest = span(self.longest_gap_s);
            writeln!(f, "  {} missing in {} gaps, the longest {longest}", self.missing_rows, self.gaps)?;
        }
        if self.partial_rows > 0 {
            writeln!(f, "  {} steps made of fewer rows than usual", self.partial_rows)?;
        }
        for (count, flaw) in self.flaws() {
            writeln!(f, "  {count} rows {flaw}")?;
        }
        let width = self.columns.iter().map(|c| c.name.chars().count()).max().unwrap_or(0).max("column".len());
        write!(f, "  {:<width$}  empty    bad  nonfinite  negative  resets   gaps", "column")?;
        for c in &self.columns {
            write!(
                f,
                "\n  {:<width$}  {:>5}  {:>5}  {:>9}  {:>8}  {:>6}  {:>5}",
                c.name, c.empty, c.bad, c.non_finite, c.negative, c.resets, c.gaps
            )?;
        }
        Ok(())
    }
}

/// A span of seconds as people write it: `2m`, `1h 30m`, `1.5s`.
pub(crate) fn span(seconds: f64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    if seconds < 60.0 || seconds.fract() != 0.0 {
        return format!("{seconds}s");
    }
    let mut left = seconds as u64;
    let mut parts = Vec::new();
    for (length, unit) in UNITS {
        if left >= length {
            parts.push(format!("{}{unit}", left / length));
            left %= length;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_write_them() {
        for (seconds, expected) in
            [(0.25, "0.25s"), (59.0, "59s"), (120.0, "2m"), (5_400.0, "1h 30m"), (90_061.0, "1d 1h 1m 1s")]
        {
            assert_eq!(span(seconds), expected);
        }
    }
}

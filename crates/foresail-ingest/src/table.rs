//! What a reader hands on: samples as they stand in the input, times resolved, nothing yet on a grid.

use crate::cell::{Cell, Number};
use crate::clock::Clock;
use crate::{At, Error, Place, ReadOptions};

/// Samples in the order of the input.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Microseconds since the epoch, one a row.
    pub(crate) stamps: Vec<i64>,
    pub(crate) columns: Vec<Samples>,
    /// The earliest and the latest row, for errors about the span.
    pub(crate) earliest: Option<(i64, At)>,
    pub(crate) latest: Option<(i64, At)>,
    /// Where the last row stands; the header, if there is none.
    pub(crate) end: At,
    pub(crate) time_column: String,
    pub(crate) time_form: &'static str,
    /// Rows later than their successor in an input whose rows the reader had to merge by time.
    pub(crate) disordered: u64,
    pub(crate) bad_times: u64,
    pub(crate) uneven_rows: u64,
    pub(crate) dst_skipped: u64,
    pub(crate) dst_repeated: u64,
}

/// One value column: NaN, which never leaves this crate's inside, is a gap.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    pub(crate) empty: u64,
    pub(crate) bad: u64,
    pub(crate) non_finite: u64,
}

impl Samples {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

impl Table {
    /// Notes a row's time; its values follow, one a column.
    pub(crate) fn push_stamp(&mut self, stamp: i64, at: At) {
        if self.earliest.is_none_or(|(t, _)| stamp < t) {
            self.earliest = Some((stamp, at));
        }
        if self.latest.is_none_or(|(t, _)| stamp > t) {
            self.latest = Some((stamp, at));
        }
        self.stamps.push(stamp);
    }
}

/// Fills a table row by row, applying what the options say of cells that cannot be understood.
pub(crate) struct TableBuilder<'a> {
    file: &'a str,
    options: &'a ReadOptions,
    clock: Clock,
    table: Table,
}

impl<'a> TableBuilder<'a> {
    pub(crate) fn new(
        file: &'a str,
        header: At,
        time_column: String,
        clock: Clock,
        columns: Vec<Samples>,
        options: &'a ReadOptions,
    ) -> Self {
        let time_form = clock.form().name();
        let table = Table { columns, time_column, time_form, end: header, ..Table::default() };
        Self { file, options, clock, table }
    }

    fn place(&self, at: At, column: &str) -> Place {
        Place { file: self.file.to_owned(), at, column: Some(column.to_owned()) }
    }

    /// Takes in one row: the cell of the time and, by position among the value columns, those of the values.
    ///
    /// # Errors
    /// Unless lenient, the first cell that is no time or no number; in any case, a row more than may be held.
    pub(crate) fn row<'c>(&mut self, at: At, time: Cell<'c>, value: impl Fn(usize) -> Cell<'c>) -> Result<(), Error> {
        self.table.end = at;
        let stamp = match self.clock.read(time) {
            Ok(stamp) => stamp,
            Err(_) if self.options.lenient => {
                self.table.bad_times += 1;
                return Ok(());
            }
            Err(expected) => {
                let place = self.place(at, &self.table.time_column);
                return Err(Error::BadTime { place, found: time.shown(), expected });
            }
        };
        let max_cells = self.options.max_cells;
        if (self.table.stamps.len() + 1).saturating_mul(self.table.columns.len().max(1)) > max_cells {
            let place = Place { file: self.file.to_owned(), at, column: None };
            return Err(Error::TooManyCells { place, max_cells });
        }
        self.table.push_stamp(stamp, at);
        for index in 0..self.table.columns.len() {
            let cell = value(index);
            let column = &mut self.table.columns[index];
            let number = match cell.number() {
                Number::Finite(number) => number,
                Number::Empty => {
                    column.empty += 1;
                    f64::NAN
                }
                Number::NonFinite => {
                    column.non_finite += 1;
                    f64::NAN
                }
                Number::Bad if self.options.lenient => {
                    column.bad += 1;
                    f64::NAN
                }
                Number::Bad => {
                    let place = self.place(at, &self.table.columns[index].name);
                    return Err(Error::BadNumber { place, found: cell.shown() });
                }
            };
            column.values.push(number);
        }
        Ok(())
    }

    /// Takes in a row with the wrong number of cells.
    ///
    /// # Errors
    /// [`Error::UnevenRow`] unless lenient.
    pub(crate) fn uneven_row(
        &mut self,
        at: At,
        found: usize,
        expected: usize,
        hint: &'static str,
    ) -> Result<(), Error> {
        self.table.end = at;
        self.table.uneven_rows += 1;
        if self.options.lenient {
            return Ok(());
        }
        let place = Place { file: self.file.to_owned(), at, column: None };
        Err(Error::UnevenRow { place, found, expected, hint })
    }

    pub(crate) fn finish(self) -> Table {
        Table { dst_skipped: self.clock.skipped, dst_repeated: self.clock.repeated, ..self.table }
    }
}

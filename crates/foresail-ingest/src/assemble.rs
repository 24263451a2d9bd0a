//! From samples as they stand in the input to a frame on a regular grid.

use std::time::Duration;

use foresail_core::{Column, Frame, Timestamp};

use crate::counter::rates;
use crate::grid::{Grid, common_step, local_phase, shared_phase};
use crate::read::{Ingested, Input};
use crate::schema::names_listed;
use crate::stamp::MICROS_PER_SECOND;
use crate::table::{Samples, Table};
use crate::{Aggregation, At, ColumnQuality, Duplicates, Error, Format, Negative, Quality};

/// The step of a frame of fewer than two different times, where none is given.
const LONE_STEP: i64 = 60 * MICROS_PER_SECOND;

/// Sorts, aligns, aggregates and accounts.
///
/// # Errors
/// Too few rows, times that are all alike, a grid out of bounds, or a target that is not there.
pub(crate) fn assemble(input: &Input<'_>, format: Format, mut table: Table) -> Result<Ingested, Error> {
    let options = input.options;
    let rows = table.stamps.len();
    if rows < 2 && !options.lenient {
        return Err(Error::TooFewRows { place: input.place(table.end, Some(&table.time_column)), found: rows });
    }
    if table.columns.is_empty() {
        // Only reached where samples are counted: without a column of their own, the rows are.
        table.columns.push(Samples { values: vec![1.0; rows], ..Samples::named("count") });
    }
    let disordered = table.disordered + table.stamps.windows(2).filter(|w| w[1] < w[0]).count() as u64;
    sort(&mut table);
    let duplicates = table.stamps.windows(2).filter(|w| w[1] == w[0]).count() as u64;
    if options.duplicates == Duplicates::Last {
        keep_last(&mut table);
    }

    let own_step = common_step(&table.stamps);
    let step = match (options.step.map(|s| s.as_micros() as i64), own_step) {
        (Some(step), _) | (None, Some(step)) => step,
        (None, None) if options.lenient => LONE_STEP,
        (None, None) => {
            let place = input.place(table.end, Some(&table.time_column));
            let time = Timestamp::from_micros(table.stamps.first().copied().unwrap_or(0));
            return Err(Error::NoStep { place, rows, time });
        }
    };
    let grid = lay_grid(input, &table, step, own_step)?;

    let mut account = Account { grid, ..Account::default() };
    account.count_rows(&table.stamps, own_step);
    let mut columns = Vec::new();
    let mut column_accounts = Vec::new();
    for samples in &mut table.columns {
        let (column, quality) = on_grid(input, &table.stamps, samples, &grid);
        columns.push(column);
        column_accounts.push(quality);
    }
    if options.sum {
        columns = vec![sum_of(&columns, grid.rows as usize)];
    }
    let names = names_listed(columns.iter().map(Column::name));
    let refused = |source| Error::Frame { place: input.place(At::Whole, None), source };
    let start = Timestamp::from_micros(grid.start);
    let frame =
        Frame::new(start, Duration::from_micros(step as u64), options.zone.clone(), columns).map_err(refused)?;
    let frame = match &options.target {
        Some(name) => frame
            .with_target(name)
            .map_err(|_| Error::NoSuchColumn { place: input.place(At::Whole, Some(name)), available: names })?,
        None => frame,
    };
    let quality = Quality {
        file: input.file.to_owned(),
        format,
        compression: input.codec,
        time_column: table.time_column,
        time_form: table.time_form.to_owned(),
        zone: options.zone.name().to_owned(),
        rows_read: rows as u64 + table.bad_times + table.uneven_rows,
        bad_times: table.bad_times,
        uneven_rows: table.uneven_rows,
        disordered,
        duplicates,
        merged: account.merged,
        off_grid: account.off_grid,
        partial_rows: account.partial_rows,
        dst_skipped: table.dst_skipped,
        dst_repeated: table.dst_repeated,
        from: frame.start(),
        to: frame.end(),
        step_s: step as f64 / MICROS_PER_SECOND as f64,
        step_inferred: options.step.is_none(),
        grid_rows: grid.rows,
        missing_rows: account.missing_rows,
        gaps: account.gaps,
        longest_gap_s: (account.longest_gap as i64 * step) as f64 / MICROS_PER_SECOND as f64,
        columns: column_accounts,
    };
    Ok(Ingested { frame, quality })
}

/// Sorts by time; rows of one time keep their order.
fn sort(table: &mut Table) {
    if table.stamps.is_sorted() {
        return;
    }
    let mut order: Vec<usize> = (0..table.stamps.len()).collect();
    order.sort_by_key(|&i| table.stamps[i]);
    table.stamps = order.iter().map(|&i| table.stamps[i]).collect();
    for column in &mut table.columns {
        column.values = order.iter().map(|&i| column.values[i]).collect();
    }
}

/// Keeps the last of each run of equal times.
fn keep_last(table: &mut Table) {
    let stamps = &table.stamps;
    let keep: Vec<usize> = (0..stamps.len()).filter(|&i| stamps.get(i + 1) != Some(&stamps[i])).collect();
    table.stamps = keep.iter().map(|&i| stamps[i]).collect();
    for column in &mut table.columns {
        column.values = keep.iter().map(|&i| column.values[i]).collect();
    }
}

fn lay_grid(input: &Input<'_>, table: &Table, step: i64, own_step: Option<i64>) -> Result<Grid, Error> {
    let options = input.options;
    let first = table.stamps.first().copied().unwrap_or(0);
    let joins_steps = own_step.is_some_and(|own| step > own);
    let shared = if joins_steps { None } else { shared_phase(&table.stamps, step) };
    let phase = shared.unwrap_or_else(|| local_phase(first, step, &options.zone));
    let mut grid = Grid::over(&table.stamps, step, phase);
    if grid.rows > 1 && table.columns.iter().all(|c| options.counters.holds(&c.name)) {
        // A rate holds until the next count, so the last count only ends the row before it.
        let last = table.stamps.last().copied().unwrap_or(0);
        grid.rows = grid.row(last - 1) + 1;
    }
    let cells = grid.rows.saturating_mul(table.columns.len() as u64);
    if cells > options.max_cells as u64 {
        let (from, to) = (first, table.stamps.last().copied().unwrap_or(0));
        let middle = table.stamps[table.stamps.len() / 2];
        let farthest = if middle - from > to - middle { table.earliest } else { table.latest };
        return Err(Error::GridTooLarge {
            place: input.place(farthest.map_or(table.end, |(_, at)| at), Some(&table.time_column)),
            from: Timestamp::from_micros(from),
            to: Timestamp::from_micros(to),
            step_s: step as f64 / MICROS_PER_SECOND as f64,
            cells,
            max_cells: options.max_cells,
        });
    }
    Ok(grid)
}

/// Counts over the rows, whatever their columns.
#[derive(Default)]
struct Account {
    grid: Grid,
    merged: u64,
    off_grid: u64,
    partial_rows: u64,
    missing_rows: u64,
    gaps: u64,
    longest_gap: u64,
}

impl Account {
    fn count_rows(&mut self, sorted: &[i64], own_step: Option<i64>) {
        let grid = self.grid;
        let usual = own_step.filter(|own| *own < grid.step && grid.step % own == 0).map_or(1, |own| grid.step / own);
        let mut next_row = 0;
        for rows in sorted.chunk_by(|a, b| grid.row(*a) == grid.row(*b)) {
            let different = rows.chunk_by(|a, b| a == b).count() as u64;
            let row = grid.row(rows[0]);
            if row >= grid.rows {
                break;
            }
            self.merged += different - 1;
            self.off_grid += rows.iter().filter(|t| **t != grid.time(row)).count() as u64;
            self.partial_rows += u64::from(different < usual as u64);
            let missing = row - next_row;
            self.missing_rows += missing;
            self.gaps += u64::from(missing > 0);
            self.longest_gap = self.longest_gap.max(missing);
            next_row = row + 1;
        }
    }
}

/// Brings one column onto the grid. Its samples are used up.
fn on_grid(input: &Input<'_>, sorted: &[i64], samples: &mut Samples, grid: &Grid) -> (Column, ColumnQuality) {
    let options = input.options;
    let mut quality = ColumnQuality {
        name: samples.name.clone(),
        empty: samples.empty,
        bad: samples.bad,
        non_finite: samples.non_finite,
        ..ColumnQuality::default()
    };
    let mut values = std::mem::take(&mut samples.values);
    let column = if options.counters.holds(&samples.name) {
        let rates = rates(sorted, &values, grid);
        quality.negative = rates.negative;
        quality.resets = rates.resets;
        Column::new(&samples.name, rows_of(&rates.times, &rates.rates, grid, options.aggregation))
    } else {
        let replacement = match options.negative {
            Negative::Keep => None,
            Negative::Gap => Some(f64::NAN),
            Negative::Zero => Some(0.0),
        };
        for value in values.iter_mut().filter(|v| **v < 0.0) {
            quality.negative += 1;
            *value = replacement.unwrap_or(*value);
        }
        Column::new(&samples.name, rows_of(sorted, &values, grid, options.aggregation))
    };
    quality.gaps = column.valid().iter().filter(|v| !**v).count() as u64;
    (column, quality)
}

/// The aggregate of each row of the grid.
fn rows_of<'a>(
    sorted: &'a [i64],
    values: &'a [f64],
    grid: &'a Grid,
    aggregation: Aggregation,
) -> impl Iterator<Item = Option<f64>> + 'a {
    let mut next = 0;
    (0..grid.rows).map(move |row| {
        let end = grid.time(row + 1);
        let from = next;
        next += sorted[from..].iter().take_while(|t| **t < end).count();
        aggregate(&values[from..next], aggregation)
    })
}

/// The aggregate of some samples, of which NaN is none.
fn aggregate(values: &[f64], aggregation: Aggregation) -> Option<f64> {
    let seen = || values.iter().copied().filter(|v| !v.is_nan());
    let sum = || seen().fold(None, |sum: Option<f64>, v| Some(sum.unwrap_or(0.0) + v));
    match aggregation {
        Aggregation::Mean => sum().map(|sum| sum / seen().count() as f64),
        Aggregation::Sum => sum(),
        Aggregation::Max => seen().reduce(f64::max),
        Aggregation::Min => seen().reduce(f64::min),
        Aggregation::Last => seen().next_back(),
        Aggregation::Count => Some(seen().count() as f64),
    }
}

/// The column `sum`: in each row, the sum of those that have a value there.
fn sum_of(columns: &[Column], rows: usize) -> Column {
    let sum = |row| columns.iter().filter_map(|c| c.get(row)).reduce(|a, b| a + b);
    Column::new("sum", (0..rows).map(sum))
}

//! A validated multi-column series on a regular grid.

use std::ops::Range;
use std::time::Duration;

use crate::{Error, TimeZone, Timestamp};

/// One named series: a value for every grid point and a mask that says which of them were really seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    name: String,
    values: Vec<f64>,
    valid: Vec<bool>,
}

impl Column {
    /// A column in which `None` and non-finite values are gaps. A gap holds the last value seen (the first one seen,
    /// before there is any; 0 if there is none at all), so the values are finite throughout.
    pub fn new(name: impl Into<String>, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let seen: Vec<Option<f64>> = values.into_iter().map(|v| v.filter(|v| v.is_finite())).collect();
        let mut held = seen.iter().flatten().next().copied().unwrap_or(0.0);
        let valid = seen.iter().map(Option::is_some).collect();
        let values = seen
            .into_iter()
            .map(|v| {
                held = v.unwrap_or(held);
                held
            })
            .collect();
        Self { name: name.into(), values, valid }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Finite values, one a grid point; where [`Column::valid`] is false, a held one.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// True where the value was observed.
    pub fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// The value at `index`, if it was observed.
    pub fn get(&self, index: usize) -> Option<f64> {
        (*self.valid.get(index)?).then(|| self.values[index])
    }
}

/// Columns on one regular grid. Row `i` covers `[start + i·step, start + (i+1)·step)`; time is never compacted.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    start: Timestamp,
    step: Duration,
    zone: TimeZone,
    columns: Vec<Column>,
    target: usize,
}

impl Frame {
    /// Joins `columns` on a grid; the first is the target.
    ///
    /// # Errors
    /// [`Error::NoColumns`], [`Error::UnevenColumn`], [`Error::DuplicateColumn`] or [`Error::BadStep`].
    pub fn new(start: Timestamp, step: Duration, zone: TimeZone, columns: Vec<Column>) -> Result<Self, Error> {
        if step.is_zero() || !step.as_nanos().is_multiple_of(1_000) {
            return Err(Error::BadStep(step));
        }
        let expected = columns.first().ok_or(Error::NoColumns)?.values.len();
        for (i, column) in columns.iter().enumerate() {
            if column.values.len() != expected {
                return Err(Error::UnevenColumn { column: column.name.clone(), got: column.values.len(), expected });
            }
            if columns[..i].iter().any(|c| c.name == column.name) {
                return Err(Error::DuplicateColumn(column.name.clone()));
            }
        }
        Ok(Self { start, step, zone, columns, target: 0 })
    }

    /// A frame of one column, in UTC.
    ///
    /// # Errors
    /// [`Error::BadStep`] if `step` is zero.
    pub fn univariate(
        start: Timestamp,
        step: Duration,
        name: &str,
        values: impl IntoIterator<Item = Option<f64>>,
    ) -> Result<Self, Error> {
        Self::new(start, step, TimeZone::utc(), vec![Column::new(name, values)])
    }

    /// One-minute values from 2024-01-01T00:00:00Z (a Monday), for tests and examples; non-finite ones are gaps.
    pub fn from_values(values: impl IntoIterator<Item = f64>) -> Self {
        let start = Timestamp::from_secs(1_704_067_200);
        Self::univariate(start, Duration::from_secs(60), "value", values.into_iter().map(Some))
            .expect("one column and a positive step")
    }

    /// The same frame with another column as its target.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`], naming those there are.
    pub fn with_target(mut self, name: &str) -> Result<Self, Error> {
        self.target = self.index_of(name)?;
        Ok(self)
    }

    /// The same frame seen from another time zone.
    pub fn with_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    fn index_of(&self, name: &str) -> Result<usize, Error> {
        self.columns.iter().position(|c| c.name == name).ok_or_else(|| Error::NoSuchColumn {
            name: name.to_owned(),
            available: self.columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.columns[0].values.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Start of the first row.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// End of the last row: the first instant not covered.
    pub fn end(&self) -> Timestamp {
        self.time(self.len())
    }

    /// Length of a row in time.
    pub fn step(&self) -> Duration {
        self.step
    }

    /// Start of row `index`; also defined past the end.
    pub fn time(&self, index: usize) -> Timestamp {
        Timestamp::from_micros(self.start.as_micros() + self.step.as_micros() as i64 * index as i64)
    }

    /// How many rows cover `span`, at least 1.
    pub fn steps_in(&self, span: Duration) -> usize {
        (span.as_micros().div_ceil(self.step.as_micros()) as usize).max(1)
    }

    /// The first row that starts at or after `time`; `len()` if none does.
    pub fn index_at(&self, time: Timestamp) -> usize {
        let offset = time.as_micros() - self.start.as_micros();
        let step = self.step.as_micros() as i64;
        (offset.max(0) as u64).div_ceil(step as u64).min(self.len() as u64) as usize
    }

    /// The zone in which its calendar is read.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// All columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column called `name`.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`].
    pub fn column(&self, name: &str) -> Result<&Column, Error> {
        Ok(&self.columns[self.index_of(name)?])
    }

    /// The column that is forecast.
    pub fn target_column(&self) -> &Column {
        &self.columns[self.target]
    }

    /// Index of the target among the columns.
    pub fn target_index(&self) -> usize {
        self.target
    }

    /// The target's values.
    pub fn target(&self) -> &[f64] {
        &self.target_column().values
    }

    /// True where the target was observed.
    pub fn target_mask(&self) -> &[bool] {
        &self.target_column().valid
    }

    /// Smallest value of the target, +∞ if empty.
    pub fn min(&self) -> f64 {
        self.target().iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// Largest value of the target, −∞ if empty.
    pub fn max(&self) -> f64 {
        self.target().iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// A copy of some rows; the range is cut to what there is.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.len());
        let start = rows.start.min(end);
        let columns = self
            .columns
            .iter()
            .map(|c| Column {
                name: c.name.clone(),
                values: c.values[start..end].to_vec(),
                valid: c.valid[start..end].to_vec(),
            })
            .collect();
        Self { start: self.time(start), step: self.step, zone: self.zone.clone(), columns, target: self.target }
    }

    /// Every value multiplied by `factor` (a finite number), in every column.
    pub fn scaled(mut self, factor: f64) -> Self {
        debug_assert!(factor.is_finite());
        for value in self.columns.iter_mut().flat_map(|c| &mut c.values) {
            *value *= factor;
        }
        self
    }

    /// Row `index` as the streaming code sees it.
    pub fn row(&self, index: usize) -> Row {
        Row { time: self.time(index), values: self.columns.iter().map(|c| c.get(index)).collect(), target: self.target }
    }

    /// All rows in order.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.len()).map(|i| self.row(i))
    }
}

/// One row on its way into a streaming learner: `None` where a column was not observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Start of the interval the values hold for.
    pub time: Timestamp,
    /// A value a column.
    pub values: Vec<Option<f64>>,
    /// Which of them is the target.
    pub target: usize,
}

impl Row {
    /// A row of a univariate series.
    pub fn univariate(time: Timestamp, value: Option<f64>) -> Self {
        Self { time, values: vec![value], target: 0 }
    }

    /// The target's value, if observed.
    pub fn target(&self) -> Option<f64> {
        self.values.get(self.target).copied().flatten()
    }
}

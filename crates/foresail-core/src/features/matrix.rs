//! Features of many rows.

use super::schema::Schema;
use crate::Timestamp;

/// Features of many rows, row by row, with what they are.
#[derive(Clone, Debug)]
pub struct FeatureMatrix {
    schema: Schema,
    times: Vec<Timestamp>,
    values: Vec<f32>,
}

impl FeatureMatrix {
    pub(super) fn with_capacity(schema: Schema, rows: usize) -> Self {
        let values = Vec::with_capacity(rows * schema.width());
        Self { schema, times: Vec::with_capacity(rows), values }
    }

    pub(super) fn push(&mut self, time: Timestamp, features: &[f32]) {
        debug_assert_eq!(features.len(), self.schema.width());
        self.times.push(time);
        self.values.extend_from_slice(features);
    }

    /// What the columns are.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.schema.width()
    }

    /// Starts of the rows; the features of a row hold from its end.
    pub fn times(&self) -> &[Timestamp] {
        &self.times
    }

    /// All values, `rows × features`, row by row; NaN where undefined.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The features of row `index`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[f32] {
        let width = self.width();
        &self.values[index * width..(index + 1) * width]
    }

    /// All rows in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.width())
    }

    /// The values of the feature called `name`, if there is one.
    pub fn column(&self, name: &str) -> Option<impl Iterator<Item = f32> + '_> {
        let index = self.schema.names().position(|n| n == name)?;
        Some(self.rows().map(move |row| row[index]))
    }
}

//! A view of feature rows.

use crate::Error;

/// `samples × features`, row by row, borrowed. NaN stands for a missing value.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Matrix<'a> {
    /// Sees `values` as rows of `width` features.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if `width` is 0 or over 65,534, [`Error::RaggedMatrix`] if the last row is not full.
    pub fn new(values: &'a [f32], width: usize) -> Result<Self, Error> {
        if width == 0 || width >= usize::from(u16::MAX) {
            return Err(Error::BadParameter { parameter: "width", value: width.to_string(), range: "1 to 65534" });
        }
        if !values.len().is_multiple_of(width) {
            return Err(Error::RaggedMatrix { values: values.len(), width });
        }
        Ok(Self { values, width })
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Features in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Row `index`.
    pub fn row(&self, index: usize) -> &'a [f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }
}

//! Typed cells of a flat Parquet column, a batch at a time.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType, FixedLenByteArray, Int96};
use ::parquet::errors::{ParquetError, Result};
use ::parquet::schema::types::ColumnDescriptor;

use crate::cell::Cell;
use crate::stamp::MICROS_PER_DAY;

/// What the stored numbers or bytes of a column mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Meaning {
    Number,
    Unsigned,
    /// A decimal: the stored integer over this power of ten.
    Decimal(i32),
    Half,
    Text,
    Days,
    /// A time in units of so many per second, local if no zone is attached to it.
    Time {
        per_second: i64,
        local: bool,
    },
    Int96,
}

impl Meaning {
    /// The meaning of a column; `None` if its cells are no times, numbers or text, or several in a row.
    pub(crate) fn of(column: &ColumnDescriptor) -> Option<Self> {
        if column.max_rep_level() > 0 {
            return None;
        }
        let unit = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        };
        let annotated = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Timestamp(t)), _) => {
                Some(Self::Time { per_second: unit(&t.unit), local: !t.is_adjusted_to_u_t_c })
            }
            (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => Some(Self::Days),
            (Some(LogicalType::Decimal(d)), _) => Some(Self::Decimal(d.scale)),
            (Some(LogicalType::Integer(i)), _) if !i.is_signed => Some(Self::Unsigned),
            (Some(LogicalType::Float16), _) => Some(Self::Half),
            (None, ConvertedType::TIMESTAMP_MILLIS) => Some(Self::Time { per_second: 1_000, local: false }),
            (None, ConvertedType::TIMESTAMP_MICROS) => Some(Self::Time { per_second: 1_000_000, local: false }),
            (None, ConvertedType::DECIMAL) => Some(Self::Decimal(column.type_scale())),
            (
                None,
                ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64,
            ) => Some(Self::Unsigned),
            _ => None,
        };
        match (column.physical_type(), annotated) {
            (Physical::BOOLEAN | Physical::FLOAT | Physical::DOUBLE, _) => Some(Self::Number),
            (Physical::INT96, _) => Some(Self::Int96),
            (Physical::INT32 | Physical::INT64, meaning) => Some(meaning.unwrap_or(Self::Number)),
            (Physical::BYTE_ARRAY, Some(Self::Decimal(scale))) => Some(Self::Decimal(scale)),
            (Physical::BYTE_ARRAY, _) => Some(Self::Text),
            (Physical::FIXED_LEN_BYTE_ARRAY, meaning @ Some(Self::Decimal(_) | Self::Half)) => meaning,
            (Physical::FIXED_LEN_BYTE_ARRAY, _) => None,
        }
    }
}

enum Values {
    Bool(ColumnReaderImpl<::parquet::data_type::BoolType>, Vec<bool>),
    Int32(ColumnReaderImpl<::parquet::data_type::Int32Type>, Vec<i32>),
    Int64(ColumnReaderImpl<::parquet::data_type::Int64Type>, Vec<i64>),
    Int96(ColumnReaderImpl<::parquet::data_type::Int96Type>, Vec<Int96>),
    Float(ColumnReaderImpl<::parquet::data_type::FloatType>, Vec<f32>),
    Double(ColumnReaderImpl<::parquet::data_type::DoubleType>, Vec<f64>),
    Bytes(ColumnReaderImpl<::parquet::data_type::ByteArrayType>, Vec<ByteArray>),
    Fixed(ColumnReaderImpl<::parquet::data_type::FixedLenByteArrayType>, Vec<FixedLenByteArray>),
}

/// One column of one row group, read forward in batches.
pub(crate) struct Cells {
    meaning: Meaning,
    values: Values,
    full_level: i16,
    levels: Vec<i16>,
    /// Where the value of each row of the batch stands among the values; `None` is a null.
    ranks: Vec<Option<u32>>,
}

impl Cells {
    pub(crate) fn new(reader: ColumnReader, meaning: Meaning, column: &ColumnDescriptor) -> Self {
        let values = match reader {
            ColumnReader::BoolColumnReader(r) => Values::Bool(r, Vec::new()),
            ColumnReader::Int32ColumnReader(r) => Values::Int32(r, Vec::new()),
            ColumnReader::Int64ColumnReader(r) => Values::Int64(r, Vec::new()),
            ColumnReader::Int96ColumnReader(r) => Values::Int96(r, Vec::new()),
            ColumnReader::FloatColumnReader(r) => Values::Float(r, Vec::new()),
            ColumnReader::DoubleColumnReader(r) => Values::Double(r, Vec::new()),
            ColumnReader::ByteArrayColumnReader(r) => Values::Bytes(r, Vec::new()),
            ColumnReader::FixedLenByteArrayColumnReader(r) => Values::Fixed(r, Vec::new()),
        };
        Self { meaning, values, full_level: column.max_def_level(), levels: Vec::new(), ranks: Vec::new() }
    }

    /// Reads the next rows, up to `max_rows`; 0 at the end of the row group.
    pub(crate) fn next_batch(&mut self, max_rows: usize) -> Result<usize> {
        let levels = &mut self.levels;
        let (rows, values) = match &mut self.values {
            Values::Bool(reader, values) => batch(reader, values, levels, max_rows),
            Values::Int32(reader, values) => batch(reader, values, levels, max_rows),
            Values::Int64(reader, values) => batch(reader, values, levels, max_rows),
            Values::Int96(reader, values) => batch(reader, values, levels, max_rows),
            Values::Float(reader, values) => batch(reader, values, levels, max_rows),
            Values::Double(reader, values) => batch(reader, values, levels, max_rows),
            Values::Bytes(reader, values) => batch(reader, values, levels, max_rows),
            Values::Fixed(reader, values) => batch(reader, values, levels, max_rows),
        }?;
        self.ranks.clear();
        let mut rank = 0;
        for row in 0..rows {
            let present = self.full_level == 0 || self.levels.get(row) == Some(&self.full_level);
            self.ranks.push(present.then_some(rank));
            rank += u32::from(present);
        }
        if rank as usize != values {
            return Err(ParquetError::General(format!("{values} values for {rank} rows that are not null")));
        }
        Ok(rows)
    }

    /// The cell of row `row` of the batch.
    pub(crate) fn get(&self, row: usize) -> Cell<'_> {
        let Some(rank) = self.ranks.get(row).copied().flatten().map(|r| r as usize) else { return Cell::Empty };
        match &self.values {
            Values::Bool(_, values) => Cell::Int(i64::from(values[rank])),
            Values::Int32(_, values) => match self.meaning {
                Meaning::Unsigned => Cell::Int(i64::from(values[rank] as u32)),
                _ => self.integer(i64::from(values[rank])),
            },
            Values::Int64(_, values) => self.integer(values[rank]),
            Values::Int96(_, values) => int96(&values[rank]),
            Values::Float(_, values) => Cell::Float(f64::from(values[rank])),
            Values::Double(_, values) => Cell::Float(values[rank]),
            Values::Bytes(_, values) => self.bytes(values[rank].data()),
            Values::Fixed(_, values) => self.bytes(values[rank].data()),
        }
    }

    fn integer(&self, stored: i64) -> Cell<'static> {
        match self.meaning {
            Meaning::Unsigned if stored < 0 => Cell::Float(stored as u64 as f64),
            Meaning::Decimal(scale) => Cell::Float(stored as f64 / 10_f64.powi(scale)),
            Meaning::Days => Cell::Local(stored.saturating_mul(MICROS_PER_DAY)),
            Meaning::Time { per_second, local } => {
                let micros = match per_second {
                    1_000 => stored.saturating_mul(1_000),
                    1_000_000 => stored,
                    _ => stored.div_euclid(1_000),
                };
                if local { Cell::Local(micros) } else { Cell::Instant(micros) }
            }
            _ => Cell::Int(stored),
        }
    }

    fn bytes<'a>(&self, stored: &'a [u8]) -> Cell<'a> {
        match self.meaning {
            Meaning::Half => match stored {
                [low, high] => Cell::Float(half(u16::from_le_bytes([*low, *high]))),
                _ => Cell::Text(stored),
            },
            Meaning::Decimal(scale) => {
                // Two's complement, most significant byte first, of any length.
                let (sign, magnitude) = match stored.first() {
                    Some(first) if *first >= 0x80 => {
                        (-1.0, stored.iter().fold(0.0, |n, b| n * 256.0 + f64::from(!b)) + 1.0)
                    }
                    _ => (1.0, stored.iter().fold(0.0, |n, b| n * 256.0 + f64::from(*b))),
                };
                Cell::Float(sign * magnitude / 10_f64.powi(scale))
            }
            _ => Cell::text(stored),
        }
    }
}

fn batch<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    values: &mut Vec<T::T>,
    levels: &mut Vec<i16>,
    max_rows: usize,
) -> Result<(usize, usize)> {
    values.clear();
    levels.clear();
    let (rows, read, _) = reader.read_records(max_rows, Some(levels), None, values)?;
    Ok((rows, read.min(values.len())))
}

/// Nanoseconds within a day, and the Julian day, as older writers store instants.
fn int96(stored: &Int96) -> Cell<'static> {
    const JULIAN_DAY_OF_EPOCH: i64 = 2_440_588;
    let [low, high, day] = [stored.data()[0], stored.data()[1], stored.data()[2]].map(i64::from);
    let nanos = (high << 32) | low;
    Cell::Instant(((day - JULIAN_DAY_OF_EPOCH) * MICROS_PER_DAY).saturating_add(nanos.div_euclid(1_000)))
}

/// An IEEE 754 half-precision number.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f64::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        0x1f if fraction == 0.0 => f64::INFINITY,
        0x1f => f64::NAN,
        _ => (1.0 + fraction / 1_024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read_as_ieee_754_says() {
        for (bits, expected) in [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 5.960_464_477_539_063e-8), (0x7bff, 65_504.0)]
        {
            assert_eq!(half(bits), expected);
        }
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn an_int96_is_a_julian_day_and_nanoseconds() {
        let mut stored = Int96::new();
        stored.set_data(1_000_000, 0, 2_440_589);
        assert_eq!(int96(&stored), Cell::Instant(MICROS_PER_DAY + 1_000));
    }
}

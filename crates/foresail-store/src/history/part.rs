//! One day of samples of one service.
//!
//! Columns: `metric`, `time` and `interval` (microseconds), `value`, `quality`; sorted by time and then by metric.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use foresail_core::Sample;
use parquet::basic::{Encoding, LogicalType, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use serde::de::DeserializeOwned;

use crate::Error;
use crate::part::{PartEntry, PartReader, instant, properties, required, write_column};
use crate::state::{meant, word};

const COLUMNS: [&str; 5] = ["metric", "time", "interval", "value", "quality"];
const LAYOUT_KEY: &str = "foresail.history";
const LAYOUT: &str = "1";

/// The bytes of a part that holds `samples`. The same samples give the same bytes.
pub(super) fn encode(samples: &[Sample]) -> Result<Vec<u8>, ParquetError> {
    let value = ColumnPath::from(COLUMNS[3]);
    let properties = properties(LAYOUT_KEY, LAYOUT)?
        .set_column_dictionary_enabled(value.clone(), false)
        .set_column_encoding(value, Encoding::BYTE_STREAM_SPLIT);
    let text = || Some(LogicalType::String);
    let fields = vec![
        required(COLUMNS[0], Physical::BYTE_ARRAY, text())?,
        required(COLUMNS[1], Physical::INT64, instant())?,
        required(COLUMNS[2], Physical::INT64, None)?,
        required(COLUMNS[3], Physical::DOUBLE, None)?,
        required(COLUMNS[4], Physical::BYTE_ARRAY, text())?,
    ];
    let schema = Type::group_type_builder("samples").with_fields(fields).build()?;
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties.build()))?;
    let mut group = file.next_row_group()?;
    let words = |word: fn(&Sample) -> String| {
        samples.iter().map(|s| ByteArray::from(word(s).as_str())).collect::<Vec<ByteArray>>()
    };
    let numbers = |number: fn(&Sample) -> i64| samples.iter().map(number).collect::<Vec<i64>>();
    write_column::<ByteArrayType>(&mut group, &words(|s| word(&s.metric)))?;
    write_column::<Int64Type>(&mut group, &numbers(|s| s.time.as_micros()))?;
    write_column::<Int64Type>(&mut group, &numbers(|s| i64::try_from(s.interval.as_micros()).unwrap_or(i64::MAX)))?;
    write_column::<DoubleType>(&mut group, &samples.iter().map(|s| s.value).collect::<Vec<f64>>())?;
    write_column::<ByteArrayType>(&mut group, &words(|s| word(&s.quality)))?;
    group.close()?;
    file.into_inner()
}

/// The samples of a part, if it is what was written.
pub(super) fn read(path: &Path, entry: &PartEntry) -> Result<Vec<Sample>, Error> {
    let part = PartReader::open(path, entry)?;
    part.check(COLUMNS, LAYOUT_KEY, LAYOUT)?;
    let (times, intervals, values) = (part.times(1)?, part.integers(2)?, part.doubles(3)?);
    let words = part.texts(0)?.into_iter().zip(part.texts(4)?);
    let numbers = times.into_iter().zip(intervals).zip(values);
    let sample = |((metric, quality), ((time, interval), value)): ((String, String), ((_, i64), f64))| {
        Ok(Sample {
            metric: said(&part, &metric)?,
            time,
            interval: Duration::from_micros(interval.max(0) as u64),
            value,
            quality: said(&part, &quality)?,
        })
    };
    words.zip(numbers).map(sample).collect()
}

fn said<T: DeserializeOwned>(part: &PartReader<'_>, word: &str) -> Result<T, Error> {
    meant(word).map_err(|e| part.damaged(&e.to_string()))
}

//! One part of a feature store.
//!
//! Columns: `entity`, `event_time`, `available_at` (microseconds, UTC), then a 32-bit float for each feature. Floats are
//! split into byte streams before compression, since the high bytes of neighbours resemble each other.

use std::path::Path;
use std::sync::Arc;

use foresail_core::Timestamp;
use foresail_core::features::Schema;
use parquet::basic::{Encoding, LogicalType, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};

use super::StoredRow;
use crate::Error;
use crate::part::{PartEntry, PartReader, instant, properties, required, write_column};

/// Columns before the features.
const KEYS: [&str; 3] = ["entity", "event_time", "available_at"];
/// Key of the schema's hash in the file's metadata.
const SCHEMA_KEY: &str = "foresail.schema";

/// Entity, event time and availability of a row.
pub(super) type Key = (String, Timestamp, Timestamp);

/// The bytes of a part that holds `rows`.
pub(super) fn encode(schema: &Schema, rows: &[StoredRow]) -> Result<Vec<u8>, ParquetError> {
    let mut properties = properties(SCHEMA_KEY, schema.hash())?;
    for name in schema.names() {
        let column = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(column.clone(), false)
            .set_column_encoding(column, Encoding::BYTE_STREAM_SPLIT);
    }
    let mut file = SerializedFileWriter::new(Vec::new(), file_schema(schema)?, Arc::new(properties.build()))?;
    let mut group = file.next_row_group()?;
    let entities: Vec<ByteArray> = rows.iter().map(|r| ByteArray::from(r.entity.as_str())).collect();
    write_column::<ByteArrayType>(&mut group, &entities)?;
    let times = |time: fn(&StoredRow) -> Timestamp| rows.iter().map(|r| time(r).as_micros()).collect::<Vec<i64>>();
    write_column::<Int64Type>(&mut group, &times(|r| r.event_time))?;
    write_column::<Int64Type>(&mut group, &times(|r| r.available_at))?;
    for feature in 0..schema.width() {
        let values: Vec<f32> = rows.iter().map(|r| r.features[feature]).collect();
        write_column::<FloatType>(&mut group, &values)?;
    }
    group.close()?;
    file.into_inner()
}

fn file_schema(schema: &Schema) -> Result<Arc<Type>, ParquetError> {
    let mut fields = vec![
        required(KEYS[0], Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        required(KEYS[1], Physical::INT64, instant())?,
        required(KEYS[2], Physical::INT64, instant())?,
    ];
    for name in schema.names() {
        fields.push(required(name, Physical::FLOAT, None)?);
    }
    Type::group_type_builder("features").with_fields(fields).build().map(Arc::new)
}

/// A part whose columns are those of the schema.
pub(super) struct Part<'a>(PartReader<'a>);

impl<'a> Part<'a> {
    pub(super) fn open(path: &'a Path, entry: &PartEntry, schema: &Schema) -> Result<Self, Error> {
        let reader = PartReader::open(path, entry)?;
        reader.check(KEYS.into_iter().chain(schema.names()), SCHEMA_KEY, schema.hash())?;
        Ok(Self(reader))
    }

    /// Entity and times of every row.
    pub(super) fn keys(&self) -> Result<Vec<Key>, Error> {
        let (entities, events, available) = (self.0.texts(0)?, self.0.times(1)?, self.0.times(2)?);
        let times = events.into_iter().zip(available);
        Ok(entities.into_iter().zip(times).map(|(entity, (event, available))| (entity, event, available)).collect())
    }

    /// All values of feature number `feature`.
    pub(super) fn feature(&self, feature: usize) -> Result<Vec<f32>, Error> {
        self.0.floats(KEYS.len() + feature)
    }
}

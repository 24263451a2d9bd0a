//! One immutable Parquet file of rows.
//!
//! Columns: `entity`, `event_time`, `available_at` (microseconds, UTC), then a 32-bit float for each feature. Floats are
//! split into byte streams before compression, since the high bytes of neighbours resemble each other.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::sync::Arc;

use foresail_core::Timestamp;
use foresail_core::features::Schema;
use parquet::basic::{Compression, Encoding, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::StoredRow;
use super::manifest::PartEntry;
use crate::{Error, disk};

/// Columns before the features.
const KEYS: [&str; 3] = ["entity", "event_time", "available_at"];
/// Key of the schema's hash in the file's metadata.
const SCHEMA_KEY: &str = "foresail.schema";

/// Entity, event time and availability of a row.
pub(super) type Key = (String, Timestamp, Timestamp);

/// The bytes of a part that holds `rows`.
pub(super) fn encode(schema: &Schema, rows: &[StoredRow]) -> Result<Vec<u8>, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![KeyValue::new(SCHEMA_KEY.to_owned(), schema.hash().to_owned())]));
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
    let required = |name: &str, physical: Physical, logical: Option<LogicalType>| {
        Type::primitive_type_builder(name, physical)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    };
    let time = || Some(LogicalType::timestamp(true, TimeUnit::MICROS));
    let mut fields = vec![
        required(KEYS[0], Physical::BYTE_ARRAY, Some(LogicalType::String))?,
        required(KEYS[1], Physical::INT64, time())?,
        required(KEYS[2], Physical::INT64, time())?,
    ];
    for name in schema.names() {
        fields.push(required(name, Physical::FLOAT, None)?);
    }
    Type::group_type_builder("features").with_fields(fields).build().map(Arc::new)
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let too_many = || ParquetError::General("more columns written than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// A part that has the length, hash and columns its entry promises.
pub(super) struct Part<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    rows: usize,
}

impl<'a> Part<'a> {
    pub(super) fn open(path: &'a Path, entry: &PartEntry, schema: &Schema) -> Result<Self, Error> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).and_then(|_| file.rewind()).map_err(Error::io(path))?;
        if bytes.len() as u64 != entry.bytes {
            return Err(Error::damaged(path, &format!("{} bytes where {} were written", bytes.len(), entry.bytes)));
        }
        if disk::sha256(&[&bytes]) != entry.sha256 {
            return Err(Error::damaged(path, &"its checksum differs from the one in the manifest"));
        }
        let reader = SerializedFileReader::new(file).map_err(|e| Error::damaged(path, &e))?;
        let part = Self { path, reader, rows: entry.rows };
        part.check(schema)?;
        Ok(part)
    }

    fn check(&self, schema: &Schema) -> Result<(), Error> {
        let metadata = self.reader.metadata();
        let file = metadata.file_metadata();
        let names = file.schema_descr().columns().iter().map(|c| c.name().to_owned());
        if !names.eq(KEYS.iter().map(|k| (*k).to_owned()).chain(schema.names().map(str::to_owned))) {
            return Err(Error::damaged(self.path, &"its columns are not those of the schema"));
        }
        let noted = file.key_value_metadata().into_iter().flatten().find(|pair| pair.key == SCHEMA_KEY);
        if noted.and_then(|pair| pair.value.as_deref()) != Some(schema.hash()) {
            return Err(Error::damaged(self.path, &"it was written with another schema"));
        }
        if metadata.num_row_groups() != 1 || file.num_rows() != self.rows as i64 {
            let found = format!("{} rows where {} were written", file.num_rows(), self.rows);
            return Err(Error::damaged(self.path, &found));
        }
        Ok(())
    }

    /// Entity and times of every row.
    pub(super) fn keys(&self) -> Result<Vec<Key>, Error> {
        let entities = match self.column(0)? {
            ColumnReader::ByteArrayColumnReader(reader) => self.values(reader)?,
            _ => return Err(self.mistyped(0)),
        };
        let times = |column: usize| match self.column(column)? {
            ColumnReader::Int64ColumnReader(reader) => self.values(reader),
            _ => Err(self.mistyped(column)),
        };
        let (events, available) = (times(1)?, times(2)?);
        let key = |((entity, event), available): ((ByteArray, i64), i64)| {
            let entity = entity.as_utf8().map_err(|e| Error::damaged(self.path, &e))?.to_owned();
            Ok((entity, Timestamp::from_micros(event), Timestamp::from_micros(available)))
        };
        entities.into_iter().zip(events).zip(available).map(key).collect()
    }

    /// All values of feature number `feature`.
    pub(super) fn feature(&self, feature: usize) -> Result<Vec<f32>, Error> {
        match self.column(KEYS.len() + feature)? {
            ColumnReader::FloatColumnReader(reader) => self.values(reader),
            _ => Err(self.mistyped(KEYS.len() + feature)),
        }
    }

    fn column(&self, column: usize) -> Result<ColumnReader, Error> {
        let group = self.reader.get_row_group(0).map_err(|e| Error::damaged(self.path, &e))?;
        group.get_column_reader(column).map_err(|e| Error::damaged(self.path, &e))
    }

    fn mistyped(&self, column: usize) -> Error {
        Error::damaged(self.path, &format!("column {column} has another type than was written"))
    }

    fn values<T: DataType>(&self, mut reader: ColumnReaderImpl<T>) -> Result<Vec<T::T>, Error> {
        let mut values = Vec::with_capacity(self.rows);
        while values.len() < self.rows {
            let wanted = self.rows - values.len();
            let (read, ..) =
                reader.read_records(wanted, None, None, &mut values).map_err(|e| Error::damaged(self.path, &e))?;
            if read == 0 {
                return Err(Error::damaged(self.path, &format!("a column ends after {} values", values.len())));
            }
        }
        Ok(values)
    }
}

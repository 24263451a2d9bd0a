//! Immutable Parquet files: how one is written, and read only if it is what was written.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use foresail_core::Timestamp;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::Type;
use serde::{Deserialize, Serialize};

use crate::{Error, disk};

/// One part: its file within the store, and how to tell that it is intact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartEntry {
    pub(crate) file: String,
    pub(crate) rows: usize,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl PartEntry {
    /// The entry of a part with this content.
    pub(crate) fn of(file: String, rows: usize, content: &[u8]) -> Self {
        Self { file, rows, bytes: content.len() as u64, sha256: disk::sha256(&[content]) }
    }
}

/// Compressed, with statistics, and `value` under `key` in the file's metadata.
pub(crate) fn properties(key: &str, value: &str) -> Result<WriterPropertiesBuilder, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(vec![KeyValue::new(key.to_owned(), value.to_owned())])))
}

/// A column without gaps.
pub(crate) fn required(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
) -> Result<Arc<Type>, ParquetError> {
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

/// What microseconds since the epoch mean.
pub(crate) fn instant() -> Option<LogicalType> {
    Some(LogicalType::timestamp(true, TimeUnit::MICROS))
}

/// Writes the next column of a row group.
pub(crate) fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let too_many = || ParquetError::General("more columns written than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(too_many)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

/// A part of one row group that has the length, the hash and the rows its entry promises.
pub(crate) struct PartReader<'a> {
    path: &'a Path,
    reader: SerializedFileReader<File>,
    rows: usize,
}

impl<'a> PartReader<'a> {
    pub(crate) fn open(path: &'a Path, entry: &PartEntry) -> Result<Self, Error> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Error::damaged(path, &"missing, though the manifest lists it"));
            }
            opened => opened.map_err(Error::io(path))?,
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).and_then(|_| file.rewind()).map_err(Error::io(path))?;
        if bytes.len() as u64 != entry.bytes {
            return Err(Error::damaged(path, &format!("{} bytes where {} were written", bytes.len(), entry.bytes)));
        }
        if disk::sha256(&[&bytes]) != entry.sha256 {
            return Err(Error::damaged(path, &"its checksum differs from the one in the manifest"));
        }
        let reader = SerializedFileReader::new(file).map_err(|e| Error::damaged(path, &e))?;
        let metadata = reader.metadata();
        let found = metadata.file_metadata().num_rows();
        if metadata.num_row_groups() != 1 || found != entry.rows as i64 {
            return Err(Error::damaged(path, &format!("{found} rows where {} were written", entry.rows)));
        }
        Ok(Self { path, reader, rows: entry.rows })
    }

    /// Refuses a part of other columns, or of another value under `key` in its metadata.
    pub(crate) fn check<'b>(
        &self,
        columns: impl IntoIterator<Item = &'b str>,
        key: &str,
        value: &str,
    ) -> Result<(), Error> {
        let file = self.reader.metadata().file_metadata();
        let descriptor = file.schema_descr();
        if !descriptor.columns().iter().map(|c| c.name()).eq(columns) {
            return Err(self.damaged("its columns are not those of the schema"));
        }
        let noted = file.key_value_metadata().into_iter().flatten().find(|pair| pair.key == key);
        if noted.and_then(|pair| pair.value.as_deref()) != Some(value) {
            return Err(self.damaged("it was written with another schema"));
        }
        Ok(())
    }

    /// A column of text.
    pub(crate) fn texts(&self, column: usize) -> Result<Vec<String>, Error> {
        let ColumnReader::ByteArrayColumnReader(reader) = self.column(column)? else {
            return Err(self.mistyped(column));
        };
        let text = |bytes: ByteArray| bytes.as_utf8().map(str::to_owned).map_err(|e| Error::damaged(self.path, &e));
        self.values(reader)?.into_iter().map(text).collect()
    }

    /// A column of 64-bit integers.
    pub(crate) fn integers(&self, column: usize) -> Result<Vec<i64>, Error> {
        match self.column(column)? {
            ColumnReader::Int64ColumnReader(reader) => self.values(reader),
            _ => Err(self.mistyped(column)),
        }
    }

    /// A column of instants.
    pub(crate) fn times(&self, column: usize) -> Result<Vec<Timestamp>, Error> {
        Ok(self.integers(column)?.into_iter().map(Timestamp::from_micros).collect())
    }

    /// A column of 32-bit floats.
    pub(crate) fn floats(&self, column: usize) -> Result<Vec<f32>, Error> {
        match self.column(column)? {
            ColumnReader::FloatColumnReader(reader) => self.values(reader),
            _ => Err(self.mistyped(column)),
        }
    }

    /// A column of 64-bit floats.
    pub(crate) fn doubles(&self, column: usize) -> Result<Vec<f64>, Error> {
        match self.column(column)? {
            ColumnReader::DoubleColumnReader(reader) => self.values(reader),
            _ => Err(self.mistyped(column)),
        }
    }

    pub(crate) fn damaged(&self, what: &str) -> Error {
        Error::damaged(self.path, &what)
    }

    fn column(&self, column: usize) -> Result<ColumnReader, Error> {
        let group = self.reader.get_row_group(0).map_err(|e| Error::damaged(self.path, &e))?;
        group.get_column_reader(column).map_err(|e| Error::damaged(self.path, &e))
    }

    fn mistyped(&self, column: usize) -> Error {
        self.damaged(&format!("column {column} has another type than was written"))
    }

    fn values<T: DataType>(&self, mut reader: ColumnReaderImpl<T>) -> Result<Vec<T::T>, Error> {
        let mut values = Vec::with_capacity(self.rows);
        while values.len() < self.rows {
            let wanted = self.rows - values.len();
            let (read, ..) =
                reader.read_records(wanted, None, None, &mut values).map_err(|e| Error::damaged(self.path, &e))?;
            if read == 0 {
                return Err(self.damaged(&format!("a column ends after {} values", values.len())));
            }
        }
        Ok(values)
    }
}

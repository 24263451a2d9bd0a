//! Frames as files, readable by this crate and by anything else.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use ::parquet::data_type::{DoubleType, Int64Type};
use ::parquet::errors::{ParquetError, Result as ParquetResult};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::Type;
use foresail_core::{Column, Frame};

use crate::{Error, Place};

/// Name of the time column in what is written.
const TIME: &str = "timestamp";

/// Rows of a row group: enough to compress well, few enough to be read one group at a time.
const GROUP_ROWS: usize = 1 << 20;

/// Writes `timestamp` (RFC 3339, UTC) and a column a series; a gap is an empty cell. Numbers are written with the fewest
/// digits that read back as the same number.
///
/// # Errors
/// [`Error::Io`] from `writer`.
pub fn write_csv(frame: &Frame, writer: impl Write) -> Result<(), Error> {
    csv_rows(frame, writer).map_err(|source| failed("the CSV output", source))
}

fn csv_rows(frame: &Frame, writer: impl Write) -> io::Result<()> {
    let mut out = ::csv::Writer::from_writer(writer);
    out.write_field(TIME)?;
    out.write_record(frame.columns().iter().map(Column::name))?;
    let mut cell = String::new();
    for row in 0..frame.len() {
        write_cell(&mut out, &mut cell, frame.time(row))?;
        for column in frame.columns() {
            match column.get(row) {
                Some(value) => write_cell(&mut out, &mut cell, value)?,
                None => out.write_field([])?,
            }
        }
        out.write_record(None::<&[u8]>)?;
    }
    out.flush()
}

fn write_cell(out: &mut ::csv::Writer<impl Write>, cell: &mut String, value: impl std::fmt::Display) -> io::Result<()> {
    use std::fmt::Write as _;
    cell.clear();
    write!(cell, "{value}").map_err(io::Error::other)?;
    Ok(out.write_field(cell.as_bytes())?)
}

fn failed(file: &str, source: io::Error) -> Error {
    Error::Io { place: Place { file: file.to_owned(), ..Place::default() }, verb: "written", source }
}

/// Writes a Parquet file of zstd pages: `timestamp` as instants in microseconds and a nullable double a series; a gap
/// is a null.
///
/// # Errors
/// [`Error::Io`] where the file cannot be written.
pub fn write_parquet(frame: &Frame, path: &Path) -> Result<(), Error> {
    let file = path.display().to_string();
    let out = File::create(path).map_err(|e| failed(&file, e))?;
    parquet_rows(frame, out).map_err(|e| failed(&file, io::Error::other(e)))
}

fn parquet_rows(frame: &Frame, out: impl Write + Send) -> ParquetResult<()> {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(zstd).build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema(frame)?), Arc::new(properties))?;
    for first in (0..frame.len()).step_by(GROUP_ROWS) {
        let rows = first..frame.len().min(first + GROUP_ROWS);
        let mut group = writer.next_row_group()?;
        let stamps: Vec<i64> = rows.clone().map(|row| frame.time(row).as_micros()).collect();
        let mut column = group.next_column()?.ok_or_else(lost)?;
        column.typed::<Int64Type>().write_batch(&stamps, None, None)?;
        column.close()?;
        for series in frame.columns() {
            let levels: Vec<i16> = series.valid()[rows.clone()].iter().map(|&v| i16::from(v)).collect();
            let values: Vec<f64> = rows.clone().filter_map(|row| series.get(row)).collect();
            let mut column = group.next_column()?.ok_or_else(lost)?;
            column.typed::<DoubleType>().write_batch(&values, Some(&levels), None)?;
            column.close()?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn lost() -> ParquetError {
    ParquetError::General("the writer lost a column".to_owned())
}

fn schema(frame: &Frame) -> ParquetResult<Type> {
    let time = Type::primitive_type_builder(TIME, Physical::INT64)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::timestamp(true, TimeUnit::MICROS)))
        .build()?;
    let mut fields = vec![Arc::new(time)];
    for column in frame.columns() {
        let series =
            Type::primitive_type_builder(column.name(), Physical::DOUBLE).with_repetition(Repetition::OPTIONAL);
        fields.push(Arc::new(series.build()?));
    }
    Type::group_type_builder("series").with_fields(fields).build()
}

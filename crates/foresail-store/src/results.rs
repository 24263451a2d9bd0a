//! Tables of results: named rows of figures, as Parquet files that are there whole or not at all, the same bytes for the same
//! rows.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::record::Field;
use parquet::schema::types::Type;

use crate::{Error, disk};

/// The columns of a table of results: texts, then figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultSchema {
    /// Names of the columns of text.
    pub texts: Vec<String>,
    /// Names of the columns of figures, each a double that may be missing.
    pub figures: Vec<String>,
}

/// A row of results.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultRow {
    /// A text for each column of text.
    pub texts: Vec<String>,
    /// A figure for each column of figures.
    pub figures: Vec<Option<f64>>,
}

impl ResultSchema {
    fn parquet(&self) -> ParquetResult<Type> {
        let text = |name: &String| {
            Type::primitive_type_builder(name, Physical::BYTE_ARRAY)
                .with_repetition(Repetition::REQUIRED)
                .with_logical_type(Some(LogicalType::String))
                .build()
        };
        let figure = |name: &String| {
            Type::primitive_type_builder(name, Physical::DOUBLE).with_repetition(Repetition::OPTIONAL).build()
        };
        let fields = self.texts.iter().map(text).chain(self.figures.iter().map(figure));
        let fields = fields.map(|field| field.map(Arc::new)).collect::<ParquetResult<Vec<_>>>()?;
        Type::group_type_builder("results").with_fields(fields).build()
    }
}

/// Writes a table piece by piece; it takes its place when it is finished, and not before.
pub struct ResultWriter {
    schema: ResultSchema,
    path: PathBuf,
    unfinished: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl ResultWriter {
    /// Begins the file beside `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be made.
    pub fn create(path: &Path, schema: &ResultSchema) -> Result<Self, Error> {
        let unfinished = disk::unfinished(path);
        let file = File::create(&unfinished).map_err(Error::io(&unfinished))?;
        let start = || {
            let zstd = Compression::ZSTD(ZstdLevel::try_new(3)?);
            let properties = WriterProperties::builder().set_compression(zstd).build();
            SerializedFileWriter::new(file, Arc::new(schema.parquet()?), Arc::new(properties))
        };
        let writer = start().map_err(failed(&unfinished))?;
        Ok(Self { schema: schema.clone(), path: path.to_owned(), unfinished, writer })
    }

    /// Adds rows, as a row group of their own.
    ///
    /// # Errors
    /// [`Error::Io`] if they cannot be written.
    pub fn push(&mut self, rows: &[ResultRow]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        self.group(rows).map_err(failed(&self.unfinished))
    }

    fn group(&mut self, rows: &[ResultRow]) -> ParquetResult<()> {
        let lost = || ParquetError::General("the writer lost a column".to_owned());
        let mut group = self.writer.next_row_group()?;
        for i in 0..self.schema.texts.len() {
            let texts: Vec<ByteArray> = rows.iter().map(|row| ByteArray::from(row.texts[i].as_str())).collect();
            let mut column = group.next_column()?.ok_or_else(lost)?;
            column.typed::<ByteArrayType>().write_batch(&texts, None, None)?;
            column.close()?;
        }
        for i in 0..self.schema.figures.len() {
            let levels: Vec<i16> = rows.iter().map(|row| i16::from(row.figures[i].is_some())).collect();
            let figures: Vec<f64> = rows.iter().filter_map(|row| row.figures[i]).collect();
            let mut column = group.next_column()?.ok_or_else(lost)?;
            column.typed::<DoubleType>().write_batch(&figures, Some(&levels), None)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }

    /// Forces the table to disk and puts it into its place.
    ///
    /// # Errors
    /// [`Error::Io`] if that fails; the place is then as it was.
    pub fn finish(self) -> Result<(), Error> {
        let mut file = self.writer.into_inner().map_err(failed(&self.unfinished))?;
        file.flush().and_then(|()| file.sync_all()).map_err(Error::io(&self.unfinished))?;
        fs::rename(&self.unfinished, &self.path).map_err(Error::io(&self.path))?;
        self.path.parent().map_or(Ok(()), disk::sync_directory)
    }
}

/// Writes `rows` as the whole of `path`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_results(path: &Path, schema: &ResultSchema, rows: &[ResultRow]) -> Result<(), Error> {
    let mut writer = ResultWriter::create(path, schema)?;
    writer.push(rows)?;
    writer.finish()
}

/// Reads a whole table.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Damaged`] if it is no such table.
pub fn read_results(path: &Path, schema: &ResultSchema) -> Result<Vec<ResultRow>, Error> {
    let damaged = |error: ParquetError| Error::damaged(path, &error);
    let file = File::open(path).map_err(Error::io(path))?;
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let names = reader.metadata().file_metadata().schema_descr().columns().iter().map(|c| c.name().to_owned());
    if !names.eq(schema.texts.iter().chain(&schema.figures).cloned()) {
        return Err(Error::damaged(path, &"its columns are not those of the results"));
    }
    let mut rows = Vec::new();
    for record in reader.get_row_iter(None).map_err(damaged)? {
        let mut row = ResultRow { texts: Vec::new(), figures: Vec::new() };
        for (name, field) in record.map_err(damaged)?.into_columns() {
            match field {
                Field::Str(text) => row.texts.push(text),
                Field::Double(figure) => row.figures.push(Some(figure)),
                Field::Null => row.figures.push(None),
                _ => return Err(Error::damaged(path, &format!("column {name} has another type than was written"))),
            }
        }
        if (row.texts.len(), row.figures.len()) != (schema.texts.len(), schema.figures.len()) {
            return Err(Error::damaged(path, &"a column has another type than was written"));
        }
        rows.push(row);
    }
    Ok(rows)
}

fn failed(path: &Path) -> impl Fn(ParquetError) -> Error {
    let path = path.to_owned();
    move |error| Error::Io { path: path.clone(), source: std::io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> ResultSchema {
        ResultSchema { texts: vec!["series".into(), "error".into()], figures: vec!["mase".into(), "wql".into()] }
    }

    fn row(series: &str, mase: Option<f64>) -> ResultRow {
        ResultRow { texts: vec![series.into(), String::new()], figures: vec![mase, Some(0.1)] }
    }

    #[test]
    fn what_was_written_is_read_and_the_same_rows_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let rows = [row("größer", Some(1.5)), row("b", None)];
        let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
        paths.iter().for_each(|path| write_results(path, &schema(), &rows).unwrap());
        assert_eq!(read_results(&paths[0], &schema()).unwrap(), rows);
        assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing unfinished is left");
    }

    #[test]
    fn a_table_is_not_there_before_it_is_finished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let mut writer = ResultWriter::create(&path, &schema()).unwrap();
        writer.push(&[row("a", None)]).unwrap();
        assert!(!path.exists());
        writer.push(&[row("b", None)]).unwrap();
        writer.finish().unwrap();
        assert_eq!(read_results(&path, &schema()).unwrap().len(), 2);
    }

    #[test]
    fn what_is_no_such_table_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        assert!(matches!(read_results(&path, &schema()), Err(Error::Io { .. })));
        fs::write(&path, b"PAR1 not really").unwrap();
        assert!(matches!(read_results(&path, &schema()), Err(Error::Damaged { .. })));
        write_results(&path, &schema(), &[row("a", None)]).unwrap();
        let other = ResultSchema { figures: vec!["mase".into()], ..schema() };
        assert!(matches!(read_results(&path, &other), Err(Error::Damaged { .. })));
    }
}

//! Apache Parquet: flat columns of times, numbers or text, uncompressed, snappy or zstd inside.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::basic::Compression;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescPtr;

use crate::clock::Clock;
use crate::parquet_cells::{Cells, Meaning};
use crate::read::Input;
use crate::schema::{self, Offer, Profile, SAMPLE_ROWS};
use crate::table::{Samples, Table, TableBuilder};
use crate::{At, Error};

const BATCH_ROWS: usize = 8_192;

/// Reads the chosen columns, a batch of rows at a time; the others are never decoded past the sample.
///
/// # Errors
/// See [`Error`]; positions are rows.
pub(crate) fn read(input: &Input<'_>, bytes: Box<dyn Read>) -> Result<Table, Error> {
    // The library asserts things that a damaged file can contradict. Nothing outlives the attempt, so it is safe to go
    // on from there, and to the caller it is damage like any other.
    catch_unwind(AssertUnwindSafe(|| read_columns(input, bytes))).unwrap_or_else(|_| {
        let error = ParquetError::General("it contradicts itself".to_owned());
        Err(damaged(input, At::Whole, None, &error))
    })
}

fn read_columns(input: &Input<'_>, bytes: Box<dyn Read>) -> Result<Table, Error> {
    let damaged = |error| damaged(input, At::Whole, None, &error);
    let (reader, length): (Box<dyn FileReader>, u64) = match &input.seekable {
        Some(path) => {
            let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
            let (length, file) =
                opened.map_err(|source| Error::Io { place: input.place(At::Whole, None), verb: "read", source })?;
            (Box::new(SerializedFileReader::new(file).map_err(damaged)?), length)
        }
        None => {
            let all = bytes::Bytes::from(input.read_all(bytes)?);
            let length = all.len() as u64;
            (Box::new(SerializedFileReader::new(all).map_err(damaged)?), length)
        }
    };
    let columns = reader.metadata().file_metadata().schema_descr_ptr().columns().to_vec();
    let file = Groups { input, reader: reader.as_ref(), length, columns };

    let schema = schema::choose(input.file, At::Whole, &file.offers()?, input.options)?;
    let meanings = file.meanings(schema.time, &schema.values)?;
    let samples = schema.values.iter().map(|&i| Samples::named(file.name(i))).collect();
    let clock = Clock::new(schema.form, &input.options.zone);
    let mut table = TableBuilder::new(input.file, At::Whole, file.name(schema.time), clock, samples, input.options);
    let mut row = 0;
    for group in 0..reader.num_row_groups() {
        let group = file.group(group)?;
        let mut cells = Vec::new();
        for &(column, meaning) in &meanings {
            cells.push(file.cells(group.as_ref(), column, meaning)?);
        }
        loop {
            let mut rows = None;
            for (cells, &(column, _)) in cells.iter_mut().zip(&meanings) {
                let read =
                    cells.next_batch(BATCH_ROWS).map_err(|e| file.damaged_column(At::Row(row + 1), column, &e))?;
                if *rows.get_or_insert(read) != read {
                    let error = ParquetError::General("its number of rows differs from the time column's".to_owned());
                    return Err(file.damaged_column(At::Row(row + 1), column, &error));
                }
            }
            let rows = rows.unwrap_or(0);
            if rows == 0 {
                break;
            }
            let (time, values) = cells.split_first().expect("the time column is always among them");
            for i in 0..rows {
                row += 1;
                table.row(At::Row(row), time.get(i), |v| values[v].get(i))?;
            }
        }
    }
    Ok(table.finish())
}

fn damaged(input: &Input<'_>, at: At, column: Option<&str>, error: &ParquetError) -> Error {
    let place = input.place(at, column);
    let found = match error {
        ParquetError::General(cause) | ParquetError::EOF(cause) => cause.clone(),
        ParquetError::External(cause) => cause.to_string(),
        other => other.to_string(),
    };
    Error::BadFormat { place, found, expected: "a whole and undamaged Parquet file" }
}

/// A file's row groups and columns.
struct Groups<'a> {
    input: &'a Input<'a>,
    reader: &'a dyn FileReader,
    /// Bytes of the file.
    length: u64,
    columns: Vec<ColumnDescPtr>,
}

impl Groups<'_> {
    fn name(&self, column: usize) -> String {
        self.columns[column].path().string()
    }

    fn damaged_column(&self, at: At, column: usize, error: &ParquetError) -> Error {
        damaged(self.input, at, Some(&self.name(column)), error)
    }

    fn group(&self, index: usize) -> Result<Box<dyn RowGroupReader + '_>, Error> {
        self.reader.get_row_group(index).map_err(|e| damaged(self.input, At::Whole, None, &e))
    }

    fn cells(&self, group: &dyn RowGroupReader, column: usize, meaning: Meaning) -> Result<Cells, Error> {
        let damage = |what: &str| self.damaged_column(At::Whole, column, &ParquetError::General(what.to_owned()));
        let chunk = group.metadata().columns().get(column).ok_or_else(|| damage("a row group lacks it"))?;
        let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()));
        let end = start.ok().zip(u64::try_from(chunk.compressed_size()).ok()).and_then(|(s, n)| s.checked_add(n));
        if end.is_none_or(|end| end > self.length) {
            return Err(damage("its pages lie outside the file"));
        }
        let compression = chunk.compression();
        if !matches!(compression, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_)) {
            return Err(Error::BadFormat {
                place: self.input.place(At::Whole, Some(&self.name(column))),
                found: format!("its pages are compressed with {compression}"),
                expected: "pages that are uncompressed or compressed with snappy or zstd",
            });
        }
        let reader = group.get_column_reader(column).map_err(|e| self.damaged_column(At::Whole, column, &e))?;
        Ok(Cells::new(reader, meaning, &self.columns[column]))
    }

    /// All columns with a sample of their cells; those that cannot be read are offered empty.
    fn offers(&self) -> Result<Vec<Offer>, Error> {
        let first = (0..self.reader.num_row_groups()).find(|&g| self.reader.metadata().row_group(g).num_rows() > 0);
        let group = first.map(|g| self.group(g)).transpose()?;
        let mut offers = Vec::new();
        for (index, column) in self.columns.iter().enumerate() {
            let mut profile = Profile::default();
            if let Some((group, meaning)) = group.as_ref().zip(Meaning::of(column)) {
                // A column that nobody chooses may be damaged: what is chosen is read again, and answers for itself.
                if let Ok(mut cells) = self.cells(group.as_ref(), index, meaning)
                    && let Ok(rows) = cells.next_batch(SAMPLE_ROWS)
                {
                    profile = Profile::of((0..rows).map(|i| cells.get(i)));
                }
            }
            offers.push(Offer { name: self.name(index), profile });
        }
        Ok(offers)
    }

    /// The time column, then the value columns, each with its meaning.
    fn meanings(&self, time: usize, values: &[usize]) -> Result<Vec<(usize, Meaning)>, Error> {
        let mut meanings = Vec::new();
        for &column in std::iter::once(&time).chain(values) {
            let meaning = Meaning::of(&self.columns[column]).ok_or_else(|| Error::UnusableColumn {
                place: self.input.place(At::Whole, Some(&self.name(column))),
                found: "lists or raw bytes",
                expected: "one time, number or text a row",
            })?;
            meanings.push((column, meaning));
        }
        Ok(meanings)
    }
}

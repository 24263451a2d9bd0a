//! From a source to a frame: opens, decompresses, recognises the format and hands over to its reader.

use std::io::{Cursor, Read};
use std::path::PathBuf;

use foresail_core::Frame;

use crate::decompress::{decompress, read_error, read_head};
use crate::{At, Codec, Error, Format, Place, Quality, ReadOptions, Source, assemble, csv, parquet, prometheus};

/// A series and how it came about.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// The values on a regular grid.
    pub frame: Frame,
    /// What was found and repaired.
    pub quality: Quality,
}

/// What every reader is told of its input.
pub(crate) struct Input<'a> {
    pub(crate) file: &'a str,
    pub(crate) codec: Codec,
    /// The file itself, where it is uncompressed and can be sought in.
    pub(crate) seekable: Option<PathBuf>,
    pub(crate) options: &'a ReadOptions,
}

impl Input<'_> {
    pub(crate) fn place(&self, at: At, column: Option<&str>) -> Place {
        Place { file: self.file.to_owned(), at, column: column.map(str::to_owned) }
    }

    /// All of `bytes`, for formats that cannot be read from the front.
    pub(crate) fn read_all(&self, mut bytes: Box<dyn Read>) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        bytes
            .read_to_end(&mut all)
            .map_err(|e| read_error(self.place(At::Whole, None), self.codec, self.options.max_bytes, e))?;
        Ok(all)
    }
}

/// Reads `source` into a frame by the rules that `options` state.
///
/// CSV is read row by row; Parquet by row group, from the file itself if it is not compressed as a whole; Prometheus
/// JSON in one piece. The time is linear in the input, and times n log n where rows are out of order.
///
/// # Errors
/// See [`Error`]: the first thing that cannot be understood, with its place and what was expected there.
pub fn read(source: impl Into<Source>, options: &ReadOptions) -> Result<Ingested, Error> {
    options.check()?;
    let source = source.into();
    let file = source.name();
    let whole = || Place { file: file.clone(), ..Place::default() };
    let (raw, seekable) = source.open().map_err(|source| Error::Io { place: whole(), verb: "read", source })?;
    let (codec, mut bytes) =
        decompress(raw, options.max_bytes).map_err(|source| Error::Io { place: whole(), verb: "read", source })?;
    let head = read_head(&mut bytes, 64).map_err(|e| read_error(whole(), codec, options.max_bytes, e))?;
    let format = options.format.unwrap_or_else(|| format_of(&head, &file));
    let bytes: Box<dyn Read> = Box::new(Cursor::new(head).chain(bytes));
    let input = Input { file: &file, codec, seekable: seekable.filter(|_| codec == Codec::Plain), options };
    let table = match format {
        Format::Csv => csv::read(&input, bytes)?,
        Format::Parquet => parquet::read(&input, bytes)?,
        Format::Prometheus => prometheus::read(&input, bytes)?,
    };
    assemble::assemble(&input, format, table)
}

/// The format of a (decompressed) input: by its first bytes, else by the ending of its name, else CSV.
fn format_of(head: &[u8], file: &str) -> Format {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if head.starts_with(b"PAR1") {
        return Format::Parquet;
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return Format::Prometheus;
    }
    let name = file.to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|e| name.strip_suffix(e)).unwrap_or(&name);
    match name.rsplit('.').next() {
        Some("parquet" | "pq") => Format::Parquet,
        Some("json") => Format::Prometheus,
        _ => Format::Csv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_the_format_before_the_name_does() {
        for (head, file, expected) in [
            (&b"PAR1...."[..], "x.csv", Format::Parquet),
            (b"\xef\xbb\xbf {\"status\"", "x.csv", Format::Prometheus),
            (b"timestamp,value", "x.parquet", Format::Parquet),
            (b"timestamp,value", "x.PQ.gz", Format::Parquet),
            (b"oops", "x.json.zst", Format::Prometheus),
            (b"timestamp,value", "standard input", Format::Csv),
            (b"", "x.csv.gz", Format::Csv),
        ] {
            assert_eq!(format_of(head, file), expected, "{file}");
        }
    }
}

//! Wide files: a series a line, its name first, its values after it, as the M4 competition published its data.

use ::csv::{ByteRecord, ReaderBuilder};

use crate::cell::{Cell, Number};
use crate::csv::Records;
use crate::decompress::decompress;
use crate::read::Input;
use crate::{At, Error, Place, ReadOptions, Source};

/// A line of a wide file.
#[derive(Clone, Debug, PartialEq)]
pub struct WideSeries {
    /// The first cell.
    pub name: String,
    /// The other cells, up to the last that is filled; an empty cell between filled ones is a gap.
    pub values: Vec<Option<f64>>,
}

/// Reads a wide file: a header line, which is passed over, then a series a line, of as many values as it has; shorter ones
/// may be filled up with empty cells. Quotes, compression and spellings of nothing are those of [`read`](crate::read). Of
/// `options`, the separator (a comma if none is given) and the bounds on bytes and cells count.
///
/// # Errors
/// See [`Error`]; a cell that is no number is named by its line and the header above it.
pub fn read_wide(source: impl Into<Source>, options: &ReadOptions) -> Result<Vec<WideSeries>, Error> {
    options.check()?;
    let source = source.into();
    let file = source.name();
    let failed = |source| Error::Io { place: Place { file: file.clone(), ..Place::default() }, verb: "read", source };
    let (raw, _) = source.open().map_err(failed)?;
    let (codec, bytes) = decompress(raw, options.max_bytes).map_err(failed)?;
    let input = Input { file: &file, codec, seekable: None, options };
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(options.delimiter.unwrap_or(b','))
        .from_reader(bytes);
    let mut records = Records { reader, input: &input, line: 1 };
    let mut header = ByteRecord::new();
    if !records.next(&mut header)? {
        let place = input.place(At::Line(1), None);
        let found = "the input is empty".to_owned();
        return Err(Error::BadFormat { place, found, expected: "a header line and a line a series" });
    }
    let (mut all, mut cells, mut record) = (Vec::new(), 0, ByteRecord::new());
    while records.next(&mut record)? {
        let at = At::Line(records.line);
        cells += record.len();
        if cells > options.max_cells {
            return Err(Error::TooManyCells { place: input.place(at, None), max_cells: options.max_cells });
        }
        all.push(series(&input, at, &header, &record)?);
    }
    Ok(all)
}

fn series(input: &Input<'_>, at: At, header: &ByteRecord, record: &ByteRecord) -> Result<WideSeries, Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes.trim_ascii()).into_owned();
    let mut values = Vec::with_capacity(record.len());
    for (i, bytes) in record.iter().enumerate().skip(1) {
        let cell = Cell::text(bytes);
        values.push(match cell.number() {
            Number::Finite(value) => Some(value),
            Number::NonFinite | Number::Empty => None,
            Number::Bad => {
                let column = header.get(i).map_or_else(|| format!("column{}", i + 1), text);
                return Err(Error::BadNumber { place: input.place(at, Some(&column)), found: cell.shown() });
            }
        });
    }
    values.truncate(values.iter().rposition(Option::is_some).map_or(0, |last| last + 1));
    Ok(WideSeries { name: record.get(0).map(text).unwrap_or_default(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<WideSeries>, String> {
        read_wide(Source::bytes("wide.csv", text), &ReadOptions::default()).map_err(|e| e.to_string())
    }

    #[test]
    fn each_line_is_a_series_of_its_own_length() {
        let got =
            read("\"V1\",\"V2\",\"V3\",\"V4\"\n\"H1\",\"605\",\"586.5\",\"\"\n\"H2\",NA,\"3\"\n\"H3\"\n").unwrap();
        let expected = [("H1", vec![Some(605.0), Some(586.5)]), ("H2", vec![None, Some(3.0)]), ("H3", vec![])];
        let expected = expected.map(|(name, values)| WideSeries { name: name.into(), values });
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_no_number_is_named() {
        let said = read("V1,V2,V3\nH1,5,7\nH2,5,many\n").unwrap_err();
        assert!(said.starts_with("wide.csv, line 3, column \"V3\": \"many\" is not a number"), "{said}");
        let said = read("").unwrap_err();
        assert!(said.contains("the input is empty"), "{said}");
        let bounded = ReadOptions { max_cells: 3, ..ReadOptions::default() };
        assert!(read_wide(Source::bytes("wide.csv", "a,b\nH1,5\nH2,5\n"), &bounded).is_err());
    }
}

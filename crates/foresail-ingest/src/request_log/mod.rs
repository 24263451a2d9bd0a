//! Logs of single requests: combined access logs, JSON lines, CSV.

mod combined;
mod fields;

use std::io::{self, BufRead, BufReader, Read};

use foresail_core::Timestamp;
use serde_json::Value;

use crate::decompress::{decompress, read_error};
use crate::error::shown;
use crate::{At, Codec, Error, Place, Source};
use fields::{Fields, epoch, names_time};

/// Longest line looked at, bytes; what follows in it is passed over.
const LONGEST: u64 = 64 * 1024;
/// Unreadable lines after which a log without a readable one is refused.
const PATIENCE: u64 = 1_000;

/// One request of a log.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedRequest {
    /// When it came; logs that tell only when it was over tell that.
    pub time: Timestamp,
    /// Its method, empty if the log does not say.
    pub method: String,
    /// Its path, with the query if the log has it.
    pub target: String,
    /// The status it was answered with; 0 if the log does not say.
    pub status: u16,
    /// How long it took, milliseconds.
    pub latency_ms: Option<f64>,
    /// Bytes of the answer.
    pub sent_bytes: Option<f64>,
    /// Bytes of the request.
    pub received_bytes: Option<f64>,
    /// What it cost, in the unit of the log.
    pub cost: Option<f64>,
}

/// What became of the lines of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuality {
    /// Requests read.
    pub requests: u64,
    /// Lines that are no request, passed over.
    pub unreadable: u64,
    /// The first of them, from 1.
    pub first_unreadable: Option<u64>,
}

/// How a log is written.
enum Form {
    Combined,
    Json,
    /// CSV with these columns.
    Csv(Vec<String>),
}

/// Hands every request of a log to `take`, in the order of the lines. The form is told from the first line: a JSON object a line
/// (Foresail's own access log, or any with common names), CSV with a header, else the common or combined format, with the
/// duration behind it if there is one (seconds with a decimal point as nginx writes `$request_time`, else microseconds, as
/// Apache writes `%D`). Plain, gzipped or zstd-compressed. Lines that are no request are passed over and counted.
///
/// # Errors
/// [`Error::Io`], [`Error::Compression`], [`Error::TooManyBytes`] beyond `max_bytes` once decompressed; [`Error::BadFormat`] if
/// no line of the first thousand, or of all, is a request.
pub fn read_requests(source: Source, max_bytes: u64, mut take: impl FnMut(LoggedRequest)) -> Result<LogQuality, Error> {
    let mut place = Place { file: source.name(), ..Place::default() };
    let fail = |place: &Place, codec, source| read_error(place.clone(), codec, max_bytes, source);
    let (raw, _) = source.open().map_err(|e| fail(&place, Codec::Plain, e))?;
    let (codec, reader) = decompress(raw, max_bytes).map_err(|e| fail(&place, Codec::Plain, e))?;
    let mut reader = BufReader::new(reader);
    let mut quality = LogQuality::default();
    let (mut form, mut line, mut number) = (None, Vec::new(), 0);
    loop {
        number += 1;
        place.at = At::Line(number);
        if !read_line(&mut reader, &mut line).map_err(|e| fail(&place, codec, e))? {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim().trim_start_matches('\u{feff}');
        if text.is_empty() {
            continue;
        }
        if form.is_none() {
            let found = Form::of(text);
            let is_header = matches!(found, Form::Csv(_));
            form = Some(found);
            if is_header {
                continue;
            }
        }
        match form.as_ref().and_then(|form| form.request(text)) {
            Some(request) => {
                quality.requests += 1;
                take(request);
            }
            None => {
                quality.unreadable += 1;
                quality.first_unreadable.get_or_insert(number);
                if quality.requests == 0 && quality.unreadable >= PATIENCE {
                    return Err(no_request(place, &line));
                }
            }
        }
    }
    if quality.requests == 0 {
        place.at = At::Line(quality.first_unreadable.unwrap_or(1));
        return Err(no_request(place, &line));
    }
    Ok(quality)
}

fn no_request(place: Place, line: &[u8]) -> Error {
    let expected = "a combined access log, JSON lines or CSV, each with a time and a path (or pattern)";
    Error::BadFormat { place, found: format!("no request in {:?}", shown(line)), expected }
}

/// Reads a line, without its end, up to a bound; false at the end of the input.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    reader.by_ref().take(LONGEST).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 == LONGEST {
        reader.skip_until(b'\n')?;
    }
    Ok(!line.is_empty() || !reader.fill_buf()?.is_empty())
}

impl Form {
    fn of(first: &str) -> Self {
        if first.starts_with('{') {
            return Self::Json;
        }
        let names = cells(first);
        let is_header = names.len() > 1 && !first.contains('[') && names_time(&names);
        if is_header { Self::Csv(names) } else { Self::Combined }
    }

    fn request(&self, line: &str) -> Option<LoggedRequest> {
        match self {
            Self::Combined => combined::request(line),
            Self::Json => {
                let Ok(Value::Object(object)) = serde_json::from_str::<Value>(line) else { return None };
                Fields::new(|name| match object.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                })
                .request()
            }
            Self::Csv(names) => {
                let row = cells(line);
                Fields::new(|name| {
                    let at = names.iter().position(|n| n.eq_ignore_ascii_case(name))?;
                    row.get(at).filter(|cell| !cell.is_empty()).cloned()
                })
                .request()
            }
        }
    }
}

/// The cells of one line of CSV.
fn cells(line: &str) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok);
    record.map_or_else(Vec::new, |record| record.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// A time as a log writes it: a text, or a number since 1970 whose unit its size tells.
fn time(text: &str) -> Option<Timestamp> {
    match text.parse::<f64>() {
        Ok(number) => epoch(number),
        Err(_) => Timestamp::parse(text).ok(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<(Vec<LoggedRequest>, LogQuality), String> {
        let mut requests = Vec::new();
        let quality = read_requests(Source::bytes("a.log", text), 1 << 20, |r| requests.push(r));
        quality.map(|quality| (requests, quality)).map_err(|e| e.to_string())
    }

    fn request(target: &str, latency_ms: Option<f64>, sent_bytes: Option<f64>) -> LoggedRequest {
        LoggedRequest {
            time: Timestamp::parse("2026-03-01T12:00:00Z").unwrap(),
            method: "GET".into(),
            target: target.into(),
            status: 200,
            latency_ms,
            sent_bytes,
            received_bytes: None,
            cost: None,
        }
    }

    #[test]
    fn each_form_is_recognised() {
        let combined = "1.2.3.4 - - [01/Mar/2026:13:00:00 +0100] \"GET /a?b HTTP/1.1\" 200 17 \"-\" \"q\\x22uote\"\n";
        assert_eq!(read(combined).unwrap().0, [request("/a?b", None, Some(17.0))]);
        let common = "h - u [01/Mar/2026:12:00:00 +0000] \"GET /a HTTP/1.0\" 200 -\n";
        assert_eq!(read(common).unwrap().0, [request("/a", None, None)]);
        let timed = "h - - [01/Mar/2026:12:00:00 +0000] \"GET /a HTTP/1.0\" 200 5 \"-\" \"x\"";
        assert_eq!(read(&format!("{timed} 0.250\n")).unwrap().0, [request("/a", Some(250.0), Some(5.0))]);
        assert_eq!(read(&format!("{timed} 250000\n")).unwrap().0, [request("/a", Some(250.0), Some(5.0))]);
        let json = r#"{"time":"2026-03-01T12:00:00Z","method":"GET","target":"/a","status":200,"sent_bytes":17,"total_ms":5.5}"#;
        assert_eq!(read(json).unwrap().0, [request("/a", Some(5.5), Some(17.0))]);
        let csv = "Timestamp,method,path,status,duration_s,bytes\n1772366400,GET,\"/a,b\",200,0.5,17\n1772366400000,GET,/c,200,,\n";
        assert_eq!(read(csv).unwrap().0, [request("/a,b", Some(500.0), Some(17.0)), request("/c", None, None)]);
    }

    #[test]
    fn what_is_no_request_is_counted_and_nothing_but_that_is_refused() {
        let text = "\nh - - [01/Mar/2026:12:00:00 +0000] \"GET /a HTTP/1.0\" 200 5\nnonsense\n[] \"\" \n";
        let (requests, quality) = read(text).unwrap();
        assert_eq!((requests.len(), quality.unreadable, quality.first_unreadable), (1, 2, Some(3)));
        let message = read("nonsense\n").unwrap_err();
        assert!(message.starts_with("a.log, line 1: no request in"), "{message}");
        assert!(read("").is_err() && read("time,path\n").is_err());
    }

    proptest! {
        /// No bytes make it panic, and no more is read than there is.
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), head in 0..4_usize) {
            let head: &[u8] = [&b""[..], b"{\"time\":1,\"path\":\"/\"}\n{", b"time,path\n", b"h - - [01/Mar/2026:12:00:00 +0000] \""][head];
            let bytes = [head, &bytes].concat();
            let lines = bytes.iter().filter(|b| **b == b'\n').count() as u64 + 1;
            let mut count = 0;
            if let Ok(quality) = read_requests(Source::bytes("a", bytes), 1 << 20, |_| count += 1) {
                prop_assert_eq!(quality.requests, count);
                prop_assert!(quality.requests + quality.unreadable <= lines);
            }
        }
    }
}

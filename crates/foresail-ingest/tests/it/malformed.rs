//! What people are told about files that cannot be read: one snapshot a format, one line a file.

use std::fmt::Write;
use std::time::Duration;

use foresail_ingest::{Aggregation, EpochUnit, Format, ReadOptions};

use crate::{csv_of, gzip, parquet_of, read_bytes, sample_frame, values, zstd};

/// A line for each case: its name and the error it meets.
fn errors(cases: Vec<(&str, &str, Vec<u8>, ReadOptions)>) -> String {
    let mut out = String::new();
    for (case, file, bytes, options) in cases {
        let error = read_bytes(file, bytes, &options).map(|got| got.quality).expect_err(case);
        writeln!(out, "{case}\n    {error}").unwrap();
    }
    out
}

#[test]
fn csv() {
    let text = |case: &'static str, text: &str| (case, "load.csv", text.as_bytes().to_vec(), ReadOptions::default());
    let with = |case: &'static str, options, text: &str| (case, "load.csv", text.as_bytes().to_vec(), options);
    let raw = |case: &'static str, bytes: &[u8]| (case, "load.csv", bytes.to_vec(), ReadOptions::default());
    let good = "timestamp,requests,errors\n2026-03-01T00:00:00Z,5,0\n2026-03-01T00:01:00Z,7,1\n";
    let seconds = |unit| ReadOptions { epoch_unit: Some(unit), ..ReadOptions::default() };
    let out = errors(vec![
        text("an empty file", ""),
        text("blank lines only", "\n\n\n"),
        text("a header only", "timestamp,requests\n"),
        text("one row", "timestamp,requests\n2026-03-01T00:00:00Z,5\n"),
        text("a word for a number", "timestamp,requests\n2026-03-01T00:00:00Z,5\n2026-03-01T00:01:00Z,many\n"),
        text("a number with a unit", "timestamp,ms\n2026-03-01T00:00:00Z,5\n2026-03-01T00:01:00Z,12ms\n"),
        text("a thousands separator", "timestamp,requests\n2026-03-01T00:00:00Z,5\n2026-03-01T00:01:00Z,\"1,234\"\n"),
        text("a decimal comma", "timestamp;requests\n2026-03-01T00:00:00Z;5\n2026-03-01T00:01:00Z;1,5\n"),
        text("a word for a time", "timestamp,requests\n2026-03-01T00:00:00Z,5\nyesterday,7\n"),
        text("no time in a row", "timestamp,requests\n2026-03-01T00:00:00Z,5\n,7\n"),
        text("a day that is not", "timestamp,requests\n2026-02-28,5\n2026-02-30,7\n"),
        text("a null date", "timestamp,requests\n2026-03-01T00:00:00Z,5\n0001-01-01T00:00:00Z,7\n"),
        text("slashes in dates", "date,requests\n03/01/2026,5\n03/02/2026,7\n"),
        text("a time of day only", "time,requests\n00:00:00,5\n00:01:00,7\n"),
        text("text among epochs", "ts,value\n1633478400,5\n1633478460,6\n2021-10-06T00:02:00Z,7\n"),
        with("epochs in another unit", seconds(EpochUnit::Seconds), "ts,value\n1633478400000,5\n1633478460000,6\n"),
        text("too few cells", "timestamp,a,b\n2026-03-01T00:00:00Z,5,6\n2026-03-01T00:01:00Z,7\n"),
        text("too many cells", "timestamp,a\n2026-03-01T00:00:00Z,5\n2026-03-01T00:01:00Z,7,8\n"),
        text("a line cut off", "timestamp,a\n2026-03-01T00:00:00Z,5\n2026-03-01T0"),
        text(
            "an open quote",
            "timestamp,a,b\n2026-03-01T00:00:00Z,5,6\n2026-03-01T00:01:00Z,\"7,8\n2026-03-01T00:02:00Z,9,9\n",
        ),
        with("no such value", values(&["latency"]), good),
        with("no such time", ReadOptions { time: Some("when".into()), ..ReadOptions::default() }, good),
        with("no such target", ReadOptions { target: Some("latency".into()), ..ReadOptions::default() }, good),
        with("the time as a value", ReadOptions { time: Some("timestamp".into()), ..values(&["timestamp"]) }, good),
        with("a value named twice", values(&["errors", "errors"]), good),
        text("no time column", "host,requests\nweb,5\ndb,7\n"),
        text("no numbers", "timestamp,host\n2026-03-01T00:00:00Z,web\n2026-03-01T00:01:00Z,db\n"),
        text(
            "a name twice in the header",
            "timestamp,value,value\n2026-03-01T00:00:00Z,5,6\n2026-03-01T00:01:00Z,7,8\n",
        ),
        text("one time only", "timestamp,requests\n2026-03-01T00:00:00Z,5\n2026-03-01T00:00:00Z,7\n"),
        text("a huge gap", "ts,v\n1700000000,5\n1700000001,7\n0,8\n1700000002,9\n"),
        with("a tiny step", ReadOptions { step: Some(Duration::from_micros(1)), ..ReadOptions::default() }, good),
        with("more samples than allowed", ReadOptions { max_cells: 3, ..ReadOptions::default() }, good),
        raw("UTF-16", b"\xff\xfet\0s\0,\0v\0\n\0"),
        raw("a spreadsheet", b"PK\x03\x04\x14\0\x06\0"),
        raw("an image", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        raw("Latin-1 in a number", b"ts,v\n1700000000,5\n1700000060,7\xb5\n"),
        text("a web page", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n<p>\n"),
        text("a very long cell", &format!("ts,v\n1700000000,5\n1700000060,{}\n", "x".repeat(10_000))),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn compressed() {
    let good = csv_of(&sample_frame());
    let (gz, zst) = (gzip(&good), zstd(&good));
    let damaged = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x55;
        bytes
    };
    let case = |name: &'static str, file: &'static str, bytes: Vec<u8>| (name, file, bytes, ReadOptions::default());
    let few_bytes = ReadOptions { max_bytes: 10_000, ..ReadOptions::default() };
    let out = errors(vec![
        case("a gzip cut off", "load.csv.gz", gz[..gz.len() / 2].to_vec()),
        case("a gzip header only", "load.csv.gz", gz[..10].to_vec()),
        case("a gzip with a wrong checksum", "load.csv.gz", damaged(&gz, gz.len() - 6)),
        case("a gzip followed by something else", "load.csv.gz", [&gz[..], b"junk"].concat()),
        case("a zstd cut off", "load.csv.zst", zst[..zst.len() / 2].to_vec()),
        case("a zstd with a wrong header", "load.csv.zst", damaged(&zst, 5)),
        case("a zstd cut off in JSON", "answer.json.zst", zstd(b"{\"status\":\"success\"}")[..12].to_vec()),
        ("more bytes than allowed", "load.csv.gz", gz, few_bytes),
        case("a bad cell inside a gzip", "load.csv.gz", gzip(b"ts,v\n1700000000,5\n1700000060,x\n")),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn prometheus() {
    let text = |case: &'static str, text: &str| (case, "answer.json", text.as_bytes().to_vec(), ReadOptions::default());
    let matrix =
        |result: &str| format!(r#"{{"status":"success","data":{{"resultType":"matrix","result":[{result}]}}}}"#);
    let two = r#"{"metric":{"pod":"a"},"values":[[1700000000,"1"],[1700000060,"2"]]},
{"metric":{"pod":"b"},"values":[[1700000000,"3"],[1700000060,"4"]]}"#;
    let twice =
        r#"{"metric":{"pod":"a"},"values":[[1700000000,"1"]]},{"metric":{"pod":"a"},"values":[[1700000060,"4"]]}"#;
    let out = errors(vec![
        text("an empty file", ""),
        text("not JSON", "timestamp,value\n"),
        text("cut off", &matrix(two)[..120]),
        text("an array", "[]"),
        text("a list of lists for an answer", "[[1,2]]"),
        text("no status", "{\"data\":{}}"),
        text("an error answer", r#"{"status":"error","errorType":"bad_data","error":"parse error at char 7"}"#),
        text("an instant query", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#),
        text("no data", r#"{"status":"success"}"#),
        text("no series", &matrix("")),
        text("a series without values", &matrix(r#"{"metric":{},"values":[]}"#)),
        text("one sample", &matrix(r#"{"metric":{},"values":[[1700000000,"1"]]}"#)),
        text("a word for a number", &matrix(r#"{"metric":{},"values":[[1700000000,"1"],[1700000060,"up"]]}"#)),
        text("a list for a number", &matrix(r#"{"metric":{},"values":[[1700000000,[1]]]}"#)),
        text("a sample of one", &matrix(r#"{"metric":{},"values":[[1700000000]]}"#)),
        text("a time in quotes", &matrix(r#"{"metric":{},"values":[["1700000000","1"]]}"#)),
        text("a time in milliseconds", &matrix(r#"{"metric":{},"values":[[1700000000000,"1"]]}"#)),
        text("two series alike", &matrix(twice)),
        ("no such series", "answer.json", matrix(two).into_bytes(), values(&["pod=c"])),
        ("a series named twice", "answer.json", matrix(two).into_bytes(), values(&["pod=a", "pod=a"])),
        (
            "more samples than allowed",
            "answer.json",
            matrix(two).into_bytes(),
            ReadOptions { max_cells: 3, ..ReadOptions::default() },
        ),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn parquet() {
    let good = parquet_of(&sample_frame());
    let case = |name: &'static str, bytes: Vec<u8>| (name, "load.parquet", bytes, ReadOptions::default());
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let end = good.len();
    let out = errors(vec![
        case("an empty file", Vec::new()),
        case("a text file", b"timestamp,value\n2026-03-01,5\n".to_vec()),
        case("the first bytes only", b"PAR1".to_vec()),
        case("cut off", good[..end / 2].to_vec()),
        case("no end mark", good[..end - 4].to_vec()),
        case("a footer longer than the file", changed(end - 8, &u32::MAX.to_le_bytes())),
        case("a footer of nothing", changed(end - 8, &0_u32.to_le_bytes())),
        case("a damaged page header", changed(4, &[0xff; 20])),
        case("a damaged page", changed(30, &[0; 60])),
        ("no such value", "load.parquet", good.clone(), values(&["latency"])),
        ("the time as a value", "load.parquet", good.clone(), values(&["timestamp"])),
        ("gzipped and cut off", "load.parquet.gz", gzip(&good)[..200].to_vec(), ReadOptions::default()),
        (
            "more samples than allowed",
            "load.parquet",
            good.clone(),
            ReadOptions { max_cells: 99, ..ReadOptions::default() },
        ),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn options() {
    let good = b"ts,v\n1700000000,5\n1700000060,7\n".to_vec();
    let case = |name: &'static str, options| (name, "load.csv", good.clone(), options);
    let mut out = errors(vec![
        case("a step of nothing", ReadOptions { step: Some(Duration::ZERO), ..ReadOptions::default() }),
        case(
            "a step of nanoseconds",
            ReadOptions { step: Some(Duration::from_nanos(1_500)), ..ReadOptions::default() },
        ),
        case("a step of years", ReadOptions { step: Some(Duration::from_secs(1 << 40)), ..ReadOptions::default() }),
        case("a quote for a separator", ReadOptions { delimiter: Some(b'"'), ..ReadOptions::default() }),
    ]);
    let read = |path: &str| foresail_ingest::read(path, &ReadOptions::default()).map(|got| got.quality);
    let missing = read("no/such/file.csv").expect_err("it is not there");
    let folder = read(env!("CARGO_MANIFEST_DIR")).expect_err("it is a folder");
    let folder = folder.to_string().replace(env!("CARGO_MANIFEST_DIR"), "FOLDER");
    writeln!(out, "a missing file\n    {missing}\na folder\n    {folder}").unwrap();
    writeln!(out, "an unknown format\n    {}", "excel".parse::<Format>().expect_err("unknown")).unwrap();
    writeln!(out, "an unknown aggregation\n    {}", "median".parse::<Aggregation>().expect_err("unknown")).unwrap();
    insta::assert_snapshot!(out);
}

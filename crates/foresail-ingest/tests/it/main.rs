//! Reads whole files of every format, good and bad, and the real traces where they are present.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "these are tests, their helpers too")]

#[cfg(feature = "http")]
mod feed;
mod formats;
mod malformed;
#[cfg(feature = "http")]
mod prometheus_http;
mod properties;
mod repairs;
mod traces;

use std::io::Write;
use std::time::Duration;

use foresail_core::{Column, Frame, TimeZone, Timestamp};
use foresail_ingest::{Error, Ingested, ReadOptions, Source, read};

fn read_bytes(name: &str, bytes: impl Into<Vec<u8>>, options: &ReadOptions) -> Result<Ingested, Error> {
    read(Source::bytes(name, bytes), options)
}

/// Options that name the value columns.
fn values(names: &[&str]) -> ReadOptions {
    ReadOptions { values: names.iter().map(|&n| n.to_owned()).collect(), ..ReadOptions::default() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(bytes, 0).unwrap()
}

/// Two columns of a day of minutes, with gaps.
fn sample_frame() -> Frame {
    let start = Timestamp::parse("2026-03-01T00:00:30Z").unwrap();
    let requests = (0..1_440).map(|i| (i % 97 != 0).then_some(f64::from(i) * 0.1));
    let errors = (0..1_440).map(|i| (i > 3).then_some(f64::from(i % 7)));
    let columns = vec![Column::new("requests", requests), Column::new("errors, all", errors)];
    Frame::new(start, Duration::from_secs(60), TimeZone::utc(), columns).unwrap()
}

fn csv_of(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    foresail_ingest::write_csv(frame, &mut bytes).unwrap();
    bytes
}

fn parquet_of(frame: &Frame) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.parquet");
    foresail_ingest::write_parquet(frame, &path).unwrap();
    std::fs::read(path).unwrap()
}

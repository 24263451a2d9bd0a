//! Readers: a file of measurements becomes a validated [`Frame`](foresail_core::Frame) and an account of what was
//! repaired on the way.
//!
//! CSV, Parquet and saved Prometheus `query_range` answers, plain, gzipped or zstd-compressed, from a file or standard
//! input. [`ReadOptions`] states the rule for every flaw an input can have; [`Quality`] counts how often each applied;
//! an [`Error`] names file, line, column and what was expected there. With the feature `http`, `PrometheusHttp` asks a
//! running Prometheus for the same. [`read_requests`] reads logs of single requests.
//!
//! What is known ahead is read here too: [`read_calendar`] (events and deployments), [`read_signals`] (quantities from
//! outside), [`holidays`] by country; with the feature `http`, a `Feed` fetches them from an address.
//!
//! ```
//! use foresail_ingest::{ReadOptions, Source, read};
//!
//! let text = "timestamp,requests\n2026-03-01T00:00:00Z,12\n2026-03-01T00:01:00Z,\n2026-03-01T00:02:00Z,14\n";
//! let options = ReadOptions { values: vec!["requests".into()], ..ReadOptions::default() };
//! let ingested = read(Source::bytes("load.csv", text), &options).unwrap();
//! assert_eq!(ingested.frame.target_mask(), [true, false, true]); // an empty cell is a gap
//! assert_eq!(ingested.quality.columns[0].empty, 1);
//!
//! let broken = read(Source::bytes("load.csv", "ts,requests\n1772366400,many\n"), &options).unwrap_err();
//! assert!(broken.to_string().starts_with("load.csv, line 2, column \"requests\": \"many\" is not a number"));
//! ```

mod assemble;
mod calendar;
mod cell;
mod clock;
mod counter;
mod csv;
mod decompress;
mod error;
#[cfg(feature = "http")]
mod feed;
mod grid;
mod holidays;
mod options;
mod parquet;
mod parquet_cells;
mod place;
mod preset;
mod prometheus;
#[cfg(feature = "http")]
mod prometheus_http;
mod quality;
mod read;
mod request_log;
mod schema;
mod signals;
mod source;
mod stamp;
mod table;
mod wide;
mod write;

pub use calendar::{Calendar, read_calendar};
pub use decompress::Codec;
pub use error::Error;
#[cfg(feature = "http")]
pub use feed::Feed;
pub use holidays::{countries, holidays};
pub use options::{Aggregation, Counters, Duplicates, EpochUnit, Format, Negative, ReadOptions};
pub use place::{At, Place};
pub use preset::Preset;
#[cfg(feature = "http")]
pub use prometheus_http::{Auth, Backfill, Newest, PrometheusHttp, PrometheusOptions, Secret};
pub use quality::{ColumnQuality, Quality};
pub use read::{Ingested, read};
pub use request_log::{LogQuality, LoggedRequest, read_requests};
pub use signals::read_signals;
pub use source::Source;
pub use wide::{WideSeries, read_wide};
pub use write::{write_csv, write_parquet};

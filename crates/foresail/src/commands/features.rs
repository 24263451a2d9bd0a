//! `foresail features INPUT --value COL`: what models see, row by row.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use foresail_core::features::{Columns, FEATURES, FeatureConfig, FeatureMatrix, FeatureSet};
use foresail_core::{Column, Frame, Holiday, Timestamp};
use foresail_ingest::{Preset, write_parquet};
use serde::Serialize;

use crate::args::{Reading, when};
use crate::failure::usage;
use crate::output::{TextTable, create, note, print, print_json, write_file};

/// Compute the features that models see, row by row.
#[derive(Args, Debug)]
pub(crate) struct Features {
    /// CSV, Parquet or saved Prometheus query_range JSON, plain, .gz or .zst; - is standard input
    #[arg(value_name = "INPUT", required_unless_present = "describe")]
    input: Option<PathBuf>,
    /// Column of the load [default: the first that holds numbers]
    #[arg(long, value_name = "COL")]
    value: Option<String>,
    /// A day off, by its date; may be repeated
    #[arg(long, value_name = "DATE", value_parser = when)]
    holiday: Vec<Timestamp>,
    /// Write the matrix: .parquet, else CSV; - is CSV on standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write the schema with its hash, as JSON
    #[arg(long, value_name = "F.json")]
    schema: Option<PathBuf>,
    /// List the features and what they mean instead
    #[arg(long)]
    describe: bool,
    /// Print a JSON document about the matrix (or the features, with --describe)
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    parts: Parts,
    #[command(flatten)]
    reading: Reading,
}

/// Which further column plays which part; features of absent ones are undefined.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Further columns")]
struct Parts {
    /// Events processed in the row
    #[arg(long, value_name = "COL")]
    processed: Option<String>,
    /// Events waiting at the end of the row
    #[arg(long, value_name = "COL")]
    unprocessed: Option<String>,
    /// Events queued in the row
    #[arg(long, value_name = "COL")]
    queued: Option<String>,
    /// Mean processing time of an event, milliseconds
    #[arg(long, value_name = "COL")]
    duration_ms: Option<String>,
    /// How many events can be worked on at once
    #[arg(long, value_name = "COL")]
    capacity: Option<String>,
    /// Entropy of the request mix
    #[arg(long, value_name = "COL")]
    mix_entropy: Option<String>,
    /// 99th over 50th percentile of latency
    #[arg(long, value_name = "COL")]
    latency_ratio: Option<String>,
}

#[derive(Serialize)]
struct Document<'a> {
    input: &'a str,
    rows: usize,
    features: usize,
    schema: &'a foresail_core::features::Schema,
    undefined: Vec<Undefined<'a>>,
}

#[derive(Serialize)]
struct Undefined<'a> {
    feature: &'a str,
    rows: usize,
}

impl Features {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.describe {
            return self.describe();
        }
        let input = self.input.as_deref().unwrap_or(Path::new("-"));
        let loaded = self.reading_with_parts().load(input, self.value.as_deref())?;
        let frame = &loaded.frame;
        let columns = self.parts(frame.target_column().name()).resolve(frame)?;
        let holidays = self.holiday.iter().map(|day| Holiday { day: *day, name: String::new() }).collect();
        let config = FeatureConfig::of(frame).with_columns(columns).with_holidays(holidays);
        let mut set = FeatureSet::new(config).map_err(|error| usage(error.to_string()))?;
        let matrix = set.batch(frame)?;
        if let Some(path) = &self.schema {
            write_file(path, &format!("{}\n", serde_json::to_string_pretty(matrix.schema())?))?;
        }
        let to_stdout = self.output.as_os_str() == "-";
        if self.output.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("pq")) {
            write_parquet(&as_frame(frame, &matrix)?, &self.output)?;
        } else if !(to_stdout && self.json) {
            write_csv(&self.output, &matrix)?;
        }
        if self.json {
            return print_json(&document(&loaded.name, &matrix));
        }
        if !to_stdout {
            note(&format!("{} rows of {} features, schema {}", matrix.len(), matrix.width(), matrix.schema().hash()));
        }
        if !loaded.quality.is_clean() {
            note(&loaded.quality.to_string());
        }
        Ok(())
    }

    fn describe(&self) -> anyhow::Result<()> {
        if self.json {
            return print_json(&FEATURES.as_slice());
        }
        let mut table = TextTable::new(["feature", "group", "minutes", "meaning"]).text_columns(4);
        for spec in &FEATURES {
            let group = format!("{:?}", spec.group).to_lowercase();
            let window = spec.window_m.map_or_else(String::new, |m| m.to_string());
            table.row([spec.name, &group, &window, spec.doc]);
        }
        print(&table.render())
    }

    /// What plays which part: the arguments, or the columns of a ScaleIQ file.
    fn parts(&self, load: &str) -> Columns<String> {
        let scaleiq = self.reading.preset() == Some(Preset::ScaleIq);
        let part = |given: &Option<String>, usual: &str| given.clone().or_else(|| scaleiq.then(|| usual.to_owned()));
        let parts = &self.parts;
        Columns {
            processed: part(&parts.processed, "avg_processed_events_in_interval"),
            unprocessed: part(&parts.unprocessed, "avg_unprocessed_events_count"),
            queued: part(&parts.queued, "avg_queued_events_in_interval"),
            duration_ms: part(&parts.duration_ms, "avg_average_processing_duration_ms"),
            capacity: parts.capacity.clone(),
            mix_entropy: parts.mix_entropy.clone(),
            latency_ratio: parts.latency_ratio.clone(),
            ..Columns::only(load.to_owned())
        }
    }

    /// The columns that play a part have to be read too.
    fn reading_with_parts(&self) -> Reading {
        let p = &self.parts;
        let named =
            [&p.processed, &p.unprocessed, &p.queued, &p.duration_ms, &p.capacity, &p.mix_entropy, &p.latency_ratio];
        self.reading.clone().taking(named.into_iter().flatten().cloned())
    }
}

fn document<'a>(input: &'a str, matrix: &'a FeatureMatrix) -> Document<'a> {
    let undefined = |(index, feature): (usize, &'a str)| Undefined {
        feature,
        rows: matrix.rows().filter(|row| row[index].is_nan()).count(),
    };
    Document {
        input,
        rows: matrix.len(),
        features: matrix.width(),
        schema: matrix.schema(),
        undefined: matrix.schema().names().enumerate().map(undefined).filter(|u| u.rows > 0).collect(),
    }
}

/// A row a line; an undefined feature is an empty cell.
fn write_csv(path: &Path, matrix: &FeatureMatrix) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut out = create(path)?;
    let names: Vec<&str> = matrix.schema().names().collect();
    writeln!(out, "timestamp,{}", names.join(",")).with_context(failed)?;
    for (time, row) in matrix.times().iter().zip(matrix.rows()) {
        write!(out, "{time}").with_context(failed)?;
        for value in row {
            if value.is_nan() { write!(out, ",") } else { write!(out, ",{value}") }.with_context(failed)?;
        }
        writeln!(out).with_context(failed)?;
    }
    out.flush().with_context(failed)
}

/// The matrix as a frame on the grid of the series, an undefined feature being a gap.
fn as_frame(series: &Frame, matrix: &FeatureMatrix) -> anyhow::Result<Frame> {
    let column = |(index, name): (usize, &str)| Column::new(name, matrix.rows().map(|row| Some(f64::from(row[index]))));
    let columns = matrix.schema().names().enumerate().map(column).collect();
    Ok(Frame::new(series.start(), series.step(), series.zone().clone(), columns)?)
}

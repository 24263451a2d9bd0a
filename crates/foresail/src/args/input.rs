//! The input of a command: which file, which columns, which rows, and the rule for every flaw.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use foresail_core::{Frame, TimeZone, Timestamp};
use foresail_ingest::{
    Aggregation, Counters, Duplicates, EpochUnit, Format, Negative, Preset, Quality, ReadOptions, Source, read,
};

use super::Span;
use crate::failure::usage;

/// The input and how to read it.
#[derive(Args, Clone, Debug)]
pub(crate) struct Input {
    /// CSV, Parquet or saved Prometheus query_range JSON, plain, .gz or .zst; - is standard input
    #[arg(value_name = "INPUT")]
    pub(crate) path: PathBuf,
    /// Column to work on [default: the first that holds numbers]
    #[arg(long, value_name = "COL", display_order = 0)]
    pub(crate) value: Option<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// How to read an input.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Reading the input")]
pub(crate) struct Reading {
    /// Further column to take along; may be repeated
    #[arg(long, value_name = "COL")]
    with: Vec<String>,
    /// Column of times [default: found]
    #[arg(long, value_name = "COL")]
    time: Option<String>,
    /// First row to use, by time
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// First row not to use any more, by time
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Time zone of times written without an offset, and of the calendar
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// csv, parquet or prometheus [default: found]
    #[arg(long)]
    format: Option<Format>,
    /// Settings for a known make of file: scaleiq or nab
    #[arg(long)]
    preset: Option<Preset>,
    /// Unit of numeric times: s, ms, us or ns [default: found]
    #[arg(long, value_name = "UNIT")]
    epoch: Option<EpochUnit>,
    /// Step of the series [default: the most common difference of times]
    #[arg(long, value_name = "SPAN")]
    resample: Option<Span>,
    /// What becomes of several samples in one step: mean, sum, max, min, last or count
    #[arg(long, value_name = "HOW")]
    aggregate: Option<Aggregation>,
    /// What becomes of rows with one time: aggregate or last
    #[arg(long, value_name = "HOW")]
    duplicates: Option<Duplicates>,
    /// What becomes of negative values: keep, gap or zero
    #[arg(long, value_name = "HOW")]
    negative: Option<Negative>,
    /// The values only ever count up: turn them into rates a second
    #[arg(long)]
    counter: bool,
    /// Separator of CSV cells [default: found]
    #[arg(long, value_name = "CHAR")]
    delimiter: Option<char>,
    /// Skip and count what cannot be understood instead of refusing it
    #[arg(long)]
    lenient: bool,
}

/// A series with the account of how it was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The selected rows.
    pub(crate) frame: Frame,
    /// What was repaired, over the whole input.
    pub(crate) quality: Quality,
    /// How people call the input.
    pub(crate) name: String,
}

impl Loaded {
    /// What a reader of a report calls the input: its name without the folders above it.
    pub(crate) fn title(&self) -> &str {
        self.name.rsplit(['/', '\\']).next().unwrap_or(&self.name)
    }
}

impl Input {
    /// Reads the input and selects its rows.
    ///
    /// # Errors
    /// As [`Reading::load`].
    pub(crate) fn load(&self) -> anyhow::Result<Loaded> {
        self.reading.load(&self.path, self.value.as_deref())
    }
}

impl Reading {
    /// Reads `path` with `value` as its target and selects rows.
    ///
    /// # Errors
    /// What the reader refuses; a selection that holds fewer than two rows.
    pub(crate) fn load(&self, path: &Path, value: Option<&str>) -> anyhow::Result<Loaded> {
        let options = self.options(value)?;
        let zone = options.zone.clone();
        let ingested = read(Source::from(path), &options)?;
        let whole = ingested.frame;
        let from = self.instant("from", self.from.as_deref(), &zone)?;
        let to = self.instant("to", self.to.as_deref(), &zone)?;
        let first = from.map_or(0, |from| whole.index_at(from));
        let last = to.map_or(whole.len(), |to| whole.index_at(to));
        if (from.is_some() || to.is_some()) && last.saturating_sub(first) < 2 {
            return Err(usage(format!(
                "--from and --to select {} rows; accepted are at least 2 between {} and {}",
                last.saturating_sub(first),
                whole.start(),
                whole.end()
            )));
        }
        let name = if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() };
        Ok(Loaded { frame: whole.slice(first..last), quality: ingested.quality, name })
    }

    /// The same, taking these columns along too.
    pub(crate) fn taking(mut self, columns: impl IntoIterator<Item = String>) -> Self {
        for column in columns {
            if !self.with.contains(&column) {
                self.with.push(column);
            }
        }
        self
    }

    /// The known make of file that was asked for.
    pub(crate) fn preset(&self) -> Option<Preset> {
        self.preset
    }

    fn options(&self, value: Option<&str>) -> anyhow::Result<ReadOptions> {
        let mut options = self.preset.map_or_else(ReadOptions::default, Preset::options);
        options.zone = TimeZone::named(&self.zone).map_err(|error| usage(format!("--zone: {error}")))?;
        if let Some(value) = value {
            let mut values = vec![value.to_owned()];
            let others = self.with.iter().cloned().chain(options.values);
            values.extend(others.filter(|v| v != value));
            options.values = values;
            options.target = Some(value.to_owned());
        } else {
            options.values.extend(self.with.iter().cloned());
        }
        options.time = self.time.clone().or(options.time);
        options.format = self.format.or(options.format);
        options.epoch_unit = self.epoch.or(options.epoch_unit);
        options.step = self.resample.map(|Span(step)| step).or(options.step);
        options.aggregation = self.aggregate.unwrap_or(options.aggregation);
        options.duplicates = self.duplicates.unwrap_or(options.duplicates);
        options.negative = self.negative.unwrap_or(options.negative);
        options.lenient |= self.lenient;
        if self.counter {
            options.counters = Counters::All;
        }
        if let Some(delimiter) = self.delimiter {
            let byte = u8::try_from(u32::from(delimiter)).ok().filter(u8::is_ascii);
            options.delimiter = Some(
                byte.ok_or_else(|| usage(format!("--delimiter is {delimiter:?}; accepted is one ASCII character")))?,
            );
        }
        Ok(options)
    }

    fn instant(&self, option: &str, text: Option<&str>, zone: &TimeZone) -> anyhow::Result<Option<Timestamp>> {
        text.map(|text| Timestamp::parse_in(text, zone).map_err(|error| usage(format!("--{option}: {error}"))))
            .transpose()
    }
}

/// How many steps of `frame` a horizon takes, at least one.
///
/// # Errors
/// If it is not a whole number of steps of the series.
pub(crate) fn steps(frame: &Frame, horizon: Span) -> anyhow::Result<usize> {
    let step: Duration = frame.step();
    if !horizon.0.as_micros().is_multiple_of(step.as_micros()) {
        return Err(usage(format!(
            "--horizon is {horizon}; accepted are multiples of the step of the series, {}",
            Span(step)
        )));
    }
    Ok((horizon.0.as_micros() / step.as_micros()) as usize)
}

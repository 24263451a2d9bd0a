//! `foresail generate`: a seeded load with its ground truth.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use foresail_core::{TimeZone, Timestamp};
use foresail_ingest::{write_csv, write_parquet};
use foresail_sim::generate::{Adversity, GenerateOptions, Generated, Kind, Overlay, Pattern, adversarial, generate};
use rayon::prelude::*;

use crate::args::{Span, positive, when};
use crate::failure::usage;
use crate::output::{create, note, print_json, write_file};
use crate::progress;

/// Write a seeded load with its ground truth.
///
/// The same arguments write the same bytes on every machine.
#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// The law: exercise3, exercise2, events_bursty, events_campaigns or events_heavy_tailed
    #[arg(long, default_value = "exercise3")]
    pattern: Pattern,
    /// Ten days that end badly instead: flash_crowd, level_shift, phase_shift, missing_day or sawtooth
    #[arg(long, value_name = "KIND", conflicts_with_all = ["pattern", "days", "step", "start", "zone", "overlay", "scale"])]
    adversarial: Option<Adversity>,
    /// Days of 24 hours
    #[arg(long, default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=36_600))]
    days: u32,
    /// Length of a row [default: 1m, for events 2m]
    #[arg(long, value_name = "SPAN")]
    step: Option<Span>,
    /// Start of the first row [default: 2026-01-05, a Monday]
    #[arg(long, value_name = "TIME", value_parser = when)]
    start: Option<Timestamp>,
    /// Time zone in which hours and weekdays are read
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// What befalls the load, as KIND@AFTER, KIND@AFTER:LENGTH or KIND@AFTER:LENGTH:FACTOR (flash_crowd@8d12h:2h:5); may be repeated.
    /// Kinds: flash_crowd, level_shift, phase_shift, holiday, outage, missing_day, attack, sawtooth
    #[arg(long, value_name = "OVERLAY")]
    overlay: Vec<OverlayArg>,
    /// Multiply loads with this
    #[arg(long, value_name = "X", value_parser = positive, default_value = "1")]
    scale: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write this many series of successive seeds, without their ground truth, as series-00000.parquet and so on into the
    /// folder OUTPUT
    #[arg(long, value_name = "N", conflicts_with_all = ["truth", "json"], value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    series: Option<u32>,
    /// Where to write it: .parquet, else CSV; - is CSV on standard output
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Where to write what was planted [default: beside the output, as .truth.json]
    #[arg(long, value_name = "F.json")]
    truth: Option<PathBuf>,
    /// Print what was planted as JSON
    #[arg(long)]
    json: bool,
}

/// An overlay as written on the command line.
#[derive(Clone, Debug)]
struct OverlayArg(Overlay);

impl FromStr for OverlayArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || {
            format!("{text:?} is no overlay; accepted is KIND@AFTER[:LENGTH[:FACTOR]], such as flash_crowd@8d12h:2h:5")
        };
        let (kind, rest) = text.split_once('@').ok_or_else(bad)?;
        let kind: Kind = kind.parse().map_err(|error: foresail_sim::generate::Error| error.to_string())?;
        let mut parts = rest.split(':');
        let after = match parts.next().ok_or_else(bad)? {
            "0" | "0s" => Duration::ZERO,
            after => after.parse::<Span>()?.0,
        };
        let mut overlay = Overlay::usual(kind, after);
        if let Some(length) = parts.next() {
            overlay.length = length.parse::<Span>()?.0;
        }
        if let Some(factor) = parts.next() {
            overlay.factor = factor.parse().map_err(|_| bad())?;
        }
        if parts.next().is_some() {
            return Err(bad());
        }
        Ok(Self(overlay))
    }
}

impl Generate {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if let Some(count) = self.series {
            return self.many(count);
        }
        let generated = self.generate(self.seed)?;
        let to_stdout = self.output.as_os_str() == "-";
        if !(to_stdout && self.json) {
            write_series(&self.output, &generated)?;
        }
        let beside = (!to_stdout).then(|| self.output.with_extension("truth.json"));
        if let Some(path) = self.truth.clone().or(beside) {
            write_truth(&path, &generated)?;
        }
        if self.json {
            return print_json(&generated.truth);
        }
        if !to_stdout {
            let (frame, planted) = (&generated.frame, generated.truth.planted.len());
            note(&format!("{} rows from {} to {}, {planted} things planted", frame.len(), frame.start(), frame.end()));
        }
        Ok(())
    }

    fn many(&self, count: u32) -> anyhow::Result<()> {
        let folder = &self.output;
        if folder.as_os_str() == "-" {
            return Err(usage("--series needs a folder: --output DIR"));
        }
        std::fs::create_dir_all(folder).with_context(|| format!("cannot write {}", folder.display()))?;
        let bar = progress::bar(u64::from(count), "writing series");
        (0..count).into_par_iter().try_for_each(|i| {
            let generated = self.generate(self.seed.wrapping_add(u64::from(i)))?;
            write_series(&folder.join(format!("series-{i:05}.parquet")), &generated)?;
            bar.inc(1);
            anyhow::Ok(())
        })?;
        bar.finish_and_clear();
        note(&format!("{count} series in {}", folder.display()));
        Ok(())
    }

    fn generate(&self, seed: u64) -> anyhow::Result<Generated> {
        if let Some(adversity) = self.adversarial {
            return Ok(adversarial(adversity, seed));
        }
        let usual = GenerateOptions::new(self.pattern);
        let options = GenerateOptions {
            pattern: self.pattern,
            start: self.start.unwrap_or(usual.start),
            days: self.days,
            step: self.step.map_or(usual.step, |s| s.0),
            zone: TimeZone::named(&self.zone).map_err(|error| usage(format!("--zone: {error}")))?,
            seed,
            overlays: self.overlay.iter().map(|o| o.0.clone()).collect(),
            scale: self.scale,
        };
        generate(&options).map_err(|error| usage(error.to_string()))
    }
}

/// Writes the series: `.parquet` and `.pq` as Parquet, anything else as CSV.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_series(path: &Path, generated: &Generated) -> anyhow::Result<()> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("parquet") || e.eq_ignore_ascii_case("pq")) {
        return Ok(write_parquet(&generated.frame, path)?);
    }
    Ok(write_csv(&generated.frame, create(path)?)?)
}

/// Writes what was planted.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_truth(path: &Path, generated: &Generated) -> anyhow::Result<()> {
    write_file(path, &format!("{}\n", serde_json::to_string_pretty(&generated.truth)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlays_are_read_with_and_without_length_and_strength() {
        let overlay = |text: &str| text.parse::<OverlayArg>().map(|o| o.0);
        let crowd = overlay("flash_crowd@8d12h:2h:3.5").expect("an overlay");
        assert_eq!(
            (crowd.kind, crowd.after.as_secs(), crowd.length.as_secs(), crowd.factor),
            (Kind::FlashCrowd, 734_400, 7_200, 3.5)
        );
        assert_eq!(overlay("holiday@0").expect("an overlay"), Overlay::usual(Kind::Holiday, Duration::ZERO));
        for bad in ["flash_crowd", "crowd@1d", "outage@x", "outage@1d:1h:1:1", "outage@1d::2"] {
            assert!(overlay(bad).is_err(), "{bad}");
        }
    }
}

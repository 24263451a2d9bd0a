//! `foresail bench forecast`: accuracy and time of every model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use foresail_core::Frame;
use foresail_forecast::backtest::{BacktestOptions, BacktestResult, ModelResult};
use foresail_forecast::metrics::geometric_mean;
use foresail_forecast::registry::ModelOptions;
use foresail_ingest::{ReadOptions, read};
use serde::Serialize;

use super::gift::{GLOBAL, Gift};
use super::load::Load;
use super::loads::generated;
use super::series::series_in;
use super::speed::Speed;
use crate::commands::backtest::{models, run};
use crate::output::{TextTable, cell, note, print, print_json};
use crate::progress;

/// Benchmarks that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Five sets of GIFT-Eval by its protocol: M4 hourly, ETTh1, BizITObs application and L2C
    Gift5,
    /// The load traces, 15, 30 and 60 minutes ahead
    Load,
    /// CPU time a series beside libraries that do the same, on M4 hourly
    Speed,
}

/// Where the traces are, unless said.
const LOADS: &str = "../shared/traces/load";
const SETS: &str = "../shared/traces/forecast";

/// What every model is measured against.
const BASELINE: &str = "seasonal_naive";

/// Accuracy and time of every model.
///
/// Without files it runs on generated loads and on the traces, where there are any. Errors are relative to those of the
/// seasonal naive model, as geometric means over the series. With --suite it runs a published benchmark instead.
#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// Files instead of the usual series; their first numeric column counts
    files: Vec<PathBuf>,
    /// A benchmark with its own data and protocol
    #[arg(long, value_enum, conflicts_with_all = ["files", "horizon", "windows", "days", "quick"])]
    suite: Option<Suite>,
    /// Sets of the suite, comma-separated [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "suite")]
    sets: Vec<String>,
    /// Series of each set of the suite, at most [default: all, of speed 40]
    #[arg(long, value_name = "N", requires = "suite", value_parser = clap::value_parser!(u32).range(1..))]
    series: Option<u32>,
    /// Write the windows of the suite as JSON into a folder, for other libraries to forecast, and stop
    #[arg(long, value_name = "DIR", requires = "suite")]
    export: Option<PathBuf>,
    /// Forecasts of the suite's windows by other libraries, to stand beside ours: a file or a folder; may be repeated
    #[arg(long, value_name = "PATH", requires = "suite")]
    peers: Vec<PathBuf>,
    /// Models, comma-separated; all for all [default: all; of gift5, which knows global too:
    /// ensemble,global,seasonal_naive]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    models: Vec<String>,
    /// How many steps of a series ahead
    #[arg(long, value_name = "STEPS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    horizon: u32,
    /// Windows of one horizon at the end of each series
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..))]
    windows: u32,
    /// Days of each series that are used, from its end; what precedes the windows trains
    #[arg(long, value_name = "DAYS", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,
    /// Folder of the traces [default: ../shared/traces/load; of gift5 and speed ../shared/traces/forecast]
    #[arg(long, value_name = "DIR")]
    traces: Option<PathBuf>,
    /// Threads [default: one a core; of speed 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Generated loads alone, and few windows
    #[arg(long)]
    quick: bool,
    /// Seed of generated loads and of whatever is random in a model
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    horizon_steps: u32,
    windows: u32,
    baseline: &'static str,
    models: Vec<Line>,
    series: Vec<SeriesLine>,
}

/// A model over all series.
#[derive(Serialize)]
struct Line {
    model: String,
    relative_mase: Option<f64>,
    relative_wql: Option<f64>,
    mean_rank: f64,
    coverage_90: Option<f64>,
    fit_s: f64,
    update_us: f64,
    predict_us: f64,
}

/// A series with the MASE of every model.
#[derive(Serialize)]
struct SeriesLine {
    series: String,
    rows: usize,
    step_s: f64,
    mase: Vec<(String, Option<f64>)>,
}

impl Forecast {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        // Speed is compared on one core.
        let usual = if self.suite == Some(Suite::Speed) { 1 } else { 0 };
        let threads = self.threads.map_or(usual, |n| n as usize);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")?;
        pool.install(|| match self.suite {
            Some(Suite::Gift5) => self.gift()?.run(),
            Some(Suite::Load) => self.load()?.run(),
            Some(Suite::Speed) => self.speed().run(),
            None => self.usual(),
        })
    }

    /// The names of the models asked for; `default` if none were.
    ///
    /// # Errors
    /// A wrong name, with those there are.
    fn names(&self, default: &[&str]) -> anyhow::Result<Vec<String>> {
        named(&self.wanted(default))
    }

    fn wanted(&self, default: &[&str]) -> Vec<String> {
        let default = || default.iter().map(|&name| name.to_owned()).collect();
        if self.models.is_empty() { default() } else { self.models.clone() }
    }

    fn folder(&self, default: &str) -> PathBuf {
        self.traces.clone().unwrap_or_else(|| PathBuf::from(default))
    }

    fn load(&self) -> anyhow::Result<Load> {
        let traces = self.folder(LOADS);
        Ok(Load { traces, models: self.names(&["all"])?, seed: self.seed, json: self.json })
    }

    fn speed(&self) -> Speed {
        Speed {
            traces: self.folder(SETS),
            series: self.series.map_or(40, |n| n as usize),
            peers: self.peers.clone(),
            export: self.export.clone(),
            seed: self.seed,
            json: self.json,
        }
    }

    fn gift(&self) -> anyhow::Result<Gift> {
        let mut models = Vec::new();
        for name in self.wanted(&["ensemble", GLOBAL, BASELINE]) {
            // It is of a set, and no name of the registry, whose models are of a series.
            models.extend(if name == GLOBAL { vec![name] } else { named(&[name])? });
        }
        Ok(Gift {
            traces: self.folder(SETS),
            sets: self.sets.clone(),
            series: self.series.map_or(usize::MAX, |n| n as usize),
            models,
            peers: self.peers.clone(),
            export: self.export.clone(),
            seed: self.seed,
            json: self.json,
        })
    }

    fn usual(self) -> anyhow::Result<()> {
        let sets = self.series_of_the_bench()?;
        let names = self.names(&["all"])?;
        let rows: usize = sets.iter().map(|(_, frame)| frame.len() * names.len()).sum();
        let bar = progress::bar(rows as u64, "walking models");
        let mut results: Vec<(String, Frame, BacktestResult)> = Vec::new();
        for (name, frame) in sets {
            let mut options = BacktestOptions::new(self.horizon as usize);
            options.windows = Some(if self.quick { self.windows.min(12) } else { self.windows } as usize);
            options.seed = self.seed;
            let result =
                run(&frame, models(&names, &ModelOptions::default())?, &options, &bar).with_context(|| name.clone())?;
            results.push((name, frame, result));
        }
        bar.finish_and_clear();
        let document = Document {
            horizon_steps: self.horizon,
            windows: self.windows,
            baseline: BASELINE,
            models: names.iter().map(|name| line(name, &results)).collect(),
            series: results.iter().map(|(name, frame, result)| series_line(name, frame, result)).collect(),
        };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }

    /// The series to run on, by name.
    fn series_of_the_bench(&self) -> anyhow::Result<Vec<(String, Frame)>> {
        let mut sets = Vec::new();
        if self.files.is_empty() {
            sets.extend(generated(self.seed)?);
            let folder = self.folder(LOADS);
            let traces = if self.quick { Vec::new() } else { series_in(&folder) };
            if traces.is_empty() && !self.quick {
                note(&format!("skipped: no traces at {}; generated loads alone", folder.display()));
            }
            for series in traces {
                sets.push((series.name.clone(), series.load().with_context(|| series.name.clone())?));
            }
        }
        for file in &self.files {
            sets.push((title(file), read(file.as_path(), &ReadOptions::default())?.frame));
        }
        let last_days = |(name, frame): (String, Frame)| {
            let rows = frame.steps_in(Duration::from_secs(86_400 * u64::from(self.days)));
            (name, frame.slice(frame.len().saturating_sub(rows)..frame.len()))
        };
        Ok(sets.into_iter().map(last_days).collect())
    }
}

fn title(file: &Path) -> String {
    file.file_name().map_or_else(|| file.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The models called `wanted`, by their own names.
///
/// # Errors
/// A wrong name, with those there are.
fn named(wanted: &[String]) -> anyhow::Result<Vec<String>> {
    Ok(models(wanted, &ModelOptions::default())?.iter().map(|m| m.name().to_owned()).collect())
}

fn line(name: &str, results: &[(String, Frame, BacktestResult)]) -> Line {
    let own: Vec<&ModelResult> = results.iter().filter_map(|(.., result)| result.model(name)).collect();
    let relative = |of: &dyn Fn(&ModelResult) -> Option<f64>| {
        let ratios: Vec<f64> = results
            .iter()
            .filter_map(|(.., r)| Some(of(r.model(name)?)? / of(r.model(BASELINE)?)?))
            .filter(|ratio| ratio.is_finite() && *ratio > 0.0)
            .collect();
        geometric_mean(ratios)
    };
    let rank = |result: &BacktestResult| {
        let mase = |m: &ModelResult| m.overall.mase.unwrap_or(f64::INFINITY);
        let ours = result.model(name).map_or(f64::INFINITY, mase);
        1.0 + result.models.iter().filter(|m| mase(m) < ours).count() as f64
    };
    let covered: Vec<f64> = own.iter().filter_map(|m| m.overall.coverage.map(|c| c.covered)).collect();
    let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let each_us = |of: &dyn Fn(&ModelResult) -> (Duration, usize)| {
        let (time, count) = own.iter().map(|m| of(m)).fold((Duration::ZERO, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        time.as_secs_f64() * 1e6 / count.max(1) as f64
    };
    Line {
        model: name.to_owned(),
        relative_mase: relative(&|m| m.overall.mase),
        relative_wql: relative(&|m| m.overall.wql),
        mean_rank: mean(&results.iter().map(|(.., r)| rank(r)).collect::<Vec<_>>()).unwrap_or(0.0),
        coverage_90: mean(&covered),
        fit_s: each_us(&|m| (m.timing.fit, m.timing.fits)) / 1e6,
        update_us: each_us(&|m| (m.timing.update, m.timing.updates)),
        predict_us: each_us(&|m| (m.timing.predict, m.timing.predicts)),
    }
}

fn series_line(name: &str, frame: &Frame, result: &BacktestResult) -> SeriesLine {
    SeriesLine {
        series: name.to_owned(),
        rows: frame.len(),
        step_s: frame.step().as_secs_f64(),
        mase: result.models.iter().map(|m| (m.name.clone(), m.overall.mase)).collect(),
    }
}

fn human(document: &Document) -> String {
    let names = ["model", "rel. MASE", "rel. WQL", "mean rank", "90 % covers", "fit s", "update µs", "predict µs"];
    let mut table = TextTable::new(names);
    for line in &document.models {
        table.row([
            line.model.clone(),
            cell(line.relative_mase, 3),
            cell(line.relative_wql, 3),
            format!("{:.1}", line.mean_rank),
            cell(line.coverage_90, 3),
            format!("{:.3}", line.fit_s),
            format!("{:.1}", line.update_us),
            format!("{:.1}", line.predict_us),
        ]);
    }
    let header = std::iter::once("MASE of".to_owned()).chain(document.models.iter().map(|m| m.model.clone()));
    let mut by_series = TextTable::new(header);
    for series in &document.series {
        by_series.row(std::iter::once(series.series.clone()).chain(series.mase.iter().map(|(_, mase)| cell(*mase, 3))));
    }
    format!(
        "{} series, {} windows of {} steps each; errors relative to {BASELINE}\n\n{}\n{}",
        document.series.len(),
        document.windows,
        document.horizon_steps,
        table.render(),
        by_series.render()
    )
}

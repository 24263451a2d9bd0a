//! `foresail backtest INPUT --value COL --models a,b --horizon 30m`, and the same over thousands of series with `--out DIR`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use foresail_core::Frame;
use foresail_forecast::backtest::{self, BacktestOptions, BacktestResult, Edges, ModelResult};
use foresail_forecast::registry::{self, ModelOptions};
use foresail_forecast::{Forecaster, metrics::Metrics};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::args::{Loaded, Reading, Span, steps};
use crate::clock::Stopwatch;
use crate::commands::forecast::build;
use crate::failure::usage;
use crate::lab::bulk;
use crate::output::{TextTable, cell, create, note, print, print_json, write_file};
use crate::{progress, reports};

/// Quantile levels of the forecasts that come back.
pub(crate) const LEVELS: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// Measure models on windows at the end of a series.
///
/// Each model walks once through the series as it would live: fitted on what came before, updated row by row, fitted anew
/// once a day. At the start of each window it forecasts; a purge gap of one horizon keeps the window out of every fit.
///
/// With --out, INPUT may be a folder, a pattern such as 'loads/*.parquet' or many files, and every numeric column of each is
/// a series. What is done is kept in DIR, so that a run that was stopped goes on when it is called again; the figures of all
/// series end in DIR/results.parquet, the same bytes whatever happened on the way.
#[derive(Args, Debug)]
pub(crate) struct Backtest {
    /// Write every forecast value beside what came, as CSV
    #[arg(long, value_name = "F.csv", conflicts_with = "out")]
    forecasts: Option<PathBuf>,
    /// Write a report that a browser opens
    #[arg(long, value_name = "F.html", conflicts_with = "out")]
    report: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    /// Test many series and keep the results in this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    testing: Testing,
}

/// What is tested and how, of one series or of many.
#[derive(Args, Debug)]
pub(crate) struct Testing {
    /// Models, comma-separated; all for all
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "ensemble,seasonal_naive,last_value")]
    models: Vec<String>,
    /// How far ahead, in multiples of the step of the series
    #[arg(long, value_name = "SPAN")]
    horizon: Span,
    /// Seasons that the load may have, the one errors are measured against first
    #[arg(long, value_name = "SPANS", value_delimiter = ',', default_value = "1d,1w")]
    season: Vec<Span>,
    /// Windows of one horizon, evenly spaced, the last ending with the series [default: as many as fit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    windows: Option<u32>,
    /// Seed of whatever is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// CSV, Parquet or saved Prometheus query_range JSON, plain, .gz or .zst; - is standard input. Many of them, a folder or
    /// a pattern where results are kept in a folder
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<PathBuf>,
    /// Column to work on [default: the first that holds numbers, of many series each]
    #[arg(long, value_name = "COL", display_order = 0)]
    value: Option<String>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    threads: Option<u32>,
    /// Files whose results are kept together
    #[arg(long, value_name = "FILES", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    chunk: u32,
    #[command(flatten)]
    reading: Reading,
}

/// The JSON document.
#[derive(Serialize)]
struct Document<'a> {
    input: &'a str,
    value: &'a str,
    rows: usize,
    step_s: f64,
    horizon_steps: usize,
    windows: usize,
    reference: &'a foresail_forecast::metrics::Reference,
    models: Vec<ModelDocument<'a>>,
    quality: &'a foresail_ingest::Quality,
}

#[derive(Serialize)]
struct ModelDocument<'a> {
    model: &'a str,
    #[serde(flatten)]
    overall: &'a Metrics,
    fit_s: f64,
    fits: usize,
    update_us: f64,
    predict_us: f64,
    degraded: &'a std::collections::BTreeMap<String, usize>,
    by_horizon: &'a [Metrics],
}

impl Backtest {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match &self.out {
            Some(folder) => self.many(folder),
            None => self.testing.pool()?.install(|| self.one()),
        }
    }

    fn one(&self) -> anyhow::Result<()> {
        let [input] = self.testing.inputs.as_slice() else {
            return Err(usage(format!("{} inputs; accepted is one, or --out DIR", self.testing.inputs.len())));
        };
        if input.is_dir() {
            return Err(usage(format!("INPUT {} is a folder; accepted is a file, or --out DIR", input.display())));
        }
        let loaded = self.testing.reading.load(input, self.testing.value.as_deref())?;
        let options = self.testing.options(&loaded.frame)?;
        let models = self.testing.models(&options)?;
        let bar = progress::bar((models.len() * loaded.frame.len()) as u64, "walking models");
        let result = run(&loaded.frame, models, &options, &bar)?;
        bar.finish_and_clear();

        if let Some(path) = &self.forecasts {
            write_forecasts(path, &result, &loaded.frame)?;
        }
        if let Some(path) = &self.report {
            write_file(path, &reports::backtest::render(&loaded, &result))?;
            note(&format!("report: {}", path.display()));
        }
        if self.json {
            return print_json(&document(&loaded, &result));
        }
        print(&human(&result))?;
        if !loaded.quality.is_clean() {
            note(&loaded.quality.to_string());
        }
        Ok(())
    }

    fn many(&self, folder: &Path) -> anyhow::Result<()> {
        let manifest = self.testing.run_share(folder, bulk::Share::WHOLE)?;
        let table = folder.join("results.parquet");
        let summary = bulk::merge(&manifest, &[folder.to_owned()], &table)?;
        tell(&summary, &table, self.json)
    }
}

impl Testing {
    /// The threads that were asked for.
    fn pool(&self) -> anyhow::Result<rayon::ThreadPool> {
        let threads = self.threads.map_or(0, |n| n as usize);
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("cannot start threads")
    }

    /// What is tested.
    pub(crate) fn inputs(&self) -> &[PathBuf] {
        &self.inputs
    }

    fn options(&self, frame: &Frame) -> anyhow::Result<BacktestOptions> {
        let mut options = BacktestOptions::new(steps(frame, self.horizon)?);
        options.seasons = self.season.iter().map(|s| s.0).collect();
        options.windows = self.windows.map(|n| n as usize);
        options.levels = LEVELS.to_vec();
        options.seed = self.seed;
        Ok(options)
    }

    fn models(&self, options: &BacktestOptions) -> anyhow::Result<Vec<Box<dyn Forecaster>>> {
        let told =
            ModelOptions { seasons: options.seasons.clone(), horizon: options.horizon, ..ModelOptions::default() };
        models(&self.models, &told)
    }

    /// Tests the files of a share, keeps the results in `folder`, and says which run they are of.
    ///
    /// # Errors
    /// Wrong arguments; a folder of another run; results that cannot be written.
    pub(crate) fn run_share(&self, folder: &Path, share: bulk::Share) -> anyhow::Result<bulk::Manifest> {
        // A wrong name is told once, before anything is read.
        models(&self.models, &ModelOptions::default())?;
        let files = bulk::list(&self.inputs)?;
        let manifest = bulk::Manifest::new(self.settings(), self.chunk as usize, &files)?;
        manifest.claim(folder)?;
        let load = |path: &Path| Ok(self.reading.load(path, self.value.as_deref())?.frame);
        let options = |frame: &Frame| self.options(frame);
        let models = |options: &BacktestOptions| self.models(options);
        let test = bulk::Test { load: &load, options: &options, models: &models };
        let pool = self.pool()?;
        let bar = progress::bar(files.len() as u64, "testing files");
        let done = bulk::run(&manifest, &files, &test, folder, share, &pool, &bar)?;
        bar.finish_and_clear();
        if done.kept > 0 {
            note(&format!("{} of {} parts were there already", done.kept, done.chunks));
        }
        Ok(manifest)
    }

    /// Everything that decides the results, in one line.
    fn settings(&self) -> String {
        let seasons: Vec<String> = self.season.iter().map(Span::to_string).collect();
        format!(
            "models {} horizon {} season {} windows {:?} seed {} value {:?} reading {:?}",
            self.models.join(","),
            self.horizon,
            seasons.join(","),
            self.windows,
            self.seed,
            self.value,
            self.reading
        )
    }
}

/// Prints what a run over many series came to.
///
/// # Errors
/// If it cannot be printed.
pub(crate) fn tell(summary: &bulk::Summary, table: &Path, json: bool) -> anyhow::Result<()> {
    if let Some(failure) = &summary.first_failure {
        note(&format!("{} could not be tested; the first: {failure}", summary.failed));
    }
    if json {
        return print_json(summary);
    }
    let header = ["model", "series", "median MASE", "rel. MASE", "rel. WQL", "90 % covers", "windows degraded"];
    let mut lines = TextTable::new(header);
    for model in &summary.models {
        lines.row([
            model.model.clone(),
            model.series.to_string(),
            cell(model.median_mase, 4),
            cell(model.relative_mase, 4),
            cell(model.relative_wql, 4),
            cell(model.covered_90, 3),
            format!("{:.0}", model.degraded_windows),
        ]);
    }
    let relative =
        summary.baseline.map_or_else(String::new, |name| format!("; errors relative to {name}, as geometric means"));
    print(&format!(
        "{} series of {} files{relative}\n\n{}\nevery series: {}",
        summary.series,
        summary.files,
        lines.render(),
        table.display()
    ))
}

/// Models by name, `all` being all of them.
///
/// # Errors
/// A wrong name, with those there are.
pub(crate) fn models(names: &[String], options: &ModelOptions) -> anyhow::Result<Vec<Box<dyn Forecaster>>> {
    let mut chosen: Vec<String> = Vec::new();
    for name in names.iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
        let all = || registry::names().into_iter().map(str::to_owned).collect();
        let these: Vec<String> = if name == "all" { all() } else { vec![name.to_owned()] };
        chosen.extend(these.into_iter().filter(|n| !chosen.contains(n)).collect::<Vec<_>>());
    }
    if chosen.is_empty() {
        return Err(usage("--models names none; accepted are all or names such as ensemble,seasonal_naive"));
    }
    chosen.iter().map(|name| build(name, options)).collect()
}

/// A backtest with the clock and the progress bar of the command line.
///
/// # Errors
/// What the backtest refuses.
pub(crate) fn run(
    frame: &Frame,
    models: Vec<Box<dyn Forecaster>>,
    options: &BacktestOptions,
    bar: &ProgressBar,
) -> anyhow::Result<BacktestResult> {
    let watch = Stopwatch::start();
    let edges = Edges { clock: &|| watch.elapsed(), progress: &|rows| bar.inc(rows as u64) };
    Ok(backtest::run(frame, models, options, &edges)?)
}

fn document<'a>(loaded: &'a Loaded, result: &'a BacktestResult) -> Document<'a> {
    Document {
        input: &loaded.name,
        value: loaded.frame.target_column().name(),
        rows: loaded.frame.len(),
        step_s: loaded.frame.step().as_secs_f64(),
        horizon_steps: result.horizon,
        windows: result.windows.len(),
        reference: &result.reference,
        models: result.models.iter().map(model_document).collect(),
        quality: &loaded.quality,
    }
}

fn model_document(model: &ModelResult) -> ModelDocument<'_> {
    let timing = &model.timing;
    let each_us = |all: std::time::Duration, count: usize| all.as_secs_f64() * 1e6 / count.max(1) as f64;
    ModelDocument {
        model: &model.name,
        overall: &model.overall,
        fit_s: timing.fit.as_secs_f64(),
        fits: timing.fits,
        update_us: each_us(timing.update, timing.updates),
        predict_us: each_us(timing.predict, timing.predicts),
        degraded: &model.degraded,
        by_horizon: &model.by_horizon,
    }
}

fn human(result: &BacktestResult) -> String {
    let names = [
        "model",
        "MAE",
        "RMSE",
        "MASE",
        "WAPE",
        "sMAPE",
        "R²",
        "direction",
        "WQL",
        "MSIS",
        "90 % covers",
        "fit s",
        "predict µs",
    ];
    let mut table = TextTable::new(names);
    for model in &result.models {
        let (m, document) = (&model.overall, model_document(model));
        table.row([
            model.name.clone(),
            cell(m.mae, 3),
            cell(m.rmse, 3),
            cell(m.mase, 4),
            cell(m.wape, 4),
            cell(m.smape, 4),
            cell(m.r2, 3),
            cell(m.directional_accuracy, 3),
            cell(m.wql, 4),
            cell(m.msis, 3),
            cell(m.coverage.map(|c| c.covered), 3),
            cell(Some(document.fit_s), 2),
            cell(Some(document.predict_us), 1),
        ]);
    }
    let first = result.windows.first().map_or_else(String::new, |w| format!(", the first after {}", w.origin));
    format!("{} windows of {} steps{first}\n\n{}", result.windows.len(), result.horizon, table.render())
}

/// `window,origin,timestamp,horizon,model,actual,mean,q…`: windows from 0, horizon in steps from 1, a gap as an empty cell.
fn write_forecasts(path: &Path, result: &BacktestResult, frame: &Frame) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut out = create(path)?;
    let levels: String = result.levels.iter().map(|l| format!(",q{l}")).collect();
    writeln!(out, "window,origin,timestamp,horizon,model,actual,mean{levels}").with_context(failed)?;
    for row in result.rows(frame) {
        let actual = row.actual.map_or_else(String::new, |a| a.to_string());
        let quantiles: String = row.quantiles.iter().map(|q| format!(",{q}")).collect();
        let (origin, time) = (row.origin, row.timestamp);
        writeln!(out, "{},{origin},{time},{},{},{actual},{}{quantiles}", row.window, row.step, row.model, row.mean)
            .with_context(failed)?;
    }
    out.flush().with_context(failed)
}

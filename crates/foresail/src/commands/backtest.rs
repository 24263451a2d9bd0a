//! `foresail backtest INPUT --value COL --models a,b --horizon 30m`.

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

use crate::args::{Input, Loaded, Span, steps};
use crate::clock::Stopwatch;
use crate::commands::forecast::build;
use crate::failure::usage;
use crate::output::{TextTable, cell, create, note, print, print_json, write_file};
use crate::{progress, reports};

/// Quantile levels of the forecasts that come back.
const LEVELS: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

/// Measure models on windows at the end of a series.
///
/// Each model walks once through the series as it would live: fitted on what came before, updated row by row, fitted anew
/// once a day. At the start of each window it forecasts; a purge gap of one horizon keeps the window out of every fit.
#[derive(Args, Debug)]
pub(crate) struct Backtest {
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
    /// Write every forecast value beside what came, as CSV
    #[arg(long, value_name = "F.csv")]
    forecasts: Option<PathBuf>,
    /// Write a report that a browser opens
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    input: Input,
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
        let loaded = self.input.load()?;
        let horizon = steps(&loaded.frame, self.horizon)?;
        let seasons = self.season.iter().map(|s| s.0).collect();
        let models = models(&self.models, &ModelOptions { seasons, ..ModelOptions::default() })?;
        let mut options = BacktestOptions::new(horizon);
        options.seasons = self.season.iter().map(|s| s.0).collect();
        options.windows = self.windows.map(|n| n as usize);
        options.levels = LEVELS.to_vec();
        options.seed = self.seed;
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

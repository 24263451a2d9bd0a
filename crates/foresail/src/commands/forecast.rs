//! `foresail forecast INPUT --value COL --horizon 30m`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use foresail_core::SeededRng;
use foresail_forecast::guard::Guarded;
use foresail_forecast::intervals::Calibrated;
use foresail_forecast::registry::{self, ModelOptions};
use foresail_forecast::{Error, Forecast as Prediction, Forecaster};
use serde::Serialize;

use crate::args::{Input, KnownArgs, Loaded, Span, fraction, levels, steps};
use crate::clock::Stopwatch;
use crate::failure::usage;
use crate::output::{TextTable, cell, create, note, print, print_json, write_file};
use crate::{progress, reports};

/// Predict the next steps of a series, with intervals.
#[derive(Args, Debug)]
pub(crate) struct Forecast {
    /// Model; a wrong name lists those there are
    #[arg(long, default_value = "ensemble")]
    model: String,
    /// How far ahead, in multiples of the step of the series: 30m, 1d
    #[arg(long, value_name = "SPAN")]
    horizon: Span,
    /// Quantile levels between 0 and 1
    #[arg(long, value_name = "LEVELS", value_delimiter = ',', value_parser = fraction, default_value = "0.05,0.5,0.95")]
    quantiles: Vec<f64>,
    /// Seasons that the load may have
    #[arg(long, value_name = "SPANS", value_delimiter = ',', default_value = "1d,1w")]
    season: Vec<Span>,
    /// Seed of whatever is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write timestamp,mean,q0.05,… as CSV; - is standard output
    #[arg(long, value_name = "F.csv")]
    output: Option<PathBuf>,
    /// Write a report that a browser opens
    #[arg(long, value_name = "F.html")]
    report: Option<PathBuf>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    known: KnownArgs,
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
    model: &'a str,
    horizon_steps: usize,
    degraded: Option<&'a str>,
    levels: &'a [f64],
    forecast: Vec<Row>,
    fit_s: f64,
    predict_s: f64,
    quality: &'a foresail_ingest::Quality,
}

#[derive(Serialize)]
struct Row {
    timestamp: foresail_core::Timestamp,
    mean: f64,
    quantiles: Vec<f64>,
}

impl Forecast {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let loaded = self.input.load()?;
        let known = self.known.load(&loaded.frame)?;
        let horizon = steps(&loaded.frame, self.horizon)?;
        let levels = levels(&self.quantiles);
        let seasons = self.season.iter().map(|s| s.0).collect();
        let options = ModelOptions { seasons, horizon, ..ModelOptions::default() };
        let model = Guarded::new(Box::new(Calibrated::new(build(&self.model, &options)?, horizon)));
        let mut rng = SeededRng::seed_from_u64(self.seed);

        let busy = progress::spinner(format!("fitting {}", self.model));
        let watch = Stopwatch::start();
        let fitted = model.fit(&loaded.frame, &known, &mut rng)?;
        let fit_s = watch.seconds();
        let watch = Stopwatch::start();
        let prediction = fitted.predict(horizon, &known).times_events(&known);
        let predict_s = watch.seconds();
        busy.finish_and_clear();

        let quantiles: Vec<Vec<f64>> = levels.iter().map(|level| prediction.quantile(*level)).collect();
        if let Some(path) = &self.output {
            write_rows(path, &prediction, &levels, &quantiles)?;
        }
        if let Some(path) = &self.report {
            write_file(path, &reports::forecast::render(&loaded, &self.model, &prediction, &levels, &options))?;
            note(&format!("report: {}", path.display()));
        }
        if self.json {
            return print_json(&self.document(&loaded, &prediction, &levels, &quantiles, (fit_s, predict_s)));
        }
        if self.output.is_none() {
            print(&human(&prediction, &levels, &quantiles))?;
        }
        if !loaded.quality.is_clean() {
            note(&loaded.quality.to_string());
        }
        Ok(())
    }

    fn document<'a>(
        &'a self,
        loaded: &'a Loaded,
        prediction: &'a Prediction,
        levels: &'a [f64],
        quantiles: &[Vec<f64>],
        (fit_s, predict_s): (f64, f64),
    ) -> Document<'a> {
        let row = |i: usize| Row {
            timestamp: prediction.time(i),
            mean: prediction.mean[i],
            quantiles: quantiles.iter().map(|q| q[i]).collect(),
        };
        Document {
            input: &loaded.name,
            value: loaded.frame.target_column().name(),
            rows: loaded.frame.len(),
            step_s: loaded.frame.step().as_secs_f64(),
            model: &self.model,
            horizon_steps: prediction.horizon(),
            degraded: prediction.degraded.as_deref(),
            levels,
            forecast: (0..prediction.horizon()).map(row).collect(),
            fit_s,
            predict_s,
            quality: &loaded.quality,
        }
    }
}

/// A model by name; a wrong name is a wrong argument.
///
/// # Errors
/// If there is no such model.
pub(crate) fn build(name: &str, options: &ModelOptions) -> anyhow::Result<Box<dyn Forecaster>> {
    registry::build(name, options).map_err(|error| match error {
        Error::NoSuchModel { .. } | Error::BadParameter { .. } => usage(error.to_string()),
        other => other.into(),
    })
}

/// `timestamp,mean,q…`, a row a step.
fn write_rows(path: &Path, prediction: &Prediction, levels: &[f64], quantiles: &[Vec<f64>]) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut out = create(path)?;
    let header: String = levels.iter().map(|l| format!(",q{l}")).collect();
    writeln!(out, "timestamp,mean{header}").with_context(failed)?;
    for (i, mean) in prediction.mean.iter().enumerate() {
        let row: String = quantiles.iter().map(|q| format!(",{}", q[i])).collect();
        writeln!(out, "{},{mean}{row}", prediction.time(i)).with_context(failed)?;
    }
    out.flush().with_context(failed)
}

fn human(prediction: &Prediction, levels: &[f64], quantiles: &[Vec<f64>]) -> String {
    let header = ["timestamp".to_owned(), "mean".to_owned()].into_iter().chain(levels.iter().map(|l| format!("q{l}")));
    let mut table = TextTable::new(header);
    for i in 0..prediction.horizon() {
        let cells = [prediction.time(i).to_string(), cell(Some(prediction.mean[i]), 3)].into_iter();
        table.row(cells.chain(quantiles.iter().map(|q| cell(Some(q[i]), 3))));
    }
    let mut text = table.render();
    if let Some(why) = &prediction.degraded {
        text.push_str(&format!("not the model's own word: {why}\n"));
    }
    text
}

//! A chunk of files tested: a row of figures a series and model.

use std::path::Path;

use foresail_core::{Column, Frame};
use foresail_forecast::Forecaster;
use foresail_forecast::backtest::{self, BacktestOptions, BacktestResult, Edges, ModelResult};
use foresail_store::{ResultRow, ResultSchema};

use super::InputFile;

/// How a series is tested.
pub(crate) struct Test<'a> {
    /// Reads a file; each column of what comes back is a series.
    pub(crate) load: &'a (dyn Fn(&Path) -> anyhow::Result<Frame> + Sync),
    /// What is asked of a series, depending on its step.
    pub(crate) options: &'a (dyn Fn(&Frame) -> anyhow::Result<BacktestOptions> + Sync),
    /// The models, told of the options.
    pub(crate) models: &'a (dyn Fn(&BacktestOptions) -> anyhow::Result<Models> + Sync),
}

/// The models that a series is tested with.
pub(crate) type Models = Vec<Box<dyn Forecaster>>;

const TEXTS: [&str; 4] = ["file", "series", "model", "error"];
const FIGURES: [&str; 20] = [
    "rows",
    "step_s",
    "horizon_steps",
    "windows",
    "season_steps",
    "points",
    "gaps",
    "mae",
    "rmse",
    "mase",
    "wape",
    "smape",
    "r2",
    "directional_accuracy",
    "peak_precision",
    "peak_recall",
    "wql",
    "msis",
    "covered_90",
    "degraded_windows",
];

/// The columns of the results.
pub(super) fn schema() -> ResultSchema {
    ResultSchema { texts: TEXTS.map(str::to_owned).into(), figures: FIGURES.map(str::to_owned).into() }
}

/// The figure called `name` of a row, one of the columns of the results.
pub(super) fn figure(row: &ResultRow, name: &str) -> Option<f64> {
    FIGURES.iter().position(|known| *known == name).and_then(|i| row.figures[i])
}

/// Tests the series of `files`, one file after another, so that no more than one is held. What cannot be tested is a row
/// that says why: one broken file must not cost the results of thousands.
pub(super) fn test(files: &[InputFile], test: &Test<'_>, done: &dyn Fn()) -> Vec<ResultRow> {
    let mut rows = Vec::new();
    for file in files {
        match (test.load)(&file.path) {
            Ok(frame) => {
                for column in frame.columns() {
                    match one(&frame, column, test) {
                        Ok((frame, result)) => {
                            rows.extend(result.models.iter().map(|model| row(file, &frame, &result, model)));
                        }
                        Err(error) => rows.push(refused(file, column.name(), &error)),
                    }
                }
            }
            Err(error) => rows.push(refused(file, "", &error)),
        }
        done();
    }
    rows
}

fn one(frame: &Frame, column: &Column, test: &Test<'_>) -> anyhow::Result<(Frame, BacktestResult)> {
    let alone = Frame::new(frame.start(), frame.step(), frame.zone().clone(), vec![column.clone()])?;
    let options = (test.options)(&alone)?;
    let models = (test.models)(&options)?;
    let result = backtest::run(&alone, models, &options, &Edges::silent())?;
    Ok((alone, result))
}

fn row(file: &InputFile, frame: &Frame, result: &BacktestResult, model: &ModelResult) -> ResultRow {
    let figures = &model.overall;
    let count = |count: usize| Some(count as f64);
    ResultRow {
        texts: vec![file.name.clone(), frame.target_column().name().to_owned(), model.name.clone(), String::new()],
        figures: vec![
            count(frame.len()),
            Some(frame.step().as_secs_f64()),
            count(result.horizon),
            count(result.windows.len()),
            count(result.reference.season),
            count(figures.count),
            count(figures.gaps),
            figures.mae,
            figures.rmse,
            figures.mase,
            figures.wape,
            figures.smape,
            figures.r2,
            figures.directional_accuracy,
            figures.peak_precision,
            figures.peak_recall,
            figures.wql,
            figures.msis,
            figures.coverage.map(|coverage| coverage.covered),
            count(model.degraded.values().sum()),
        ],
    }
}

fn refused(file: &InputFile, series: &str, error: &anyhow::Error) -> ResultRow {
    let why = format!("{error:#}");
    ResultRow {
        texts: vec![file.name.clone(), series.to_owned(), String::new(), why],
        figures: vec![None; FIGURES.len()],
    }
}

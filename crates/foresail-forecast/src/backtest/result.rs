//! What came of a backtest.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use foresail_core::{Frame, Timestamp};
use serde::Serialize;

use super::BacktestOptions;
use crate::Forecast;
use crate::metrics::{Metrics, Point, Reference, Scorer};

/// One stretch of rows that was forecast from before it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Its rows in the frame.
    pub rows: Range<usize>,
    /// Time of the last row before it that was observed; of the last row before it, if none was.
    pub origin: Timestamp,
    /// The value there, if there is one.
    pub origin_value: Option<f64>,
}

impl Window {
    pub(super) fn new(frame: &Frame, rows: Range<usize>) -> Self {
        let observed = (0..rows.start).rev().find(|i| frame.target_mask()[*i]);
        let origin = frame.time(observed.unwrap_or(rows.start.saturating_sub(1)));
        Self { rows, origin, origin_value: observed.map(|i| frame.target()[i]) }
    }
}

/// Where a model's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timing {
    /// All of it spent in fits and refits, and how many there were.
    pub fit: Duration,
    /// See `fit`.
    pub fits: usize,
    /// In updates, which forecast and judge at every row, and how many there were.
    pub update: Duration,
    /// See `update`.
    pub updates: usize,
    /// In forecasting the windows, and how many there were.
    pub predict: Duration,
    /// See `predict`.
    pub predicts: usize,
}

/// A model's forecasts, not yet scored.
pub(super) struct Walked {
    pub(super) name: String,
    pub(super) forecasts: Vec<Forecast>,
    pub(super) degraded: BTreeMap<String, usize>,
    pub(super) timing: Timing,
}

/// One model's part of the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelResult {
    /// Its name.
    pub name: String,
    /// Over all windows and steps.
    pub overall: Metrics,
    /// Of each step ahead, over all windows.
    pub by_horizon: Vec<Metrics>,
    /// Windows whose forecast was not what the model itself said, by the reason given.
    pub degraded: BTreeMap<String, usize>,
    /// Where its time went.
    pub timing: Timing,
    /// `windows × horizon` point forecasts.
    #[serde(skip)]
    mean: Vec<f64>,
    /// `windows × horizon × levels`.
    #[serde(skip)]
    quantiles: Vec<f64>,
}

impl ModelResult {
    pub(super) fn score(
        frame: &Frame,
        windows: &[Window],
        reference: Reference,
        options: &BacktestOptions,
        walked: Walked,
    ) -> Self {
        let mut scorers = vec![Scorer::new(reference, &options.levels); options.horizon];
        let (mut mean, mut quantiles) = (Vec::new(), Vec::new());
        for (window, forecast) in windows.iter().zip(&walked.forecasts) {
            let by_level: Vec<Vec<f64>> = options.levels.iter().map(|level| forecast.quantile(*level)).collect();
            for (step, scorer) in scorers.iter_mut().enumerate() {
                let first = quantiles.len();
                quantiles.extend(by_level.iter().map(|of_level| of_level[step]));
                mean.push(forecast.mean[step]);
                scorer.push(&Point {
                    actual: frame.target_column().get(window.rows.start + step),
                    origin: window.origin_value,
                    mean: forecast.mean[step],
                    quantiles: &quantiles[first..],
                });
            }
        }
        let mut overall = Scorer::new(reference, &options.levels);
        scorers.iter().for_each(|scorer| overall.merge(scorer));
        Self {
            name: walked.name,
            overall: overall.metrics(),
            by_horizon: scorers.iter().map(Scorer::metrics).collect(),
            degraded: walked.degraded,
            timing: walked.timing,
            mean,
            quantiles,
        }
    }
}

/// A backtest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestResult {
    /// The windows, oldest first; fewer than asked for where no more fit.
    pub windows: Vec<Window>,
    /// Steps of each.
    pub horizon: usize,
    /// Levels of the quantiles.
    pub levels: Vec<f64>,
    /// What errors were measured against.
    pub reference: Reference,
    /// The models, in the order given.
    pub models: Vec<ModelResult>,
}

/// One forecast value beside what came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ForecastRow<'a> {
    /// Index of the window.
    pub window: usize,
    /// Time of the last row observed before the window.
    pub origin: Timestamp,
    /// Start of the row forecast.
    pub timestamp: Timestamp,
    /// Steps from the window's first row, counted from 1.
    pub step: usize,
    /// The model's name.
    pub model: &'a str,
    /// What came; none is a gap.
    pub actual: Option<f64>,
    /// The point forecast.
    pub mean: f64,
    /// Quantiles in the order of [`BacktestResult::levels`].
    pub quantiles: &'a [f64],
}

impl BacktestResult {
    /// Every forecast value: by model, then window, then step. `frame` is the one that was tested.
    pub fn rows<'a>(&'a self, frame: &'a Frame) -> impl Iterator<Item = ForecastRow<'a>> + 'a {
        let levels = self.levels.len();
        self.models.iter().flat_map(move |model| {
            model.mean.iter().enumerate().map(move |(i, mean)| {
                let (index, step) = (i / self.horizon, i % self.horizon);
                let window = &self.windows[index];
                let row = window.rows.start + step;
                ForecastRow {
                    window: index,
                    origin: window.origin,
                    timestamp: frame.time(row),
                    step: step + 1,
                    model: &model.name,
                    actual: frame.target_column().get(row),
                    mean: *mean,
                    quantiles: &model.quantiles[i * levels..(i + 1) * levels],
                }
            })
        })
    }

    /// The result of the model called `name`.
    pub fn model(&self, name: &str) -> Option<&ModelResult> {
        self.models.iter().find(|model| model.name == name)
    }
}

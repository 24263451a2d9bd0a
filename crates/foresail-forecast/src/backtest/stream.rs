//! One model's walk through the series.

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::{Frame, SeededRng};

use super::result::{Timing, Walked};
use super::{BacktestOptions, Edges, Window, windows};
use crate::guard::{Guarded, dependable};
use crate::{Fitted, Forecaster};

/// Rows after which a model is first fitted.
const FIRST_FIT: usize = 32;
const DAY: Duration = Duration::from_secs(86_400);
/// Rows between reports of progress.
const REPORT: usize = 512;

/// Forecasts at the start of each window.
pub(super) fn walk(
    frame: &Frame,
    model: Box<dyn Forecaster>,
    windows: &[Window],
    options: &BacktestOptions,
    edges: &Edges<'_>,
) -> Walked {
    let name = model.name().to_owned();
    let guarded = dependable(model, options.horizon);
    let rng = SeededRng::seed_from_u64(options.seed).fork(label(&name));
    let mut walk = Walk { frame, options, model: &guarded, rng, timing: Timing::default(), clock: edges.clock };
    let last = windows.last().map_or(0, |window| window.rows.start);
    let (day, every) = (frame.steps_in(DAY), frame.steps_in(options.refit_every));
    let mut refits = windows::refits(frame.len(), FIRST_FIT + options.purge, day, every).into_iter().peekable();
    let mut windows = windows.iter().peekable();
    let mut fitted = walk.begin(refits.peek().copied().unwrap_or(last).min(last));
    let mut row = refits.next().unwrap_or(last).min(last);
    let mut forecasts = Vec::new();
    let mut degraded = BTreeMap::new();
    // Windows within the rows of the first fit are forecast from shorter fits of their own.
    while let Some(window) = windows.next_if(|window| window.rows.start < row) {
        let early = walk.begin(window.rows.start);
        forecasts.push(walk.forecast(early.as_ref(), &mut degraded));
    }
    loop {
        if refits.next_if_eq(&row).is_some() {
            walk.refit(&mut fitted, row);
        }
        if windows.next_if(|window| window.rows.start == row).is_some() {
            forecasts.push(walk.forecast(fitted.as_ref(), &mut degraded));
        }
        if row >= last {
            break;
        }
        let began = (edges.clock)();
        fitted.update(&frame.row(row));
        walk.timing.update += (edges.clock)().saturating_sub(began);
        walk.timing.updates += 1;
        row += 1;
        if row.is_multiple_of(REPORT) {
            (edges.progress)(REPORT);
        }
    }
    (edges.progress)(frame.len() - row / REPORT * REPORT);
    Walked { name, forecasts, degraded, timing: walk.timing }
}

struct Walk<'a> {
    frame: &'a Frame,
    options: &'a BacktestOptions,
    model: &'a Guarded,
    rng: SeededRng,
    timing: Timing,
    clock: &'a (dyn Fn() -> Duration + Sync),
}

impl Walk<'_> {
    /// A model fitted on what precedes `row` less the purge, that has then taken in the purged rows.
    fn begin(&mut self, row: usize) -> Box<dyn Fitted> {
        let began = (self.clock)();
        let train = row.saturating_sub(self.options.purge);
        let history = self.frame.slice(0..train);
        let mut fitted = self
            .model
            .fit(&history, &self.options.known, &mut self.rng.fork(row as u64))
            .expect("a guarded model never refuses");
        (train..row).for_each(|i| fitted.update(&self.frame.row(i)));
        self.spent(began);
        fitted
    }

    fn refit(&mut self, fitted: &mut Box<dyn Fitted>, row: usize) {
        let began = (self.clock)();
        let first = row.saturating_sub(self.frame.steps_in(self.options.memory));
        let history = self.frame.slice(first..row);
        let train = history.len().saturating_sub(self.options.purge);
        // A model that cannot be fitted anew goes on as it is, and says so itself if it never was fitted.
        let _ = self.model.refit(fitted, &history, train, &self.options.known, &mut self.rng.fork(row as u64));
        self.spent(began);
    }

    fn spent(&mut self, began: Duration) {
        self.timing.fit += (self.clock)().saturating_sub(began);
        self.timing.fits += 1;
    }

    fn forecast(&mut self, fitted: &dyn Fitted, degraded: &mut BTreeMap<String, usize>) -> crate::Forecast {
        let began = (self.clock)();
        let forecast = fitted.predict(self.options.horizon, &self.options.known);
        self.timing.predict += (self.clock)().saturating_sub(began);
        self.timing.predicts += 1;
        if let Some(reason) = &forecast.degraded {
            *degraded.entry(reason.clone()).or_default() += 1;
        }
        forecast
    }
}

/// A number for a name (FNV-1a), so that a model draws the same whatever else is tested beside it.
pub(crate) fn label(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

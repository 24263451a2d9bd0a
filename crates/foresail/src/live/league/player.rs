//! A model in the running.

use std::collections::VecDeque;

use foresail_core::{Known, Row, Timestamp};
use foresail_forecast::{Fitted, Forecaster};
use foresail_learn::drift::{DriftOptions, PerformanceDrift};

/// Scores kept for the picture of errors over time.
const KEPT: usize = 200;

/// A forecast waiting for its step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) time: Timestamp,
    pub(super) mean: f64,
    pub(super) median: f64,
    /// The 90 % interval.
    pub(super) bounds: (f64, f64),
}

/// A model in the running.
pub(super) struct Player {
    pub(super) name: &'static str,
    pub(super) model: Box<dyn Forecaster>,
    pub(super) fitted: Option<Box<dyn Fitted>>,
    /// Forecasts of the scored step that have not come due.
    pub(super) due: VecDeque<Due>,
    /// Which step ahead is scored.
    scored_ahead: usize,
    pub(super) mae: f64,
    pub(super) coverage: f64,
    pub(super) scored: u64,
    pub(super) fit_s: Option<f64>,
    pub(super) fitted_at: Option<Timestamp>,
    pub(super) errors: VecDeque<(Timestamp, f64)>,
    pub(super) coverages: VecDeque<(Timestamp, f64)>,
    /// Whether it still is worth more than the naive forecast.
    pub(super) performance: PerformanceDrift,
}

impl Player {
    /// Scored `ahead` steps ahead, 1 or more.
    pub(super) fn new(name: &'static str, model: Box<dyn Forecaster>, ahead: usize) -> Self {
        Self {
            name,
            model,
            fitted: None,
            due: VecDeque::new(),
            scored_ahead: ahead,
            mae: 0.0,
            coverage: 0.0,
            scored: 0,
            fit_s: None,
            fitted_at: None,
            errors: VecDeque::new(),
            coverages: VecDeque::new(),
            performance: PerformanceDrift::new(DriftOptions::default()).expect("defaults are within range"),
        }
    }

    /// Holds what was said of the step at `time` against what came; `pace` is the weight of a new score. How far off it was;
    /// none if it had said nothing.
    pub(super) fn settle(&mut self, time: Timestamp, load: Option<f64>, pace: f64) -> Option<f64> {
        while self.due.front().is_some_and(|d| d.time < time) {
            self.due.pop_front();
        }
        let (actual, due) = load.zip(self.due.pop_front_if(|d| d.time == time))?;
        self.score(time, actual, &due, pace);
        Some((actual - due.mean).abs())
    }

    fn score(&mut self, time: Timestamp, actual: f64, due: &Due, pace: f64) {
        let error = (actual - due.mean).abs();
        let held = f64::from(u8::from((due.bounds.0..=due.bounds.1).contains(&actual)));
        self.scored += 1;
        let pace = pace.max(1.0 / self.scored as f64);
        self.mae += pace * (error - self.mae);
        self.coverage += pace * (held - self.coverage);
        if self.errors.len() == KEPT {
            self.errors.pop_front();
            self.coverages.pop_front();
        }
        self.errors.push_back((time, self.mae));
        self.coverages.push_back((time, self.coverage));
    }

    /// Takes in a step and says what comes after it, given what is known ahead.
    pub(super) fn take(&mut self, time: Timestamp, load: Option<f64>, regime: Option<usize>, known: &Known) {
        let Some(fitted) = &mut self.fitted else { return };
        fitted.set_regime(regime);
        fitted.update(&Row::univariate(time, load));
        let ahead = fitted.predict(self.scored_ahead, known);
        let last = self.scored_ahead - 1;
        let [low, median, high] = [0.05, 0.5, 0.95].map(|level| ahead.quantile(level)[last]);
        self.due.push_back(Due { time: ahead.time(last), mean: ahead.mean[last], median, bounds: (low, high) });
    }
}

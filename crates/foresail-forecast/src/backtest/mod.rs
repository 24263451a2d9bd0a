//! Rolling-origin backtests: what would models have forecast, had they run all along?
//!
//! Each model walks once through the series as it would live: fitted early, updated row by row, fitted anew at a stated
//! cadence, its intervals calibrated on the way. At the start of each window it forecasts; what came is scored. Fitting
//! times are counted from the first row, never from a window or from the end, so a forecast depends on nothing but the
//! rows before it: cutting the series after a window changes nothing in that window.
//!
//! ```
//! use std::time::Duration;
//!
//! use foresail_core::Frame;
//! use foresail_forecast::backtest::{self, BacktestOptions, Edges};
//! use foresail_forecast::models::LastValue;
//!
//! let frame = Frame::from_values((0..300).map(|i| f64::from(i % 10)));
//! let options = BacktestOptions::new(5);
//! let result = backtest::run(&frame, vec![Box::new(LastValue)], &options, &Edges::silent()).unwrap();
//! assert_eq!(result.windows.len(), 30);
//! assert_eq!(result.models[0].name, "last_value");
//! assert_eq!(result.models[0].overall.count, 150);
//! ```

mod result;
mod stream;
mod windows;

use std::time::Duration;

use foresail_core::{Frame, Known};
use rayon::prelude::*;

use crate::intervals::LEVELS;
use crate::metrics::Reference;
use crate::{Error, Forecaster};

pub use result::{BacktestResult, ForecastRow, ModelResult, Timing, Window};
pub(crate) use stream::label;

/// What is tested and how.
#[derive(Clone, Debug, PartialEq)]
pub struct BacktestOptions {
    /// Steps forecast at each origin, at least 1.
    pub horizon: usize,
    /// Seasons, most telling first; that of MASE is the first shorter than what precedes the first window.
    pub seasons: Vec<Duration>,
    /// Windows, evenly spaced; as many as fit if none. Where more are asked for than fit, as many as fit.
    pub windows: Option<usize>,
    /// What is left untested at the start, unless as many windows would not fit: a day or half of the series, whichever
    /// is less, if none is given.
    pub warm_up: Option<Duration>,
    /// Rows between the last that a batch fit learns from and the first of a window; rows within reach models only as
    /// their state.
    pub purge: usize,
    /// How often models are fitted anew once they have seen so much; before, daily, and on the first day at each doubling
    /// of the rows.
    pub refit_every: Duration,
    /// How much history a fit learns from, at most.
    pub memory: Duration,
    /// Quantile levels of the rows that come back, ascending within (0, 1).
    pub levels: Vec<f64>,
    /// Seed of whatever is random in a model.
    pub seed: u64,
    /// What was known ahead.
    pub known: Known,
}

impl BacktestOptions {
    /// The usual test of forecasts of `horizon` steps: as many windows as fit, seasons of a day and a week, a purge of one
    /// horizon, weekly fits on the last four weeks.
    pub fn new(horizon: usize) -> Self {
        let day = Duration::from_secs(86_400);
        Self {
            horizon,
            seasons: vec![day, 7 * day],
            windows: None,
            warm_up: None,
            purge: horizon,
            refit_every: 7 * day,
            memory: 28 * day,
            levels: LEVELS.to_vec(),
            seed: 0,
            known: Known::none(),
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.levels.iter().any(|l| !(*l > 0.0 && *l < 1.0)) || self.levels.windows(2).any(|l| l[0] >= l[1]) {
            let value = format!("{:?}", self.levels);
            return Err(Error::BadParameter { parameter: "levels", value, range: "ascending between 0 and 1" });
        }
        Ok(())
    }
}

/// The test's contact with the world. Neither changes what comes back, but for the times in it.
pub struct Edges<'a> {
    /// Time since some fixed instant.
    pub clock: &'a (dyn Fn() -> Duration + Sync),
    /// Called with rows walked since the last call, by whichever model walked them; in all, models × rows.
    pub progress: &'a (dyn Fn(usize) + Sync),
}

impl Edges<'static> {
    /// Measures nothing and tells no one.
    pub fn silent() -> Self {
        Self { clock: &|| Duration::ZERO, progress: &|_| {} }
    }
}

/// Tests `models` on `frame`, in parallel over models; the result does not depend on threads. Every model is guarded and
/// its intervals are calibrated, so each is tested as it would run.
///
/// # Errors
/// [`Error::TooShort`] if no window fits; [`Error::BadParameter`] for options out of range.
pub fn run(
    frame: &Frame,
    models: Vec<Box<dyn Forecaster>>,
    options: &BacktestOptions,
    edges: &Edges<'_>,
) -> Result<BacktestResult, Error> {
    options.check()?;
    let day = frame.steps_in(Duration::from_secs(86_400));
    let least = options.warm_up.map_or(day.min(frame.len() / 2), |span| frame.steps_in(span));
    let ranges = windows::windows(frame.len(), options.horizon, least, options.windows)?;
    let windows: Vec<Window> = ranges.into_iter().map(|rows| Window::new(frame, rows)).collect();
    let before = windows[0].rows.start;
    let seasons: Vec<usize> = options.seasons.iter().map(|season| frame.steps_in(*season)).collect();
    let reference = Reference::in_sample(&frame.target()[..before], &frame.target_mask()[..before], &seasons);
    let models = models
        .into_par_iter()
        .map(|model| {
            let walked = stream::walk(frame, model, &windows, options, edges);
            ModelResult::score(frame, &windows, reference, options, walked)
        })
        .collect();
    Ok(BacktestResult { windows, horizon: options.horizon, levels: options.levels.clone(), reference, models })
}

#[cfg(test)]
mod tests;

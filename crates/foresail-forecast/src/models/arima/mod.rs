//! Seasonal ARIMA.

#[cfg(test)]
mod golden;

mod bfgs;
mod css;
mod estimate;
mod filter;
mod form;
mod harmonics;
mod likelihood;
mod polynomial;
mod running;
mod sample;
mod search;
mod stationary;
mod unit_roots;

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, Quantiles, require};
use super::normal::normal_quantile;
use super::season::{Season, fitting};
use crate::intervals::LEVELS;
use crate::{Error, Fitted, Forecaster};
use estimate::{Estimate, estimate};
pub use form::ArimaForm;
use harmonics::Harmonics;
use running::Running;
use sample::Window;
use search::{CHOSEN, search};

/// Longest season that is part of the model itself, in rows.
const LONGEST: usize = 24;
/// Rows learned from at most: by a model with a season in it, without one, and by waves.
const ROWS: (usize, usize, usize) = (2000, 3000, 20_000);
/// Observed rows needed.
const LEAST: usize = 4;

/// Seasonal ARIMA (Box & Jenkins 1970) with a mean or a drift, of given orders or choosing them itself.
///
/// **Choice.** Differences by the KPSS test and by the strength of the season, then the orders by a stepwise search for the
/// smallest corrected Akaike criterion (Hyndman & Khandakar 2008), as statsforecast's `AutoARIMA` does it.
/// **Fit.** Exact maximum likelihood: mean and gaps in closed form, coefficients kept stationary and invertible (Monahan 1984)
/// and found by a quasi-Newton search from the conditional least squares. A row costs O(season) of the filter (Mélard 1984).
/// **Use.** An update is a step of the Kalman filter, O(season); forecasts have their exact Gaussian variance, parameters taken
/// for known.
///
/// The season is the shortest that fits, if it has 24 rows or fewer. Longer ones cannot be part of such a model at a
/// bearable cost. If the shortest is longer, all are taken out beforehand as a regression on ten waves for the shortest and
/// six for each longer one, and put back (dynamic harmonic regression). A fit reads the last 2000 rows with a season in the
/// model, else 3000 (and 20,000 for waves), and takes at most 200 gaps in them for unknowns, those before for straight
/// lines.
#[derive(Clone, Debug)]
pub struct Arima {
    seasons: Vec<Duration>,
    form: Option<ArimaForm>,
}

/// What a fit found, in the unit of the history.
#[derive(Clone, Debug, PartialEq)]
pub struct ArimaSummary {
    /// The orders.
    pub form: ArimaForm,
    /// Rows of the season in the model, 1 without one.
    pub season: usize,
    /// Autoregressive coefficients, lag 1 first: `y = Σ ar·y + …`.
    pub ar: Vec<f64>,
    /// Moving-average coefficients, lag 1 first: `… + ε + Σ ma·ε`.
    pub ma: Vec<f64>,
    /// Autoregressive coefficients at whole seasons.
    pub seasonal_ar: Vec<f64>,
    /// Moving-average coefficients at whole seasons.
    pub seasonal_ma: Vec<f64>,
    /// Gaussian log likelihood of the rows learned from (differenced: that many fewer).
    pub log_likelihood: f64,
    /// Akaike's criterion, corrected; comparable among models differenced alike. Infinite with too few rows to judge.
    pub aicc: f64,
    /// Means of the rows after the history.
    pub mean: Vec<f64>,
    /// Their standard deviations.
    pub deviation: Vec<f64>,
}

impl Arima {
    /// Chooses its orders; with the seasons to choose from.
    pub fn automatic(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec(), form: None }
    }

    /// Of given orders; seasonal ones mean the shortest of `seasons` that fits.
    pub fn of(form: ArimaForm, seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec(), form: Some(form) }
    }

    /// Fits, and says what was found, with the forecast of `horizon` rows.
    ///
    /// # Errors
    /// As [`Forecaster::fit`].
    pub fn summary(&self, history: &Frame, horizon: usize) -> Result<ArimaSummary, Error> {
        let learned = self.learn(history)?;
        let Learned { scale, season, estimate, state, used } = learned;
        let c = estimate.coefficients;
        let clock = Clock::at_end(history);
        // A density of values `scale` times as large is that much smaller; so is its criterion's larger.
        let shift = used as f64 * scale.ln();
        Ok(ArimaSummary {
            form: estimate.form,
            season,
            ar: c.ar,
            ma: c.ma,
            seasonal_ar: c.seasonal_ar,
            seasonal_ma: c.seasonal_ma,
            log_likelihood: estimate.log_likelihood - shift,
            aicc: estimate.aicc + 2.0 * shift,
            mean: state.point(&clock, horizon, &Known::none()),
            deviation: state.running.deviations(horizon).into_iter().map(|d| d * scale).collect(),
        })
    }

    fn learn(&self, history: &Frame) -> Result<Learned, Error> {
        require(history, LEAST)?;
        let seasons = fitting(&self.seasons, history);
        let (season, long) = split(&seasons);
        let seasonal = season > 1 && self.form.is_none_or(ArimaForm::is_seasonal);
        let most = if seasonal { ROWS.0.max(3 * season) } else { ROWS.1 };
        let mut window = Window::of(history, LEAST, if long.is_empty() { most } else { ROWS.2.max(most) })?;
        let start = window.end - window.values.len();
        let mut clock = Clock::at_start(history);
        clock.advance(start as i64);
        let harmonics = Harmonics::fit(long, &clock, &window.values, &window.seen);
        if let Some(harmonics) = &harmonics {
            let times = clock.local_ahead(window.values.len());
            window.values.iter_mut().zip(times).for_each(|(value, time)| *value -= harmonics.at(time));
            window.keep(most);
        }
        let estimate = self.estimated(&window, season)?;
        let used = window.used(estimate.form, season, CHOSEN.gaps);
        let mut running = Running::new(&window, season, &estimate, CHOSEN.gaps)
            .unwrap_or_else(|| Running::holding(window.values[window.values.len() - 1]));
        // What was missing at the end lies between the last row learned and now.
        (window.end..history.len()).for_each(|_| running.step(None));
        let state = State { scale: window.scale, harmonics, running };
        Ok(Learned { scale: window.scale, season, estimate, state, used })
    }

    fn estimated(&self, window: &Window, season: usize) -> Result<Estimate, Error> {
        let got = window.seen.iter().filter(|seen| **seen).count();
        let Some(form) = self.form else {
            return search(window, season).ok_or(Error::TooShort { needed: got + 1, got });
        };
        let needed = form.lost(season) + form.parameters();
        if form.is_seasonal() && season == 1 {
            return Err(Error::BadParameter {
                parameter: "form",
                value: form.to_string(),
                range: "without seasonal orders, where no season of 2 to 24 rows fits into the history twice",
            });
        }
        estimate(window, form, season, None, CHOSEN).ok_or(Error::TooShort { needed: needed.max(got + 1), got })
    }
}

/// The rows of the season in the model (1 for none), and the seasons that are left to waves: where one is in the model,
/// none, as slow waves beside it take a wandering level for a season.
fn split(seasons: &[Season]) -> (usize, &[Season]) {
    match seasons {
        [first, ..] if first.rows <= LONGEST => (first.rows, &[]),
        long => (1, long),
    }
}

struct Learned {
    scale: f64,
    season: usize,
    estimate: Estimate,
    state: State,
    used: usize,
}

impl Forecaster for Arima {
    fn name(&self) -> &str {
        State::NAME
    }

    /// Besides a history too short, seasonal orders without a season are refused ([`Error::BadParameter`]).
    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        Ok(Box::new(Live::at_end(history, self.learn(history)?.state)))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Values are divided by this.
    scale: f64,
    harmonics: Option<Harmonics>,
    running: Running,
}

impl State {
    fn season_at(&self, local_us: i64) -> f64 {
        self.harmonics.as_ref().map_or(0.0, |harmonics| harmonics.at(local_us))
    }
}

impl Model for State {
    const NAME: &'static str = "arima";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let season = if self.harmonics.is_some() { self.season_at(clock.local_us()) } else { 0.0 };
        self.running.step(row.target().map(|value| value / self.scale - season));
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let mut mean = self.running.means(horizon);
        if self.harmonics.is_some() {
            mean.iter_mut().zip(clock.local_ahead(horizon)).for_each(|(v, time)| *v += self.season_at(time));
        }
        mean.iter_mut().for_each(|v| *v *= self.scale);
        mean
    }

    /// Gaussian: those of the exact prediction variance.
    fn quantiles(&self, _clock: &Clock, _known: &Known, mean: &[f64]) -> Option<Quantiles> {
        let normal = LEVELS.map(normal_quantile);
        let deviations = self.running.deviations(mean.len()).into_iter().map(|deviation| deviation * self.scale);
        let row = |(mean, deviation): (&f64, f64)| normal.iter().map(|normal| mean + normal * deviation).collect();
        Some(Quantiles { levels: LEVELS.to_vec(), rows: mean.iter().zip(deviations).map(row).collect() })
    }

    fn is_sound(&self) -> bool {
        self.running.is_sound() && self.harmonics.as_ref().is_none_or(Harmonics::is_sound)
    }
}

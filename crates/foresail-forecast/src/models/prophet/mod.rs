//! The model of Prophet: trend with changepoints, Fourier seasons, holidays, regressors.

mod basis;
mod design;
#[cfg(test)]
mod golden;
mod lasso;
mod options;
mod posterior;
mod shape;
mod simulate;
mod state;
mod sums;
#[cfg(test)]
mod tests;
mod wall;

pub use options::{Cycle, Growth, Mode, MonthDay, ProphetOptions, Regressor, Seasonality, Terms, Window};
pub(crate) use state::State;

use std::time::Duration;

use foresail_core::{Frame, Known, SeededRng};

use super::live::{Live, Model};
use crate::{Error, Fitted, Forecaster};
use design::{Design, scaled_values};
use posterior::{Estimate, learn};
use state::LEAST_ROWS;

/// Rows a fit looks back at most: eleven years of hours, ten weeks of minutes.
const MAX_ROWS: usize = 100_000;
/// Noise of a series that never changes, which is foreseen to stay as it is, as in Prophet.
const CERTAIN: f64 = 1e-12;
/// The longest month.
const MONTH: Duration = Duration::from_secs(31 * 86_400);

/// Prophet (Taylor & Letham, "Forecasting at scale", The American Statistician 72, 2018): a trend, linear or logistic
/// between changepoints of which few are used, plus or times Fourier seasons, effects of the holidays in
/// [`Known`](foresail_core::Known) and of columns beside the target.
///
/// The posterior is the original's (see its Stan model), its maximum is found exactly and without Stan: a linear model
/// reads the rows once, others some ten times. The defaults are the original's too. What it leaves out: conditional
/// seasons, a cap that moves, sampling of the posterior. What it adds: seasons along the calendar month, effects of days
/// of the month, and updates. An update is O(columns²), and with a linear model after a day of rows (or as many as there
/// are columns, never fewer than 16) the answer is the one that a fit of all rows with the same changepoints would give;
/// other models take later rows as they looked from the last answer. Changepoints stay where they are until the next fit.
#[derive(Clone, Debug)]
pub struct Prophet {
    options: ProphetOptions,
    /// Seasons that are used where a history holds them twice.
    offered: Vec<Seasonality>,
}

impl Prophet {
    /// With these parameters.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for one out of its range.
    pub fn new(options: ProphetOptions) -> Result<Self, Error> {
        options.check()?;
        Ok(Self { options, offered: Vec::new() })
    }

    /// With these seasons, and that of the year where the history holds two: as many Fourier terms as Prophet gives to a
    /// day, a week and a year, and in between for others; a season of 28 to 31 days runs along the calendar month. Point
    /// forecasts alone.
    pub fn with_seasons(seasons: &[Duration]) -> Self {
        let days = |d: u64| Duration::from_secs(d * 86_400);
        let mut options =
            ProphetOptions { weekly: Terms::Off, daily: Terms::Off, samples: 0, ..ProphetOptions::default() };
        let mut offered = Vec::new();
        let mut offer = |cycle, terms| offered.push(Seasonality { cycle, terms, prior_scale: None, mode: None });
        for season in seasons {
            match *season {
                day if day == days(1) => options.daily = Terms::Auto,
                week if week == days(7) => options.weekly = Terms::Auto,
                year if (days(365)..=days(366)).contains(&year) => {}
                month if (days(28)..=days(31)).contains(&month) => offer(Cycle::Month, 5),
                period => offer(Cycle::Period(period), if period <= days(1) { 4 } else { 3 }),
            }
        }
        Self { options, offered }
    }

    /// The same model with these columns as regressors.
    #[must_use]
    pub fn with_regressors(mut self, regressors: Vec<Regressor>) -> Self {
        self.options.regressors = regressors;
        self
    }
}

impl Forecaster for Prophet {
    fn name(&self) -> &str {
        State::NAME
    }

    /// Also refuses ([`Error::BadParameter`]) regressors that are no columns of `history`.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let recent = history.slice(history.len().saturating_sub(MAX_ROWS)..history.len());
        let mut options = self.options.clone();
        let span = recent.end().since(recent.start());
        let held_twice = |season: &&Seasonality| match season.cycle {
            Cycle::Period(period) => period > 2 * recent.step() && period.saturating_mul(2) <= span,
            Cycle::Month => recent.step() < MONTH && 2 * MONTH <= span,
        };
        options.seasonalities.extend(self.offered.iter().filter(held_twice));
        let design = Design::new(&options, &recent, known)?;
        let mut held = vec![0.0; design.basis.scaled.len()];
        let write = |i: usize, row: &mut [f64]| {
            let at = design.rows[i];
            let values: Vec<f64> = design
                .basis
                .scaled
                .iter()
                .map(|s| (recent.columns()[s.column].values()[at] - s.mean) / s.deviation)
                .collect();
            design.basis.write(recent.time(at), design.local_us[i], &values, &design.marks, row);
            design.value(&recent, i)
        };
        let start = design.start(&recent);
        let learned = learn(design.rows.len(), &write, &design.shape, &design.priors, &start);
        let size = design.basis.size();
        // Numbers so far apart that their squares are none identify nothing.
        let refused = Error::TooShort { needed: size, got: design.rows.len() };
        let (mut estimate, sums) = learned.ok_or(refused)?;
        if design.is_constant(&recent) {
            estimate = Estimate { theta: start, sigma: CERTAIN };
        }
        scaled_values(&design.basis, &mut held, |s| recent.columns()[s.column].values().last().copied());
        let state = State {
            sums,
            estimate,
            held,
            unsolved: 0,
            solve_every: recent.steps_in(Duration::from_secs(86_400)).min(size).max(LEAST_ROWS),
            seed: rng.next_u64(),
            options,
            basis: design.basis,
            shape: design.shape,
            priors: design.priors,
            scale: design.scale,
            floor: design.floor,
            marks: design.marks,
        };
        Ok(Box::new(Live::at_end(history, state)))
    }
}

//! Seasonal-trend decomposition by loess, and forecasts from it.

mod decompose;
#[cfg(test)]
mod golden;
mod loess;
mod streaming;
mod streaming_model;

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::ets::choose_without_season;
use super::gaps::fill;
use super::live::{Live, Model, magnitude, require};
use super::season::{Season, fitting};
use super::smoothing::{Running, Window};
use crate::{Error, Fitted, Forecaster};
pub use decompose::{Decomposition, decompose};
pub use streaming::{Components, StreamingStl};
pub use streaming_model::OnlineStl;
pub(crate) use streaming_model::State as OnlineState;

/// Rows a fit looks back at most, or three of the longest season if that is more.
const MAX_ROWS: usize = 20_000;
/// Observed rows needed.
const LEAST: usize = 4;

/// MSTL: all seasons that fit are taken out by [`decompose`], what is left is forecast by the best form of exponential
/// smoothing without a season, and each season's last round is repeated (Bandara et al. 2021, as statsforecast's `MSTL`
/// with its default trend forecaster).
///
/// `fit` costs a decomposition of at most 20,000 rows. An update is O(seasons): the smoothing moves on, and each season's
/// place takes up the share of what is seen there that a decomposition would give it.
#[derive(Clone, Debug)]
pub struct Mstl {
    seasons: Vec<Duration>,
    horizon: usize,
}

impl Mstl {
    /// With the seasons to take out, and how many steps ahead matter (as for [`Ets::with_horizon`](super::Ets::with_horizon)).
    pub fn new(seasons: &[Duration], horizon: usize) -> Self {
        Self { seasons: seasons.to_vec(), horizon: horizon.max(1) }
    }
}

/// The end of a history without gaps.
pub(super) struct Rows {
    /// Values over `scale`.
    values: Vec<f64>,
    mask: Vec<bool>,
    scale: f64,
    seasons: Vec<Season>,
}

impl Rows {
    /// With those of `seasons` that fit.
    fn of(history: &Frame, seasons: &[Duration]) -> Self {
        let mask = history.target_mask();
        let longest = fitting(seasons, history).last().map_or(0, |season| season.rows);
        let earliest = history.len().saturating_sub(MAX_ROWS.max(3 * longest));
        let start = earliest + mask[earliest..].iter().position(|seen| *seen).unwrap_or(0);
        let mask = mask[start..].to_vec();
        let scale = magnitude(history);
        let mut values: Vec<f64> = history.target()[start..].iter().map(|value| value / scale).collect();
        let end = mask.iter().rposition(|seen| *seen).map_or(0, |last| last + 1);
        fill(&mut values[..end], &mask[..end]);
        let last = if end > 0 { values[end - 1] } else { 0.0 };
        values[end..].fill(last);
        // What was observed may begin late.
        let seasons = fitting(seasons, history).into_iter().filter(|season| 2 * season.rows <= values.len()).collect();
        Self { values, mask, scale, seasons }
    }
}

impl Forecaster for Mstl {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, LEAST)?;
        let rows = Rows::of(history, &self.seasons);
        let lengths: Vec<usize> = rows.seasons.iter().map(|season| season.rows).collect();
        let parts = decompose(&rows.values, &lengths);
        let clock = Clock::at_end(history);
        let last_round = |(season, length): (&Vec<f64>, &usize)| {
            let mut effects = vec![0.0; *length];
            for (back, effect) in season.iter().rev().take(*length).enumerate() {
                effects[(clock.slot(*length) + length - 1 - back) % length] = *effect;
            }
            effects
        };
        let effects: Vec<Vec<f64>> = parts.seasons.iter().zip(&lengths).map(last_round).collect();
        let rest: Vec<f64> = parts.trend.iter().zip(&parts.remainder).map(|(trend, rest)| trend + rest).collect();
        let calm = parts.trend.last().copied().unwrap_or(0.0);
        let window = Window::over(rest, &rows.mask, 1.0, 0, 0);
        let best = choose_without_season(&window, self.horizon);
        let state =
            State { scale: rows.scale, rest: Running::new(&window, &best), effects, shares: parts.shares, calm };
        Ok(Box::new(Live::at_end(history, state)))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Values are divided by this.
    scale: f64,
    /// What is left without the seasons.
    rest: Running,
    /// For each season, one effect a place.
    effects: Vec<Vec<f64>>,
    /// What share of a row goes into its place's effect.
    shares: Vec<f64>,
    /// A slow level, beside which effects are seen.
    calm: f64,
}

impl State {
    /// What the seasons say of the row `ahead` rows after the one to come.
    fn seasonal(&self, clock: &Clock, ahead: usize) -> f64 {
        self.effects.iter().map(|effects| effects[(clock.slot(effects.len()) + ahead) % effects.len()]).sum()
    }
}

impl Model for State {
    const NAME: &'static str = "mstl";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let seasonal = self.seasonal(clock, 0);
        let rest = row.target().map(|value| value / self.scale - seasonal);
        self.rest.smoothing.step(0, rest);
        let Some(rest) = rest else { return };
        let longest = self.effects.last().map_or(1, Vec::len);
        self.calm += (rest - self.calm) * 2.0 / (longest as f64 + 1.0);
        let beside = rest - self.calm;
        for (effects, share) in self.effects.iter_mut().zip(&self.shares) {
            let slot = clock.slot(effects.len());
            effects[slot] += share * beside;
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let rest = self.rest.smoothing.ahead(0, horizon);
        rest.into_iter().enumerate().map(|(ahead, rest)| (rest + self.seasonal(clock, ahead)) * self.scale).collect()
    }

    fn is_sound(&self) -> bool {
        self.rest.is_sound()
            && self.effects.len() == self.shares.len()
            && self.effects.iter().all(|effects| !effects.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEASONS: [Duration; 2] = [Duration::from_secs(6 * 60), Duration::from_secs(42 * 60)];

    fn law(i: usize) -> f64 {
        let day = [3.0, -1.0, -2.0, 0.0, 1.0, -1.0][i % 6];
        day + if (i / 6) % 7 >= 5 { -2.5 } else { 1.0 } + 10.0
    }

    fn fitted(values: &[f64]) -> Box<dyn Fitted> {
        let history = Frame::from_values(values.iter().copied());
        Mstl::new(&SEASONS, 42).fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap()
    }

    fn check(fitted: &dyn Fitted, from: usize, law: impl Fn(usize) -> f64, tolerance: f64) {
        let mean = fitted.predict(84, &Known::none()).mean;
        let misses = mean.iter().enumerate().map(|(i, got)| (got - law(from + i)).abs());
        let error = misses.sum::<f64>() / 84.0;
        assert!(error < tolerance, "{error}");
    }

    #[test]
    fn two_seasons_are_repeated_from_any_place() {
        for rows in [415, 420, 431] {
            check(&*fitted(&(0..rows).map(law).collect::<Vec<f64>>()), rows, law, 0.1);
        }
    }

    /// Days that change their shape after the fit: updates follow.
    #[test]
    fn updates_follow_a_season_that_changes() {
        let later = |i: usize| law(i) + [-2.0, 2.0, 0.0, 0.0, 0.0, 0.0][i % 6];
        let mut fitted = fitted(&(0..420).map(law).collect::<Vec<f64>>());
        let start = fitted.predict(1, &Known::none()).start;
        for i in 0..120 {
            let time = start + Duration::from_secs(60 * i as u64);
            fitted.update(&Row::univariate(time, Some(later(420 + i))));
        }
        check(&*fitted, 540, later, 0.25);
    }
}

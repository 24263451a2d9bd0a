//! Forecasts from a decomposition that is kept up row by row.

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::super::clock::Clock;
use super::super::live::{Live, Model, require};
use super::{LEAST, Rows, StreamingStl, decompose};
use crate::{Error, Fitted, Forecaster};

/// Penalties of the trend's steps and bends to choose from, in units of the noise (He et al. 2023 choose from such a grid
/// too).
const PENALTIES: [f64; 4] = [0.3, 3.0, 30.0, 300.0];
/// What share of a miss the seasons take up.
const READINESS: f64 = 0.3;
/// The noise is taken for at least this share of the mean magnitude.
const LEAST_NOISE: f64 = 1e-6;

/// The trend of an online seasonal-trend decomposition ([`StreamingStl`]) held, and its seasons repeated. The size of the
/// noise and the first round of each season come from [`decompose`]; how stiff the trend is, is chosen by how well it would
/// have forecast the history half a season ahead.
///
/// `fit` costs that decomposition and four streams over at most 20,000 rows; an update is O(seasons).
#[derive(Clone, Debug)]
pub struct OnlineStl {
    seasons: Vec<Duration>,
}

impl OnlineStl {
    /// With the seasons to tell apart.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }
}

impl Forecaster for OnlineStl {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, LEAST)?;
        let rows = Rows::of(history, &self.seasons);
        let lengths: Vec<usize> = rows.seasons.iter().map(|season| season.rows).collect();
        let parts = decompose(&rows.values, &lengths);
        let seen = || rows.values.iter().zip(&rows.mask).map(|(value, seen)| seen.then_some(*value));
        let noise = if lengths.is_empty() { changes(&rows.values) } else { parts.remainder.clone() };
        let noise = (noise.iter().map(|r| r * r).sum::<f64>() / noise.len().max(1) as f64).sqrt();
        let lead = lengths.first().map_or(1, |length| length.div_ceil(2));
        let stream = |penalty: f64| {
            let mut stl = StreamingStl::new(&lengths, noise.max(LEAST_NOISE), (penalty, penalty), READINESS);
            for (i, (season, length)) in parts.seasons.iter().zip(&lengths).enumerate() {
                stl.set_season(i, &season[..*length]);
            }
            let (mut trend, mut error) = (0.0, 0.0);
            // What was said of the rows to come, by their number.
            let mut said = vec![None; lead];
            for (i, value) in seen().enumerate() {
                if let (Some(said), Some(value)) = (said[i % lead], value) {
                    let said: f64 = said;
                    error += (said - value).abs();
                }
                trend = stl.push(value).map_or(trend, |parts| parts.trend);
                said[i % lead] = Some(trend + stl.seasonal(lead - 1));
            }
            (error, stl, trend)
        };
        let (_, stl, trend) = PENALTIES
            .map(stream)
            .into_iter()
            .reduce(|best, next| if next.0 < best.0 { next } else { best })
            .expect("there are penalties");
        let first = Clock::at_end(history).index() - rows.values.len() as i64;
        Ok(Box::new(Live::at_end(history, State { scale: rows.scale, stl, trend, first })))
    }
}

/// Differences from row to row.
fn changes(values: &[f64]) -> Vec<f64> {
    values.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// Values are divided by this.
    scale: f64,
    stl: StreamingStl,
    trend: f64,
    /// Number of the row that the stream began with, as [`Clock::index`] counts.
    first: i64,
}

impl State {
    /// How many rows the stream has missed.
    fn missed(&self, clock: &Clock) -> u64 {
        u64::try_from(clock.index() - self.first).unwrap_or(0).saturating_sub(self.stl.rows())
    }
}

impl Model for State {
    const NAME: &'static str = "online_stl";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        self.stl.skip(self.missed(clock));
        if let Some(parts) = self.stl.push(row.target().map(|value| value / self.scale)) {
            self.trend = parts.trend;
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let missed = self.missed(clock) as usize;
        (0..horizon).map(|ahead| (self.trend + self.stl.seasonal(missed + ahead)) * self.scale).collect()
    }

    fn is_sound(&self) -> bool {
        self.stl.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_on_a_level_that_steps_is_forecast_after_updates_and_gaps() {
        let mut rng = SeededRng::seed_from_u64(2);
        let law = |i: usize| [5.0, 1.0, -4.0, -2.0][i % 4] + if i < 300 { 20.0 } else { 30.0 };
        let history = Frame::from_values((0..250).map(|i| law(i) + 0.3 * rng.normal()));
        let model = OnlineStl::new(&[Duration::from_secs(4 * 60)]);
        let mut fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        let check = |fitted: &dyn Fitted, from: usize| {
            for (i, got) in fitted.predict(9, &Known::none()).mean.iter().enumerate() {
                assert!((got - law(from + i)).abs() < 1.0, "{from} {i}: {got}, not {}", law(from + i));
            }
        };
        check(&*fitted, 250);
        for i in 250..340 {
            fitted.update(&Row::univariate(history.time(i), Some(law(i) + 0.3 * rng.normal())));
        }
        check(&*fitted, 340);
        // Longer than gaps are filled.
        fitted.update(&Row::univariate(history.time(10_340), Some(law(10_340))));
        check(&*fitted, 10_341);
    }
}

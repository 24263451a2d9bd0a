//! What was seen one season ago.

use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::live::{Live, Model, require};
use super::season::fitting;
use crate::{Error, Fitted, Forecaster};

/// Predicts the value of one season ago (FPP3, §5.2, the seasonal naïve method), taking the longest season that the
/// history holds twice. Where that season's row was a gap, the one before counts; where its place in the season was
/// never seen, the next shorter season, at last the last value. Updates are O(seasons).
#[derive(Clone, Debug)]
pub struct SeasonalNaive {
    seasons: Vec<Duration>,
}

impl SeasonalNaive {
    /// With the seasons to choose from.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }
}

impl Forecaster for SeasonalNaive {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, _rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        require(history, 1)?;
        let cycles = fitting(&self.seasons, history).iter().rev().map(|season| vec![None; season.rows]).collect();
        Ok(Box::new(Live::stream(history, State { cycles, last: 0.0 })))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    /// For each season, longest first, and each place in it: the value last seen there.
    cycles: Vec<Vec<Option<f64>>>,
    last: f64,
}

impl Model for State {
    const NAME: &'static str = "seasonal_naive";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let Some(value) = row.target() else { return };
        for cycle in &mut self.cycles {
            let slot = clock.slot(cycle.len());
            cycle[slot] = Some(value);
        }
        self.last = value;
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        (0..horizon)
            .map(|ahead| {
                let seen = |cycle: &Vec<Option<f64>>| cycle[(clock.slot(cycle.len()) + ahead) % cycle.len()];
                self.cycles.iter().find_map(seen).unwrap_or(self.last)
            })
            .collect()
    }

    fn is_sound(&self) -> bool {
        self.cycles.iter().all(|cycle| !cycle.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(season_minutes: &[u64], values: &[f64], expected: &[f64]) {
        let seasons: Vec<Duration> = season_minutes.iter().map(|m| Duration::from_secs(60 * m)).collect();
        let history = Frame::from_values(values.iter().copied());
        let model = SeasonalNaive::new(&seasons);
        let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        assert_eq!(fitted.predict(expected.len(), &Known::none()).mean, expected, "{values:?}");
    }

    #[test]
    fn the_longest_season_that_fits_twice_is_repeated() {
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        check(&[2, 4], &values, &[5.0, 6.0, 7.0, 8.0, 5.0]);
        check(&[2, 5], &values, &[7.0, 8.0, 7.0]);
        check(&[60], &values, &[8.0, 8.0]);
    }

    #[test]
    fn a_gap_is_filled_from_the_season_before_then_from_a_shorter_one() {
        let gap = f64::NAN;
        check(&[4], &[1.0, 2.0, 3.0, 4.0, 5.0, gap, 7.0, 8.0], &[5.0, 2.0]);
        check(&[2, 4], &[1.0, gap, 3.0, 4.0, 5.0, gap, 7.0, 8.0], &[5.0, 8.0]);
        check(&[4], &[1.0, gap, 3.0, 4.0, 5.0, gap, 7.0, 9.0], &[5.0, 9.0]);
    }
}

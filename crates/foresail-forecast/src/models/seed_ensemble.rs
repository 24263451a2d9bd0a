//! The exercise's ensemble: pattern, trend and a random forest in fixed shares.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Frame, Known, Row, SeededRng};
use foresail_learn::forest::{ForestParams, Matrix, RandomForest};
use serde::{Deserialize, Serialize};

use super::calendar_features::{CALENDAR, calendar_features};
use super::clock::Clock;
use super::live::{Live, Model, require};
use super::{LinearTrend, Pattern, linear_trend, pattern};
use crate::{Error, Fitted, Forecaster};

/// Observed rows without which the exercise predicts nothing.
const ENOUGH: usize = 60;
/// Rows of history: a week of minutes.
const HISTORY: usize = 10_080;
/// Shares of pattern, trend and forest.
const SHARES: [f64; 3] = [0.4, 0.3, 0.3];
/// Time after which confidence has fallen to 1/e.
const CONFIDENCE: Duration = Duration::from_secs(30 * 60);

/// The ensemble of the exercise: 0.4 of the [`Pattern`], 0.3 of the [`LinearTrend`], and 0.3 of a random forest (50 trees
/// of depth 10) on eight calendar features, over a history of 10,080 rows. A member that has no answer (a trend in a gap)
/// leaves its share to the others. Needs 60 observed rows.
///
/// Departure: pattern and trend learn with every row; the forest is grown anew once a day (never before 60 rows have
/// passed) instead of every 60 rows, in some hundredths of a second; other updates are O(seasons). A prediction asks the
/// forest once a step.
#[derive(Clone, Debug)]
pub struct SeedEnsemble {
    seasons: Vec<Duration>,
}

impl SeedEnsemble {
    /// With the seasons of the pattern.
    pub fn new(seasons: &[Duration]) -> Self {
        Self { seasons: seasons.to_vec() }
    }

    /// How far the exercise trusts a forecast of the load `ahead` from now: e^(-ahead / 30 minutes).
    pub fn confidence(ahead: Duration) -> f64 {
        (-ahead.as_secs_f64() / CONFIDENCE.as_secs_f64()).exp()
    }
}

impl Forecaster for SeedEnsemble {
    fn name(&self) -> &str {
        State::NAME
    }

    fn fit(&self, history: &Frame, _known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let recent = history.slice(history.len().saturating_sub(HISTORY)..history.len());
        require(&recent, ENOUGH)?;
        let state = State {
            pattern: Pattern::new(&self.seasons).start(&recent),
            trend: LinearTrend::new().start(&recent),
            seen: VecDeque::new(),
            forest: None,
            seed: rng.next_u64(),
            rows: 0,
            grow_every: history.steps_in(Duration::from_secs(86_400)).max(ENOUGH) as u64,
            grown_at: u64::MAX,
        };
        let mut live = Live::stream(&recent, state);
        live.model_mut().grow();
        Ok(Box::new(live))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pattern: pattern::State,
    trend: linear_trend::State,
    /// Local time and value of the observed rows among the last 10,080.
    seen: VecDeque<(i64, f64)>,
    forest: Option<RandomForest>,
    seed: u64,
    /// Rows taken in.
    rows: u64,
    grow_every: u64,
    /// Rows taken in when the forest was last grown; `u64::MAX` while fitting.
    grown_at: u64,
}

impl State {
    fn grow(&mut self) {
        let table: Vec<f32> = self.seen.iter().flat_map(|(local, _)| calendar_features(*local)).collect();
        let targets: Vec<f64> = self.seen.iter().map(|(_, value)| *value).collect();
        let params = ForestParams { n_trees: 50, max_depth: 10, min_leaf: 2, ..ForestParams::default() };
        let rng = SeededRng::seed_from_u64(self.seed ^ self.rows);
        let grown = Matrix::new(&table, CALENDAR).and_then(|m| RandomForest::fit(m, &targets, &params, &rng));
        self.forest = grown.ok().or(self.forest.take());
        self.grown_at = self.rows;
    }
}

impl Model for State {
    const NAME: &'static str = "seed_ensemble";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        self.pattern.push(clock, row);
        self.trend.push(clock, row);
        let local = clock.local_us();
        self.seen.extend(row.target().map(|value| (local, value)));
        let oldest = local.saturating_sub(clock.step().as_micros() as i64 * HISTORY as i64);
        while self.seen.front().is_some_and(|(at, _)| *at <= oldest) {
            self.seen.pop_front();
        }
        self.rows += 1;
        if self.rows.saturating_sub(self.grown_at) >= self.grow_every {
            self.grow();
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, known: &Known) -> Vec<f64> {
        let mut sum = vec![0.0; horizon];
        let mut shares = 0.0;
        let mut join = |share: f64, member: Vec<f64>| {
            if member.iter().all(|v| v.is_finite()) {
                shares += share;
                sum.iter_mut().zip(member).for_each(|(sum, v)| *sum += share * v);
            }
        };
        join(SHARES[0], self.pattern.point(clock, horizon, known));
        if self.trend.line().is_some() {
            join(SHARES[1], self.trend.point(clock, horizon, known));
        }
        if let Some(forest) = &self.forest {
            let answers = clock.local_ahead(horizon).map(|local| forest.predict(&calendar_features(local)));
            join(SHARES[2], answers.collect());
        }
        sum.iter().map(|sum| sum / shares).collect()
    }

    fn is_sound(&self) -> bool {
        self.pattern.is_sound() && self.forest.as_ref().is_none_or(|f| f.features() == CALENDAR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(values: Vec<f64>) -> Result<Box<dyn Fitted>, Error> {
        let history = Frame::from_values(values);
        SeedEnsemble::new(&[]).fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1))
    }

    #[test]
    fn below_sixty_points_there_is_no_forecast() {
        assert_eq!(fit(vec![1.0; 59]).err(), Some(Error::TooShort { needed: 60, got: 59 }));
        let mean = fit(vec![1.0; 60]).unwrap().predict(2, &Known::none()).mean;
        assert!(mean.iter().all(|v| (v - 1.0).abs() < 1e-12), "{mean:?}");
    }

    #[test]
    fn the_shares_are_those_of_the_exercise() {
        // A line: the pattern (no season) gives its recent level, the trend goes on, the forest gives the hour's mean.
        let values: Vec<f64> = (0..60).map(f64::from).collect();
        let history = Frame::from_values(values.iter().copied());
        let mut rng = SeededRng::seed_from_u64(1);
        let all = fit(values).unwrap().predict(1, &Known::none()).mean[0];
        let pattern =
            Pattern::new(&[]).fit(&history, &Known::none(), &mut rng).unwrap().predict(1, &Known::none()).mean[0];
        let trend =
            LinearTrend::new().fit(&history, &Known::none(), &mut rng).unwrap().predict(1, &Known::none()).mean[0];
        let forest = (all - 0.4 * pattern - 0.3 * trend) / 0.3;
        assert!((0.0..=59.0).contains(&forest), "{forest}");
        assert!((trend - 60.0).abs() < 1e-9 && pattern > 50.0, "{trend} {pattern}");
    }

    #[test]
    fn a_missing_member_leaves_its_share_to_the_others() {
        // An hour and more of gaps silences the trend; pattern and forest agree on the constant, so nothing is lost.
        let mut values = vec![8.0; 100];
        values.extend([f64::NAN; 90]);
        let mean = fit(values).unwrap().predict(3, &Known::none()).mean;
        assert!(mean.iter().all(|v| (v - 8.0).abs() < 1e-9), "{mean:?}");
    }

    #[test]
    fn confidence_decays_with_half_an_hour() {
        assert_eq!(SeedEnsemble::confidence(Duration::ZERO), 1.0);
        assert!((SeedEnsemble::confidence(Duration::from_secs(1800)) - (-1.0_f64).exp()).abs() < 1e-15);
    }
}

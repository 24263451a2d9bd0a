//! A random forest on the features and the calendar.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::features::Columns;
use foresail_core::{Frame, Known, Row, SeededRng};
use foresail_learn::forest::{self, ForestParams, Matrix};
use serde::{Deserialize, Serialize};

use super::calendar_features::{CALENDAR, calendar_features};
use super::clock::Clock;
use super::direct::{Design, Leads, Pending, regressors};
use super::live::{Live, Model, require};
use crate::{Error, Fitted, Forecaster};

/// Rows that the forest is grown from, a week of minutes, and samples kept of them at most.
const HISTORY: usize = 10_080;
const SAMPLES: usize = 2520;
/// Rows that a fit looks back at most, to know the profile by.
const MAX_ROWS: usize = 45_000;
/// Observed rows that make a forest worth while.
const ENOUGH: usize = 60;

/// A random forest of 50 trees of depth 10 (Breiman 2001) on the 72 features, the present deviation from the seasonal
/// profile, and the calendar of the row that is forecast (the exercise's eight features). Like [`Ridge`](super::Ridge)
/// it learns, directly and for several leads, by how much the profile at the present level will be off; the lead is one
/// more feature, so one forest serves all.
///
/// An update costs the features, some microseconds. Once a day (never before 60 rows have passed) it also grows the
/// forest anew from samples of the last 10,080 rows, which takes about a tenth of a second; a prediction asks the forest
/// once a lead. The state, samples included, takes about a megabyte and a half.
#[derive(Clone, Debug)]
pub struct RandomForest {
    seasons: Vec<Duration>,
    columns: Option<Columns<String>>,
}

impl RandomForest {
    /// With the seasons of the profile, and the columns that play a part beside the load, if any.
    pub fn new(seasons: &[Duration], columns: Option<Columns<String>>) -> Self {
        Self { seasons: seasons.to_vec(), columns }
    }
}

impl Forecaster for RandomForest {
    fn name(&self) -> &str {
        State::NAME
    }

    /// Also refuses ([`Error::BadParameter`]) a step that does not divide a day, and columns that are not there.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let recent = history.slice(history.len().saturating_sub(MAX_ROWS)..history.len());
        require(&recent, ENOUGH)?;
        let state = State {
            design: Design::new(&self.seasons, self.columns.as_ref(), &recent, known)?,
            samples: VecDeque::new(),
            every: sampled_every(recent.len() as u64),
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

/// Of a history of so many rows, every how many-th becomes a sample.
fn sampled_every(rows: u64) -> u64 {
    rows.min(HISTORY as u64).div_ceil(SAMPLES as u64).max(1)
}

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    design: Design,
    samples: VecDeque<Sample>,
    every: u64,
    forest: Option<forest::RandomForest>,
    seed: u64,
    /// Rows taken in.
    rows: u64,
    grow_every: u64,
    /// Rows taken in when the forest was last grown; `u64::MAX` while fitting.
    grown_at: u64,
}

/// What one row taught for one lead.
#[derive(Serialize, Deserialize)]
struct Sample {
    features: Vec<f32>,
    target: f64,
}

impl State {
    fn sample(&mut self, done: &Pending, step_us: i64) {
        // The leads take turns; 3 shares no divisor with 7, so that neighbours are not neighbours in lead too.
        let turn = (self.rows / self.every * 3 % self.design.leads().len() as u64) as usize;
        let Some(target) = done.targets[turn] else { return };
        let lead = self.design.leads().as_slice()[turn];
        let features = features(&done.regressors, lead, done.local_us + step_us * lead as i64);
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { features, target });
    }

    fn grow(&mut self) {
        let width = width(self.design.leads());
        let table: Vec<f32> = self.samples.iter().flat_map(|s| s.features.iter().copied()).collect();
        let targets: Vec<f64> = self.samples.iter().map(|s| s.target).collect();
        let params = ForestParams { n_trees: 50, max_depth: 10, min_leaf: 5, max_bins: 64, ..ForestParams::default() };
        let rng = SeededRng::seed_from_u64(self.seed ^ self.rows);
        let grown = Matrix::new(&table, width).and_then(|m| forest::RandomForest::fit(m, &targets, &params, &rng));
        // Without a single sample there is nothing to grow from, and the profile speaks alone.
        self.forest = grown.ok().or(self.forest.take());
        self.every = sampled_every(self.rows);
        self.grown_at = self.rows;
    }
}

/// A row of the forest's table.
fn features(regressors: &[f32], lead: usize, target_local_us: i64) -> Vec<f32> {
    let mut all = Vec::with_capacity(regressors.len() + 1 + CALENDAR);
    all.extend_from_slice(regressors);
    all.push(lead as f32);
    all.extend(calendar_features(target_local_us));
    all
}

fn width(leads: &Leads) -> usize {
    regressors(leads) + 1 + CALENDAR
}

impl Model for State {
    const NAME: &'static str = "random_forest";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        let done = self.design.push(clock, row);
        self.rows += 1;
        if let Some(done) = done.filter(|_| self.rows.is_multiple_of(self.every)) {
            self.sample(&done, clock.step().as_micros() as i64);
        }
        if self.rows.saturating_sub(self.grown_at) >= self.grow_every {
            self.grow();
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        let leads = self.design.leads();
        let mut corrections = vec![0.0; leads.len()];
        if let Some(forest) = &self.forest {
            let asked = leads.as_slice().partition_point(|lead| *lead < horizon) + 1;
            // The lead counts from the last row, the clock stands one later.
            let local = clock.local_us() - clock.step().as_micros() as i64;
            for (correction, lead) in corrections.iter_mut().zip(leads.as_slice()).take(asked) {
                let at = local + clock.step().as_micros() as i64 * *lead as i64;
                *correction = forest.predict(&features(self.design.latest(), *lead, at));
            }
        }
        let usual = self.design.usual_ahead(clock, horizon).enumerate();
        usual.map(|(i, usual)| self.design.unbend(usual + leads.interpolate(&corrections, i + 1))).collect()
    }

    fn is_sound(&self) -> bool {
        let width = width(self.design.leads());
        self.design.is_sound()
            && self.every > 0
            && self.samples.iter().all(|s| s.features.len() == width && s.target.is_finite())
            && self.forest.as_ref().is_none_or(|f| f.features() == width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_line_can_say_is_learned() {
        // The load doubles for ten minutes after every hour's minute 20, whatever came before; no season is told of it.
        let law = |i: usize| if (20..30).contains(&(i % 60)) { 200.0 } else { 100.0 };
        let history = Frame::from_values((0..3018).map(law));
        let model = RandomForest::new(&[], None);
        let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        let got = fitted.predict(8, &Known::none()).mean;
        // Minute 18 is next: two rows of calm, then the jump.
        assert!(got[0] < 120.0 && got[7] > 160.0, "{got:?}");
    }

    #[test]
    fn the_forest_is_grown_once_a_day() {
        let mut rng = SeededRng::seed_from_u64(1);
        let history = Frame::univariate(
            foresail_core::Timestamp::from_secs(0),
            Duration::from_secs(1800),
            "x",
            (0..96).map(|i| Some(f64::from(i % 48) + rng.normal())),
        )
        .unwrap();
        let model = RandomForest::new(&[], None);
        let mut fitted = model.fit(&history, &Known::none(), &mut rng).unwrap();
        let forest = |fitted: &dyn Fitted| fitted.snapshot().state["model"]["forest"].clone();
        let first = forest(&*fitted);
        let mut changes = 0;
        for i in 0..120 {
            let before = forest(&*fitted);
            fitted.update(&Row::univariate(history.time(96 + i), Some(i as f64)));
            changes += usize::from(forest(&*fitted) != before);
        }
        assert_eq!(changes, 2);
        assert_ne!(forest(&*fitted), first);
    }
}

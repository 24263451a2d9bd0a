//! From rows to regressors and targets.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::features::{Columns, FeatureConfig, FeatureSet, WIDTH};
use foresail_core::{Frame, Known, Row};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::super::clock::Clock;
use super::super::live::magnitude;
use super::super::profile::{Joined, Profile};
use super::super::season::fitting;
use super::Leads;
use crate::Error;

/// Values well above this share of the series' magnitude are seen by their logarithm.
const BEND: f64 = 0.3;
/// Half-lives of the present deviation, of the hour's, and of the base level under the profile.
const FAST: Duration = Duration::from_secs(3 * 60);
const SLOW: Duration = Duration::from_secs(3600);
const BASE: Duration = Duration::from_secs(7 * 86_400);
/// Regressors besides the features: three of the deviation, and then one a lead of what the profile will do.
const OWN: usize = 3;

/// Regressors a row has, with these leads.
pub(in super::super) fn regressors(leads: &Leads) -> usize {
    WIDTH + OWN + leads.len()
}

/// Streams rows into regressors, and into targets once their leads have passed. A push costs O(1).
#[derive(Serialize, Deserialize)]
pub(in super::super) struct Design {
    leads: Leads,
    /// The bent scale is `asinh(value / unit)`.
    unit: f64,
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    features: FeatureSet,
    /// For each feature, its mean magnitude: the unit in which it is bent.
    units: Vec<f64>,
    profile: Profile,
    base: f64,
    keep: [f64; 3],
    /// Smoothed deviations from the profile over some minutes and over an hour; `None` before the first value.
    fast: Option<f64>,
    slow: f64,
    newest: f64,
    /// Regressors of the last row; one that is not defined holds its last value, 0 before it has any.
    latest: Vec<f32>,
    /// Rows whose targets are not all known yet, oldest first.
    pending: VecDeque<Pending>,
}

/// A row's regressors, and what its targets are measured against.
#[derive(Clone, Serialize, Deserialize)]
pub(in super::super) struct Pending {
    pub(in super::super) regressors: Vec<f32>,
    /// For each lead: before its row has come, what is expected there; then, how far that was off, `None` for a gap.
    pub(in super::super) targets: Vec<Option<f64>>,
    /// Start of the row.
    pub(in super::super) local_us: i64,
}

impl Design {
    /// One that will learn `history`, before it has seen it. The columns that play a part beside the load may be named.
    pub(in super::super) fn new(
        seasons: &[Duration],
        columns: Option<&Columns<String>>,
        history: &Frame,
        known: &Known,
    ) -> Result<Self, Error> {
        let mut config = FeatureConfig::of(history).with_holidays(known.holidays.clone());
        if let Some(columns) = columns {
            let resolved =
                columns.resolve(history).map_err(|e| bad("columns", &e, "names of the history's columns"))?;
            config = config.with_columns(resolved);
        }
        let range = "a step that divides a day, of a second or more";
        let features = FeatureSet::new(config).map_err(|e| bad("step", &e, range))?;
        let leads = Leads::for_history(history.len());
        let keep = |half_life: Duration| 0.5_f64.powf(history.step().as_secs_f64() / half_life.as_secs_f64());
        let unit = BEND * magnitude(history);
        let seen = || history.target().iter().zip(history.target_mask()).filter(|(_, valid)| **valid);
        let base = seen().map(|(v, _)| (v / unit).asinh()).sum::<f64>() / seen().count().max(1) as f64;
        Ok(Self {
            unit,
            units: units(&features, history),
            features,
            profile: Profile::new(Joined::Added, &fitting(seasons, history)),
            base,
            keep: [keep(FAST), keep(SLOW), keep(BASE)],
            fast: None,
            slow: 0.0,
            newest: 0.0,
            latest: vec![0.0; regressors(&leads)],
            pending: VecDeque::new(),
            leads,
        })
    }

    pub(in super::super) fn leads(&self) -> &Leads {
        &self.leads
    }

    /// Takes in a row and gives the one whose last lead it was, with its targets.
    pub(in super::super) fn push(&mut self, clock: &Clock, row: &Row) -> Option<Pending> {
        let value = row.target().map(|value| (value / self.unit).asinh());
        let done = self.settle(value);
        self.features.push(row);
        let local = clock.local_us();
        if let Some(value) = value {
            let deviation = value - self.profile.expected(local, self.base);
            let fast = self.fast.unwrap_or(deviation);
            let fast = deviation + self.keep[0] * (fast - deviation);
            self.fast = Some(fast);
            self.slow = deviation + self.keep[1] * (self.slow - deviation);
            self.newest = deviation;
            self.profile.learn(local, self.base, value);
            self.base = value + self.keep[2] * (self.base - value);
        }
        self.write_regressors(clock);
        // Before the first value there is nothing to learn from, but the queue keeps one entry a row.
        let expected = |lead: &usize| self.fast.map(|fast| self.usual(clock, *lead) + fast);
        let targets = self.leads.as_slice().iter().map(expected).collect();
        self.pending.push_back(Pending { regressors: self.latest.clone(), targets, local_us: local });
        done
    }

    /// Tells the rows that waited for this one how far off their expectation was.
    fn settle(&mut self, value: Option<f64>) -> Option<Pending> {
        let waiting = self.pending.len();
        for (i, lead) in self.leads.as_slice().iter().enumerate() {
            if let Some(pending) = waiting.checked_sub(*lead).and_then(|at| self.pending.get_mut(at)) {
                let expected = pending.targets[i];
                pending.targets[i] = value.and_then(|value| Some(value - expected?));
            }
        }
        if waiting >= self.leads.longest() { self.pending.pop_front() } else { None }
    }

    /// What the profile says of the row `lead` rows after the one that `clock` stands at.
    fn usual(&self, clock: &Clock, lead: usize) -> f64 {
        // A change of clocks within the lead shifts this by an hour for as long: no more than a profile is off then.
        let local = clock.local_us() + clock.step().as_micros() as i64 * lead as i64;
        self.profile.expected(local, self.base)
    }

    fn write_regressors(&mut self, clock: &Clock) {
        let now = self.usual(clock, 0);
        let changes: Vec<f64> = self.leads.as_slice().iter().map(|lead| self.usual(clock, *lead) - now).collect();
        let fast = self.fast.unwrap_or(0.0);
        let features = self.features.latest().iter().zip(&self.units);
        let bent = features.map(|(v, unit)| (!v.is_nan()).then(|| (f64::from(*v) / unit).asinh()));
        let own = [self.newest - fast, fast - self.slow, fast];
        for (held, value) in self.latest.iter_mut().zip(bent.chain(own.into_iter().chain(changes).map(Some))) {
            *held = value.map_or(*held, |value| value as f32);
        }
    }

    /// Regressors of the last row.
    pub(in super::super) fn latest(&self) -> &[f32] {
        &self.latest
    }

    /// For the rows ahead: what is expected when nothing is learned, on the bent scale. `clock` stands at the first.
    pub(in super::super) fn usual_ahead(&self, clock: &Clock, horizon: usize) -> impl Iterator<Item = f64> + '_ {
        let fast = self.fast.unwrap_or(0.0);
        let locals: Vec<i64> = clock.local_ahead(horizon).collect();
        locals.into_iter().map(move |local| self.profile.expected(local, self.base) + fast)
    }

    /// From the bent scale to the series' own.
    pub(in super::super) fn unbend(&self, value: f64) -> f64 {
        value.clamp(-600.0, 600.0).sinh() * self.unit
    }

    /// Whether restored state can be indexed.
    pub(in super::super) fn is_sound(&self) -> bool {
        self.leads.is_sound()
            && self.profile.is_sound()
            && self.units.len() == WIDTH
            && self.latest.len() == regressors(&self.leads)
            && self.pending.len() <= self.leads.longest()
            && self
                .pending
                .iter()
                .all(|p| p.regressors.len() == regressors(&self.leads) && p.targets.len() == self.leads.len())
    }
}

fn bad(parameter: &'static str, error: &foresail_core::Error, range: &'static str) -> Error {
    Error::BadParameter { parameter, value: error.to_string(), range }
}

/// Mean magnitude of each feature over the history; 1 for those that are never defined or always zero.
fn units(features: &FeatureSet, history: &Frame) -> Vec<f64> {
    let mut features = features.clone();
    let (mut sums, mut counts) = ([0.0; WIDTH], [0.0; WIDTH]);
    for row in history.rows() {
        for (i, value) in features.push(&row).iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            sums[i] += f64::from(value.abs());
            counts[i] += 1.0;
        }
    }
    sums.iter().zip(&counts).map(|(sum, count)| if *sum > 0.0 { sum / count } else { 1.0 }).collect()
}

fn as_text<S: Serializer>(features: &FeatureSet, serializer: S) -> Result<S::Ok, S::Error> {
    let text = String::from_utf8(features.snapshot()).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FeatureSet, D::Error> {
    let text = String::deserialize(deserializer)?;
    FeatureSet::restore(text.as_bytes()).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn targets_are_what_the_expectation_missed() {
        // Without a season the profile is flat, and the fast deviation has converged: a jump is missed in full.
        let values: Vec<f64> = (0..200).map(|i| if i < 150 { 10.0 } else { 20.0 }).collect();
        let history = Frame::from_values(values);
        let mut design = Design::new(&[], None, &history, &Known::none()).unwrap();
        let mut clock = Clock::at_start(&history);
        let mut jump = None;
        for (i, row) in history.rows().enumerate() {
            let done = design.push(&clock, &row);
            clock.advance(1);
            assert_eq!(done.is_some(), i >= design.leads.longest());
            // The last row before the jump is done when its longest lead has passed.
            if i == 149 + design.leads.longest() {
                jump = done;
            }
        }
        let bent = |value: f64| (value / design.unit).asinh();
        for target in jump.unwrap().targets {
            assert!((target.unwrap() - (bent(20.0) - bent(10.0))).abs() < 0.02, "{target:?}");
        }
    }

    #[test]
    fn gaps_are_no_targets_and_do_not_move_the_present() {
        let mut rng = SeededRng::seed_from_u64(4);
        let values = (0..100).map(|i| if i % 5 == 0 { f64::NAN } else { 5.0 + rng.normal() });
        let history = Frame::from_values(values);
        let mut design = Design::new(&[], None, &history, &Known::none()).unwrap();
        let mut clock = Clock::at_start(&history);
        for (i, row) in history.rows().enumerate() {
            let before = design.fast;
            let done = design.push(&clock, &row);
            clock.advance(1);
            if i % 5 == 0 {
                assert_eq!(design.fast, before);
            }
            let Some(done) = done else { continue };
            let from = i - design.leads.longest();
            for (lead, target) in design.leads.as_slice().iter().zip(&done.targets) {
                assert_eq!(target.is_some(), from > 0 && !(from + lead).is_multiple_of(5), "row {from}, lead {lead}");
            }
        }
    }

    #[test]
    fn a_step_that_does_not_divide_a_day_is_refused() {
        let start = foresail_core::Timestamp::from_secs(0);
        let history = Frame::univariate(start, Duration::from_secs(7 * 60), "x", vec![Some(1.0); 10]).unwrap();
        let message = Design::new(&[], None, &history, &Known::none()).err().unwrap().to_string();
        assert!(message.starts_with("step is ") && message.contains("divides a day"), "{message}");
    }
}

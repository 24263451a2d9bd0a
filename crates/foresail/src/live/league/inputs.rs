//! Is what the models learn from still spread as it was?

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::Timestamp;
use foresail_learn::drift::{FeatureDrift, InputDrift, InputDriftOptions};
use foresail_server::api::plane::InputView;

use crate::args::Span;

/// Rows of a season at most: of a longer one, every so many steps. A reference is half of one, a window a quarter.
const ROWS: usize = 1_008;
/// Fewest rows that tell a distribution. A season of less than four times as many is not watched.
const FEWEST: usize = 32;
/// False alarms a window: of a season of a day, one in some seven years.
const FALSE_ALARMS: f64 = 1e-4;

/// Watches what forecasts are made from: the load, and its change over each lead, each less what it was a season before. So the
/// hour of the day and the day of the week are taken out, and a window need not hold all of them.
pub(super) struct Inputs {
    leads: Vec<usize>,
    step: Duration,
    /// Steps of a season, and from one row to the next.
    season: usize,
    every: usize,
    steps: usize,
    /// The step from which on rows count: what lies less than a season after a change is held against what was before it.
    counts_from: usize,
    drift: InputDrift,
    /// What was found last, and when.
    pub(super) found: Vec<FeatureDrift>,
    pub(super) compared: Option<Timestamp>,
}

impl Inputs {
    /// Of a load whose longest cycle is `season`, in steps of `step`.
    pub(super) fn new(leads: &[usize], step: Duration, season: Duration) -> Self {
        let season = ((season.as_secs_f64() / step.as_secs_f64().max(1e-6)).round() as usize).max(1);
        let every = season.div_ceil(ROWS);
        let rows = season / every;
        let options = InputDriftOptions {
            reference: (rows / 2).max(2 * FEWEST),
            window: (rows / 4).max(FEWEST),
            false_alarms: FALSE_ALARMS,
            ..InputDriftOptions::default()
        };
        Self {
            leads: leads.to_vec(),
            step,
            season,
            every,
            steps: 0,
            counts_from: 0,
            drift: InputDrift::new(leads.len() + 1, options).expect("within range"),
            found: Vec::new(),
            compared: None,
        }
    }

    /// Takes in the step at `time`, the last of `history`; true where a window has ended and something in it has drifted. What
    /// comes a season later is the reference then.
    /// Steps that are `in_doubt` are not counted: what they are is judged elsewhere.
    pub(super) fn push(&mut self, time: Timestamp, history: &VecDeque<Option<f64>>, in_doubt: bool) -> bool {
        self.steps += 1;
        if in_doubt
            || self.season < 4 * FEWEST
            || !self.steps.is_multiple_of(self.every)
            || self.steps < self.counts_from
            || history.len() <= self.season + self.leads.last().unwrap_or(&0)
        {
            return false;
        }
        let ago = |steps: usize| *history.get(history.len().checked_sub(steps + 1)?)?;
        // In proportion, so that a spread that goes with the level is no news.
        let against =
            |steps: usize| Some((1.0 + ago(steps)?.max(0.0)).ln() - (1.0 + ago(steps + self.season)?.max(0.0)).ln());
        let level = against(0);
        let change = |lead: &usize| Some(level? - against(*lead)?);
        let row: Vec<Option<f64>> = std::iter::once(level).chain(self.leads.iter().map(change)).collect();
        let Some(found) = self.drift.push(&row) else { return false };
        (self.found, self.compared) = (found, Some(time));
        let has_drifted = self.found.iter().any(|feature| feature.has_drifted);
        if has_drifted {
            self.begin_anew();
        }
        has_drifted
    }

    /// The load has changed for good: what comes a season later is the reference.
    pub(super) fn begin_anew(&mut self) {
        self.drift.rebase();
        self.counts_from = self.steps + self.season;
    }

    /// Name of a feature.
    pub(super) fn name(&self, feature: usize) -> String {
        match feature.checked_sub(1).and_then(|lead| self.leads.get(lead)) {
            Some(steps) => format!("change over {}", Span(self.step * *steps as u32)),
            None => "load".to_owned(),
        }
    }

    pub(super) fn views(&self) -> Vec<InputView> {
        let view = |found: &FeatureDrift| InputView {
            name: self.name(found.feature),
            index: found.index,
            distance: found.distance,
            p_value: found.p_value,
            has_drifted: found.has_drifted,
        };
        self.found.iter().map(view).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use foresail_core::SeededRng;

    use super::*;

    /// Seasons of 144 steps; seasons in which something was told to have drifted.
    fn drifts(law: impl Fn(usize, f64) -> Option<f64>) -> (Vec<usize>, Inputs) {
        let step = Duration::from_secs(600);
        let mut inputs = Inputs::new(&[1, 12], step, Duration::from_secs(86_400));
        let mut rng = SeededRng::seed_from_u64(4);
        let mut history = VecDeque::new();
        let mut told = Vec::new();
        for i in 0..144 * 20_usize {
            let usual = 100.0 + 40.0 * (i as f64 / 144.0 * TAU).sin() + 3.0 * rng.normal();
            history.push_back(law(i, usual));
            if inputs.push(Timestamp::from_secs(600 * i as i64), &history, false) {
                told.push(i / 144);
            }
        }
        (told, inputs)
    }

    #[test]
    fn hours_of_the_day_are_no_change_and_a_new_level_is_told_once() {
        assert_eq!(drifts(|_, load| Some(load)).0, [] as [usize; 0]);
        let (told, inputs) = drifts(|i, load| Some(if i < 144 * 10 { load } else { 3.0 * load }));
        assert_eq!(told, [10]);
        assert_eq!(inputs.name(0), "load");
        assert_eq!(inputs.name(2), "change over 2h");
        assert_eq!(inputs.views().len(), 3);
    }

    #[test]
    fn a_load_that_is_measured_less_often_is_told() {
        let (told, _) = drifts(|i, load| (i < 144 * 10 || i % 2 == 0).then_some(load));
        assert!(told.first() == Some(&10), "{told:?}");
    }
}

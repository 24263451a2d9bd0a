//! Does the load still come as the ensemble expects it?

use std::collections::VecDeque;

use foresail_core::{Known, Row, Timestamp};
use foresail_forecast::Fitted;
use foresail_forecast::registry::restore;
use foresail_learn::drift::{AdaptiveRate, DriftDetector, DriftEvent, DriftOptions, DriftPhase, RateOptions};
use foresail_server::api::plane::LeadView;

/// Weight of a new score in the mean error and coverage while nothing changes.
const FADE: f64 = 1.0 / 200.0;
/// How much faster scores are forgotten after a change of one standard deviation, and in how many steps that halves.
const GAIN: f64 = 2.0;
const HALF_LIFE: f64 = 100.0;
/// Where forecasts are good any change is many standard deviations; scores are not forgotten faster than after so many.
const LARGEST: f64 = 4.0;
/// What is off by less of the load is no matter: models follow it by themselves.
const LEAST: f64 = 0.1;
/// Steps of a spike are those so many standard deviations off.
const OFF: f64 = 4.0;
/// Steps that the detector has to find something suspicious after one that is far off.
const PATIENCE: usize = 5;

/// What was found at a step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    /// Something is different: a spike or a change.
    Suspected,
    /// The level has moved for good.
    Confirmed {
        /// Requests a second.
        shift: f64,
        /// Standard deviations.
        size: f64,
        /// Steps judged.
        points: usize,
        /// The first step that was far off.
        since: Timestamp,
    },
    /// It scatters otherwise: perhaps its course over the season is another.
    Scattered {
        /// The first step that was far off.
        since: Timestamp,
    },
    /// What was suspected has passed, or is too small to matter. These steps were of a spike.
    Passed(Vec<Timestamp>),
}

/// Two-stage drift detection on the residuals of one model at one lead, and the pace of scoring that follows from it.
///
/// From the first step that is far off, the load is held against a copy of the model that sees none of what is in doubt: the
/// model itself may have learned the change before the verdict, and then would find nothing.
pub(super) struct DriftWatch {
    /// Steps ahead.
    lead: usize,
    detector: DriftDetector,
    /// The detector as it was before what is suspected.
    calm: Option<DriftDetector>,
    judge: Option<Box<dyn Fitted>>,
    /// The first step that it has not seen.
    since: Option<Timestamp>,
    /// Steps for which it is kept although nothing is suspected; 0 if nothing is in doubt.
    patience: usize,
    /// What was expected of steps that are to come.
    expected: VecDeque<(Timestamp, f64)>,
    /// Residuals since the suspicion, and whether one was large enough to be told.
    doubted: Vec<(Timestamp, f64)>,
    is_told: bool,
    rate: AdaptiveRate,
    changes: u64,
    passed: u64,
}

impl DriftWatch {
    /// Of forecasts `lead` steps ahead, 1 or more.
    pub(super) fn new(lead: usize) -> Self {
        let rate = RateOptions { base: FADE, gain: GAIN, half_life: HALF_LIFE, ..RateOptions::default() };
        Self {
            lead,
            detector: DriftDetector::new(DriftOptions::default()).expect("defaults are within range"),
            calm: None,
            judge: None,
            since: None,
            patience: 0,
            expected: VecDeque::new(),
            doubted: Vec::new(),
            is_told: false,
            rate: AdaptiveRate::new(rate).expect("within range"),
            changes: 0,
            passed: 0,
        }
    }

    /// Holds the load at `time` against what was expected of it. `fitted` is the model before it sees this step; `level` the
    /// usual load, which says what is large.
    pub(super) fn settle(
        &mut self,
        time: Timestamp,
        load: Option<f64>,
        fitted: Option<&dyn Fitted>,
        level: impl FnOnce() -> f64,
    ) -> Option<Change> {
        while self.expected.front().is_some_and(|(due, _)| *due < time) {
            self.expected.pop_front();
        }
        let expected = self.expected.pop_front_if(|(due, _)| *due == time);
        let residual = load.zip(expected).map(|(load, (_, expected))| load - expected);
        // Before the detector learns from this step.
        let off = self.detector.usual().map_or(f64::INFINITY, |(spread, _)| OFF * spread);
        let is_off = residual.is_some_and(|residual| residual.abs() >= off);
        let before = (!self.detector.is_suspect()).then(|| self.detector.clone());
        let event = self.detector.push(residual);
        if event == Some(DriftEvent::Suspected) {
            self.calm = before;
        }
        let is_suspect = self.detector.is_suspect();
        if (is_off || is_suspect) && self.judge.is_none() {
            // What cannot be restored cannot judge; the model then judges itself.
            self.judge = fitted.and_then(|fitted| restore(fitted.snapshot()).ok());
            (self.since, self.patience) = (Some(time), PATIENCE);
        }
        if !is_suspect && event.is_none() {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.judge = None;
                self.doubted.clear();
            }
        }
        // Most steps are in no doubt, and need no look at the whole history.
        let least = if event.is_some() || self.patience > 0 { LEAST * level() } else { 0.0 };
        let change = match event.filter(|event| *event != DriftEvent::Suspected) {
            Some(verdict) => self.end(time, verdict, off, least),
            None => residual.and_then(|residual| self.doubt(time, residual, least)),
        };
        self.rate.step(match &change {
            Some(Change::Suspected) => Some(DriftEvent::Suspected),
            Some(Change::Confirmed { shift, size, points, .. }) => {
                let size = size.clamp(-LARGEST, LARGEST);
                Some(DriftEvent::Permanent { shift: *shift, size, ratio: 1.0, points: *points })
            }
            Some(Change::Scattered { .. } | Change::Passed(_)) => Some(DriftEvent::Spike { points: 0 }),
            None => None,
        });
        change
    }

    /// A step that is in doubt, if any is; told at the first that is far off.
    fn doubt(&mut self, time: Timestamp, residual: f64, least: f64) -> Option<Change> {
        if self.patience == 0 {
            return None;
        }
        self.doubted.push((time, residual));
        let is_news = self.detector.is_suspect() && !self.is_told && residual.abs() >= least;
        self.is_told |= is_news;
        is_news.then_some(Change::Suspected)
    }

    /// The verdict is there.
    fn end(&mut self, time: Timestamp, verdict: DriftEvent, off: f64, least: f64) -> Option<Change> {
        (self.judge, self.patience) = (None, 0);
        let doubted = std::mem::take(&mut self.doubted);
        let was_told = std::mem::take(&mut self.is_told);
        if let DriftEvent::Permanent { shift, size, points, .. } = verdict
            && shift.abs() >= least
        {
            self.changes += 1;
            // What the judge missed by says little of how well a model that is fitted anew will do.
            if let Some(calm) = self.calm.take() {
                self.detector = calm;
            }
            return Some(Change::Confirmed { shift, size, points, since: self.since.unwrap_or(time) });
        }
        if !was_told {
            return None;
        }
        self.passed += 1;
        if matches!(verdict, DriftEvent::Spread { .. })
            && let Some(since) = self.since
        {
            return Some(Change::Scattered { since });
        }
        let off = least.max(off);
        let many = doubted.len() / 2;
        let mut spike: Vec<Timestamp> = doubted.into_iter().filter(|d| d.1.abs() >= off).map(|d| d.0).collect();
        if spike.len() > many {
            spike.clear();
        }
        Some(Change::Passed(spike))
    }

    /// The model has taken in the step at `time` and expects `median` after the lead, at `due`; of what it knows ahead the judge
    /// is told too.
    pub(super) fn expect(&mut self, time: Timestamp, due: Timestamp, median: f64, known: &Known) {
        let expected = match &mut self.judge {
            Some(judge) => {
                judge.update(&Row::univariate(time, None));
                judge.predict(self.lead, known).quantile(0.5)[self.lead - 1]
            }
            None => median,
        };
        self.expected.push_back((due, expected));
    }

    /// The model was fitted anew after a change: what it said before is not held against what it knows now.
    pub(super) fn begin_anew(&mut self) {
        (self.judge, self.patience, self.is_told) = (None, 0, false);
        self.doubted.clear();
        self.expected.clear();
        self.detector.model_refitted();
    }

    /// Whether something large is suspected, and the verdict awaited.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_told
    }

    /// Weight of a new score: more after a change, little while a verdict is awaited.
    pub(super) fn pace(&self) -> f64 {
        self.rate.rate() * self.rate.weight()
    }

    /// What intervals are to be widened by, 1 or more.
    pub(super) fn interval_factor(&self) -> f64 {
        self.detector.interval_factor()
    }

    /// What is shown of it.
    pub(super) fn view(&self) -> LeadView {
        let phase = match self.detector.phase() {
            DriftPhase::WarmUp => "warm_up",
            DriftPhase::Calm => "calm",
            DriftPhase::Suspect => "suspect",
        };
        LeadView {
            steps: self.lead as u64,
            phase: phase.to_owned(),
            spread_rps: self.detector.usual().map(|(spread, _)| spread),
            suspicions: self.changes + self.passed + u64::from(self.is_told),
            changes: self.changes,
            spikes: self.passed,
        }
    }
}

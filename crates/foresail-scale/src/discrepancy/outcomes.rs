//! What was expected of each action, and what came: utilisation predicted against utilisation measured.

use std::collections::VecDeque;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::LATEST;
use super::finding::{DiscrepancyKind, Finding, Severity, Verdict, figure};
use super::options::ActionOptions;
use super::reading::{Action, Reading};
use super::trend::repetition;

/// Comparisons kept, and those of them that are judged by.
const KEPT: usize = 50;
const JUDGED: usize = 24;
/// Actions waiting for their replicas.
const PENDING: usize = 64;
/// Ticks without a utilisation after which an action is given up.
const PATIENCE: u32 = 8;
/// No utilisation counts for more than this, predicted or measured.
const MOST: f64 = 2.0;
/// Least standard deviation of errors.
const LEAST_SD: f64 = 0.01;

/// One action, compared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionOutcome {
    /// Journal id of the decision.
    pub decision: u64,
    /// When its replicas were due.
    pub time: Timestamp,
    /// Utilisation that was expected.
    pub predicted: f64,
    /// Utilisation that came: the mean over the ticks from then on.
    pub actual: f64,
}

impl ActionOutcome {
    /// Actual less predicted: above 0 there was less room than expected.
    pub fn error(&self) -> f64 {
        self.actual - self.predicted
    }
}

/// How well utilisation after actions is predicted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionAccuracy {
    /// Actions compared since the start.
    pub compared: u64,
    /// Actions taken back before they were due, or with nothing measured then.
    pub dropped: u64,
    /// Actions whose replicas are not due yet.
    pub pending: usize,
    /// Mean of actual less predicted over `outcomes`; none without any.
    pub mean_error: Option<f64>,
    /// Mean of its magnitude.
    pub mean_absolute_error: Option<f64>,
    /// The last 50, oldest first.
    pub outcomes: Vec<ActionOutcome>,
}

/// Actions on their way and behind. Plain data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcomes {
    compared: u64,
    dropped: u64,
    pending: VecDeque<Pending>,
    outcomes: VecDeque<ActionOutcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    action: Action,
    sum: f64,
    count: u32,
    looked: u32,
}

impl Outcomes {
    /// As plain data to show.
    pub(super) fn accuracy(&self) -> ActionAccuracy {
        let n = self.outcomes.len() as f64;
        let mean = |f: &dyn Fn(&ActionOutcome) -> f64| (n > 0.0).then(|| self.outcomes.iter().map(f).sum::<f64>() / n);
        ActionAccuracy {
            compared: self.compared,
            dropped: self.dropped,
            pending: self.pending.len(),
            mean_error: mean(&ActionOutcome::error),
            mean_absolute_error: mean(&|o| o.error().abs()),
            outcomes: self.outcomes.iter().copied().collect(),
        }
    }

    /// Takes in a reading at `now`; `held` says whether over- and underprediction hold. Verdicts on both.
    pub(super) fn observe(
        &mut self,
        now: Timestamp,
        reading: &Reading,
        options: &ActionOptions,
        held: (bool, bool),
    ) -> (Verdict, Verdict) {
        self.compare(now, reading, options);
        if let Some(action) = &reading.action {
            self.expect(now, action);
        }
        let Some(errors) = self.errors(now, options) else {
            let gone = |held: bool| if held { Verdict::Absent } else { Verdict::Unchanged };
            return (gone(held.0), gone(held.1));
        };
        let verdict = |sign: f64, held: bool| {
            let (mean, error) = (sign * errors.mean, errors.error);
            let holds = match held {
                true => mean >= 0.5 * options.least_error,
                false => errors.is_enough && mean >= options.least_error && mean > options.sure_sd * error,
            };
            match (holds, held) {
                (true, _) => Verdict::Holds(finding(&errors)),
                (false, true) => Verdict::Absent,
                (false, false) => Verdict::Unchanged,
            }
        };
        (verdict(-1.0, held.0), verdict(1.0, held.1))
    }

    /// Remembers what is expected. An action that asks for fewer takes back those that asked for more.
    fn expect(&mut self, now: Timestamp, action: &Action) {
        if !action.predicted.is_finite() || action.predicted < 0.0 {
            return;
        }
        let before = self.pending.len();
        self.pending.retain(|p| p.action.replicas <= action.replicas || p.count > 0);
        self.dropped += (before - self.pending.len()) as u64;
        if self.pending.len() >= PENDING {
            self.pending.pop_front();
            self.dropped += 1;
        }
        let action =
            Action { due: action.due.clamp(now, LATEST.max(now)), predicted: action.predicted.min(MOST), ..*action };
        self.pending.push_back(Pending { action, sum: 0.0, count: 0, looked: 0 });
    }

    /// Measures what is due.
    fn compare(&mut self, now: Timestamp, reading: &Reading, options: &ActionOptions) {
        let actual = reading.utilisation().map(|u| u.min(MOST));
        for pending in self.pending.iter_mut().filter(|p| p.action.due <= now) {
            pending.looked += 1;
            if let Some(actual) = actual {
                pending.sum += actual;
                pending.count += 1;
            }
        }
        // A measured share of busy time ends at 1, and so does what can be expected of it.
        let most = if reading.busy.is_some() { 1.0 } else { MOST };
        let Self { compared, dropped, pending, outcomes } = self;
        pending.retain(|p| {
            let Pending { action, sum, count, looked } = *p;
            if count < options.settle_ticks && looked < options.settle_ticks + PATIENCE {
                return true;
            }
            if count == 0 {
                *dropped += 1;
                return false;
            }
            if outcomes.len() == KEPT {
                outcomes.pop_front();
            }
            *compared += 1;
            outcomes.push_back(ActionOutcome {
                decision: action.decision,
                time: action.due,
                predicted: action.predicted.min(most),
                actual: sum / f64::from(count),
            });
            false
        });
    }

    /// Errors of the newest comparisons that still count; none without any.
    fn errors(&self, now: Timestamp, options: &ActionOptions) -> Option<Errors> {
        let counts = |o: &&ActionOutcome| now.since(o.time) <= options.memory;
        let newest: Vec<&ActionOutcome> = self.outcomes.iter().rev().filter(counts).take(JUDGED).collect();
        let n = newest.len() as f64;
        if newest.len() < 2 {
            return None;
        }
        let mean_of = |f: &dyn Fn(&ActionOutcome) -> f64| newest.iter().map(|o| f(o)).sum::<f64>() / n;
        let mean = mean_of(&ActionOutcome::error);
        let rest: Vec<f64> = newest.iter().map(|o| o.error() - mean).collect();
        let sd = (rest.iter().map(|r| r * r).sum::<f64>() / (n - 1.0)).sqrt().max(LEAST_SD);
        Some(Errors {
            mean,
            absolute: mean_of(&|o| o.error().abs()),
            error: sd / n.sqrt() * repetition(&vec![0; rest.len()], &rest),
            predicted: mean_of(&|o| o.predicted),
            actual: mean_of(&|o| o.actual),
            actions: newest.len(),
            is_enough: newest.len() >= options.least_actions as usize,
        })
    }

    /// Kinds its verdicts are on.
    pub(super) const KINDS: (DiscrepancyKind, DiscrepancyKind) =
        (DiscrepancyKind::Overprediction, DiscrepancyKind::Underprediction);
}

struct Errors {
    mean: f64,
    absolute: f64,
    /// Standard error of the mean.
    error: f64,
    predicted: f64,
    actual: f64,
    actions: usize,
    is_enough: bool,
}

fn finding(errors: &Errors) -> Finding {
    let Errors { mean, absolute, error, predicted, actual, actions, .. } = *errors;
    let under = mean > 0.0;
    let text = format!(
        "after the last {actions} actions utilisation was {:.0} % where {:.0} % was predicted: {} than needed",
        100.0 * actual,
        100.0 * predicted,
        if under { "fewer replicas" } else { "more replicas" }
    );
    let action = if under {
        "see which of the two is wrong: a capacity per replica that is set too high (let it be learned), starts that take \
         longer than expected, or a forecast that is too low; raise the minimum until it is clear"
    } else {
        "see which of the two is wrong: a capacity per replica that is set too low (let it be learned), or a forecast that is \
         too high; only cost is at stake"
    };
    let severity = if under { Severity::Warning } else { Severity::Info };
    let figures = [
        figure("mean_error", mean, ""),
        figure("mean_absolute_error", absolute, ""),
        figure("standard_error", error, ""),
        figure("predicted_utilisation", predicted, ""),
        figure("actual_utilisation", actual, ""),
        figure("actions", actions as f64, ""),
    ];
    Finding { severity, text, action, figures: figures.into_iter().flatten().collect() }
}

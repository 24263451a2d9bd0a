//! What a few answers have in common: discounted means, and how wrong predictions of them were of late.

use foresail_core::online::Cusum;
use serde::{Deserialize, Serialize};

/// Answers count for at most so many, so that a busy service's past does not outweigh its present.
const MOST: f64 = 200.0;
/// Answers that what lies above a cell is worth.
const PRIOR: f64 = 4.0;

/// What can be said of a request at a service, its latency at the usual load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    /// Logarithm of the latency in ms.
    pub(super) latency: f64,
    /// Probability of success.
    pub(super) ok: f64,
    /// Logarithm of one more than the resource used.
    pub(super) resource: f64,
}

/// Nothing is known.
pub(super) const UNKNOWN: Estimate = Estimate { latency: 3.9, ok: 0.99, resource: 3.9 };

/// Discounted sums over answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cell {
    at_ms: u64,
    tries: f64,
    failures: f64,
    answers: f64,
    latency: f64,
    resource: f64,
}

impl Cell {
    pub(super) fn fade(&mut self, now_ms: u64, memory_ms: f64) {
        let passed = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        if passed > 0 {
            self.keep((-(passed as f64) / memory_ms).exp());
        }
    }

    /// Takes in latency and resource of an answer, or a failure.
    pub(super) fn push(&mut self, answer: Option<(f64, f64)>) {
        self.tries += 1.0;
        match answer {
            None => self.failures += 1.0,
            Some((latency, resource)) => {
                self.answers += 1.0;
                self.latency += latency;
                self.resource += resource;
            }
        }
        self.keep((MOST / self.tries).min(1.0));
    }

    /// Rests on less from now on.
    pub(super) fn keep(&mut self, share: f64) {
        for sum in [&mut self.tries, &mut self.failures, &mut self.answers, &mut self.latency, &mut self.resource] {
            *sum *= share;
        }
    }

    /// Tries, those long ago counting less.
    pub(super) fn tries(&self) -> f64 {
        self.tries
    }

    /// The means, drawn to `prior` as long as they rest on little.
    pub(super) fn estimate(&self, prior: &Estimate) -> Estimate {
        let mean = |sum: f64, prior: f64| (sum + PRIOR * prior) / (self.answers + PRIOR);
        Estimate {
            latency: mean(self.latency, prior.latency),
            ok: (self.tries - self.failures + PRIOR * prior.ok) / (self.tries + PRIOR),
            resource: mean(self.resource, prior.resource),
        }
    }

    /// Whether a restored one can be reckoned with at `now_ms`: one of a later time would not fade until then.
    pub(super) fn is_sound(&self, now_ms: u64) -> bool {
        let Self { at_ms, tries, failures, answers, latency, resource } = *self;
        at_ms <= now_ms
            && [latency, resource].iter().all(|sum| sum.is_finite())
            && [tries, failures, answers].iter().all(|count| (0.0..=2.0 * MOST).contains(count))
    }
}

/// Predictions and what came of them, over the latest answers only: the quickest to see that something has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Residual {
    answers: f64,
    latency: f64,
    predicted_latency: f64,
    resource: f64,
    predicted_resource: f64,
    tries: f64,
    /// Failures beyond those expected.
    failures: f64,
}

/// What predictions are to be corrected by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Correction {
    pub(super) latency: f64,
    pub(super) resource: f64,
    pub(super) failures: f64,
}

/// Right as it is.
pub(super) const NONE: Correction = Correction { latency: 1.0, resource: 1.0, failures: 0.0 };

/// A prediction in plain units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Predicted {
    pub(super) latency_ms: f64,
    pub(super) ok: f64,
    pub(super) resource: f64,
}

impl Residual {
    /// Remembers about `memory` answers.
    pub(super) fn push(&mut self, predicted: &Predicted, answer: Option<(f64, f64)>, memory: f64) {
        let keep = 1.0 - 1.0 / memory;
        self.tries = keep * self.tries + 1.0;
        let failed = if answer.is_none() { 1.0 } else { 0.0 };
        self.failures = keep * self.failures + failed - (1.0 - predicted.ok);
        if let Some((latency, resource)) = answer {
            self.answers = keep * self.answers + 1.0;
            self.latency = keep * self.latency + latency;
            self.predicted_latency = keep * self.predicted_latency + predicted.latency_ms;
            self.resource = keep * self.resource + resource;
            self.predicted_resource = keep * self.predicted_resource + predicted.resource;
        }
    }

    /// The ratio of sums rather than a mean of ratios: unbiased for costs that are sums, whatever the tail (Duan 1983,
    /// "Smearing estimate", has the same aim). Drawn to `prior` as long as it rests on little.
    pub(super) fn correction(&self, prior: &Correction) -> Correction {
        let ratio = |actual: f64, predicted: f64, prior: f64| {
            let usual = PRIOR * predicted / self.answers.max(1e-9);
            let ratio = (actual + usual * prior) / (predicted + usual);
            if ratio.is_finite() { ratio.clamp(0.05, 20.0) } else { prior }
        };
        Correction {
            latency: ratio(self.latency, self.predicted_latency, prior.latency),
            resource: ratio(self.resource, self.predicted_resource, prior.resource),
            failures: (self.failures + 2.0 * PRIOR * prior.failures) / (self.tries + 2.0 * PRIOR),
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        let Self { answers, latency, predicted_latency, resource, predicted_resource, tries, failures } = *self;
        [answers, latency, predicted_latency, resource, predicted_resource, tries]
            .iter()
            .all(|sum| sum.is_finite() && *sum >= 0.0)
            && failures.is_finite()
    }
}

/// Slack and limit of the chart that tells a change of a service's speciality from noise, in standard deviations.
const SLACK: f64 = 0.5;
const LIMIT: f64 = 9.0;
/// No single answer counts for more.
const CLIP: f64 = 3.0;

/// A class at a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pair {
    pub(super) cell: Cell,
    pub(super) residual: Residual,
    chart: Cusum,
}

impl Default for Pair {
    fn default() -> Self {
        Self { cell: Cell::default(), residual: Residual::default(), chart: Cusum::new(SLACK, LIMIT) }
    }
}

impl Pair {
    /// Takes in a standardised error; whether that proves a change. The chart begins anew then.
    pub(super) fn has_changed(&mut self, error: f64) -> bool {
        self.chart.push(Some(error.clamp(-CLIP, CLIP)));
        let is_proved = self.chart.up() >= LIMIT || self.chart.down() >= LIMIT;
        if is_proved {
            self.chart = Cusum::new(SLACK, LIMIT);
        }
        is_proved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_shrinks_to_its_prior_and_fades() {
        let mut cell = Cell::default();
        assert_eq!(cell.estimate(&UNKNOWN), UNKNOWN);
        (0..40).for_each(|_| cell.push(Some((2.0, 1.0))));
        let known = cell.estimate(&UNKNOWN);
        assert!((known.latency - (80.0 + 4.0 * 3.9) / 44.0).abs() < 1e-12 && known.ok > 0.99);
        (0..10).for_each(|_| cell.push(None));
        assert!((cell.estimate(&UNKNOWN).ok - (40.0 + 3.96) / 54.0).abs() < 1e-12);
        cell.fade(600_000, 60_000.0);
        assert!((cell.estimate(&UNKNOWN).latency - 3.9).abs() < 0.01 && cell.tries() < 0.01);
        (0..5000).for_each(|_| cell.push(Some((2.0, 1.0))));
        assert!(cell.tries() <= MOST && cell.is_sound(600_000) && !cell.is_sound(599_999));
    }

    #[test]
    fn residuals_correct_predictions_within_some_answers() {
        let mut residual = Residual::default();
        assert_eq!(residual.correction(&NONE), NONE);
        let predicted = Predicted { latency_ms: 20.0, ok: 0.9, resource: 5.0 };
        (0..60).for_each(|_| residual.push(&predicted, Some((20.0, 5.0)), 25.0));
        assert!((residual.correction(&NONE).latency - 1.0).abs() < 1e-9);
        (0..10).for_each(|_| residual.push(&predicted, Some((100.0, 5.0)), 25.0));
        let now = residual.correction(&NONE);
        assert!((2.0..4.0).contains(&now.latency) && (now.resource - 1.0).abs() < 1e-9, "{now:?}");
        (0..100).for_each(|_| residual.push(&predicted, None, 25.0));
        assert!(residual.correction(&NONE).failures > 0.6 && residual.is_sound());
    }

    #[test]
    fn a_change_is_noticed_within_a_few_answers_and_noise_is_not() {
        let mut rng = foresail_core::SeededRng::seed_from_u64(3);
        let mut pair = Pair::default();
        let alarms = (0..5000).filter(|_| pair.has_changed(rng.normal())).count();
        assert!(alarms <= 2, "{alarms}");
        let needed = (1..).find(|_| pair.has_changed(3.2 + rng.normal())).unwrap();
        assert!(needed <= 6, "{needed}");
    }
}

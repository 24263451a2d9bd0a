//! Does the forecaster still earn its place?

use serde::{Deserialize, Serialize};

use super::detector::{DriftDetector, DriftEvent, DriftPhase};
use super::options::DriftOptions;
use crate::Error;

/// Scores over which skill is reckoned, and before which it is not told.
const MEMORY: f64 = 300.0;
const ENOUGH: f64 = 60.0;
/// Skill at which a forecaster falls behind the naive one, and at which it is ahead again.
const BEHIND: f64 = 1.05;
const AHEAD: f64 = 0.98;

/// What was found of a forecaster's losses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum PerformanceEvent {
    /// Against the naive forecaster it does worse than it used to, for good: a challenger should be trained.
    Worse {
        /// By how much its loss over both losses has risen, 0 to 2.
        change: f64,
    },
    /// It does better than it used to, for good.
    Better {
        /// By how much its loss over both losses has fallen, 0 to 2.
        change: f64,
    },
    /// It has come to lose more than the naive one: it should not lead.
    BehindNaive {
        /// Its mean loss over the naive one's.
        skill: f64,
    },
    /// It loses less than the naive one again.
    AheadOfNaive {
        /// Its mean loss over the naive one's.
        skill: f64,
    },
}

/// Where a forecaster stands against the naive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Too few scores to tell.
    Unknown,
    /// It loses less, or as much.
    Ahead,
    /// It loses more.
    Behind,
}

/// Watches a forecaster's loss against that of a naive one (seasonal naive, of the same points): both rise when the world
/// becomes harder to foretell, only the forecaster's when it no longer knows it.
///
/// The two-stage detector looks at (loss − naive loss) / (loss + naive loss), which no single loss can dominate. O(1) a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct PerformanceDrift {
    detector: DriftDetector,
    loss: f64,
    naive: f64,
    count: f64,
    standing: Standing,
}

impl PerformanceDrift {
    /// Nothing is known yet.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for an option out of its range.
    pub fn new(options: DriftOptions) -> Result<Self, Error> {
        let detector = DriftDetector::new(options)?;
        Ok(Self { detector, loss: 0.0, naive: 0.0, count: 0.0, standing: Standing::Unknown })
    }

    /// Takes in the losses of one point, at least 0; a point that lacks either, or is not finite, is a gap.
    pub fn push(&mut self, losses: Option<(f64, f64)>) -> Option<PerformanceEvent> {
        let usable = |v: f64| (0.0..=1e90).contains(&v);
        let losses = losses.filter(|(loss, naive)| usable(*loss) && usable(*naive));
        let relative =
            losses.map(|(loss, naive)| if loss + naive > 0.0 { (loss - naive) / (loss + naive) } else { 0.0 });
        let changed = match self.detector.push(relative) {
            Some(DriftEvent::Permanent { shift, .. }) if shift > 0.0 => Some(PerformanceEvent::Worse { change: shift }),
            Some(DriftEvent::Permanent { shift, .. }) => Some(PerformanceEvent::Better { change: -shift }),
            _ => None,
        };
        let (loss, naive) = losses?;
        self.count += 1.0;
        let pace = self.count.min(MEMORY).recip();
        self.loss += pace * (loss - self.loss);
        self.naive += pace * (naive - self.naive);
        changed.or_else(|| self.overtaken())
    }

    fn overtaken(&mut self) -> Option<PerformanceEvent> {
        let skill = self.skill()?;
        let is_first = self.standing == Standing::Unknown;
        if skill > BEHIND && self.standing != Standing::Behind {
            self.standing = Standing::Behind;
            return Some(PerformanceEvent::BehindNaive { skill });
        }
        if (is_first || skill < AHEAD) && self.standing != Standing::Ahead {
            self.standing = Standing::Ahead;
            return (!is_first).then_some(PerformanceEvent::AheadOfNaive { skill });
        }
        None
    }

    /// Mean loss over the naive one's, over the last few hundred scores; `None` while there are few, or the naive one makes
    /// no errors.
    pub fn skill(&self) -> Option<f64> {
        (self.count >= ENOUGH && self.naive > 0.0).then(|| self.loss / self.naive)
    }

    /// Where the forecaster stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Whether a change for the worse or better is suspected, the verdict awaited.
    pub fn is_suspect(&self) -> bool {
        self.detector.phase() == DriftPhase::Suspect
    }
}

#[derive(Deserialize)]
struct Saved {
    detector: DriftDetector,
    loss: f64,
    naive: f64,
    count: f64,
    standing: Standing,
}

impl TryFrom<Saved> for PerformanceDrift {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { detector, loss, naive, count, standing } = saved;
        if [loss, naive, count].iter().all(|v| v.is_finite() && *v >= 0.0) {
            Ok(Self { detector, loss, naive, count, standing })
        } else {
            let value = format!("losses of {loss} and {naive}");
            Err(Error::BadParameter { parameter: "performance_drift", value, range: "finite, at least 0" })
        }
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    fn events(law: impl Fn(usize) -> (f64, f64)) -> Vec<PerformanceEvent> {
        let mut drift = PerformanceDrift::new(DriftOptions::default()).unwrap();
        let mut rng = SeededRng::seed_from_u64(8);
        (0..2_000)
            .filter_map(|i| {
                let (loss, naive) = law(i);
                drift.push(Some((loss * rng.normal().abs(), naive * rng.normal().abs())))
            })
            .collect()
    }

    #[test]
    fn a_harder_world_is_no_drift_but_a_lost_touch_is() {
        // Everything becomes three times as hard half-way.
        let hard = |i: usize| if i < 1_000 { 1.0 } else { 3.0 };
        assert_eq!(events(|i| (0.7 * hard(i), hard(i))), []);
        // The forecaster alone becomes worse than the naive one.
        let found = events(|i| (if i < 1_000 { 0.6 } else { 2.0 }, 1.0));
        assert!(found.iter().any(|e| matches!(e, PerformanceEvent::Worse { change } if *change > 0.2)), "{found:?}");
        assert!(
            found.iter().any(|e| matches!(e, PerformanceEvent::BehindNaive { skill } if *skill > 1.0)),
            "{found:?}"
        );
    }

    #[test]
    fn who_never_errs_is_not_behind() {
        assert_eq!(events(|_| (0.0, 0.0)), []);
    }
}

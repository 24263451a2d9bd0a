//! What one more request costs each endpoint, learned from answers.
//!
//! Of every endpoint a discounted regression of latency on the requests in flight when it was picked is kept. Its slope `b`
//! says what each further request adds, so a request sent to `r` others costs its own latency `a + b·r` and makes all of
//! them wait `b` longer: the marginal cost is `a + 2·b·r` (the derivative of `r·(a + b·r)`). Sharing by it is the optimum of
//! the whole fleet; sharing by latency alone is selfish routing and overloads the fast endpoints. What failures are expected
//! to cost is added, and a draw from what is not known yet (Thompson sampling) keeps endpoints from being written off.
//!
//! Where endpoints do not differ, learned differences are noise and only cost. So an endpoint departs from the median of the
//! fleet by a positive-part James-Stein rule (Efron and Morris 1973): not at all within two standard errors, nearly in full
//! far beyond. On an even fleet this is least-request; uneven ones are told apart in some tens of answers.

pub(super) mod arm;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::arm::{Arm, Fleet, Sums};
use super::arms::Arms;
use super::candidates::{greatest_of, next};
use super::feedback::{ArmStats, Feedback, LatencyPrediction};
use super::saved::{SavedBalancer, State};
use super::{Balancer, Pick};
use crate::{Endpoints, Error, View};

/// What endpoints have in common is worked out anew after so many ms or answers for every 16 of them, so that an answer costs
/// the same however many there are.
const FRESH_MS: u64 = 5;
const FRESH_ANSWERS: usize = 16;
/// Picks drawn again to tell how probable one was.
const REDRAWN: u64 = 127;

pub(super) struct Learned {
    choices: usize,
    memory: Duration,
    failure_cost_ms: f64,
    arms: Arms<Arm>,
    fleet: Fleet,
    /// The latest time that was told.
    now_ms: u64,
    fresh_until_ms: u64,
    answers: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    arms: Vec<(u64, Sums)>,
}

impl Learned {
    pub(super) fn new(choices: usize, memory: Duration, failure_cost_ms: f64) -> Self {
        Self {
            choices,
            memory,
            failure_cost_ms,
            arms: Arms::new(),
            fleet: Fleet::default(),
            now_ms: 0,
            fresh_until_ms: 0,
            answers: 0,
        }
    }

    /// Follows the set of endpoints.
    fn align(&mut self, endpoints: &dyn Endpoints) {
        if self.arms.align(endpoints, |_, _| Arm::default()) {
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let (now_ms, memory) = (self.now_ms, self.memory);
        self.arms.present_mut().for_each(|arm| arm.sums.fade(now_ms, memory));
        self.fleet = Fleet::of(self.arms.present().iter().map(|(_, arm)| &arm.sums));
        let fleet = self.fleet;
        self.arms.present_mut().for_each(|arm| arm.cost = fleet.cost(&arm.sums));
        (self.fresh_until_ms, self.answers) = (now_ms + FRESH_MS * self.sixteens() as u64, 0);
    }

    fn sixteens(&self) -> usize {
        self.arms.present().len().div_ceil(16)
    }

    /// All of a small set, an eighth of a large one.
    fn drawn(&self, count: usize) -> usize {
        if count <= self.choices { count } else { (count / 8).clamp(5, self.choices) }
    }

    fn choose(&self, endpoints: &dyn Endpoints, random: u64) -> Option<usize> {
        greatest_of(endpoints, random, self.drawn(endpoints.count()), |index, view, state| {
            -self.arms.at(index).cost.of(view, self.failure_cost_ms, normal(next(state))) / weight(view)
        })
    }
}

fn weight(view: &View) -> f64 {
    view.weight.max(1e-3)
}

/// Nearly standard normal: the sum of four uniforms.
fn normal(word: u64) -> f64 {
    let sum: u64 = (0..4).map(|i| (word >> (16 * i)) & 0xffff).sum();
    (sum as f64 / 65_535.0 - 2.0) * 3.0_f64.sqrt()
}

impl Balancer for Learned {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        self.align(endpoints);
        self.choose(endpoints, pick.random)
    }

    fn observe(&mut self, feedback: &Feedback) {
        self.now_ms = self.now_ms.max(feedback.at_ms);
        let (now_ms, memory) = (self.now_ms, self.memory);
        if let Some(arm) = self.arms.of_key(feedback.key) {
            arm.sums.fade(now_ms, memory);
            arm.sums.push(feedback);
            arm.cost = self.fleet.cost(&arm.sums);
        }
        self.answers += 1;
        if now_ms >= self.fresh_until_ms || self.answers >= FRESH_ANSWERS * self.sixteens() {
            self.refresh();
        }
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, pick: Pick, index: usize) -> Option<f64> {
        self.align(endpoints);
        (index < endpoints.count()).then_some(())?;
        let mut state = pick.random;
        let again = (0..REDRAWN).filter(|_| self.choose(endpoints, next(&mut state)) == Some(index)).count();
        let own = usize::from(self.choose(endpoints, pick.random) == Some(index));
        Some((again + own) as f64 / (REDRAWN + 1) as f64)
    }

    fn arms(&self) -> Vec<ArmStats> {
        let stats = |(key, arm): &(u64, Arm)| {
            let (level, error) = (arm.cost.level_ms, 2.0 * arm.cost.error_ms);
            let (answers, known) = (arm.sums.answers(), arm.sums.successes());
            ArmStats {
                key: *key,
                share: None,
                value: self.fleet.level_ms / (self.fleet.level_ms + level),
                interval: None,
                trials: answers,
                prediction: (known > 0.0).then(|| LatencyPrediction {
                    mean_ms: level,
                    low_ms: (level - error).max(0.0),
                    high_ms: level + error,
                    confidence: (known / 50.0).min(1.0),
                }),
            }
        };
        self.arms.present().iter().map(stats).collect()
    }

    fn save(&self) -> Option<SavedBalancer> {
        let arms = self.arms.save().into_iter().map(|(key, arm)| (key, arm.sums)).collect();
        Some(State::Learned(Saved { arms }).into_saved())
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        let State::Learned(saved) = saved.into_state()? else {
            return Err(Error::OtherPolicy { policy: "learned" });
        };
        self.now_ms = saved.arms.iter().map(|(_, sums)| sums.at_ms()).max().unwrap_or_default();
        self.arms = Arms::restore(saved.arms.into_iter().map(|(key, sums)| (key, Arm::from(sums))).collect());
        Ok(())
    }
}

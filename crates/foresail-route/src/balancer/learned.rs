//! What one more request costs each endpoint, learned from answers.
//!
//! Of every endpoint the latencies of its answers are kept by how many requests they met, discounted. From them its service
//! time and its slots are read: latency is flat while slots are free, and grows with the line beyond. One more request costs
//! its own latency and what it adds to those there and to come: the relative value of an M/M/c queue (Krishnan 1987,
//! "Joining the right queue: a Markov decision rule"; a line costs the more the busier the fleet is). Sharing by it is near
//! the optimum of the whole fleet; sharing by latency alone is selfish routing and overloads the fast endpoints. What
//! failures are expected to cost is added, and a draw from what is not known yet (Thompson sampling) keeps endpoints from
//! being written off.
//!
//! What is learned is hard to poison: answers far beyond what is usual count as usual, as long as they are few, and no client has much more of a say than its share.
//!
//! Where endpoints do not differ, learned differences are noise and only cost. So an endpoint departs from the median of the
//! fleet in service time and in slots by a positive-part James-Stein rule (Efron and Morris 1973): not at all within two standard errors, nearly in full
//! far beyond. On an even fleet this is least-request; uneven ones are told apart in some tens of answers.

mod arm;
mod clients;
mod limit;
mod peers;
mod sums;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::arm::{Arm, Fleet, SavedArm};
use self::clients::Clients;
pub use self::limit::{ConcurrencyConfig, ConcurrencyLimit};
use self::peers::Peers;
pub(super) use self::sums::Sums;
use super::arms::Arms;
use super::candidates::{greatest_of, next};
use super::exchange::{SharedArm, SharedStatistics, Sight};
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
    peers: Peers,
    clients: Clients,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    arms: Vec<(u64, SavedArm)>,
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
            peers: Peers::default(),
            clients: Clients::new(),
        }
    }

    /// Follows the set of endpoints.
    fn align(&mut self, endpoints: &dyn Endpoints) {
        if self.arms.align(endpoints, |_, _| Arm::default()) {
            self.hear();
            self.refresh();
        }
    }

    fn refresh(&mut self) {
        let (now_ms, memory) = (self.now_ms, self.memory);
        self.arms.present_mut().for_each(|arm| arm.fade(now_ms, memory));
        self.fleet = Fleet::of(&self.arms.present().iter().map(|(_, arm)| arm));
        let fleet = self.fleet;
        self.arms.present_mut().for_each(|arm| arm.cost = fleet.cost(arm));
        (self.fresh_until_ms, self.answers) = (now_ms + FRESH_MS * self.sixteens() as u64, 0);
    }

    /// Takes what the peers told into the endpoints that are there.
    fn hear(&mut self) {
        let (now_ms, memory) = (self.now_ms, self.memory);
        if self.peers.is_empty() {
            return;
        }
        for (key, heard) in self.peers.together(now_ms, memory) {
            if let Some(arm) = self.arms.of_key(key) {
                arm.hear(heard, now_ms, memory);
            }
        }
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
            let arm = self.arms.at(index);
            -arm.cost.of(view, arm.unseen(), self.failure_cost_ms, normal(next(state))) / weight(view)
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
        let weight = self.clients.weigh(feedback.client);
        if let Some(arm) = self.arms.of_key(feedback.key) {
            arm.observe(feedback, weight, memory, now_ms);
            arm.cost = self.fleet.cost(arm);
        }
        self.answers += 1;
        if now_ms >= self.fresh_until_ms || self.answers >= FRESH_ANSWERS * self.sixteens() {
            self.refresh();
        }
    }

    fn hint(&mut self, key: u64, unseen: f64, at_ms: u64) {
        if let Some(arm) = self.arms.of_key(key) {
            arm.hint(unseen, at_ms.max(self.now_ms));
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
            let (answers, known) = (arm.sums.tries, arm.sums.n);
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
                curve: (known > 0.0).then(|| arm.cost.curve(self.failure_cost_ms)),
            }
        };
        self.arms.present().iter().map(stats).collect()
    }

    fn share(&mut self, sender: u64, endpoints: &dyn Endpoints) -> Option<SharedStatistics> {
        self.align(endpoints);
        let (now_ms, memory) = (self.now_ms, self.memory);
        let arms = self.arms.present().iter().enumerate().map(|(index, (key, arm))| {
            let mut sums = arm.own;
            sums.fade(now_ms, memory);
            SharedArm { key: *key, sums, in_flight: endpoints.view(index).in_flight }
        });
        let arms = arms.collect();
        Some(self.peers.envelope(sender, now_ms, arms))
    }

    fn merge(&mut self, statistics: SharedStatistics, sight: Sight) -> Result<bool, Error> {
        let is_news = self.peers.take(statistics, sight, self.now_ms)?;
        if is_news {
            self.hear();
            self.refresh();
        }
        Ok(is_news)
    }

    fn save(&self) -> Option<SavedBalancer> {
        let arms = self.arms.save().into_iter().map(|(key, arm)| (key, SavedArm::from(&arm))).collect();
        Some(State::Learned(Saved { arms }).into_saved())
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        let State::Learned(saved) = saved.into_state()? else {
            return Err(Error::OtherPolicy { policy: "learned" });
        };
        self.now_ms = saved.arms.iter().map(|(_, arm)| arm.at_ms()).max().unwrap_or_default();
        self.arms = Arms::restore(saved.arms.into_iter().map(|(key, arm)| (key, Arm::from(arm))).collect());
        Ok(())
    }
}

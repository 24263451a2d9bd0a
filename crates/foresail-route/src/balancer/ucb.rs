//! Optimism in the face of doubt: the endpoint of the greatest upper confidence bound of its reward.
//!
//! The reward of a success is 1 / (1 + latency / target), that of a failure 0, so that 20 ms and 80 ms differ. `faithful`
//! is UCB1 as published: nothing fades and what is in flight is not looked at, so that under load every request between
//! two answers goes to one endpoint. `fixed` forgets over `memory` (discounted UCB), counts a request in flight as a play
//! not yet rewarded, and divides the bound by the requests in flight plus one.
//!
//! Measured in this crate's tests (three endpoints of 50, 100 and 200 ms, eight slots each, 60 % load, ten seeds), p99
//! against least-request: faithful 3.1 times, and 18 times once an endpoint turns ten times slower; fixed 0.95 and 0.90,
//! where Peak-EWMA of five has 0.83 and 0.33: bounds shrink slowly, and hope levels what was learned. Errors with a failing
//! endpoint are least-request's.

use std::time::Duration;

use foresail_learn::bandit::{DiscountedMean, ucb_index};
use serde::{Deserialize, Serialize};

use super::arms::{Arms, Forgetting};
use super::candidates::{available, greatest_of};
use super::feedback::{ArmStats, Feedback};
use super::saved::{SavedBalancer, State};
use super::thompson::room;
use super::{Balancer, LearnMode, Pick, propensity};
use crate::{Endpoints, Error, View};

pub(super) struct Ucb {
    pub(super) mode: LearnMode,
    pub(super) exploration: f64,
    pub(super) target_ms: f64,
    pub(super) memory: Duration,
    pub(super) choices: usize,
    pub(super) arms: Arms<DiscountedMean>,
    pub(super) forgetting: Forgetting,
    /// Plays of all arms there; `None` once it has changed.
    pub(super) total: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    arms: Vec<(u64, DiscountedMean)>,
    forgetting: Forgetting,
}

impl Ucb {
    fn value(&self, index: usize, view: &View, total: f64) -> f64 {
        let arm = self.arms.at(index);
        match self.mode {
            LearnMode::Faithful => ucb_index(arm.mean(), arm.weight(), total, self.exploration),
            LearnMode::Fixed => {
                let plays = arm.weight() + f64::from(view.in_flight);
                // One never answered has no mean: it is hoped to be perfect, and shares by its room.
                let mean = if arm.weight() > 0.0 { arm.mean() } else { 1.0 };
                ucb_index(mean, plays.max(0.5), total, self.exploration) * room(view)
            }
        }
    }

    /// Follows the set, and tells the plays of all arms there.
    fn align(&mut self, endpoints: &dyn Endpoints) -> f64 {
        if self.arms.align(endpoints, |_, _| DiscountedMean::default()) {
            self.total = None;
        }
        let sum = || self.arms.present().iter().map(|(_, arm)| arm.weight()).sum();
        *self.total.get_or_insert_with(sum)
    }
}

impl Balancer for Ucb {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        let total = self.align(endpoints);
        greatest_of(endpoints, pick.random, self.choices, |index, view, _| self.value(index, view, total))
    }

    fn observe(&mut self, feedback: &Feedback) {
        if self.mode == LearnMode::Fixed
            && let Some(keep) = self.forgetting.keep(feedback.at_ms, self.memory)
        {
            self.arms.all_mut().for_each(|arm| arm.discount(keep));
        }
        let reward = feedback.success_ms().map_or(0.0, |latency| 1.0 / (1.0 + latency / self.target_ms));
        if let Some(arm) = self.arms.of_key(feedback.key) {
            arm.observe(reward);
        }
        self.total = None;
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, _pick: Pick, index: usize) -> Option<f64> {
        let total = self.align(endpoints);
        let usable = available(endpoints);
        let place = usable.iter().position(|&i| i == index)?;
        let values: Vec<f64> = usable.iter().map(|&i| self.value(i, &endpoints.view(i), total)).collect();
        Some(propensity::of_fixed(&values, place, self.choices))
    }

    fn arms(&self) -> Vec<ArmStats> {
        let stats = |(key, arm): &(u64, DiscountedMean)| ArmStats {
            key: *key,
            share: None,
            value: arm.mean(),
            interval: None,
            trials: arm.weight(),
            prediction: None,
            curve: None,
        };
        self.arms.present().iter().map(stats).collect()
    }

    fn save(&self) -> Option<SavedBalancer> {
        Some(State::Ucb(Saved { arms: self.arms.save(), forgetting: self.forgetting }).into_saved())
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        let State::Ucb(saved) = saved.into_state()? else {
            return Err(Error::OtherPolicy { policy: "ucb" });
        };
        (self.arms, self.forgetting) = (Arms::restore(saved.arms), saved.forgetting);
        self.total = None;
        Ok(())
    }
}

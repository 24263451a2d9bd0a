//! Contextual Thompson sampling with partial pooling: each labelled context (mobile, desktop, api, or whatever a header
//! says) has its own posterior of each endpoint, drawn towards what all other contexts have seen there.
//!
//! The belief for a context with n answers of mean m is that of n + k answers of mean (n·m + k·m₀) / (n + k), where m₀ is the
//! mean of the other contexts and k is `pooling`, or what they have seen if that is less. A context never met, or none at
//! all, so starts from the others instead of from nothing. The seed's table shares nothing between contexts, and spreads
//! unknown ones evenly for ever; it is not kept as a mode, for `thompson` in its faithful mode is what it is made of.
//!
//! Counts fade and in-flight requests divide the draw, as in the repaired [`thompson`](super::thompson), whose
//! strengths and weaknesses under load it shares (in this crate's scenarios within two hundredths of it).

use std::time::Duration;

use foresail_learn::bandit::{BetaPosterior, DiscountedMean};
use serde::{Deserialize, Serialize};

use super::arms::{Arms, Forgetting};
use super::candidates::{available, greatest_of, next};
use super::feedback::{ArmStats, Feedback};
use super::saved::{SavedBalancer, State};
use super::thompson::{room, stats};
use super::{Balancer, Pick, propensity};
use crate::{Endpoints, Error};

pub(super) struct Contextual {
    pub(super) threshold_ms: f64,
    pub(super) memory: Duration,
    pub(super) choices: usize,
    pub(super) pooling: f64,
    pub(super) most_contexts: usize,
    pub(super) arms: Arms<Arm>,
    pub(super) contexts: Vec<Context>,
    pub(super) forgetting: Forgetting,
}

/// A context kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Context {
    label: u64,
    /// Answers seen in it, discounted.
    seen: f64,
}

/// Successes among the answers of one endpoint: in all, and by the context's place (short where later ones are unseen).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Arm {
    total: DiscountedMean,
    by_context: Vec<DiscountedMean>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    arms: Vec<(u64, Arm)>,
    contexts: Vec<Context>,
    forgetting: Forgetting,
}

impl Arm {
    /// The belief for the context at `place`, or for an unknown one.
    fn posterior(&self, place: Option<usize>, pooling: f64) -> BetaPosterior {
        let own = place.and_then(|place| self.by_context.get(place)).copied().unwrap_or_default();
        let successes = own.weight() * own.mean();
        let others = (self.total.weight() - own.weight()).max(0.0);
        let theirs = (self.total.weight() * self.total.mean() - successes).clamp(0.0, others);
        // Two pseudo-answers, one of each kind, stand for the uniform prior of the parent, whatever the pooling.
        let mean = (theirs + 1.0) / (others + 2.0);
        let worth = pooling.clamp(0.0, others) + 2.0;
        let alpha = successes + worth * mean;
        let beta = own.weight() - successes + worth * (1.0 - mean);
        BetaPosterior::new(alpha, beta).unwrap_or(BetaPosterior::uniform())
    }
}

impl Contextual {
    fn place_of(&self, label: Option<u64>) -> Option<usize> {
        label.and_then(|label| self.contexts.iter().position(|context| context.label == label))
    }

    /// The place of a context that is answered now. A new one takes a free place or that of one that has faded below one
    /// answer; else it stays unknown, so that clients who make labels up cannot push out the real ones.
    fn place_for(&mut self, label: u64) -> Option<usize> {
        if let Some(place) = self.place_of(Some(label)) {
            return Some(place);
        }
        let context = Context { label, seen: 0.0 };
        if self.contexts.len() < self.most_contexts {
            self.contexts.push(context);
            return Some(self.contexts.len() - 1);
        }
        let place = self.contexts.iter().position(|context| context.seen < 1.0)?;
        self.contexts[place] = context;
        for arm in self.arms.all_mut() {
            if let Some(counts) = arm.by_context.get_mut(place) {
                *counts = DiscountedMean::default();
            }
        }
        Some(place)
    }

    fn forget(&mut self, keep: f64) {
        self.contexts.iter_mut().for_each(|context| context.seen *= keep);
        for arm in self.arms.all_mut() {
            arm.total.discount(keep);
            arm.by_context.iter_mut().for_each(|counts| counts.discount(keep));
        }
    }
}

impl Balancer for Contextual {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        self.arms.align(endpoints, |_, _| Arm::default());
        let place = self.place_of(pick.hash);
        greatest_of(endpoints, pick.random, self.choices, |index, view, state| {
            self.arms.at(index).posterior(place, self.pooling).sample(&mut || next(state)) * room(view)
        })
    }

    fn observe(&mut self, feedback: &Feedback) {
        if let Some(keep) = self.forgetting.keep(feedback.at_ms, self.memory) {
            self.forget(keep);
        }
        let place = feedback.context.and_then(|label| self.place_for(label));
        let is_success = feedback.success_ms().is_some_and(|latency| latency < self.threshold_ms);
        let reward = if is_success { 1.0 } else { 0.0 };
        let Some(arm) = self.arms.of_key(feedback.key) else { return };
        arm.total.observe(reward);
        let Some(place) = place else { return };
        if arm.by_context.len() <= place {
            arm.by_context.resize(place + 1, DiscountedMean::default());
        }
        arm.by_context[place].observe(reward);
        self.contexts[place].seen += 1.0;
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, pick: Pick, index: usize) -> Option<f64> {
        self.arms.align(endpoints, |_, _| Arm::default());
        let usable = available(endpoints);
        let asked = usable.iter().position(|&i| i == index)?;
        let place = self.place_of(pick.hash);
        let arm = |&i: &usize| (self.arms.at(i).posterior(place, self.pooling), room(&endpoints.view(i)));
        let arms: Vec<_> = usable.iter().map(arm).collect();
        Some(propensity::of_sampled(&arms, asked, self.choices))
    }

    /// All contexts together.
    fn arms(&self) -> Vec<ArmStats> {
        let pooled = |arm: &Arm| arm.posterior(None, f64::MAX);
        self.arms.present().iter().map(|(key, arm)| stats(*key, &pooled(arm))).collect()
    }

    fn save(&self) -> Option<SavedBalancer> {
        let (arms, contexts) = (self.arms.save(), self.contexts.clone());
        Some(State::Contextual(Saved { arms, contexts, forgetting: self.forgetting }).into_saved())
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        let State::Contextual(mut saved) = saved.into_state()? else {
            return Err(Error::OtherPolicy { policy: "contextual" });
        };
        // The limit may have been lowered since; what stands beyond it lives on in the totals.
        saved.contexts.truncate(self.most_contexts);
        saved.arms.iter_mut().for_each(|(_, arm)| arm.by_context.truncate(self.most_contexts));
        (self.arms, self.contexts, self.forgetting) = (Arms::restore(saved.arms), saved.contexts, saved.forgetting);
        Ok(())
    }
}

//! A policy that learns, held against least-request: it acts for as long as it does not lose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::contest::{Contest, Side};
use super::exchange::{SharedStatistics, Sight};
use super::feedback::{ArmStats, BalancerReport, Feedback};
use super::least_request::LeastRequest;
use super::saved::{SavedBalancer, State};
use super::{Balancer, Pick};
use crate::{Endpoints, Error};

pub(super) struct Supervised {
    policy: &'static str,
    learner: Box<dyn Balancer>,
    baseline: LeastRequest,
    failure_cost_ms: f64,
    contest: Contest,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    learner: Box<SavedBalancer>,
    contest: Contest,
}

impl Supervised {
    /// `failure_cost_ms` is what a failure counts in the comparison.
    pub(super) fn new(policy: &'static str, learner: Box<dyn Balancer>, failure_cost_ms: f64) -> Self {
        // Every endpoint is looked at, as with the learner on small sets: the strongest form of the baseline.
        let baseline = LeastRequest { choices: super::candidates::SMALL };
        Self { policy, learner, baseline, failure_cost_ms, contest: Contest::default() }
    }
}

impl Balancer for Supervised {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        // The learner picks beside the baseline too, so that it follows the set it learns about.
        let own = self.learner.pick(endpoints, pick);
        if self.contest.side() == Side::Learner { own } else { self.baseline.pick(endpoints, pick) }
    }

    fn latency_decay(&self) -> Duration {
        self.learner.latency_decay()
    }

    /// Whoever picked, the learner learns from it.
    fn observe(&mut self, feedback: &Feedback) {
        self.contest.observe(feedback.at_ms, feedback.success_ms().unwrap_or(self.failure_cost_ms));
        self.learner.observe(feedback);
    }

    fn hint(&mut self, key: u64, unseen: f64, at_ms: u64) {
        self.learner.hint(key, unseen, at_ms);
    }

    fn propensity(&mut self, endpoints: &dyn Endpoints, pick: Pick, index: usize) -> Option<f64> {
        match self.contest.side() {
            Side::Learner => self.learner.propensity(endpoints, pick, index),
            Side::Baseline => self.baseline.propensity(endpoints, pick, index),
        }
    }

    fn arms(&self) -> Vec<ArmStats> {
        self.learner.arms()
    }

    fn report(&self) -> Option<BalancerReport> {
        let (acting, evidence) = (self.contest.acting(), self.contest.evidence());
        Some(BalancerReport { policy: self.policy, acting, evidence, arms: self.arms() })
    }

    fn share(&mut self, sender: u64, endpoints: &dyn Endpoints) -> Option<SharedStatistics> {
        self.learner.share(sender, endpoints)
    }

    fn merge(&mut self, statistics: SharedStatistics, sight: Sight) -> Result<bool, Error> {
        self.learner.merge(statistics, sight)
    }

    fn save(&self) -> Option<SavedBalancer> {
        let learner = Box::new(self.learner.save()?);
        Some(State::Supervised(Saved { learner, contest: self.contest.clone() }).into_saved())
    }

    fn restore(&mut self, saved: SavedBalancer) -> Result<(), Error> {
        let State::Supervised(saved) = saved.into_state()? else {
            return Err(Error::OtherPolicy { policy: "a supervised one" });
        };
        self.learner.restore(*saved.learner)?;
        self.contest = saved.contest;
        Ok(())
    }
}

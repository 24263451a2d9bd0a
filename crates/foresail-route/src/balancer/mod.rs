//! The balancer trait and its policies, a file each.

mod arms;
mod candidates;
mod contest;
mod contextual;
mod epsilon_greedy;
mod exchange;
mod exploring;
mod feedback;
mod history;
mod kind;
mod learned;
mod least_request;
mod peak_ewma;
mod propensity;
mod random;
mod ring_hash;
mod round_robin;
mod saved;
mod supervised;
mod thompson;
mod ucb;

use std::time::Duration;

use crate::{Endpoints, Error};

#[cfg(feature = "tower")]
pub(crate) use candidates::next as next_random;
pub(crate) use candidates::{below, uniform};
pub use contest::Acting;
pub(crate) use contest::{Contest, Ratios, Side};
pub use exchange::{SharedStatistics, Sight};
pub use feedback::{ArmStats, BalancerReport, Feedback, LatencyPrediction};
pub use kind::{BalancerKind, HashKey, LearnMode};
pub use learned::{ConcurrencyConfig, ConcurrencyLimit};
pub use saved::SavedBalancer;

/// What a pick may depend on besides the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// 64 uniform bits.
    pub random: u64,
    /// Hash of what a request has in common with others, by the policy's [`BalancerKind::hash_key`]: what ties it to an
    /// endpoint of the ring, which falls back on `random`, or its context, which may be unknown.
    pub hash: Option<u64>,
}

/// Chooses endpoints. One belongs to one worker, so it may keep state without sharing it.
pub trait Balancer: Send {
    /// The index of an available endpoint; `None` if there is none.
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize>;

    /// How fast the latency in the views should be forgotten.
    fn latency_decay(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Learns how a request went. The policies that judge by the views alone need not be told.
    fn observe(&mut self, _feedback: &Feedback) {}

    /// Hears from an endpoint itself how many requests it has in flight that this balancer's views do not show: those that came
    /// past other proxies.
    fn hint(&mut self, _key: u64, _unseen: f64, _at_ms: u64) {}

    /// The probability, over `pick.random`, with which [`pick`](Self::pick) names `index` as things stand: asked right
    /// beside a pick, with the same views, it is that pick's propensity, for off-policy estimates. `None` if the policy
    /// cannot tell, or does not know of an endpoint there. Beyond 64 endpoints of which many are out of rotation it is
    /// approximate. Sampling policies take tens of microseconds: ask for a share of the picks.
    fn propensity(&mut self, _endpoints: &dyn Endpoints, _pick: Pick, _index: usize) -> Option<f64> {
        None
    }

    /// What has been learned of each endpoint of the last pick; empty for a policy that learns nothing.
    fn arms(&self) -> Vec<ArmStats> {
        Vec::new()
    }

    /// How a learner stands, where one is held against a baseline ([`BalancerKind::supervised`]).
    fn report(&self) -> Option<BalancerReport> {
        None
    }

    /// What this balancer has learned from its own answers, nothing of what it heard, for others to merge. `sender` names it
    /// among them and must be the same each time and no other's; `endpoints` are those of now. `None` for a policy that does
    /// not exchange.
    fn share(&mut self, _sender: u64, _endpoints: &dyn Endpoints) -> Option<SharedStatistics> {
        None
    }

    /// Takes another's statistics, in the place of those it heard from the same sender before. Tells whether they are news:
    /// what is older than what is known, or its own, changes nothing.
    ///
    /// # Errors
    /// [`Error::OtherVersion`]; [`Error::UnsoundStatistics`] for what no honest sender has; [`Error::OtherPolicy`] if this
    /// policy does not exchange.
    fn merge(&mut self, _statistics: SharedStatistics, _sight: Sight) -> Result<bool, Error> {
        Err(Error::OtherPolicy { policy: "that does not exchange" })
    }

    /// All that has been learned; `None` for a policy that learns nothing.
    fn save(&self) -> Option<SavedBalancer> {
        None
    }

    /// Goes on from what was saved by the same policy; endpoints are found again by their keys.
    ///
    /// # Errors
    /// [`Error::OtherVersion`], or [`Error::OtherPolicy`] if this policy did not write it.
    fn restore(&mut self, _saved: SavedBalancer) -> Result<(), Error> {
        Err(Error::OtherPolicy { policy: "that learns nothing" })
    }
}

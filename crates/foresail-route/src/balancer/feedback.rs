//! What a learning balancer is told, and what it tells of itself.

use serde::Serialize;

use super::Acting;

/// How a request went, told to the balancer that picked its endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Feedback {
    /// The endpoint, by its [`key`](crate::Endpoints::key): its place may have changed since the pick.
    pub key: u64,
    /// The pick's [`hash`](crate::Pick::hash), which is the context where the policy is contextual.
    pub context: Option<u64>,
    /// Who asked: a hash of the client's identity under a secret of this process, so that nobody can choose whose influence
    /// he shares. With it no single client has much of a say in what is learned.
    pub client: Option<u64>,
    /// Latency in ms; `None` if the endpoint failed. What is not finite or negative counts as a failure.
    pub latency_ms: Option<f64>,
    /// Requests in flight there when it was picked, itself not counted.
    pub in_flight: u32,
    /// When, in ms of a clock that does not go back; of the wall clock, if the state is to survive a restart.
    pub at_ms: u64,
}

impl Feedback {
    /// The latency if it is an answer that is no failure.
    pub(super) fn success_ms(&self) -> Option<f64> {
        self.latency_ms.filter(|latency| latency.is_finite() && *latency >= 0.0)
    }
}

/// What a balancer that is held against a baseline says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BalancerReport {
    /// The learner's name in a configuration.
    pub policy: &'static str,
    /// Who chooses endpoints now.
    pub acting: Acting,
    /// What that rests on: the mean logarithm of the learner's cost over the baseline's, and its standard error.
    pub evidence: Option<(f64, f64)>,
    /// What has been learned of each endpoint.
    pub arms: Vec<ArmStats>,
}

/// What a learning balancer believes of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ArmStats {
    /// The endpoint.
    pub key: u64,
    /// Its learned share of the traffic, where the policy has one; the shares sum to 1.
    pub share: Option<f64>,
    /// What the policy ranks by, 0 to 1: the weight of epsilon-greedy, the expected reward of a bandit; of `learned`, m / (m + c)
    /// with its latency c and the fleet's median m while slots are free.
    pub value: f64,
    /// The 95 % credible interval of the value, where there is a posterior.
    pub interval: Option<(f64, f64)>,
    /// Answers that the value rests on, discounted if the policy forgets.
    pub trials: f64,
    /// What its next latency may be, where the policy keeps a history.
    pub prediction: Option<LatencyPrediction>,
    /// What one more request is reckoned to cost there, where the policy reckons.
    pub curve: Option<CostCurve>,
}

/// What one more request costs an endpoint and those that wait there, by how many are in flight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CostCurve {
    /// Requests it serves at a time, as far as its answers tell.
    pub slots: f64,
    /// Ms with none in flight, with a quarter of the slots taken, and so on to twice as many as there are.
    pub price_ms: [f64; 9],
}

/// The next latency of an endpoint, from its latest successes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LatencyPrediction {
    /// Exponentially weighted mean in ms.
    pub mean_ms: f64,
    /// The mean less one standard deviation.
    pub low_ms: f64,
    /// The mean and one standard deviation.
    pub high_ms: f64,
    /// 0 to 1: 1 from fifty successes on.
    pub confidence: f64,
}

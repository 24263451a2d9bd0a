//! What the router knows of a request, of a service at the moment of a choice, and of how it went.

use super::Reason;

/// What is known of a request before it is sent anywhere. What is not finite counts as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouteRequest {
    /// Hash of its class.
    pub class: u64,
    /// Hash of its user's context, if it has one.
    pub context: Option<u64>,
    /// Size of its body in bytes.
    pub size: f64,
    /// How complex it is in any unit, such as the number of its parameters.
    pub complexity: f64,
    /// Time of day as a share of the day, 0 to 1.
    pub day_share: f64,
}

/// A service at the moment of a choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServiceView {
    /// Hash of its name.
    pub key: u64,
    /// Requests sent to it and not yet answered.
    pub in_flight: u32,
    /// How much it can take relative to the others, such as its number of endpoints; above 0.
    pub weight: f64,
    /// Whether it may be chosen.
    pub available: bool,
}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RouteOutcome {
    /// The request.
    pub request: RouteRequest,
    /// The service it went to, by its key.
    pub service: u64,
    /// What was in flight there when it was chosen, itself not counted.
    pub in_flight: u32,
    /// The service's weight then.
    pub weight: f64,
    /// Why it went there.
    pub reason: Reason,
    /// Latency in ms; `None` if it failed. What is not finite or negative counts as a failure.
    pub latency_ms: Option<f64>,
    /// The resource used as the service reported it; else its latency stands for it.
    pub resource: Option<f64>,
    /// When the answer came, in ms of a clock that does not go back; if the state is to survive a restart, of one that goes on
    /// from [`Router::now_ms`](super::Router::now_ms).
    pub at_ms: u64,
}

impl RouteOutcome {
    /// What was in flight over the weight.
    pub(super) fn load(&self) -> f64 {
        f64::from(self.in_flight) / self.weight.max(1e-3)
    }

    pub(super) fn success_ms(&self) -> Option<f64> {
        self.latency_ms.filter(|latency| latency.is_finite() && *latency >= 0.0)
    }

    pub(super) fn resource(&self, latency_ms: f64) -> f64 {
        self.resource.filter(|resource| resource.is_finite() && *resource >= 0.0).unwrap_or(latency_ms)
    }
}

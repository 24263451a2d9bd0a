//! What a balancer sees of an endpoint.

use serde::{Deserialize, Serialize};

/// One endpoint at the moment of a pick.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Requests sent to it and not yet answered in full.
    pub in_flight: u32,
    /// Estimated latency in ms; 0 or less if nothing is known yet.
    pub latency_ms: f64,
    /// Estimated share of its answers that are failures, 0 to 1.
    pub failure_rate: f64,
    /// Its share of the traffic relative to the others, slow start included; above 0.
    pub weight: f64,
    /// Whether it may be picked: healthy, below its limit and not tried before for this request.
    pub available: bool,
}

/// An available endpoint of weight 1 of which nothing is known.
impl Default for View {
    fn default() -> Self {
        Self { in_flight: 0, latency_ms: 0.0, failure_rate: 0.0, weight: 1.0, available: true }
    }
}

/// The endpoints of a pick, looked at one by one, so that a balancer that asks two of a thousand pays for two.
pub trait Endpoints {
    /// How many there are.
    fn count(&self) -> usize;

    /// The endpoint at `index`, which is below [`count`](Self::count).
    fn view(&self, index: usize) -> View;

    /// Whether the endpoint at `index` may be picked; like the view's answer, but cheaper to ask.
    fn is_available(&self, index: usize) -> bool {
        self.view(index).available
    }

    /// A number that stays with the endpoint at `index` through changes of the set: a hash of its name.
    fn key(&self, index: usize) -> u64 {
        index as u64
    }

    /// Grows whenever endpoints come, go or change places.
    fn generation(&self) -> u64 {
        self.count() as u64
    }
}

impl Endpoints for &[View] {
    fn count(&self) -> usize {
        self.len()
    }

    fn view(&self, index: usize) -> View {
        self[index]
    }
}

//! A fixed provision for the peak, made causal: enough replicas to serve the highest load seen so far at 80 % of their
//! capacity, and never fewer again. It is what a careful operator without an autoscaler pays.

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas};

use super::PolicyOptions;
use crate::service::Service;

/// Grow-only provision for the peak.
#[derive(Clone, Debug)]
pub struct StaticPeak {
    name: String,
    /// Load one replica is given at the peak.
    per_replica: f64,
    limits: Limits,
    peak: f64,
}

impl StaticPeak {
    /// Runs the peak at `target` of capacity, above 0 and at most 1.
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        Self { name, per_replica: target * service.capacity_rps(), limits: options.limits, peak: 0.0 }
    }
}

impl Policy for StaticPeak {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let load = observation.value(Metric::RequestRate).filter(|v| v.is_finite());
        self.peak = self.peak.max(load.unwrap_or(0.0));
        let wanted = Replicas::holding(self.peak / self.per_replica);
        let grows = wanted > observation.replicas.desired;
        let mut reason = Reason::new(if grows { Driver::Reactive } else { Driver::Held });
        reason.load = Some(self.peak);
        reason.reactive = wanted;
        // Before the first sample the target is left as it stands.
        let desired = if load.is_none() { wanted.max(observation.replicas.desired) } else { wanted };
        Decision { desired: self.limits.clamp(desired), reason }
    }
}

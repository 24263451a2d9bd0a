//! Kubernetes' horizontal pod autoscaler (autoscaling/v2) on utilisation, with its defaults: sync every 15 s, tolerance 0.1,
//! down-stabilisation of 300 s, up by 4 pods or 100 % a 15 s.
//!
//! Departures: a target at zero replicas switches a real HPA off, here it returns to the minimum; the controller's clock
//! has no jitter.

use foresail_core::{Decision, Observation, Policy};

use super::PolicyOptions;
use super::behavior::{ReconcileLoop, Rules};
use super::utilisation::UtilisationMetric;
use crate::service::Service;

/// HPA v2 on utilisation.
#[derive(Clone, Debug)]
pub struct Hpa {
    name: String,
    target: f64,
    metric: UtilisationMetric,
    reconcile: ReconcileLoop,
}

impl Hpa {
    /// Holds the utilisation of `service` at `target`, above 0 and at most 1.
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        Self {
            name,
            target,
            metric: UtilisationMetric::new(target, service.startup()),
            reconcile: ReconcileLoop::new(Rules::kubernetes(), options.limits),
        }
    }
}

impl Policy for Hpa {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let recommendation = self.metric.recommend(observation);
        let target = self.target;
        self.reconcile.decide(observation, recommendation, || match recommendation {
            Some(seen) => format!("utilisation {:.2} against a target of {target:.2}", seen.load),
            None => String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_core::{Driver, Limits, Metric, Quality, ReplicaCounts, Replicas, Sample, Timestamp};

    use super::*;

    /// Worked out by hand: 10 replicas at the target of 0.7, saturated from second 60 on, at 0.8 from second 150 on. At
    /// second 90 the metric is 0.85, so 13 are wanted (ceil 12.14). Until the three new ones are ready (150) and a window has
    /// been seen of them (195) they count as idle, which keeps 14.29 over 13 within the tolerance. Then 0.8 over 13 asks for 15.
    #[test]
    fn a_step_of_load_is_followed_as_kubernetes_follows_it() {
        let service = Service::request(100.0, Duration::from_secs(60)).expect("valid");
        let options = PolicyOptions::new(Limits { min: Replicas(1), max: Replicas(100) });
        let mut hpa = Hpa::new("hpa".into(), 0.7, &service, &options);
        let interval = Duration::from_secs(15);
        let mut changes = Vec::new();
        let mut current = 10;
        for second in (0..=195).step_by(15) {
            let time = Timestamp::from_secs(second);
            let value = if second <= 60 {
                0.7
            } else if second <= 150 {
                1.0
            } else {
                0.8
            };
            let ready = if second < 150 { current.min(10) } else { 13 };
            let observation = Observation {
                time,
                tick: interval,
                samples: vec![Sample { metric: Metric::Utilisation, time, interval, value, quality: Quality::Good }],
                replicas: ReplicaCounts {
                    desired: Replicas(current),
                    ready: Replicas(ready),
                    starting: Replicas(current - ready),
                },
            };
            let decision = hpa.decide(&observation);
            if decision.desired.0 != current {
                assert_eq!(decision.reason.driver, Driver::Reactive);
                changes.push((second, decision.desired.0, decision.reason.note));
                current = decision.desired.0;
            }
        }
        let note = |seen: &str| format!("utilisation {seen} against a target of 0.70");
        assert_eq!(changes, [(90, 13, note("0.85")), (195, 15, note("0.80"))]);
    }
}

//! KEDA: a horizontal pod autoscaler on an external metric, of type AverageValue, so that `ceil(total / target)` replicas
//! are wanted, plus the step between 0 and 1 replica that KEDA takes itself.
//!
//! For a request service the metric is the request rate, the target a share of one replica's capacity. For a queue it is
//! the number of waiting events (the lag of Kafka and queue scalers), the target a share of what one worker takes within
//! the drain target. The value is that of the newest sample: the autoscaler asks the scaler afresh at every sync, and the
//! source is taken to be up to date, which favours KEDA.

use std::time::Duration;

use foresail_core::{Decision, Driver, Metric, Observation, Policy, Replicas, Timestamp};

use super::PolicyOptions;
use super::behavior::{Recommendation, ReconcileLoop, Rules, held, within_tolerance};
use crate::service::{Service, ServiceKind};

/// Without activity for so long, the last replica goes.
const COOLDOWN: Duration = Duration::from_secs(300);

/// KEDA on request rate or lag.
#[derive(Clone, Debug)]
pub struct Keda {
    name: String,
    metric: Metric,
    /// Of the metric, for one replica.
    per_replica: f64,
    to_zero: bool,
    last_active: Option<Timestamp>,
    reconcile: ReconcileLoop,
}

impl Keda {
    /// `target` is the share of a replica's capacity (a request service, 0 to 1) or the waiting events a replica as a share
    /// of `rate × drain target` (a queue, above 0).
    pub(super) fn new(name: String, target: f64, service: &Service, options: &PolicyOptions) -> Self {
        let (metric, unit) = match service.kind() {
            ServiceKind::Request => (Metric::RequestRate, service.capacity_rps()),
            ServiceKind::Queue => (Metric::QueueLength, service.capacity_rps() * service.wait_slo().as_secs_f64()),
        };
        Self {
            name,
            metric,
            per_replica: target * unit,
            to_zero: options.scale_to_zero && options.limits.min == Replicas(0) && options.limits.max > Replicas(0),
            last_active: None,
            reconcile: ReconcileLoop::new(Rules::kubernetes(), options.limits),
        }
    }

    /// The step between 0 and 1 replica, if it is to be taken now.
    fn zero_step(&mut self, observation: &Observation, total: f64) -> Option<Decision> {
        let active = total > 0.0;
        if active || self.last_active.is_none() {
            self.last_active = Some(observation.time);
        }
        let idle_for = observation.time.since(self.last_active.unwrap_or(observation.time));
        match observation.replicas.desired.0 {
            0 if active => Some(held(Replicas(1), Driver::Reactive)),
            0 => Some(held(Replicas(0), Driver::Minimum)),
            1 if idle_for >= COOLDOWN => Some(held(Replicas(0), Driver::Reactive)),
            _ => None,
        }
    }
}

impl Policy for Keda {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let total = observation.value(self.metric).filter(|v| v.is_finite());
        if self.to_zero
            && let Some(decision) = total.and_then(|total| self.zero_step(observation, total))
        {
            return decision;
        }
        let replicas = observation.replicas;
        let status = replicas.ready.0 + replicas.starting.0;
        let recommendation =
            total.map(|total| Recommendation::reactive(replicas_for_average(total, self.per_replica, status), total));
        let per_replica = self.per_replica;
        let metric = if self.metric == Metric::QueueLength { "waiting events" } else { "requests a second" };
        self.reconcile.decide(observation, recommendation, || match recommendation {
            Some(seen) => format!("{:.0} {metric} at {per_replica:.1} a replica", seen.load),
            None => String::new(),
        })
    }
}

/// What a total asks for at `per_replica` each, with `status` replicas there (ready or not): `GetExternalPerPodMetricReplicas`
/// of Kubernetes' `replica_calculator.go`.
pub(super) fn replicas_for_average(total: f64, per_replica: f64, status: u32) -> u32 {
    let ratio = total / (per_replica * f64::from(status));
    if status > 0 && within_tolerance(ratio) { status } else { Replicas::holding(total / per_replica).0 }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Limits, Quality, ReplicaCounts, Sample};

    use super::*;

    /// Where no replica is allowed, none is asked for, however much waits.
    #[test]
    fn limits_of_zero_are_kept() {
        let service = Service::request(100.0, std::time::Duration::from_secs(60)).expect("valid");
        let limits = Limits { min: Replicas(0), max: Replicas(0) };
        let options = PolicyOptions { scale_to_zero: true, ..PolicyOptions::new(limits) };
        let mut keda = Keda::new("keda".into(), 0.7, &service, &options);
        let interval = std::time::Duration::from_secs(15);
        let time = foresail_core::Timestamp::from_secs(15);
        let metric = Metric::RequestRate;
        let sample = Sample { metric, time, interval, value: 500.0, quality: Quality::Good };
        let seen = Observation { time, tick: interval, samples: vec![sample], replicas: ReplicaCounts::default() };
        assert_eq!(keda.decide(&seen).desired, Replicas(0));
    }

    #[test]
    fn the_arithmetic_is_that_of_an_average_value() {
        for (total, per_replica, status, expected) in [
            (700.0, 70.0, 10, 10),
            (770.0, 70.0, 10, 10), // ratio 1.1: within the tolerance
            (771.0, 70.0, 10, 12),
            (630.0, 70.0, 10, 10),
            (629.0, 70.0, 10, 9),
            (0.0, 70.0, 10, 0),
            (1.0, 70.0, 0, 1), // from zero there is no tolerance
            (4_000.0, 70.0, 1, 58),
        ] {
            assert_eq!(replicas_for_average(total, per_replica, status), expected, "{total} {status}");
        }
    }

    fn observation(second: i64, replicas: u32, waiting: f64) -> Observation {
        let time = Timestamp::from_secs(second);
        let interval = Duration::from_secs(15);
        Observation {
            time,
            tick: interval,
            samples: vec![Sample {
                metric: Metric::QueueLength,
                time,
                interval,
                value: waiting,
                quality: Quality::Good,
            }],
            replicas: ReplicaCounts { desired: Replicas(replicas), ready: Replicas(replicas), starting: Replicas(0) },
        }
    }

    #[test]
    fn lag_is_shared_out_by_the_drain_target_and_zero_needs_the_option() {
        let service = Service::queue(10.0, Duration::from_secs(60), Duration::from_secs(30)).expect("valid");
        let limits = Limits { min: Replicas(0), max: Replicas(50) };
        let mut keda = Keda::new("keda".into(), 0.5, &service, &PolicyOptions::new(limits));
        // 10 a second for 60 s, half of it: 300 waiting events a worker.
        assert_eq!(keda.decide(&observation(0, 4, 1_500.0)).desired, Replicas(5));
        let options = PolicyOptions { scale_to_zero: true, ..PolicyOptions::new(limits) };
        for (options, expected) in [(&PolicyOptions::new(limits), 1), (&options, 0)] {
            let mut keda = Keda::new("keda".into(), 0.5, &service, options);
            let mut replicas = 1;
            for second in (0..=600).step_by(15) {
                replicas = keda.decide(&observation(second, replicas, 0.0)).desired.0;
                assert!(replicas == 1 || second >= 300, "{second}");
            }
            assert_eq!(replicas, expected);
            assert_eq!(keda.decide(&observation(615, replicas, 1.0)).desired, Replicas(1));
        }
    }
}

//! The virtual plants on which champion and baseline are compared, and what each policy sees of its own.

use foresail_core::{Metric, Observation, Quality, ReplicaCounts, Replicas, Sample, Timestamp};

use crate::plant::{FluidPlant, Outcome};
use crate::service::Service;

/// A policy's own world: the observed load on the replicas that it asked for.
#[derive(Clone, Debug)]
pub(super) struct Shadow {
    plant: FluidPlant,
    last: Option<Outcome>,
}

impl Shadow {
    pub(super) fn new(service: Service, replicas: Replicas) -> Self {
        Self { plant: FluidPlant::new(service, replicas), last: None }
    }

    /// Lets the observed load act from `from` for `seconds`; without one, nothing is known of the stretch.
    pub(super) fn advance(&mut self, from: Timestamp, now: Timestamp, load: Option<f64>) -> Option<Outcome> {
        let seconds = now.since(from).as_secs_f64();
        self.last = load.filter(|_| seconds > 0.0).map(|load| self.plant.tick(from, seconds, load));
        self.plant.advance(now);
        self.last
    }

    /// From here on replicas are those of `service`.
    pub(super) fn set_service(&mut self, service: Service) {
        self.plant.set_service(service);
    }

    /// Replicas by state.
    pub(super) fn replicas(&self) -> ReplicaCounts {
        self.plant.replicas()
    }

    /// Carries a decision out.
    pub(super) fn scale_to(&mut self, desired: Replicas, now: Timestamp) {
        self.plant.scale_to(desired, now);
    }

    /// `observation` as it would have been here: the same load, these replicas, their utilisation and backlog.
    pub(super) fn see(&self, observation: &Observation) -> Observation {
        let mut seen = Observation { replicas: self.replicas(), ..observation.clone() };
        let Some(outcome) = self.last else { return seen };
        let like = seen.sample(Metric::RequestRate).copied();
        seen.samples.retain(|s| !matches!(s.metric, Metric::Utilisation | Metric::QueueLength));
        if let Some(like) = like {
            seen.samples.push(utilisation(&like, outcome.utilisation));
            let backlog = Sample { metric: Metric::QueueLength, value: outcome.backlog, ..like };
            seen.samples.push(backlog);
        }
        seen
    }
}

/// Adds the utilisation that the service model gives where only a rate is measured, for policies that know nothing else.
pub fn with_utilisation(mut observation: Observation, service: &Service) -> Observation {
    if observation.sample(Metric::Utilisation).is_none()
        && let Some(like) = observation.sample(Metric::RequestRate).copied()
    {
        let capacity = observation.replicas.ready.as_f64() * service.capacity_rps();
        let value =
            if capacity > 0.0 { (like.value / capacity).min(1.0) } else { f64::from(u8::from(like.value > 0.0)) };
        observation.samples.push(utilisation(&like, value));
    }
    observation
}

fn utilisation(like: &Sample, value: f64) -> Sample {
    let quality = if value >= 1.0 && like.quality == Quality::Good { Quality::Saturated } else { like.quality };
    Sample { metric: Metric::Utilisation, value, quality, ..*like }
}

//! What decides: the controller with its guardrails, or, to compare with in a demonstration, a rival's policy as it is.

use foresail_core::{Goal, JournalRecord, Limits, Metric, Mode, Observation, Order, Policy, Timestamp};
use foresail_scale::controller::{Command, Controller, ControllerOptions, Refused, Ticked};
use foresail_scale::planner::Guardrails;
use foresail_scale::{MetricSpec, Service};

/// A controller of `service` by its request rate.
pub(crate) fn controller_options(
    service: Service,
    rails: Guardrails,
    mode: Mode,
    late_fraction: f64,
) -> ControllerOptions {
    let metric = MetricSpec { metric: Metric::RequestRate, capacity_per_replica: service.capacity_rps(), target: 1.0 };
    let mut options = ControllerOptions::new(service, vec![metric], rails);
    options.mode = mode;
    options.late_fraction = late_fraction;
    options.startup_p90 = service.startup();
    options
}

/// Who decides for a service.
pub(crate) enum Brain {
    /// The control loop.
    Guarded(Box<Controller>),
    /// A policy alone, with nothing but its limits: what a user of it would have.
    Bare(Bare),
}

/// A policy without the control loop.
pub(crate) struct Bare {
    policy: Box<dyn Policy>,
    service: Service,
    limits: Limits,
    next_id: u64,
}

impl Bare {
    /// `policy` for `service` within `limits`.
    pub(crate) fn new(policy: Box<dyn Policy>, service: Service, limits: Limits) -> Self {
        Self { policy, service, limits, next_id: 1 }
    }

    fn tick(&mut self, now: Timestamp, observation: &Observation) -> Ticked {
        let seen = foresail_scale::controller::with_utilisation(observation.clone(), &self.service);
        let mut decision = self.policy.decide(&seen);
        decision.desired = self.limits.clamp(decision.desired);
        let id = self.next_id;
        self.next_id += 1;
        let goal = Goal::Replicas { replicas: decision.desired };
        let changes = decision.desired != observation.replicas.desired;
        let orders = changes.then_some(Order { decision: id, time: now, goal });
        let record = JournalRecord {
            id,
            time: now,
            policy: self.policy.name().to_owned(),
            mode: Mode::Act,
            observation: seen,
            baseline: decision.desired,
            decision,
            version: "bare".to_owned(),
        };
        Ticked { orders: orders.into_iter().collect(), record, alerts: Vec::new(), ended: Vec::new() }
    }
}

impl Brain {
    /// One turn.
    pub(crate) fn tick(&mut self, now: Timestamp, observation: &Observation) -> Ticked {
        match self {
            Self::Guarded(controller) => controller.tick(now, observation),
            Self::Bare(bare) => bare.tick(now, observation),
        }
    }

    /// Between two turns: what the load of this moment asks for at once. A bare policy knows no such thing.
    pub(crate) fn urge(&mut self, now: Timestamp, observation: &Observation) -> Option<Ticked> {
        match self {
            Self::Guarded(controller) => controller.urge(now, observation),
            Self::Bare(_) => None,
        }
    }

    /// An operator's word.
    ///
    /// # Errors
    /// [`Refused`] with the reason.
    pub(crate) fn command(&mut self, now: Timestamp, command: &Command) -> Result<Vec<Order>, Refused> {
        match self {
            Self::Guarded(controller) => controller.command(now, command),
            Self::Bare(_) => Err(Refused::NoController),
        }
    }

    /// Numbers decisions from `id` on.
    pub(crate) fn number_from(&mut self, id: u64) {
        match self {
            Self::Guarded(controller) => controller.number_from(id),
            Self::Bare(bare) => bare.next_id = id,
        }
    }

    /// The controller, if there is one.
    pub(crate) fn controller(&self) -> Option<&Controller> {
        match self {
            Self::Guarded(controller) => Some(controller),
            Self::Bare(_) => None,
        }
    }

    /// Whether orders follow from decisions.
    pub(crate) fn is_acting(&self) -> bool {
        match self {
            Self::Guarded(controller) => controller.acts(),
            Self::Bare(_) => true,
        }
    }
}

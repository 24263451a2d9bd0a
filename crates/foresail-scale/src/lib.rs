//! Scaling: the planner, the peers' policies, the fluid plant and the pure control loop.

mod bootstrap;
mod capacity;
pub mod controller;
pub mod discrepancy;
mod elasticity;
mod error;
pub mod planner;
pub mod plant;
pub mod policies;
mod reactive;
mod replay;
mod service;
mod staleness;
mod startup;
mod sweep;

pub use bootstrap::{Interval, Intervals, bootstrap};
pub use capacity::{CapacityEstimate, CapacityLearner, CapacityWindow};
pub use elasticity::Elasticity;
pub use error::Error;
pub use reactive::{AttackCap, MetricSpec, Reactive, ReactiveNeed, Situation};
pub use replay::{Run, Scenario, oracle, replay};
pub use service::{NeedTable, Service, ServiceKind};
pub use staleness::{Look, Rung, Staleness, StalenessOptions};
pub use startup::StartupDelays;
pub use sweep::{Curve, cheapest_within, sweep_settings};

//! Scaling: the planner, the peers' policies, the fluid plant and the pure control loop.

mod bootstrap;
mod elasticity;
mod error;
pub mod plant;
pub mod policies;
mod replay;
mod service;
mod sweep;

pub use bootstrap::{Interval, Intervals, bootstrap};
pub use elasticity::Elasticity;
pub use error::Error;
pub use replay::{Run, Scenario, oracle, replay};
pub use service::{NeedTable, Service, ServiceKind};
pub use sweep::{Curve, cheapest_within, sweep_settings};

//! Scaling: the planner, the peers' policies, the fluid plant and the pure control loop.

mod error;
pub mod plant;
mod replay;
mod service;

pub use error::Error;
pub use replay::{Run, Scenario, oracle, replay};
pub use service::{NeedTable, Service, ServiceKind};

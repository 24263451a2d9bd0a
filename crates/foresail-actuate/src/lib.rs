//! Orders to targets: what brings a service to the size that was decided.
//!
//! An [`Actuator`] is looked at ([`Actuator::observe`]) and brought to a goal ([`Actuator::apply`]). [`DryRun`] stands in
//! for any of them until an operator trusts the plan. [`process`] keeps copies of a command alive on this machine.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use foresail_actuate::{Actuator, process::{ProcessActuator, ProcessConfig}};
//! use foresail_core::{Goal, Order, Replicas, Timestamp};
//!
//! let folder = tempfile::tempdir().unwrap();
//! let config = ProcessConfig::new(["sleep", "60"], folder.path());
//! let fleet = ProcessActuator::start(config).await.unwrap();
//! let goal = Goal::Replicas { replicas: Replicas(2) };
//! fleet.apply(&Order { decision: 1, time: Timestamp::EPOCH, goal }).await.unwrap();
//! assert_eq!(fleet.observe().await.unwrap().copies.len(), 2); // on their way: `sleep` never answers a probe
//! fleet.shutdown().await.unwrap(); // and none is left behind
//! # });
//! ```

mod actuator;
mod clock;
mod dry_run;
mod error;
pub mod notify;
pub mod process;

pub use actuator::{Actuator, CopyState, CopyStatus, Observed, ReadyCopy};
pub use dry_run::DryRun;
pub use error::Error;

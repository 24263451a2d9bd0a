//! Which endpoint answers a request, decided purely: no clock, no lock, no socket.
//!
//! A [`Balancer`] is handed what is known of each endpoint (a [`View`]) and 64 random bits, and names an index. Around it
//! stand what shapes those views: [`LatencyEwma`], [`FailureRate`], [`SlowStart`] weights and [`Outliers`], which ejects
//! endpoints that fail and lets them back; and [`RetryBudget`], which keeps retries from feeding an overload.
//! Policies that learn by themselves are told of each answer by [`Balancer::observe`].
//!
//! Where endpoints are services that are good at different requests, a [`RouterModel`] names the service, by what a [`Router`]
//! has learned that requests cost there.
//!
//! ```
//! use foresail_route::{Balancer, BalancerKind, Pick, View};
//!
//! let mut balancer = BalancerKind::LeastRequest { choices: 2 }.build(7);
//! let idle = View { in_flight: 0, ..View::default() };
//! let busy = View { in_flight: 9, ..View::default() };
//! let views = [busy, idle];
//! assert_eq!(balancer.pick(&views.as_slice(), Pick { random: 42, hash: None }), Some(1));
//! let gone = View { available: false, ..idle };
//! assert_eq!(balancer.pick(&[gone].as_slice(), Pick { random: 42, hash: None }), None);
//! ```

mod balancer;
mod class_latency;
mod compare;
mod error;
mod estimate;
mod outlier;
mod pick_log;
mod retry_budget;
mod router;
mod slow_start;
#[cfg(feature = "tower")]
pub mod tower;
mod view;

pub use balancer::{
    Acting, ArmStats, Balancer, BalancerKind, BalancerReport, ConcurrencyConfig, ConcurrencyLimit, Feedback, HashKey,
    LatencyPrediction, LearnMode, Pick, SavedBalancer, SharedStatistics, Sight,
};
pub use class_latency::ClassLatency;
pub use compare::PolicyEstimate;
pub use error::Error;
pub use estimate::{FailureRate, LatencyEwma};
pub use outlier::{OutlierConfig, Outliers, Sample, Standing, is_panic};
pub use pick_log::{LoggedPick, PickLog, shares_of_picks};
pub use retry_budget::{RetryBudget, RetryBudgetConfig};
pub use router::{
    Choice, ClassKey, ClassReport, Expected, LoadReport, Phase, Reason, RouteOutcome, RouteRequest, Router,
    RouterConfig, RouterModel, RouterReport, SavedRouter, Scratch, ServiceReport, ServiceView, SpecialityChange,
};
pub use slow_start::SlowStart;
pub use view::{Endpoints, View};

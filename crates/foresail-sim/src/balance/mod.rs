//! Balancers in virtual time: fleets with queues, what goes wrong with them, one proxy or several in front, and oracles
//! that know the truth.
//!
//! Requests come in an open loop (Poisson); an endpoint serves a few at a time, each for a lognormal time, and the rest
//! wait in line. Around the balancer stands what stands around it in the proxy: a deadline, outlier ejection with its
//! panic floor, and requests in flight that each proxy knows of its own only. The same seed meets every policy with the
//! same arrivals and the same work, so that policies differ by their choices alone.
//!
//! ```
//! use foresail_sim::balance::{Oracle, Policy, Scenario, Story, mixed, run};
//!
//! let scenario = Scenario { seconds: 4.0, warm_up: 1.0, ..Scenario::new(mixed(), Story::Steady, 0.6) };
//! let random = run(&Policy::Random2, &scenario, 1);
//! let oracle = run(&Policy::Oracle(Oracle::Marginal), &scenario, 1);
//! assert!(oracle.mean_ms() < random.mean_ms());
//! ```

mod fleet;
mod oracle;
mod outcome;
mod plant;
mod policy;
mod prequal;
mod proxy;
mod run;
mod story;

pub use fleet::{Nature, even, mixed, random, ten};
pub use oracle::Oracle;
pub use outcome::{Outcome, bootstrap_interval};
pub use policy::Policy;
pub use prequal::Prequal;
pub use run::{Attack, Deed, Scenario, run, run_logged};
pub use story::{BAD, Condition, Story};

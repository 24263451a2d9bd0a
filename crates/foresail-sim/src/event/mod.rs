//! The event-driven plant: every request, replica and retry on its own, in virtual time.
//!
//! [`run`] drives a policy over a [`Scenario`](foresail_scale::Scenario) just as [`foresail_scale::replay`] does on the
//! fluid plant, but request by request: it is the judge of the fluid plant (the two agree on late requests) and the place
//! for what a fluid cannot show: service times that are not exponential, queues per replica, queue limits, retries that
//! keep an overload alive, cold replicas, failed starts, and metrics that come late or not at all.
//!
//! With [`EventOptions::default`] it is an M/M/c queue with time-outs, whose `c` the policy sets.
//!
//! ```
//! use std::time::Duration;
//! use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};
//! use foresail_scale::{Scenario, Service};
//! use foresail_sim::event::{EventOptions, run};
//!
//! struct Track;
//! impl Policy for Track {
//!     fn name(&self) -> &str { "track" }
//!     fn decide(&mut self, seen: &Observation) -> Decision {
//!         let desired = seen.value(Metric::RequestRate).map_or(seen.replicas.desired, |rps| Replicas::holding(rps / 70.0));
//!         Decision { desired, reason: Reason::new(Driver::Reactive) }
//!     }
//! }
//! let service = Service::request(100.0, Duration::from_secs(30)).unwrap();
//! let limits = Limits { min: Replicas(1), max: Replicas(20) };
//! let load = vec![100.0, 100.0, 400.0, 400.0, 400.0, 400.0];
//! let start = Timestamp::EPOCH;
//! let scenario = Scenario { start, tick: Duration::from_secs(15), load, evaluate_from: 0, service, limits };
//! let outcome = run(&scenario, &EventOptions::default(), &mut Track, 7).unwrap();
//! assert!(outcome.run.late_share() > 0.1); // four times the load, and thirty seconds until help comes
//! ```

pub mod agreement;
mod arrivals;
mod fleet;
mod ledger;
mod options;
mod plant;
mod run;
mod sensor;

pub use options::{Arrivals, Dispatch, EventOptions, Metrics, Retries, ServiceTime, Startup, WarmUp};
pub use run::{EventRun, Fate, Settled, Totals, Watch, run, run_watched};

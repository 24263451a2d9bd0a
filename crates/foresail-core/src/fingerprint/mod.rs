//! The workload's fingerprint: what kind of work a service is doing, in a few numbers.
//!
//! A [`Collector`] takes in requests (or counters) at some tens of nanoseconds each and closes an interval into features: rate
//! and its change, burstiness, latencies, entropy and mix of the request patterns, how cost goes with the parameters, and the
//! application's own metrics. [`OnlinePca`] turns features into a compact vector, [`StateMemory`] finds the past intervals
//! most like one, and [`RegimeTracker`] names the kind of work and says when it changes. [`Fingerprinter`] is all of them
//! together.
//!
//! ```
//! use foresail_core::Timestamp;
//! use foresail_core::fingerprint::{FingerprintOptions, Fingerprinter, Request, path_pattern};
//! use std::time::Duration;
//!
//! let mut fingerprinter = Fingerprinter::new(FingerprintOptions::default()).unwrap();
//! let start = Timestamp::from_secs(1_700_000_000);
//! for i in 0..100 {
//!     let pattern = path_pattern("GET", &format!("/users/{i}?verbose=1"));
//!     assert_eq!(pattern, path_pattern("GET", "/users/7"));
//!     let time = start + Duration::from_millis(100 * i);
//!     fingerprinter.record(&Request { time, pattern, latency_ms: 12.0, is_error: false, cost: None, parameters: &[] });
//! }
//! let print = fingerprinter.close(start, Duration::from_secs(10), &[], Some(3.5));
//! assert_eq!(print.regime, 0);
//! ```

mod collector;
mod comoments;
mod features;
mod fingerprinter;
mod memory;
mod pattern;
mod pca;
mod regimes;
mod stored;

pub use collector::{Collector, Request};
pub use features::{CLASSES as MIX_CLASSES, FingerprintOptions, MOST_METRICS, feature_names};
pub use fingerprinter::{Fingerprint, Fingerprinter};
pub use memory::{Followed, Neighbour, StateMemory, StoredState, Wanted};
pub use pattern::{path_pattern, pattern_name};
pub use pca::OnlinePca;
pub use regimes::{RegimeChange, RegimeTracker};
pub use stored::{stored_row, stored_schema};

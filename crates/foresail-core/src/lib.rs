//! The foundation: what all rooms speak.
//!
//! Time and units, the validated series ([`Frame`]), what is known ahead ([`Known`]), seeded randomness
//! ([`SeededRng`]), the vocabulary of scaling ([`Observation`], [`Decision`], [`Policy`]) and journal records; streaming
//! statistics ([`online`]), [`sketches`], the 72 features made of them ([`features`]) and the [`fingerprint`] of a workload.
//! Everything here is plain synchronous data: nothing reads a clock, a file or the environment.
//!
//! ```
//! use foresail_core::{Frame, Timestamp};
//! use std::time::Duration;
//!
//! let start = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
//! let frame = Frame::univariate(start, Duration::from_secs(60), "requests", vec![Some(3.0), None, Some(5.0)]).unwrap();
//! assert_eq!(frame.len(), 3);
//! assert_eq!(frame.target_mask(), [true, false, true]);
//! assert_eq!(frame.target(), [3.0, 3.0, 5.0]); // a gap holds the last value, and the mask says so
//! assert_eq!(frame.end(), start + Duration::from_secs(180));
//! ```

mod error;
pub mod features;
pub mod fingerprint;
mod frame;
pub mod humane;
mod journal;
mod known;
pub mod online;
mod rng;
mod scaling;
pub mod sketches;
mod time;
mod units;

pub use error::Error;
pub use frame::{Column, Frame, Row};
pub use journal::{Direction, JournalRecord, Journalled, Mode};
pub use known::{Deploy, Event, Holiday, Known, Signal};
pub use rng::SeededRng;
pub use scaling::{
    Decision, Driver, Goal, Limit, Limits, Metric, Observation, Order, Policy, Quality, Reason, ReplicaCounts, Sample,
};
pub use time::{Civil, TimeZone, Timestamp};
pub use units::Replicas;

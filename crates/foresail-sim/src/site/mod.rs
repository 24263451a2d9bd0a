//! A site in virtual time, as the guard sees it: a mix of well-meant clients that is always there, attacks, an origin that
//! queues, and the guard in front of it. The same mix and the same attacks can be planned and written as requests over real
//! sockets, with a guard that has learned the mix in virtual time.
//!
//! ```
//! use foresail_core::Timestamp;
//! use foresail_sim::site::{Legit, headers};
//! use std::time::Duration;
//!
//! let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
//! let plan = Legit::new(7, noon).plan(Duration::from_secs(60));
//! assert!(plan.windows(2).all(|pair| pair[0].after <= pair[1].after));
//! assert_eq!(headers(&plan[0].ask)[0].0, "host");
//! ```

mod attack;
mod legit;
mod wire;
mod world;

pub use attack::Attack;
pub use legit::{Ask, CLASSES, Legit, Planned, Site};
pub use wire::headers;
pub use world::{Report, Tally, World};

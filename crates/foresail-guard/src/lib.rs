//! Who is let through: the deciding half of a defence against floods, with no clock, no lock and no socket.
//!
//! Each worker has a [`Guard`], which remembers clients in a table of fixed size, judges every [`Arrival`] by a [`Model`], and
//! reports what it saw. One [`Learner`] joins the reports, learns what is usual while there is no pressure, finds what there
//! is too much of when there is, and publishes the next model. Hard action is taken only under measured pressure (a [`Load`]
//! that the origin feels), only as far up the ladder as the evidence goes, and every [`Verdict`] says why in one line.
//!
//! ```
//! use foresail_core::{SeededRng, Timestamp};
//! use foresail_guard::{Action, Arrival, Common, Fingerprint, Guard, GuardConfig, Kind, Learner, Load, Secrets};
//!
//! let config = GuardConfig::default();
//! let common = Common::new(&Secrets { hash: [1, 2], signing: [3; 32] }, None);
//! let mut guard = Guard::new(&config, common.clone(), 1, SeededRng::seed_from_u64(4));
//! let mut learner = Learner::new(&config, SeededRng::seed_from_u64(5));
//! let at = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
//! let fingerprint = Fingerprint::of(common.key(), [("user-agent", &b"curl"[..])], 11, 0);
//! let arrival = Arrival {
//!     at, client: "192.0.2.7".parse().unwrap(), kind: Kind::Api, path: "/items/17", query: None, agent: b"curl",
//!     fingerprint, cookie: None, is_verified_bot: false,
//! };
//! let verdict = guard.decide(&arrival);
//! assert_eq!(verdict.to_string(), "allow: nothing is held against it");
//! let report = guard.report();
//! guard.set_model(learner.tick(at, &report, &Load::default()));
//! assert_eq!(learner.summary().totals.passed, 1);
//! ```

mod account;
mod baseline;
pub mod bots;
pub mod challenge;
pub mod clearance;
mod client;
mod config;
mod error;
mod excess;
pub mod geo;
mod guard;
mod hash;
pub mod isolation_forest;
mod ladder;
mod learner;
mod mix;
mod model;
mod origins;
mod pressure;
mod profile;
mod quantile;
mod report;
mod request;
pub mod seed;
mod sketch;
mod verdict;
mod week;
mod whereabouts;

pub use account::{Account, GroupShare, Note, Standing};
pub use client::ClientId;
pub use config::{BotRule, Captcha, GuardConfig, Mode};
pub use error::Error;
pub use guard::{Common, Guard, Secrets};
pub use hash::HashKey;
pub use learner::{Learner, LearnerState, Saved, Summary, Totals};
pub use mix::{Dimension, Subject};
pub use model::Model;
pub use pressure::Load;
pub use report::Report;
pub use request::{Arrival, Fingerprint, Kind, Outcome};
pub use verdict::{Action, Challenge, Label, Reason, Verdict};

//! Which of several services answers a request, by what requests like it cost there.
//!
//! A random forest predicts latency, success and resource of a request at a service from what is known of both: the request's
//! size, complexity and hour, how its class and its user's context fare there, and how the service fares and is loaded. That a
//! service is a *profile* to the forest and not a name is what lets it carry over to services that are new or have changed
//! their speciality: profiles follow within some answers, the forest's leaves within some hundred, its structure with the next
//! fit. What a service has done otherwise than predicted of late corrects all of that at once.
//!
//! [`Router`] learns, off the path of requests; [`RouterModel`] is what it has learned up to a moment, and decides.

mod cell;
mod config;
mod features;
mod hold_out;
mod kinds;
mod learner;
mod line;
mod load_report;
mod model;
mod report;
mod request;
mod reservoir;
mod saved;

use serde::{Deserialize, Serialize};

pub use config::{ClassKey, RouterConfig};
pub use learner::Router;
pub use load_report::LoadReport;
pub use model::{Choice, Expected, RouterModel, Scratch};
pub use report::{ClassReport, RouterReport, ServiceReport, SpecialityChange};
pub use request::{RouteOutcome, RouteRequest, ServiceView};
pub use saved::SavedRouter;

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Least-request, for too little is known.
    ColdStart,
    /// What has been learned.
    Learned,
    /// Least-request, for the router has done worse, or has to prove that it does not.
    Baseline,
}

/// Why a request went where it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The least in flight, for too little is known.
    ColdStart,
    /// The least expected cost.
    Learned,
    /// The least in flight, to compare the router with.
    HoldOut,
    /// Drawn at random, to try everything.
    Exploration,
    /// The least in flight, for the router may not decide.
    Baseline,
}

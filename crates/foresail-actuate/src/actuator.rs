//! What stands between a decision and the world: the trait, and what is seen through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use foresail_core::{Order, ReplicaCounts, Timestamp};
use serde::Serialize;

use crate::Error;

/// A target that can be looked at and brought to a goal.
#[async_trait]
pub trait Actuator: Send + Sync {
    /// What is there now: replicas ready and starting, their size.
    ///
    /// # Errors
    /// Whatever keeps the target from being seen; [`Error::Closed`] after its shutdown.
    async fn observe(&self) -> Result<Observed, Error>;

    /// Brings the target to the order's goal, not by a step, so repeating it is harmless. Returns when the goal is
    /// taken up, which is before it is reached: [`Actuator::observe`] tells.
    ///
    /// # Errors
    /// [`Error::Stale`] for an order of an older decision than the last one applied, [`Error::BadGoal`],
    /// [`Error::Unsupported`], and whatever the target says.
    async fn apply(&self, order: &Order) -> Result<(), Error>;
}

#[async_trait]
impl<A: Actuator + ?Sized> Actuator for Arc<A> {
    async fn observe(&self) -> Result<Observed, Error> {
        (**self).observe().await
    }

    async fn apply(&self, order: &Order) -> Result<(), Error> {
        (**self).apply(order).await
    }
}

/// What an actuator sees of its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Copies wanted, ready, and on their way (those backing off and those that fail their probe are on their way).
    pub replicas: ReplicaCounts,
    /// Size of a copy, as a factor of its base size.
    pub size: f64,
    /// Every copy, by id.
    pub copies: Vec<CopyStatus>,
    /// Start-up delays, from the decision to start a copy to its being ready, of the copies that became ready since
    /// the last observation.
    pub startups: Vec<Duration>,
    /// Starts since the last observation that came to nothing: copies that could not be started, ended before they
    /// were ready or soon after, or took too long.
    pub failed_starts: u32,
}

/// One copy of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyStatus {
    /// Counts from 1 in a target, and is never used again; a copy that is restarted keeps it.
    pub id: u64,
    /// Where it serves. A copy that is restarted may move.
    pub address: SocketAddr,
    /// What it is doing.
    pub state: CopyState,
    /// Its process, if it has one.
    pub pid: Option<u32>,
    /// Resident memory of its process and of those that this started in turn, bytes, where it can be read.
    pub memory_bytes: Option<u64>,
    /// Its start-up delay, once it has been ready.
    pub startup: Option<Duration>,
    /// How many times it was started again after it had ended unasked.
    pub restarts: u32,
    /// When it came into this state.
    pub since: Timestamp,
}

/// What a copy is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopyState {
    /// Its process runs and has not yet been ready.
    Starting,
    /// It serves.
    Ready,
    /// It served, and now fails its probe.
    Unready,
    /// It takes no new traffic and ends.
    Stopping,
    /// It ended unasked, and waits for its next start.
    BackingOff,
    /// It ended unasked too often, and is not started again until an order comes.
    Failed,
}

/// A copy that may be sent traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReadyCopy {
    /// Its id, as in [`CopyStatus::id`].
    pub id: u64,
    /// Where it serves.
    pub address: SocketAddr,
}

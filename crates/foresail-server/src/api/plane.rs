//! What the server shows and passes on. The binary implements [`ControlPlane`]; everything here is plain data.

mod guard;
mod learned;
mod routing;
mod service;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use foresail_core::{Decision, Direction, Event, JournalRecord, Mode, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::guard::{GuardClientView, GuardGroupView, GuardTotals, GuardVerdictView, GuardView};
pub use self::learned::{
    AlikeView, CapacityView, DriftView, FingerprintView, ForecastView, InputView, KindView, LeadView, ModelView,
    OwnMetricView, ScoreView, Told, UtilisationView,
};
pub use self::routing::{RoutedClassView, RoutedPairView, RoutedServiceView, RouterView};
pub use self::service::{
    AlertView, BalancerView, EndpointView, HistoryPoint, PeerView, PendingView, ServedView, ServiceView,
    WorkerBalancerView,
};

/// The running control plane, as the API sees it. Reading never waits for the loop: views are published whole.
#[async_trait]
pub trait ControlPlane: Send + Sync + 'static {
    /// Names of the services, in the order of the configuration.
    fn services(&self) -> Vec<String>;

    /// The newest view of a service; `None` for a name that is not configured.
    fn view(&self, service: &str) -> Option<Arc<ServiceView>>;

    /// Moves on after every tick and every change: wait on it, then look at the views.
    fn changed(&self) -> watch::Receiver<u64>;

    /// What was observed and decided in `[from, to)`, in time order, thinned evenly to at most `most` points.
    fn history(&self, service: &str, from: Timestamp, to: Timestamp, most: usize) -> Vec<HistoryPoint>;

    /// Decisions newest first, with ids below `before` if it is given.
    ///
    /// # Errors
    /// [`PlaneError`] if the journal cannot be read.
    async fn decisions(
        &self,
        service: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<JournalRecord>, PlaneError>;

    /// One decision.
    ///
    /// # Errors
    /// [`PlaneError::NotFound`] for an id that is not in the journal.
    async fn decision(&self, service: &str, id: u64) -> Result<JournalRecord, PlaneError>;

    /// What would be decided now for the load and replicas of `question`, with nothing changed by asking.
    ///
    /// # Errors
    /// [`PlaneError::Refused`] for values out of range.
    fn decide(&self, service: &str, question: &Question) -> Result<Answer, PlaneError>;

    /// Carries an operator's word out and writes it to the audit trail, whether it is accepted or refused.
    ///
    /// # Errors
    /// [`PlaneError::Refused`] with the reason, nothing having changed.
    async fn command(&self, actor: &Actor, service: &str, word: Word) -> Result<(), PlaneError>;

    /// The audit trail, newest first, with ids below `before` if it is given.
    ///
    /// # Errors
    /// [`PlaneError`] if it cannot be read.
    async fn audit(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, PlaneError>;

    /// What the proxy of a service has learned of its endpoints, for other proxies of them: in whatever form those read; none
    /// where nothing is exchanged, or nothing has been learned yet.
    ///
    /// # Errors
    /// [`PlaneError::NotFound`].
    fn statistics(&self, service: &str) -> Result<Option<serde_json::Value>, PlaneError>;

    /// Whether the loop keeps up: a tick within three of its intervals. Readiness.
    fn is_ready(&self) -> bool;
}

/// Why a request to the control plane failed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaneError {
    /// No such service, decision or recommendation.
    #[error("there is no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// Understood and refused.
    #[error("{why}")]
    Refused {
        /// Why.
        why: String,
    },
    /// A store or the loop did not answer.
    #[error("{why}")]
    Unavailable {
        /// Why.
        why: String,
    },
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Name of the token, or `loopback` where none is needed.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything.
    Read,
    /// See and command.
    Operate,
}

/// An operator's word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Word {
    /// From now on in this mode.
    Mode {
        /// Which.
        mode: Mode,
    },
    /// No orders for a while.
    Pause {
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
        /// `both`, `up` or `down`.
        #[serde(default)]
        direction: Direction,
    },
    /// Ends a pause.
    Resume,
    /// No orders of any kind until revived.
    Kill,
    /// Ends a kill.
    Revive,
    /// This many replicas for a while, whatever is measured or forecast.
    Override {
        /// How many.
        replicas: u32,
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
    },
    /// Ends an override.
    ClearOverride,
    /// Carries a pending recommendation out.
    Approve {
        /// Its id.
        id: u64,
    },
    /// Drops a pending recommendation.
    Reject {
        /// Its id.
        id: u64,
    },
    /// Announces an event.
    Announce {
        /// Which.
        event: Event,
    },
    /// Takes announced events of that label back.
    Withdraw {
        /// Their label.
        label: String,
    },
    /// Lets a client in for a while, whatever the guard holds against it.
    Pardon {
        /// Its address.
        client: IpAddr,
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
    },
    /// The guard only observes for a while.
    StandDown {
        /// For how long, seconds, 1 to 604,800.
        seconds: u64,
    },
    /// The guard acts again as configured.
    StandUp,
}

/// A hypothetical for [`ControlPlane::decide`]; what is left out is taken from the newest observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Requests a second, finite and at least 0.
    #[serde(default)]
    pub load_rps: Option<f64>,
    /// Replicas there are.
    #[serde(default)]
    pub replicas: Option<u32>,
}

/// What would be decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The decision.
    pub decision: Decision,
    /// Its reason as a sentence.
    pub sentence: String,
    /// What the baseline wants.
    pub baseline: u32,
}

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts from 1.
    pub id: u64,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: Actor,
    /// On which service.
    pub service: String,
    /// What was asked: a [`Word`] as JSON, of whichever version wrote it down.
    pub word: serde_json::Value,
    /// `accepted`, or why it was refused.
    pub outcome: String,
}

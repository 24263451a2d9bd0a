//! A message, and how it fared.

use std::time::Duration;

use foresail_core::Timestamp;
use serde::Serialize;

use super::alert::{Alert, Severity};

/// An alert as it stands when it is told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    /// What is told.
    #[serde(flatten)]
    pub alert: Alert,
    /// When it ended; `None` while it lasts.
    pub ended: Option<Timestamp>,
}

/// A message about the alerts of one service and kind, to be sent now.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Names it when [`Notifier::sent`](super::Notifier::sent) is told how it fared. A later attempt has another.
    pub id: u64,
    /// Whom it concerns.
    pub service: String,
    /// What it is about.
    pub kind: String,
    /// Those that last, the most severe first, then those that have ended since they were told.
    pub alerts: Vec<Notice>,
    /// Others that the message has no room for.
    pub omitted: usize,
    /// Which attempt it is, from 1.
    pub attempt: u32,
}

impl Delivery {
    /// Whether any of its alerts lasts.
    pub fn is_firing(&self) -> bool {
        self.alerts.iter().any(|notice| notice.ended.is_none())
    }

    /// The worst of what lasts; of all, if nothing does.
    pub fn severity(&self) -> Severity {
        let worst = |firing: bool| {
            let those = self.alerts.iter().filter(|n| !firing || n.ended.is_none());
            those.map(|n| n.alert.severity).max()
        };
        worst(true).or_else(|| worst(false)).unwrap_or(Severity::Info)
    }
}

/// Why a delivery did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whether trying again may help.
    pub is_transient: bool,
    /// How long the receiver asks to be left alone.
    pub retry_after: Option<Duration>,
}

//! How soon, how often and how persistently people are told.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use foresail_core::humane;

/// When a receiver is told what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifierOptions {
    /// How long the first alert of a group waits for others. Default 10 s.
    #[serde(with = "humane::Text")]
    pub group_wait: Duration,
    /// Least time between two messages about a group, when there is something new. Default 5 min.
    #[serde(with = "humane::Text")]
    pub group_interval: Duration,
    /// How often it is repeated while nothing changes. Default 4 h.
    #[serde(with = "humane::Text")]
    pub resend_interval: Duration,
    /// Wait after the first failure; doubled with each, half of it at random. Default 1 s.
    #[serde(with = "humane::Text")]
    pub backoff: Duration,
    /// Longest wait after a failure, unless the receiver asks for a longer one. Default 5 min.
    #[serde(with = "humane::Text")]
    pub longest_backoff: Duration,
    /// Attempts before a message is given up, until the next change or repetition; at least 1. Default 10.
    pub attempts: u32,
    /// Most alerts that are kept; beyond it the least severe and oldest gives way. At least 1. Default 1,000.
    pub most_alerts: usize,
    /// Most alerts in one message, the most severe first; the others are counted in it. At least 1. Default 50.
    pub most_in_message: usize,
}

impl Default for NotifierOptions {
    fn default() -> Self {
        Self {
            group_wait: Duration::from_secs(10),
            group_interval: Duration::from_secs(300),
            resend_interval: Duration::from_secs(4 * 3_600),
            backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(300),
            attempts: 10,
            most_alerts: 1_000,
            most_in_message: 50,
        }
    }
}

impl NotifierOptions {
    /// For an Alertmanager, which groups and repeats by itself and forgets what it is not reminded of: at once, and every
    /// minute.
    pub fn for_alertmanager() -> Self {
        Self {
            group_wait: Duration::ZERO,
            group_interval: Duration::from_secs(5),
            resend_interval: Duration::from_secs(60),
            longest_backoff: Duration::from_secs(30),
            most_in_message: 1_000,
            ..Self::default()
        }
    }

    /// The same, each within its range.
    pub(super) fn within_range(mut self) -> Self {
        self.attempts = self.attempts.max(1);
        self.most_alerts = self.most_alerts.max(1);
        self.most_in_message = self.most_in_message.max(1);
        self.resend_interval = self.resend_interval.max(Duration::from_secs(1));
        self
    }
}

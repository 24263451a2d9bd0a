//! Carrying messages out.

use std::time::Duration;

use async_trait::async_trait;
use foresail_core::{SeededRng, Timestamp};
use foresail_http::Response;

use super::delivery::{Delivery, Failure};
use super::notifier::Notifier;

/// Longest answer that an error repeats, in characters.
const MAX_ANSWER: usize = 200;

/// Why a message did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No answer from the receiver, or options with which none can be had.
    #[error(transparent)]
    Http(#[from] foresail_http::Error),
    /// An option that cannot be.
    #[error("{option} is not usable; expected {expected}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What can be given.
        expected: &'static str,
    },
    /// The receiver does not take it.
    #[error("the receiver answers {status}: {answer}")]
    Refused {
        /// The status.
        status: u16,
        /// What it says, cut if long.
        answer: String,
        /// Whether it may take it later.
        is_transient: bool,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
}

impl SendError {
    /// Whether trying again later may succeed without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::BadOption { .. } => false,
            Self::Refused { is_transient, .. } => *is_transient,
        }
    }

    /// What the notifier is to know of it.
    pub fn failure(&self) -> Failure {
        let retry_after = if let Self::Refused { retry_after, .. } = self { *retry_after } else { None };
        Failure { is_transient: self.is_transient(), retry_after }
    }

    /// Refuses an answer that is no success.
    pub(super) fn check(response: &Response) -> Result<(), Self> {
        if response.is_success() {
            return Ok(());
        }
        Err(Self::Refused {
            status: response.status,
            answer: response.excerpt(MAX_ANSWER),
            is_transient: response.is_transient(),
            retry_after: response.retry_after,
        })
    }
}

/// A way to a receiver.
#[async_trait]
pub trait Sender: Send + Sync {
    /// Brings a message to the receiver, within a time of its own; `now` is what its clock should say.
    async fn send(&self, now: Timestamp, delivery: &Delivery) -> Result<(), SendError>;
}

/// A message that was tried.
#[derive(Debug)]
pub struct Report {
    /// What was said.
    pub delivery: Delivery,
    /// When it had arrived, or failed.
    pub time: Timestamp,
    /// Why it failed, if it did.
    pub error: Option<SendError>,
}

/// Sends all that is due, one after the other, and tells the notifier how it fared. Call it again at
/// [`Notifier::next_due`], and after each change.
pub async fn deliver(
    notifier: &mut Notifier,
    sender: &dyn Sender,
    clock: impl Fn() -> Timestamp,
    rng: &mut SeededRng,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for delivery in notifier.due(clock()) {
        let error = sender.send(clock(), &delivery).await.err();
        let time = clock();
        notifier.sent(time, delivery.id, error.as_ref().map(SendError::failure), rng);
        reports.push(Report { delivery, time, error });
    }
    reports
}

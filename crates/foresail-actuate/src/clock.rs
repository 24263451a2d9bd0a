//! The only place that reads the wall clock. Spans are measured on tokio's clock, which tests may pause.

use std::time::{SystemTime, UNIX_EPOCH};

use foresail_core::Timestamp;

/// The instant it is.
#[expect(clippy::disallowed_methods, reason = "an edge says when things happened")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

//! The one place that reads the clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use foresail_core::Timestamp;

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a proxy measures its requests")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for the access log and spans.
#[expect(clippy::disallowed_methods, reason = "access logs and spans carry the time of day")]
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

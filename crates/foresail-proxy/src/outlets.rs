//! Where what workers tell of requests leaves the proxy.

use foresail_route::LoggedPick;

use crate::lines::LineSender;
use crate::otlp::SpanSender;
use crate::record::Record;

/// To whoever keeps it; nobody, where it is not wanted.
#[derive(Clone, Default)]
pub(crate) struct Outlets {
    /// A line per request.
    pub(crate) log: Option<LineSender<Record>>,
    /// Spans.
    pub(crate) spans: Option<SpanSender>,
    /// Picks of endpoints with their propensities.
    pub(crate) picks: Option<LineSender<LoggedPick>>,
}

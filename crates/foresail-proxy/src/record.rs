//! What is known of one request when it is over: a line of the access log, or a span.

use std::net::IpAddr;
use std::time::Duration;

use foresail_core::Timestamp;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::http::request::Parts;
use serde::Serialize;

use crate::clock;
use crate::exchange::Outcome;
use crate::request::{X_FORWARDED_PROTO, X_REQUEST_ID};
use crate::trace_context::{SpanContext, TRACEPARENT};

/// Longest text taken over from a header.
const LONGEST: usize = 512;

/// What is known of one request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Record {
    pub(crate) time: Timestamp,
    pub(crate) request_id: String,
    pub(crate) client: IpAddr,
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) target: String,
    pub(crate) version: &'static str,
    pub(crate) status: u16,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    pub(crate) referer: String,
    pub(crate) user_agent: String,
    trace: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) attempts: u32,
    /// Arrival to a place at an endpoint, to the head of its answer, and to the last byte, in ms.
    pub(crate) queued_ms: f64,
    pub(crate) first_byte_ms: f64,
    pub(crate) total_ms: f64,
    pub(crate) outcome: &'static str,
    /// What only a span needs; none if the request is not recorded in its trace.
    #[serde(skip)]
    pub(crate) span: Option<Box<Span>>,
}

/// What a span says beyond a line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) context: SpanContext,
    pub(crate) scheme: String,
}

impl Record {
    /// Takes down a head as it is sent on.
    pub(crate) fn new(parts: &Parts, original: hyper::Version, client: IpAddr, span: Option<SpanContext>) -> Self {
        let text = |name: HeaderName| shorten(parts.headers.get(name).map_or(&[], |v| v.as_bytes()));
        let trace = parts.headers.get(TRACEPARENT).map(|v| shorten(v.as_bytes()));
        Self {
            time: clock::wall(),
            request_id: text(X_REQUEST_ID),
            client,
            method: parts.method.as_str().to_owned(),
            host: text(header::HOST),
            target: shorten(parts.uri.path_and_query().map_or("", |p| p.as_str()).as_bytes()),
            version: match original {
                hyper::Version::HTTP_10 => "HTTP/1.0",
                hyper::Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            },
            status: 0,
            received_bytes: content_length(&parts.headers),
            sent_bytes: 0,
            referer: text(header::REFERER),
            user_agent: text(header::USER_AGENT),
            trace,
            endpoint: None,
            attempts: 0,
            queued_ms: 0.0,
            first_byte_ms: 0.0,
            total_ms: 0.0,
            outcome: "",
            span: span.map(|context| Box::new(Span { context, scheme: text(X_FORWARDED_PROTO) })),
        }
    }

    pub(crate) fn end(&mut self, outcome: Outcome, taken: Duration) {
        self.total_ms = taken.as_secs_f64() * 1000.0;
        self.outcome = match outcome {
            Outcome::Completed => "completed",
            Outcome::Failed => "failed",
            Outcome::Rejected => "rejected",
            Outcome::Aborted => "aborted",
        };
    }
}

fn shorten(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned()
}

pub(crate) fn content_length(headers: &HeaderMap) -> u64 {
    headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok()).unwrap_or(0)
}

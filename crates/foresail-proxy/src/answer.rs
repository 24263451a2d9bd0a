//! Answers of our own: a status and a small JSON body that names it and the request.

use bytes::Bytes;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use crate::body::DownBody;
use crate::exchange::Flight;
use crate::request::X_REQUEST_ID;

/// What is wrong, as statuses and words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    words: &'static str,
    /// Whether the connection should end: its framing can no longer be trusted.
    closes: bool,
}

impl Problem {
    pub(crate) const NO_ENDPOINT: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "no endpoint available");
    pub(crate) const QUEUE_FULL: Self = Self::new(StatusCode::SERVICE_UNAVAILABLE, "too many requests are waiting");
    pub(crate) const BAD_GATEWAY: Self = Self::new(StatusCode::BAD_GATEWAY, "the endpoint gave no valid answer");
    pub(crate) const UNREACHABLE: Self = Self::new(StatusCode::BAD_GATEWAY, "the endpoint cannot be reached");
    pub(crate) const TIMEOUT: Self = Self::new(StatusCode::GATEWAY_TIMEOUT, "the endpoint took too long");

    const fn new(status: StatusCode, words: &'static str) -> Self {
        Self { status, words, closes: false }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.status
    }
}

impl From<crate::scan::Refusal> for Problem {
    fn from(refusal: crate::scan::Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self { status, words: status.canonical_reason().unwrap_or("refused"), closes: true }
    }
}

/// The guard's answer to a request.
pub(crate) fn held(held: Response<Bytes>, id: &HeaderValue, flight: Flight) -> Response<DownBody> {
    let (mut parts, body) = held.into_parts();
    parts.headers.insert(X_REQUEST_ID, id.clone());
    Response::from_parts(parts, DownBody::whole(body, Some(flight)))
}

/// The answer to a request with this problem.
pub(crate) fn problem(problem: Problem, id: &HeaderValue, flight: Flight) -> Response<DownBody> {
    let id_text = id.to_str().unwrap_or("");
    let Problem { status, words, closes } = problem;
    // Ids are made of characters that JSON leaves alone.
    let text = format!("{{\"status\":{},\"error\":\"{words}\",\"request_id\":\"{id_text}\"}}\n", status.as_u16());
    let mut response = Response::new(DownBody::whole(Bytes::from(text), Some(flight)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, id.clone());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if closes {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

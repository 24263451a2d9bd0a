//! How the API says no: a status and `{error, field, accepted}`.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::plane::PlaneError;

/// A refusal, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Problem {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong, a sentence without full stop.
    error: String,
    /// The parameter or field it is about.
    field: Option<String>,
    /// What would be accepted there.
    accepted: Option<String>,
}

impl Problem {
    /// A refusal about nothing in particular.
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), field: None, accepted: None }
    }

    /// A value that is not accepted.
    pub(super) fn field(field: &str, error: impl Into<String>, accepted: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: error.into(),
            field: Some(field.to_owned()),
            accepted: Some(accepted.into()),
        }
    }

    /// The same with what would be accepted.
    pub(super) fn accepting(mut self, accepted: impl Into<String>) -> Self {
        self.accepted = Some(accepted.into());
        self
    }
}

impl From<PlaneError> for Problem {
    fn from(error: PlaneError) -> Self {
        let status = match &error {
            PlaneError::NotFound { .. } => StatusCode::NOT_FOUND,
            PlaneError::Refused { .. } => StatusCode::CONFLICT,
            PlaneError::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = json(&self);
        *response.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// `value` as a JSON answer that no cache keeps.
pub(super) fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("plain data with text keys always becomes JSON");
    json_text(text)
}

/// Text that is JSON already.
pub(super) fn json_text(text: impl Into<Body>) -> Response {
    typed("application/json", text)
}

/// An answer of a content type that no cache keeps.
pub(super) fn typed(content_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

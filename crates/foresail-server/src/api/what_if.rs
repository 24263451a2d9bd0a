//! What would be decided: a question that changes nothing.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json as object;

use super::app::Call;
use super::plane::{PlaneError, Question};
use super::problem::{Problem, json};

pub(super) async fn decide(call: Call) -> Result<Response, Problem> {
    let service = call.service()?;
    let replicas = call.values.whole("replicas").and_then(|n| u32::try_from(n).ok());
    let question = Question { load_rps: call.values.number("load_rps"), replicas };
    let answer = call.app.plane.decide(&service, &question).map_err(|error| match error {
        PlaneError::Refused { why } => Problem::new(StatusCode::BAD_REQUEST, why),
        other => Problem::from(other),
    })?;
    Ok(json(&object!({ "service": service, "question": question, "answer": answer })))
}

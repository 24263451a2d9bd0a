//! The journal and the audit trail, by the page.

use axum::response::Response;
use serde_json::json as object;

use super::app::Call;
use super::explanation::Explanation;
use super::problem::{Problem, json, typed};

pub(super) async fn page(call: Call) -> Result<Response, Problem> {
    let service = call.service()?;
    let (before, most) = span(&call);
    let decisions = call.app.plane.decisions(&service, before, most).await?;
    let next = next(decisions.len(), most, decisions.last().map(|d| d.id));
    Ok(json(&object!({ "service": service, "decisions": decisions, "next_before": next })))
}

pub(super) async fn one(call: Call) -> Result<Response, Problem> {
    let id = call.values.whole("id").unwrap_or_default();
    Ok(json(&call.app.plane.decision(&call.service()?, id).await?))
}

pub(super) async fn explain(call: Call) -> Result<Response, Problem> {
    let service = call.service()?;
    let record = match call.values.whole("id") {
        Some(id) => call.app.plane.decision(&service, id).await?,
        None => {
            let newest = call.app.plane.decisions(&service, None, 1).await?;
            let none = || Problem::field("id", "nothing has been decided yet", "the id of a decision");
            newest.into_iter().next().ok_or_else(none)?
        }
    };
    let explanation = Explanation::of(&service, &record);
    match call.values.text("format") {
        Some("text") => Ok(typed("text/plain; charset=utf-8", explanation.text())),
        _ => Ok(json(&explanation)),
    }
}

pub(super) async fn audit(call: Call) -> Result<Response, Problem> {
    let (before, most) = span(&call);
    let entries = call.app.plane.audit(before, most).await?;
    let next = next(entries.len(), most, entries.last().map(|e| e.id));
    Ok(json(&object!({ "entries": entries, "next_before": next })))
}

fn span(call: &Call) -> (Option<u64>, usize) {
    (call.values.whole("before"), call.values.whole("limit").map_or(50, |n| n as usize))
}

/// Where the next page starts, if this one was full.
fn next(got: usize, most: usize, last: Option<u64>) -> Option<u64> {
    last.filter(|id| got >= most && *id > 1)
}

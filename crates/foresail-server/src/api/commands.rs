//! Writing: every one is an operator's word to the plane, which audits it.

use axum::response::Response;
use foresail_core::{Direction, Event, Mode};
use serde_json::json as object;

use super::app::Call;
use super::plane::Word;
use super::problem::{Problem, json};
use super::state::Status;

/// Longest event, seconds.
const LONGEST: u64 = 366 * 86_400;

pub(super) async fn mode(call: Call) -> Result<Response, Problem> {
    let mode = match call.values.text("mode") {
        Some("act") => Mode::Act,
        Some("recommend") => Mode::Recommend,
        _ => Mode::Observe,
    };
    say(call, Word::Mode { mode }).await
}

pub(super) async fn pause(call: Call) -> Result<Response, Problem> {
    let direction = match call.values.text("direction") {
        Some("up") => Direction::Up,
        Some("down") => Direction::Down,
        _ => Direction::Both,
    };
    let seconds = call.values.whole("seconds").unwrap_or(1);
    say(call, Word::Pause { seconds, direction }).await
}

pub(super) async fn resume(call: Call) -> Result<Response, Problem> {
    say(call, Word::Resume).await
}

pub(super) async fn kill(call: Call) -> Result<Response, Problem> {
    say(call, Word::Kill).await
}

pub(super) async fn revive(call: Call) -> Result<Response, Problem> {
    say(call, Word::Revive).await
}

pub(super) async fn set_override(call: Call) -> Result<Response, Problem> {
    let (replicas, seconds) = (small(&call, "replicas"), call.values.whole("seconds").unwrap_or(1));
    say(call, Word::Override { replicas, seconds }).await
}

pub(super) async fn clear_override(call: Call) -> Result<Response, Problem> {
    say(call, Word::ClearOverride).await
}

pub(super) async fn approve(call: Call) -> Result<Response, Problem> {
    let id = call.values.whole("id").unwrap_or_default();
    say(call, Word::Approve { id }).await
}

pub(super) async fn reject(call: Call) -> Result<Response, Problem> {
    let id = call.values.whole("id").unwrap_or_default();
    say(call, Word::Reject { id }).await
}

pub(super) async fn announce(call: Call) -> Result<Response, Problem> {
    let (Some(from), Some(to)) = (call.values.time("from"), call.values.time("to")) else {
        return Err(Problem::field("from", "an event needs from and to", "two times"));
    };
    if from >= to || to.since(from).as_secs() > LONGEST {
        return Err(Problem::field("to", "to is not within a year after from", format!("a time after {from}")));
    }
    let label = call.values.text("label").unwrap_or_default().to_owned();
    let factor = call.values.number("factor").unwrap_or(1.0);
    let floor = small(&call, "floor");
    say(call, Word::Announce { event: Event { from, to, factor, floor, kind: String::new(), label } }).await
}

pub(super) async fn withdraw(call: Call) -> Result<Response, Problem> {
    let label = call.values.text("label").unwrap_or_default().to_owned();
    say(call, Word::Withdraw { label }).await
}

pub(super) async fn pardon(call: Call) -> Result<Response, Problem> {
    let Some(client) = call.values.address("client") else {
        return Err(Problem::field("client", "client is missing", "an address"));
    };
    let seconds = call.values.whole("seconds").unwrap_or(1);
    say(call, Word::Pardon { client, seconds }).await
}

pub(super) async fn stand_down(call: Call) -> Result<Response, Problem> {
    let seconds = call.values.whole("seconds").unwrap_or(1);
    say(call, Word::StandDown { seconds }).await
}

pub(super) async fn stand_up(call: Call) -> Result<Response, Problem> {
    say(call, Word::StandUp).await
}

async fn say(call: Call, word: Word) -> Result<Response, Problem> {
    let service = call.service()?;
    call.app.plane.command(&call.actor, &service, word).await?;
    let status = call.app.plane.view(&service).map(|view| Status::of(&view));
    Ok(json(&object!({ "accepted": true, "status": status })))
}

/// A whole number that its field keeps within `u32`.
fn small(call: &Call, name: &str) -> u32 {
    call.values.whole(name).and_then(|n| u32::try_from(n).ok()).unwrap_or_default()
}

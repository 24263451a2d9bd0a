//! Reading: parts of the newest view, and the history.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use foresail_core::{Direction, Mode, Timestamp};
use serde::Serialize;
use serde_json::json as object;

use super::app::Call;
use super::openapi;
use super::plane::{PendingView, ServiceView};
use super::problem::{Problem, json, json_text, typed};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) async fn services(call: Call) -> Result<Response, Problem> {
    Ok(json(&object!({ "services": call.app.plane.services() })))
}

pub(super) async fn view(call: Call) -> Result<Response, Problem> {
    Ok(json_text(call.app.views.json(&call.view()?)))
}

pub(super) async fn series(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    let to = call.values.time("to").unwrap_or(view.time + view.tick);
    let from = call.values.time("from").unwrap_or(to - DAY);
    if from >= to {
        return Err(Problem::field("from", "from is not before to", format!("a time before {to}")));
    }
    let most = call.values.whole("max").map_or(1_000, |n| n as usize);
    // Thinning walks over the span, which may be long.
    let (app, service) = (Arc::clone(&call.app), view.service.clone());
    let points = tokio::task::spawn_blocking(move || app.plane.history(&service, from, to, most)).await;
    let points = points.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the history cannot be read now"))?;
    Ok(json(&object!({ "service": view.service, "from": from, "to": to, "points": points })))
}

pub(super) async fn forecast(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    let mut forecast = view.forecast.clone();
    if let (Some(fan), Some(horizon)) = (&mut forecast, call.values.whole("horizon")) {
        let steps = (horizon as f64 / fan.step.as_secs_f64().max(1e-6)).ceil() as usize;
        fan.mean.truncate(steps);
        fan.quantiles.iter_mut().for_each(|q| q.truncate(steps));
    }
    let covered = forecast.as_ref().map_or(0.0, |f| f.step.as_secs_f64() * f.mean.len() as f64);
    Ok(json(&object!({ "service": view.service, "time": view.time, "covered_s": covered, "forecast": forecast })))
}

pub(super) async fn models(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    let (models, trials) = (&view.models, &view.trials);
    Ok(json(&object!({
        "service": view.service, "models": models, "trials": trials, "drift": view.drift, "champion_decides": view.champion_decides,
    })))
}

pub(super) async fn fingerprint(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&object!({ "service": view.service, "fingerprint": view.fingerprint })))
}

pub(super) async fn guard(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&object!({ "service": view.service, "guard": view.guard })))
}

pub(super) async fn statistics(call: Call) -> Result<Response, Problem> {
    let service = call.view()?.service.clone();
    let statistics = call.app.plane.statistics(&service)?;
    Ok(json(&object!({ "service": service, "statistics": statistics })))
}

pub(super) async fn scorecard(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&object!({
        "service": view.service, "policy": view.policy, "baseline": view.baseline, "since_start": view.scorecard,
        "hours": view.hours, "saved": saved(&view), "served": view.served,
    })))
}

/// Share of the baseline's replica-hours that the champion did without; negative where it took more. 0 before anything is
/// scored.
pub(super) fn saved(view: &ServiceView) -> f64 {
    let score = &view.scorecard;
    if score.baseline_hours > 0.0 { 1.0 - score.champion_hours / score.baseline_hours } else { 0.0 }
}

pub(super) async fn endpoints(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&object!({ "service": view.service, "endpoints": view.endpoints, "served": view.served })))
}

pub(super) async fn alerts(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&object!({ "service": view.service, "alerts": view.alerts })))
}

pub(super) async fn capacity(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    let (median, p90, measured) = view.startup;
    Ok(json(&object!({
        "service": view.service, "capacity": view.capacity,
        "startup": { "median_s": median, "p90_s": p90, "measured": measured },
    })))
}

pub(super) async fn mode(call: Call) -> Result<Response, Problem> {
    let view = call.view()?;
    Ok(json(&Status::of(&view)))
}

pub(super) async fn document(call: Call) -> Result<Response, Problem> {
    Ok(json_text(openapi::text(call.app.tokens.are_needed()).clone()))
}

pub(super) async fn health(_call: Call) -> Result<Response, Problem> {
    Ok(typed("text/plain; charset=utf-8", "ok\n"))
}

pub(super) async fn ready(call: Call) -> Result<Response, Problem> {
    if call.app.plane.is_ready() {
        return Ok(typed("text/plain; charset=utf-8", "ready\n"));
    }
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the loop does not keep up"))
}

/// What an operator's words have made of a service.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    service: String,
    mode: Mode,
    paused: Option<Pause>,
    killed: bool,
    overridden: Option<Override>,
    pending: Option<PendingView>,
}

#[derive(Debug, Serialize)]
struct Pause {
    until: Timestamp,
    direction: Direction,
}

#[derive(Debug, Serialize)]
struct Override {
    until: Timestamp,
    replicas: u32,
}

impl Status {
    /// As `view` has it.
    pub(super) fn of(view: &ServiceView) -> Self {
        Self {
            service: view.service.clone(),
            mode: view.mode,
            paused: view.paused.map(|(until, direction)| Pause { until, direction }),
            killed: view.killed,
            overridden: view.overridden.map(|(until, replicas)| Override { until, replicas }),
            pending: view.pending.clone(),
        }
    }
}

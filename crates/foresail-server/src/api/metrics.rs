//! `/metrics` in Prometheus' text format. Labels are bounded: services and models come from the configuration, endpoints are
//! cut at [`ENDPOINTS`] a service, routes and status classes are fixed.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use axum::response::Response;
use foresail_core::Mode;

use super::app::{App, Call};
use super::plane::ServiceView;
use super::problem::{Problem, typed};
use super::routes::ROUTES;
use super::state::saved;

/// Endpoints shown for a service: those that hold the largest shares.
pub(super) const ENDPOINTS: usize = 64;
/// Models shown for a service.
const MODELS: usize = 64;

/// Samples grouped by metric, in the order in which metrics first came.
#[derive(Default)]
struct Page {
    order: Vec<&'static str>,
    metrics: BTreeMap<&'static str, (&'static str, &'static str, String)>,
}

impl Page {
    fn sample(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) {
        let (_, _, text) = self.metrics.entry(name).or_insert_with(|| {
            self.order.push(name);
            (kind, help, String::new())
        });
        text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            let _ = write!(text, "{}{label}=\"{}\"", if index == 0 { '{' } else { ',' }, escape(value));
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: impl Display) {
        self.sample(name, "gauge", help, labels, value);
    }

    fn counter(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: impl Display) {
        self.sample(name, "counter", help, labels, value);
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for name in &self.order {
            let (kind, help, samples) = &self.metrics[name];
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}");
        }
        out
    }
}

pub(super) async fn scrape(call: Call) -> Result<Response, Problem> {
    let mut page = Page::default();
    for name in call.app.plane.services() {
        if let Some(view) = call.app.plane.view(&name) {
            loop_metrics(&mut page, &view);
            learning(&mut page, &view);
            traffic(&mut page, &view);
        }
    }
    own(&mut page, &call.app);
    Ok(typed("text/plain; version=0.0.4; charset=utf-8", page.text()))
}

fn loop_metrics(page: &mut Page, view: &ServiceView) {
    let service = [("service", view.service.as_str())];
    if let Some(load) = view.load_rps {
        page.gauge("foresail_load_rps", "Requests that arrive, a second.", &service, load);
    }
    let replicas = view.replicas;
    for (state, count) in [("ready", replicas.ready), ("starting", replicas.starting), ("desired", replicas.desired)] {
        let labels = [service[0], ("state", state)];
        page.gauge("foresail_replicas", "Replicas of the target.", &labels, count);
    }
    if let Some(last) = &view.last {
        page.gauge("foresail_baseline_replicas", "Replicas the baseline wants.", &service, last.baseline);
        page.counter("foresail_decisions_total", "Decisions in the journal.", &service, last.id);
    }
    page.counter("foresail_actions_total", "Orders given to the target.", &service, view.orders);
    for mode in [Mode::Observe, Mode::Recommend, Mode::Act] {
        let word = serde_json::to_value(mode).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let labels = [service[0], ("mode", word.as_str())];
        page.gauge("foresail_mode", "1 for the mode in force.", &labels, u8::from(mode == view.mode));
    }
    page.gauge("foresail_paused", "Whether orders are paused.", &service, u8::from(view.paused.is_some()));
    page.gauge("foresail_killed", "Whether the kill switch is on.", &service, u8::from(view.killed));
    page.gauge(
        "foresail_overridden",
        "Whether replicas are set by hand.",
        &service,
        u8::from(view.overridden.is_some()),
    );
    page.gauge(
        "foresail_pending",
        "Recommendations waiting for an answer.",
        &service,
        u8::from(view.pending.is_some()),
    );
    let holding = view.alerts.iter().filter(|a| a.ended.is_none()).count();
    page.gauge("foresail_alerts", "Alerts that hold.", &service, holding);
    page.gauge("foresail_tick_seconds", "Time the last tick took.", &service, view.tick_ms.0 / 1e3);
    page.gauge(
        "foresail_tick_p99_seconds",
        "99th percentile of the last thousand ticks.",
        &service,
        view.tick_ms.1 / 1e3,
    );
    page.gauge("foresail_learned_bytes", "Memory of learned state.", &service, view.memory_bytes);
}

fn learning(page: &mut Page, view: &ServiceView) {
    let service = [("service", view.service.as_str())];
    for model in view.models.iter().take(MODELS) {
        let labels = [service[0], ("model", model.name.as_str())];
        page.counter("foresail_predictions_total", "Forecasts scored against what came.", &labels, model.scored);
        page.gauge("foresail_model_champion", "1 for the model in use.", &labels, u8::from(model.is_champion));
        if let Some(mae) = model.mae {
            page.gauge("foresail_forecast_error_rps", "Mean absolute error at the horizon.", &labels, mae);
        }
        if let Some(skill) = model.skill {
            page.gauge(
                "foresail_forecast_error_scaled",
                "Error over that of the seasonal naive forecast.",
                &labels,
                skill,
            );
        }
        if let Some(coverage) = model.coverage {
            page.gauge("foresail_forecast_coverage", "Share within the 90 % interval.", &labels, coverage);
        }
    }
    let score = &view.scorecard;
    for (policy, hours, late) in [
        ("champion", score.champion_hours, score.champion_late),
        ("baseline", score.baseline_hours, score.baseline_late),
    ] {
        let labels = [service[0], ("policy", policy)];
        page.gauge("foresail_score_replica_hours", "Replica-hours on the observed load.", &labels, hours);
        page.gauge("foresail_score_late_ratio", "Share of requests late on the observed load.", &labels, late);
    }
    page.gauge("foresail_learning_gain_ratio", "Share of the baseline's replica-hours saved.", &service, saved(view));
    page.counter("foresail_learner_cpu_seconds_total", "CPU in ticks and fits.", &service, score.learner_cpu_s);
    let capacity = &view.capacity;
    page.gauge("foresail_capacity_rps", "Learned capacity of a replica.", &service, capacity.learned_rps);
    page.gauge("foresail_startup_seconds", "Median start-up delay.", &service, view.startup.0);
}

fn traffic(page: &mut Page, view: &ServiceView) {
    let service = [("service", view.service.as_str())];
    let served = &view.served;
    page.counter("foresail_requests_total", "Requests that arrived.", &service, served.arrivals);
    for (outcome, count) in [
        ("completed", served.completed),
        ("failed", served.failed),
        ("rejected", served.rejected),
        ("late", served.late),
        ("retried", served.retries),
        ("hedged", served.hedges.0),
        ("hedge_answered", served.hedges.1),
    ] {
        let labels = [service[0], ("outcome", outcome)];
        page.counter(
            "foresail_outcomes_total",
            "Requests by outcome; late ones are counted in others too.",
            &labels,
            count,
        );
    }
    page.gauge("foresail_in_flight", "Requests in flight.", &service, served.in_flight);
    page.gauge("foresail_queued", "Requests waiting.", &service, served.queued);
    page.counter("foresail_replica_seconds_total", "Replica-seconds paid for.", &service, served.replica_seconds);
    page.counter("foresail_log_lines_lost_total", "Lines the access log lost.", &service, served.log_lines_lost);
    for (outcome, count) in [("exported", served.spans_exported), ("lost", served.spans_lost)] {
        page.counter("foresail_spans_total", "Spans by outcome.", &[service[0], ("outcome", outcome)], count);
    }
    let mut endpoints: Vec<_> = view.endpoints.iter().collect();
    endpoints.sort_by(|a, b| b.share.total_cmp(&a.share).then_with(|| a.id.cmp(&b.id)));
    for endpoint in endpoints.into_iter().take(ENDPOINTS) {
        let labels = [service[0], ("endpoint", endpoint.id.as_str())];
        let ready = matches!(endpoint.state.as_str(), "ready" | "slow start");
        page.gauge("foresail_endpoint_up", "Whether it is given requests.", &labels, u8::from(ready));
        page.gauge("foresail_endpoint_share_ratio", "Share of the picks.", &labels, endpoint.share);
        page.gauge("foresail_endpoint_in_flight", "Requests in flight.", &labels, endpoint.in_flight);
        page.gauge("foresail_endpoint_latency_seconds", "Mean latency, weighted.", &labels, endpoint.latency_ms / 1e3);
        page.counter("foresail_endpoint_completed_total", "Requests completed.", &labels, endpoint.completed);
        page.counter("foresail_endpoint_failed_total", "Requests failed.", &labels, endpoint.failed);
        page.counter("foresail_endpoint_ejections_total", "Times it was ejected.", &labels, endpoint.ejections);
    }
}

fn own(page: &mut Page, app: &App) {
    for (route, classes) in ROUTES.iter().zip(&app.answered) {
        for (index, count) in classes.iter().enumerate() {
            let count = count.load(Ordering::Relaxed);
            if count > 0 {
                let class = format!("{}xx", index + 1);
                let labels = [("operation", route.id), ("status", class.as_str())];
                page.counter("foresail_api_requests_total", "Requests to this API.", &labels, count);
            }
        }
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

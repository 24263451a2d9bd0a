//! What was expected against what came, a step of the league at a time: load against its forecast, utilisation after each
//! action, memory and cost of requests. What does not go as predicted becomes an alert.

use std::time::Duration;

use foresail_actuate::Observed;
use foresail_actuate::notify::{Alert, Severity as Weight};
use foresail_core::Timestamp;
use foresail_scale::discrepancy::{
    Action, ActionAccuracy, Change, CopyMemory, Discrepancies, Discrepancy, ForecastBand, Reading, Severity,
    utilisation,
};
use foresail_server::api::plane::ForecastView;

use super::alerts::Alerts;
use super::league::Standing;
use super::meter::Window;
use crate::clock::Tempo;

/// The step that is open: sums over its ticks.
#[derive(Debug)]
pub(super) struct OpenStep {
    pub(super) start: Timestamp,
    loads: f64,
    ticks: u32,
    served: u64,
    seconds: f64,
    latency: (f64, u32),
}

impl OpenStep {
    /// A step that begins at `start`.
    pub(super) fn at(start: Timestamp) -> Self {
        Self { start, loads: 0.0, ticks: 0, served: 0, seconds: 0.0, latency: (0.0, 0) }
    }

    /// Adds a tick: its load on the service's clock, if it is one to learn from, and what the proxy saw.
    pub(super) fn add(&mut self, load: Option<f64>, window: Option<&Window>) {
        if let Some(load) = load {
            self.loads += load;
            self.ticks += 1;
        }
        if let Some(window) = window {
            self.served += window.completed;
            self.seconds += window.seconds;
            if let Some(latency) = window.typical_s {
                self.latency = (self.latency.0 + latency, self.latency.1 + 1);
            }
        }
    }

    /// Mean load, requests a second of the service's clock; none where no tick had one.
    pub(super) fn load(&self) -> Option<f64> {
        (self.ticks > 0).then(|| self.loads / f64::from(self.ticks))
    }
}

/// The comparison of one service.
pub(super) struct Expectations {
    watch: Discrepancies,
    acted: Option<Action>,
    /// Changed since it was last kept.
    is_new: bool,
}

impl Expectations {
    /// Goes on from what `watch` has seen.
    pub(super) fn new(watch: Discrepancies) -> Self {
        Self { watch, acted: None, is_new: false }
    }

    /// An order for `replicas` has gone out: remembers what it is expected to bring. `load` is the one at hand.
    pub(super) fn acted(
        &mut self,
        (decision, replicas): (u64, u32),
        due: Timestamp,
        forecast: Option<&ForecastView>,
        load: Option<f64>,
        capacity_rps: f64,
        tempo: &Tempo,
    ) {
        let ahead = forecast.and_then(|f| {
            let steps = due.since(f.start).as_secs_f64() / f.step.as_secs_f64();
            f.mean.get((steps as usize).min(f.mean.len().saturating_sub(1))).map(|rps| tempo.rate(*rps))
        });
        let predicted = ahead.or(load).and_then(|load| utilisation(load, replicas, capacity_rps));
        self.acted = predicted.map(|predicted| Action { decision, replicas, predicted, due });
    }

    /// Compares a step that has ended, and tells what began and what is over.
    pub(super) fn compare(
        &mut self,
        step: &OpenStep,
        length: Duration,
        (standing, seen): (&Standing, Option<&Observed>),
        capacity_rps: f64,
        tempo: &Tempo,
        alerts: &mut Alerts,
    ) {
        let speed = tempo.speed();
        let band = |(_, low, median, high): &(Timestamp, f64, f64, f64)| ForecastBand {
            low: tempo.rate(*low),
            median: tempo.rate(*median),
            high: tempo.rate(*high),
        };
        let now = step.start + length;
        let reading = Reading {
            load_rps: step.load(),
            forecast: standing.due.iter().find(|due| due.0 == step.start).map(band),
            ready: seen.map_or(0, |s| s.replicas.ready.0),
            capacity_rps,
            served_rps: (step.seconds > 0.0).then(|| tempo.rate(step.served as f64 / step.seconds)),
            latency_s: (step.latency.1 > 0).then(|| speed * step.latency.0 / f64::from(step.latency.1)),
            memory: seen.map(memory).unwrap_or_default(),
            action: self.acted.take(),
            ..Reading::new(now, length)
        };
        for change in self.watch.observe(&reading) {
            match change {
                Change::Began { discrepancy } => alerts.begin(alert(alerts.service(), &discrepancy)),
                Change::Ended { discrepancy } => alerts.end(now, discrepancy.kind.name(), ""),
            }
        }
        self.is_new = true;
    }

    /// How well utilisation after actions was predicted.
    pub(super) fn accuracy(&self) -> ActionAccuracy {
        self.watch.accuracy()
    }

    /// What is to be kept, if there is anything new.
    pub(super) fn unkept(&mut self) -> Option<Vec<u8>> {
        let is_new = std::mem::take(&mut self.is_new);
        is_new.then(|| serde_json::to_vec(self.watch.state()).ok()).flatten()
    }
}

/// Memory of the copies for which it is known.
fn memory(seen: &Observed) -> Vec<CopyMemory> {
    let of = |copy: &foresail_actuate::CopyStatus| {
        copy.memory_bytes.map(|bytes| CopyMemory { copy: copy.id, bytes, restarts: copy.restarts })
    };
    seen.copies.iter().filter_map(of).collect()
}

fn alert(service: &str, found: &Discrepancy) -> Alert {
    let severity = match found.severity {
        Severity::Info => Weight::Info,
        Severity::Warning => Weight::Warning,
        Severity::Critical => Weight::Critical,
    };
    let text = format!("{}; {}", found.text, found.context);
    Alert {
        action: Some(found.action.clone()),
        context: found.figures.iter().map(|figure| (figure.name.clone(), figure.value)).collect(),
        ..Alert::new(service, found.kind.name(), severity, text, found.since)
    }
}

//! A decision in words: what was wanted, why, and what was known.

use std::fmt::Write;

use foresail_core::{JournalRecord, Limit, Metric, Quality, Timestamp};
use serde::Serialize;

/// Why a decision is what it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Explanation {
    service: String,
    id: u64,
    time: Timestamp,
    /// The whole of it in a sentence.
    sentence: String,
    /// What was known, a fact a line.
    inputs: Vec<Fact>,
    /// What the number came from, a step a line.
    steps: Vec<String>,
}

/// Something measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Fact {
    name: String,
    value: String,
    quality: Quality,
}

impl Explanation {
    /// Of `record`, decided for `service`.
    pub(super) fn of(service: &str, record: &JournalRecord) -> Self {
        let decision = &record.decision;
        let held = record.observation.replicas;
        let change = match decision.desired.cmp(&held.desired) {
            std::cmp::Ordering::Greater => {
                format!("{} more than the {} asked for before", decision.desired.0 - held.desired.0, held.desired)
            }
            std::cmp::Ordering::Less => {
                format!("{} fewer than the {} asked for before", held.desired.0 - decision.desired.0, held.desired)
            }
            std::cmp::Ordering::Equal => "as many as were asked for before".to_owned(),
        };
        let sentence = format!("{} wants {} replicas, {change}: {}.", record.policy, decision.desired, decision.reason);
        Self {
            service: service.to_owned(),
            id: record.id,
            time: record.time,
            sentence,
            inputs: inputs(record),
            steps: steps(record),
        }
    }

    /// As plain text.
    pub(super) fn text(&self) -> String {
        let mut out =
            format!("decision {} of {} at {}\n{}\n\nwhat was known\n", self.id, self.service, self.time, self.sentence);
        for fact in &self.inputs {
            let doubt = if fact.quality == Quality::Good { "" } else { quality_word(fact.quality) };
            let _ = writeln!(out, "  {}: {}{doubt}", fact.name, fact.value);
        }
        out.push_str("\nhow the number came about\n");
        for (index, step) in self.steps.iter().enumerate() {
            let _ = writeln!(out, "  {}. {step}", index + 1);
        }
        out
    }
}

fn inputs(record: &JournalRecord) -> Vec<Fact> {
    let fact = |name: &str, value: String, quality| Fact { name: name.to_owned(), value, quality };
    let mut facts: Vec<Fact> = record
        .observation
        .samples
        .iter()
        .map(|sample| {
            let (name, value) = match sample.metric {
                Metric::RequestRate => ("requests a second", format!("{:.1}", sample.value)),
                Metric::Utilisation => ("utilisation", format!("{:.0} %", sample.value * 100.0)),
                Metric::Memory => ("memory", format!("{:.1} MiB", sample.value / 1_048_576.0)),
                Metric::Connections => ("connections", format!("{:.0}", sample.value)),
                Metric::QueueLength => ("waiting", format!("{:.0}", sample.value)),
                _ => ("other", format!("{}", sample.value)),
            };
            fact(name, value, sample.quality)
        })
        .collect();
    let replicas = record.observation.replicas;
    facts.push(fact("replicas ready", replicas.ready.to_string(), Quality::Good));
    facts.push(fact("replicas starting", replicas.starting.to_string(), Quality::Good));
    facts.push(fact("replicas asked for", replicas.desired.to_string(), Quality::Good));
    facts
}

fn steps(record: &JournalRecord) -> Vec<String> {
    let (decision, reason) = (&record.decision, &record.decision.reason);
    let mut steps = vec![format!("the load measured now needs {}", reason.reactive)];
    match reason.predicted {
        Some(predicted) => steps.push(format!("the forecast needs {predicted}")),
        None => steps.push("no forecast was used".to_owned()),
    }
    steps.extend(reason.limits.iter().map(|limit| limit_word(*limit).to_owned()));
    steps.push(format!("so {} replicas are wanted", decision.desired));
    steps.push(format!("the baseline would want {}", record.baseline));
    if !reason.note.is_empty() {
        steps.push(reason.note.clone());
    }
    steps
}

fn limit_word(limit: Limit) -> &'static str {
    match limit {
        Limit::Maximum => "the configured maximum cuts it",
        Limit::Minimum => "the configured minimum raises it",
        Limit::Surge => "too many starts at once: the surge limit cuts it",
        Limit::DownHold => "the need has not been low for long enough, so replicas are kept",
        Limit::Cooldown => "the last action is too recent, so replicas are kept",
        Limit::Hysteresis => "the change is too small to act on",
        Limit::Budget => "the budget cuts it",
        Limit::AttackCap => "attack traffic is left out of the need",
        _ => "another limit holds",
    }
}

fn quality_word(quality: Quality) -> &'static str {
    match quality {
        Quality::Good => "",
        Quality::Saturated => " (saturated: at least this)",
        Quality::Attack => " (an attack: capped and not learned from)",
        Quality::Suspect => " (suspect: not learned from)",
    }
}

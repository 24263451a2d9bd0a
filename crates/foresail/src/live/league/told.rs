//! What was found, in words.

use foresail_learn::drift::PerformanceEvent;

use super::drift::Change;
use super::inputs::Inputs;
use super::table::NAIVE;

/// What was found of the residuals of `model` forecasting `ahead`.
pub(super) fn change(model: &str, ahead: &str, change: &Change) -> String {
    match change {
        Change::Suspected => {
            format!("the load is not what {model} expected {ahead} ahead: a spike or a change, not known yet")
        }
        Change::Confirmed { shift, size, points, .. } => format!(
            "the load has changed for good: {shift:+.2} against what {model} expected {ahead} ahead ({size:+.1} standard \
             deviations), judged over {points} steps; all models are fitted anew, with what went before at the new level"
        ),
        Change::Scattered { .. } => {
            format!(
                "the load scatters about what {model} expected {ahead} ahead: its course may be another, not known yet"
            )
        }
        Change::Passed(spike) if spike.is_empty() => {
            format!("what {model} did not expect has passed, or is too little to begin anew for")
        }
        Change::Passed(spike) => {
            format!(
                "what {model} did not expect was a spike: all models are fitted anew, without {} steps of it",
                spike.len()
            )
        }
    }
}

/// The season runs otherwise than it did.
pub(super) fn new_course(since: &str) -> String {
    format!(
        "the load's course over its season is another for {since}: all models are fitted anew, without what went before"
    )
}

/// What was found of the champion against the naive forecast.
pub(super) fn performance(champion: &str, event: PerformanceEvent) -> String {
    match event {
        PerformanceEvent::Worse { .. } => {
            format!("{champion} does worse against {NAIVE} than it used to: all models are fitted anew")
        }
        PerformanceEvent::Better { .. } => format!("{champion} does better against {NAIVE} than it used to"),
        PerformanceEvent::BehindNaive { skill } => {
            format!("{champion} errs {skill:.2} times as much as {NAIVE}: all models are fitted anew")
        }
        PerformanceEvent::AheadOfNaive { skill } => {
            format!("{champion} errs {skill:.2} times as much as {NAIVE} again")
        }
    }
}

/// Which inputs have drifted, and by how much.
pub(super) fn inputs(inputs: &Inputs) -> String {
    let drifted = inputs.found.iter().filter(|feature| feature.has_drifted);
    let named: Vec<String> = drifted
        .map(|f| format!("{} (stability index {:.2}, p {:.1e})", inputs.name(f.feature), f.index, f.p_value))
        .collect();
    let named = named.join(", ");
    format!(
        "what forecasts are made from is spread otherwise than it was, each against a season before: {named}; all models are fitted anew"
    )
}

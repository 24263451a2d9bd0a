//! A whole study: policies replayed on one scenario, scored, and weighed against the best settings of the rivals.

use std::path::Path;

use anyhow::Context;
use foresail_scale::Run;
use serde::Serialize;

use super::league::{Entry, ORACLE, play};
use super::score::{Score, Yardstick};
use super::setup::Setup;
use super::sweep::{Sweep, Verdict, settings};
use crate::progress;

/// The policy that Foresail itself is.
pub(crate) const OURS: &str = "foresail";
/// What over-provisioning is measured against: enough for the highest load so far.
const FIXED: &str = "static";

/// What our policy does where learning has not proved itself: learning is worth what it does better than this.
const BASELINE: &str = "hpa@0.7";

/// What learning gained and what it cost over the scored ticks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Learned {
    /// The policy without learning.
    pub(crate) baseline: String,
    /// Replica-hours of the baseline less ours.
    pub(crate) replica_hours_won: f64,
    /// Late requests, percent.
    pub(crate) late_percent: f64,
    /// Those of the baseline, percent.
    pub(crate) baseline_late_percent: f64,
    /// Core-hours of computing over the scored ticks.
    pub(crate) core_hours: f64,
    /// Bytes of what it had learned and remembered at the end.
    pub(crate) memory_bytes: usize,
}

/// Policies, their scores, and what a sweep says of them.
#[derive(Debug)]
pub(crate) struct Study {
    /// A run a policy, in the order asked for.
    pub(crate) entries: Vec<Entry>,
    /// Their figures, in the same order.
    pub(crate) scores: Vec<Score>,
    /// Perfect foresight.
    pub(crate) oracle: Run,
    /// What learning was worth, where our policy was replayed.
    pub(crate) learned: Option<Learned>,
    /// Every setting, and the verdict, if asked for.
    pub(crate) sweep: Option<(Sweep, Verdict)>,
}

impl Study {
    /// Replays `names` and, if `sweep`, every setting of those that have one. Our policy (the first without it) is watched
    /// and writes the journal.
    ///
    /// # Errors
    /// What building or replaying a policy refuses; a journal that cannot be written.
    pub(crate) fn run(setup: &Setup, names: &[String], journal: Option<&Path>, sweep: bool) -> anyhow::Result<Self> {
        let mut all = names.to_vec();
        all.extend([ORACLE, FIXED, BASELINE].map(str::to_owned).into_iter().filter(|n| !names.contains(n)));
        let bar = progress::bar(all.len() as u64, "replaying policies");
        let mut entries = play(setup, &all, watched(names), journal, &bar)?;
        bar.finish_and_clear();
        let yardstick = yardstick(&entries, setup.options.seed)?;
        let learned = learned(&entries, setup);
        entries.truncate(names.len());
        let scores = entries.iter().map(|entry| yardstick.score(entry)).collect();
        let sweep = if sweep { Some(swept(setup, names, &entries, yardstick.oracle())?) } else { None };
        Ok(Self { entries, scores, oracle: yardstick.into_oracle(), learned, sweep })
    }

    /// The entry whose changes were kept.
    pub(crate) fn watched(&self) -> Option<&Entry> {
        self.entries.iter().find(|e| !e.changes.is_empty())
    }
}

fn swept(setup: &Setup, names: &[String], entries: &[Entry], oracle: &Run) -> anyhow::Result<(Sweep, Verdict)> {
    let settings = settings(names, setup.scenario.service.kind());
    let bar = progress::bar(settings.len() as u64, "sweeping settings");
    let sweep = Sweep::run(setup, &settings, &bar)?;
    bar.finish_and_clear();
    let ours = entries.iter().find(|e| e.run.policy == OURS).map(|e| &e.run);
    let verdict = Verdict::new(&sweep, ours, oracle, setup.options.late_fraction);
    Ok((sweep, verdict))
}

fn learned(entries: &[Entry], setup: &Setup) -> Option<Learned> {
    let find = |name: &str| entries.iter().find(|e| e.run.policy == name);
    let (ours, baseline) = (find(OURS)?, find(BASELINE)?);
    let timing = ours.timing?;
    Some(Learned {
        baseline: BASELINE.to_owned(),
        replica_hours_won: baseline.run.replica_hours() - ours.run.replica_hours(),
        late_percent: 100.0 * ours.run.late_share(),
        baseline_late_percent: 100.0 * baseline.run.late_share(),
        core_hours: timing.total_s / 3_600.0 * setup.evaluate_days() / timing.days,
        memory_bytes: timing.memory_bytes,
    })
}

/// The policy whose reasons are kept: ours, or the first that decides.
fn watched(names: &[String]) -> Option<&str> {
    let ours = names.iter().find(|n| *n == OURS);
    ours.or_else(|| names.iter().find(|n| *n != ORACLE)).map(String::as_str)
}

/// The oracle and the fixed provision among the entries.
///
/// # Errors
/// If one of them was not replayed.
pub(crate) fn yardstick(entries: &[Entry], seed: u64) -> anyhow::Result<Yardstick> {
    let find = |name: &str| {
        let entry = entries.iter().find(|e| e.run.policy == name);
        entry.map(|e| e.run.clone()).with_context(|| format!("policy {name} was not replayed"))
    };
    Ok(Yardstick::new(find(ORACLE)?, find(FIXED)?, seed))
}

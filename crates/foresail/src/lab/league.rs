//! Policies side by side on one scenario: replayed in parallel, timed, and one of them watched.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use foresail_core::{Decision, JournalRecord, Mode, Observation, Policy, Replicas, Timestamp};
use foresail_scale::{Run, oracle, policies, replay};
use foresail_store::Journal;
use indicatif::ProgressBar;
use rayon::prelude::*;

use super::setup::Setup;
use crate::clock::Stopwatch;

/// Perfect foresight: not a policy, so nothing builds it.
pub(crate) const ORACLE: &str = "oracle";

/// What a policy did on a scenario.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its run.
    pub(crate) run: Run,
    /// How long its decisions took; none for the oracle, which decides nothing.
    pub(crate) timing: Option<Timing>,
    /// Its changes of mind in the scored part, if it was watched.
    pub(crate) changes: Vec<Change>,
}

/// How long decisions took.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Timing {
    /// Median, microseconds.
    pub(crate) p50_us: f64,
    /// 99th percentile, microseconds.
    pub(crate) p99_us: f64,
    /// The slowest, microseconds: a policy that refits within a decision shows it here.
    pub(crate) max_us: f64,
    /// All of them together, seconds of one core.
    pub(crate) total_s: f64,
    /// Days of load they were made for.
    pub(crate) days: f64,
    /// Bytes of what the policy had learned and remembered at the end.
    pub(crate) memory_bytes: usize,
}

/// A change of the wanted number.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// When.
    pub(crate) time: Timestamp,
    /// Id of the decision: that of the journal, else its tick within the scored part, from 1.
    pub(crate) id: u64,
    /// Replicas before.
    pub(crate) from: Replicas,
    /// Replicas after.
    pub(crate) to: Replicas,
    /// Why, as a sentence.
    pub(crate) reason: String,
}

/// Replays every policy of `names` in parallel, in their order whatever the threads do. The policy called `watched` keeps
/// its changes with their reasons and, given a path, writes its journal.
///
/// # Errors
/// What building or replaying a policy refuses; a journal that cannot be written.
pub(crate) fn play(
    setup: &Setup,
    names: &[String],
    watched: Option<&str>,
    journal: Option<&Path>,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Entry>> {
    names
        .par_iter()
        .map(|name| {
            let watch = watched == Some(name.as_str());
            let entry =
                play_one(setup, name, watch, journal.filter(|_| watch)).with_context(|| format!("policy {name}"));
            bar.inc(1);
            entry
        })
        .collect()
}

fn play_one(setup: &Setup, name: &str, watch: bool, journal: Option<&Path>) -> anyhow::Result<Entry> {
    if name == ORACLE {
        let run = oracle(&setup.scenario, setup.options.late_fraction)?;
        return Ok(Entry { run, timing: None, changes: Vec::new() });
    }
    let inner = policies::build(name, &setup.scenario.service, &setup.options)?;
    let mut timed = Timed { inner, nanos: Vec::with_capacity(setup.scenario.load.len()) };
    let mut witness = Witness::new(setup, name, journal)?;
    let run = replay(&setup.scenario, &mut timed, |observation, decision| {
        if watch {
            witness.see(observation, decision);
        }
    })?;
    let changes = witness.finish()?;
    let days = setup.scenario.load.len() as f64 * setup.scenario.tick.as_secs_f64() / 86_400.0;
    Ok(Entry { run, timing: Some(timed.timing(days)), changes })
}

/// A policy that is measured while it decides.
struct Timed {
    inner: Box<dyn Policy>,
    nanos: Vec<u64>,
}

impl Policy for Timed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let watch = Stopwatch::start();
        let decision = self.inner.decide(observation);
        self.nanos.push(watch.elapsed().as_nanos() as u64);
        decision
    }
}

impl Timed {
    fn timing(mut self, days: f64) -> Timing {
        self.nanos.sort_unstable();
        let total_s = self.nanos.iter().sum::<u64>() as f64 / 1e9;
        let at = |share: f64| {
            let last = self.nanos.len().saturating_sub(1);
            let nanos = self.nanos.get((share * last as f64).round() as usize).copied().unwrap_or(0);
            Duration::from_nanos(nanos).as_secs_f64() * 1e6
        };
        Timing {
            p50_us: at(0.5),
            p99_us: at(0.99),
            max_us: at(1.0),
            total_s,
            days,
            memory_bytes: self.inner.memory_bytes(),
        }
    }
}

/// Keeps a policy's changes, and its journal where one is asked for.
struct Witness<'a> {
    setup: &'a Setup,
    policy: &'a str,
    seen: u64,
    before: Option<Replicas>,
    changes: Vec<Change>,
    journal: Option<Journal>,
    failed: Option<foresail_store::Error>,
}

impl<'a> Witness<'a> {
    fn new(setup: &'a Setup, policy: &'a str, journal: Option<&Path>) -> anyhow::Result<Self> {
        let journal = journal.map(Journal::open).transpose()?;
        Ok(Self { setup, policy, seen: 0, before: None, changes: Vec::new(), journal, failed: None })
    }

    fn see(&mut self, observation: &Observation, decision: &Decision) {
        self.seen += 1;
        let id = self.journal.as_ref().map_or(self.seen, Journal::next_id);
        let desired = self.setup.scenario.limits.clamp(decision.desired);
        let from = self.before.unwrap_or(observation.replicas.desired);
        if desired != from {
            let (time, reason) = (observation.time, decision.reason.to_string());
            self.changes.push(Change { time, id, from, to: desired, reason });
        }
        self.before = Some(desired);
        if let Some(journal) = self.journal.as_mut().filter(|_| self.failed.is_none()) {
            let record = JournalRecord {
                id,
                time: observation.time,
                policy: self.policy.to_owned(),
                mode: Mode::Act,
                observation: observation.clone(),
                decision: decision.clone(),
                baseline: decision.reason.reactive,
                version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            self.failed = journal.append(&record).err();
        }
    }

    fn finish(self) -> anyhow::Result<Vec<Change>> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        self.journal.as_ref().map_or(Ok(()), Journal::sync)?;
        Ok(self.changes)
    }
}

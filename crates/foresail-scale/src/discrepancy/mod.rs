//! The adaptive loop's conscience: what was predicted, against what came.
//!
//! [`Discrepancies`] is fed one [`Reading`] a tick and holds what does not go as predicted: load far beyond its forecast,
//! memory that leaks, requests that have become dearer, actions whose replicas were more or fewer than needed. Each finding
//! needs evidence over several ticks to begin and again to end, and comes with what to do, how often it was seen before, and
//! the figures behind it. It also keeps the record of utilisation predicted against utilisation measured after each action.
//!
//! Nothing here decides: it is told to people. Same readings, same findings; the state is plain, bounded data.
//!
//! ```
//! use std::time::Duration;
//! use foresail_core::Timestamp;
//! use foresail_scale::discrepancy::{Discrepancies, DiscrepancyKind, DiscrepancyOptions, ForecastBand, Reading};
//!
//! let mut watch = Discrepancies::new(DiscrepancyOptions::default()).unwrap();
//! let tick = Duration::from_secs(15);
//! for index in 0..400 {
//!     let mut reading = Reading::new(Timestamp::EPOCH + tick * index, tick);
//!     reading.load_rps = Some(if index < 390 { 98.0 + f64::from(index % 5) } else { 250.0 });
//!     reading.forecast = Some(ForecastBand { low: 95.0, median: 100.0, high: 105.0 });
//!     watch.observe(&reading);
//! }
//! let spike = watch.holding().next().unwrap();
//! assert_eq!(spike.kind, DiscrepancyKind::UnexpectedSpike);
//! assert_eq!(spike.figure("load_rps"), Some(250.0));
//! ```

mod efficiency;
mod episodes;
mod finding;
mod load;
mod memory;
mod options;
mod outcomes;
mod reading;
#[cfg(test)]
mod tests;
mod trend;

use std::collections::{BTreeMap, VecDeque};

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

pub use finding::{Change, Discrepancy, DiscrepancyKind, Figure, Severity};
pub use options::{ActionOptions, DiscrepancyOptions, EfficiencyOptions, LoadOptions, MemoryOptions};
pub use outcomes::{ActionAccuracy, ActionOutcome};
pub use reading::{Action, CopyMemory, ForecastBand, Reading, utilisation};

use efficiency::EfficiencyWatch;
use episodes::{Episodes, TIMES_SEEN};
use finding::Verdict;
use load::LoadWatch;
use memory::MemoryWatch;
use outcomes::Outcomes;

/// Version of the layout of the state.
const VERSION: u32 = 1;
/// Discrepancies kept after they have ended.
const KEPT: usize = 50;
/// Times that can be written: some 8,000 years around the epoch.
const EARLIEST: Timestamp = Timestamp::from_secs(-250_000_000_000);
const LATEST: Timestamp = Timestamp::from_secs(250_000_000_000);

/// What is remembered, as plain data: saved, restored, bounded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiscrepancyState {
    version: u32,
    watched_from: Option<Timestamp>,
    last: Option<Timestamp>,
    load: LoadWatch,
    memory: MemoryWatch,
    efficiency: EfficiencyWatch,
    actions: Outcomes,
    holding: BTreeMap<DiscrepancyKind, Discrepancy>,
    episodes: BTreeMap<DiscrepancyKind, Episodes>,
    ended: VecDeque<Discrepancy>,
}

impl DiscrepancyState {
    /// Whether this program can read it.
    pub fn is_readable(&self) -> bool {
        self.version == VERSION && self.load.is_sound()
    }
}

/// Compares what was predicted with what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Discrepancies {
    options: DiscrepancyOptions,
    state: DiscrepancyState,
}

impl Discrepancies {
    /// With nothing seen yet.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for options out of range.
    pub fn new(options: DiscrepancyOptions) -> Result<Self, Error> {
        Self::restore(options, DiscrepancyState { version: VERSION, ..DiscrepancyState::default() })
    }

    /// Goes on from a saved state, under options that may have changed.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for options out of range or a state of another version.
    pub fn restore(options: DiscrepancyOptions, state: DiscrepancyState) -> Result<Self, Error> {
        options.check()?;
        check(state.is_readable(), "state", state.version, "a state of this version")?;
        Ok(Self { options, state })
    }

    /// What it remembers, to be saved.
    pub fn state(&self) -> &DiscrepancyState {
        &self.state
    }

    /// Takes in a tick, and says what began and what ended with it. Costs microseconds; when averages of memory are
    /// complete, every ten minutes by default, some hundred microseconds a copy.
    pub fn observe(&mut self, reading: &Reading) -> Vec<Change> {
        let now = reading.time.clamp(EARLIEST, LATEST);
        let now = self.state.last.map_or(now, |last| now.max(last));
        self.state.last = Some(now);
        self.state.watched_from.get_or_insert(now);
        let held = |kind: DiscrepancyKind| self.state.holding.contains_key(&kind);
        let both = |kinds: (DiscrepancyKind, DiscrepancyKind)| (held(kinds.0), held(kinds.1));
        let (in_load, in_actions) = (both(LoadWatch::KINDS), both(Outcomes::KINDS));
        let (leaks, loses) = (held(DiscrepancyKind::Leak), held(DiscrepancyKind::EfficiencyLoss));
        let (options, state) = (&self.options, &mut self.state);
        let (spike, drop) = state.load.observe(now, reading, &options.load, in_load);
        let leak = state.memory.observe(now, reading, &options.memory, leaks);
        let loss = state.efficiency.observe(now, reading, &options.efficiency, loses);
        let (over, under) = state.actions.observe(now, reading, &options.actions, in_actions);
        let verdicts = [
            (LoadWatch::KINDS.0, spike),
            (LoadWatch::KINDS.1, drop),
            (DiscrepancyKind::Leak, leak),
            (DiscrepancyKind::EfficiencyLoss, loss),
            (Outcomes::KINDS.0, over),
            (Outcomes::KINDS.1, under),
        ];
        verdicts.into_iter().filter_map(|(kind, verdict)| self.settle(now, kind, verdict)).collect()
    }

    /// What holds now, with the newest figures.
    pub fn holding(&self) -> impl Iterator<Item = &Discrepancy> {
        self.state.holding.values()
    }

    /// The last 50 that have ended, newest first.
    pub fn ended(&self) -> impl Iterator<Item = &Discrepancy> {
        self.state.ended.iter().rev()
    }

    /// How well utilisation after actions was predicted.
    pub fn accuracy(&self) -> ActionAccuracy {
        self.state.actions.accuracy()
    }

    fn settle(&mut self, now: Timestamp, kind: DiscrepancyKind, verdict: Verdict) -> Option<Change> {
        let state = &mut self.state;
        match verdict {
            Verdict::Unchanged => None,
            Verdict::Absent => {
                let ended = Discrepancy { ended: Some(now), ..state.holding.remove(&kind)? };
                if state.ended.len() >= KEPT {
                    state.ended.pop_front();
                }
                state.ended.push_back(ended.clone());
                Some(Change::Ended { discrepancy: ended })
            }
            Verdict::Holds(found) => {
                if let Some(held) = state.holding.get_mut(&kind) {
                    held.severity = held.severity.max(found.severity);
                    held.text = found.text;
                    // What is known of the past stays as it was when it began.
                    let from = held.figures.iter().position(|f| f.name == TIMES_SEEN).unwrap_or(held.figures.len());
                    let past = held.figures.split_off(from);
                    held.figures = found.figures;
                    held.figures.extend(past);
                    return None;
                }
                let watched = state.watched_from.unwrap_or(now);
                let history = state.episodes.entry(kind).or_default().begin(now, watched);
                let mut figures = found.figures;
                figures.extend(history.figures);
                let began = Discrepancy {
                    kind,
                    since: now,
                    ended: None,
                    severity: found.severity,
                    text: found.text,
                    action: found.action.to_owned(),
                    context: history.text,
                    figures,
                };
                state.holding.insert(kind, began.clone());
                Some(Change::Began { discrepancy: began })
            }
        }
    }
}

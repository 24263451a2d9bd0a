//! What a controller remembers, as plain data: saved, restored, shown.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foresail_core::{Direction, Event, Known, Metric, Mode, Replicas, Timestamp};
use serde::{Deserialize, Serialize};

use super::alert::Told;
use super::command::{Answered, Pending};
use super::options::ControllerOptions;
use super::scorecard::Scorecard;
use super::verdict::Seat;
use crate::planner::PlanHistory;
use crate::staleness::Staleness;
use crate::startup::StartupDelays;

/// Version of this layout.
const VERSION: u32 = 1;
/// Foreign changes within this time that make a second writer, and how many.
const WRITERS_WITHIN: Duration = Duration::from_secs(600);
const WRITES: usize = 2;

/// Everything of a controller but its policies and virtual plants, which start anew after a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControllerState {
    pub(super) version: u32,
    pub(super) next_id: u64,
    pub(super) last_tick: Option<Timestamp>,
    pub(super) mode: Mode,
    pub(super) killed: bool,
    pub(super) pause: Option<(Timestamp, Direction)>,
    pub(super) manual: Option<(Timestamp, Replicas)>,
    pub(super) pending: Option<Pending>,
    pub(super) answered: Option<Answered>,
    pub(super) known: Known,
    /// Those of the known events that calendars announced.
    #[serde(default)]
    pub(super) calendar: Vec<Event>,
    pub(super) staleness: Staleness,
    pub(super) startup: StartupDelays,
    pub(super) usual: BTreeMap<Metric, f64>,
    pub(super) champion_plan: PlanHistory,
    pub(super) baseline_plan: PlanHistory,
    pub(super) card: Scorecard,
    pub(super) seat: Seat,
    pub(super) judged_from: Option<Timestamp>,
    pub(super) size: f64,
    /// Capacity of a replica as last measured; none while the configured one holds.
    #[serde(default)]
    pub(super) capacity_rps: Option<f64>,
    pub(super) smaller_since: Option<Timestamp>,
    pub(super) warmed: f64,
    pub(super) acting: bool,
    /// What was last ordered, and what there was before.
    pub(super) expected: Option<(Replicas, Replicas)>,
    /// When the target was last found changed by another hand.
    pub(super) foreign: VecDeque<Timestamp>,
    pub(super) told: Told,
}

impl ControllerState {
    pub(super) fn new(options: &ControllerOptions) -> Self {
        Self {
            version: VERSION,
            next_id: 1,
            last_tick: None,
            mode: options.mode,
            killed: false,
            pause: None,
            manual: None,
            pending: None,
            answered: None,
            known: options.known.clone(),
            calendar: Vec::new(),
            staleness: Staleness::default(),
            startup: StartupDelays::new(options.startup_p90),
            usual: BTreeMap::new(),
            champion_plan: PlanHistory::default(),
            baseline_plan: PlanHistory::default(),
            card: Scorecard::default(),
            seat: Seat::Champion,
            judged_from: None,
            size: 1.0,
            capacity_rps: None,
            smaller_since: None,
            warmed: 0.0,
            acting: false,
            expected: None,
            foreign: VecDeque::new(),
            told: Told::default(),
        }
    }

    /// Whether this program can read it.
    pub fn is_readable(&self) -> bool {
        self.version == VERSION && self.size.is_finite() && self.size >= 1.0 && self.next_id > 0
    }

    /// Drops what has run out by `now`.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.pause = self.pause.filter(|(until, _)| now < *until);
        self.manual = self.manual.filter(|(until, _)| now < *until);
        self.pending = self.pending.take().filter(|p| now < p.expires);
        self.answered = self.answered.filter(|a| now < a.until);
        self.known.events.retain(|e| now < e.to);
        self.calendar.retain(|e| now < e.to);
    }

    /// Whether `found` shows, for the second time in ten minutes, that something else writes to the target.
    pub(super) fn second_writer(&mut self, now: Timestamp, found: Replicas) -> bool {
        while self.foreign.front().is_some_and(|t| *t + WRITERS_WITHIN < now) {
            self.foreign.pop_front();
        }
        let Some((ordered, before)) = self.expected else { return false };
        if found == ordered || found == before {
            return false;
        }
        self.foreign.push_back(now);
        if self.foreign.len() < WRITES {
            return false;
        }
        self.foreign.clear();
        true
    }
}

//! What a planner must remember: changes, needs of the last while, replica-hours of the last day. Bounded, plain data.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{ReplicaCounts, Replicas, Timestamp};
use serde::{Deserialize, Serialize};

use super::Guardrails;

const HOUR: Duration = Duration::from_secs(3_600);
const HOURS: usize = 24;
const CHANGES: usize = 256;
/// Needs kept; more than a hold of an hour of falling needs at 15 s.
const NEEDS: usize = 1_024;

/// The memory of a planner.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanHistory {
    since: Option<Timestamp>,
    changes: VecDeque<Change>,
    /// Needs that no later one exceeds, oldest (and greatest) first.
    needs: VecDeque<(Timestamp, Replicas)>,
    /// Replica-hours by the hour, oldest first.
    spent: VecDeque<(Timestamp, f64)>,
    paid: Option<(Timestamp, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    time: Timestamp,
    from: Replicas,
    to: Replicas,
}

impl PlanHistory {
    /// Remembers that at `now` `need` replicas were needed and `decided` were decided on `replicas`. Telling it the same
    /// again changes nothing.
    pub fn record(
        &mut self,
        now: Timestamp,
        need: Replicas,
        replicas: ReplicaCounts,
        decided: Replicas,
        rails: &Guardrails,
    ) {
        self.since.get_or_insert(now);
        while self.needs.back().is_some_and(|(_, n)| *n <= need) {
            self.needs.pop_back();
        }
        if self.needs.len() == NEEDS {
            // Full: the smallest goes, which only makes the hold longer.
            self.needs.pop_back();
        }
        self.needs.push_back((now, need));
        let oldest = now - rails.down.hold;
        while self.needs.front().is_some_and(|(time, _)| *time < oldest) {
            self.needs.pop_front();
        }
        let from = replicas.desired;
        if decided != from {
            if self.changes.len() == CHANGES {
                self.changes.pop_front();
            }
            self.changes.push_back(Change { time: now, from, to: decided });
        }
        self.spend(now, decided.max(replicas.ready));
    }

    /// Forgets changes and spending, not needs: for when another hand had the target meanwhile.
    pub fn forget_changes(&mut self) {
        self.changes.clear();
        self.paid = None;
    }

    /// Replicas there were `period` before `now`, as far as changes are known; `current` if there were none since.
    pub fn before(&self, now: Timestamp, period: Duration, current: Replicas) -> Replicas {
        let from = now - period;
        self.changes.iter().find(|c| c.time > from).map_or(current, |c| c.from)
    }

    /// Whether there was a rise in the `span` before `now`.
    pub fn rose_within(&self, now: Timestamp, span: Duration) -> bool {
        self.changes.iter().rev().any(|c| c.to > c.from && c.time + span > now)
    }

    /// Whether there was any change in the `span` before `now`.
    pub fn changed_within(&self, now: Timestamp, span: Duration) -> bool {
        self.changes.back().is_some_and(|c| c.time + span > now)
    }

    /// The greatest need of the `span` before `now`; `None` while that is not known for the whole of it.
    pub fn most_needed(&self, now: Timestamp, span: Duration) -> Option<Replicas> {
        let from = now - span;
        if span.is_zero() {
            return Some(Replicas(0));
        }
        self.since.filter(|since| *since <= from)?;
        let most = self.needs.iter().find(|(time, _)| *time >= from).map(|(_, need)| *need);
        Some(most.unwrap_or_default())
    }

    /// Replica-hours spent in the 24 hours before `now`, to the hour.
    pub fn replica_hours(&self, now: Timestamp) -> f64 {
        let from = now.floor_to(HOUR) - HOUR * (HOURS as u32 - 1);
        let booked: f64 = self.spent.iter().filter(|(hour, _)| *hour >= from).map(|(_, spent)| spent).sum();
        let open = self.paid.map_or(0.0, |(last, paid)| now.since(last).as_secs_f64() / 3_600.0 * f64::from(paid));
        booked + open
    }

    fn spend(&mut self, now: Timestamp, paid: Replicas) {
        if let Some((last, replicas)) = self.paid {
            let hours = now.since(last).as_secs_f64() / 3_600.0;
            let hour = now.floor_to(HOUR);
            match self.spent.back_mut() {
                Some((open, spent)) if *open == hour => *spent += hours * f64::from(replicas),
                _ => self.spent.push_back((hour, hours * f64::from(replicas))),
            }
            while self.spent.len() > HOURS {
                self.spent.pop_front();
            }
        }
        self.paid = Some((now, paid.0));
    }
}

//! The counterfactual scorecard: what the champion and the baseline would have done with the same observed load, each on
//! a virtual plant of its own.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::plant::Outcome;

const HOUR: Duration = Duration::from_secs(3_600);
const SLICE: Duration = Duration::from_secs(300);
/// Slices of five minutes in 24 hours, and the open one.
const SLICES: usize = 289;
/// Hours kept: eight days.
const HOURS: usize = 192;

/// What one of the two did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Requests that were late.
    pub late: f64,
    /// Replica-hours paid for.
    pub replica_hours: f64,
}

/// Both over one stretch of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Seconds with a load to score.
    pub seconds: f64,
    /// Requests that arrived.
    pub requests: f64,
    /// The champion, with guardrails.
    pub champion: Score,
    /// The baseline, as it is.
    pub baseline: Score,
}

impl Comparison {
    /// Share of the champion's requests that were late, 0 to 1.
    pub fn champion_late(&self) -> f64 {
        share(self.champion.late, self.requests)
    }

    /// Share of the baseline's requests that were late, 0 to 1.
    pub fn baseline_late(&self) -> f64 {
        share(self.baseline.late, self.requests)
    }

    /// Replica-hours that the champion saves against the baseline; negative where it is dearer.
    pub fn saved_replica_hours(&self) -> f64 {
        self.baseline.replica_hours - self.champion.replica_hours
    }

    fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.requests += other.requests;
        self.champion.late += other.champion.late;
        self.champion.replica_hours += other.champion.replica_hours;
        self.baseline.late += other.baseline.late;
        self.baseline.replica_hours += other.baseline.replica_hours;
    }
}

fn share(late: f64, requests: f64) -> f64 {
    if requests > 0.0 { late / requests } else { 0.0 }
}

/// The comparison by the hour and since the start. Bounded: 24 hours by five minutes, eight days by the hour.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    total: Comparison,
    hours: VecDeque<(Timestamp, Comparison)>,
    slices: VecDeque<(Timestamp, Comparison)>,
}

impl Scorecard {
    /// Since the start.
    pub fn total(&self) -> &Comparison {
        &self.total
    }

    /// By the hour (its start), oldest first, the last one open.
    pub fn hours(&self) -> impl Iterator<Item = &(Timestamp, Comparison)> {
        self.hours.iter()
    }

    /// Sum over what started at `from` or later, to five minutes, at most 24 hours back.
    pub fn since(&self, from: Timestamp) -> Comparison {
        let mut sum = Comparison::default();
        self.slices.iter().filter(|(start, _)| *start >= from).for_each(|(_, slice)| sum.add(slice));
        sum
    }

    /// Adds what happened in the `seconds` from `time` on.
    pub(super) fn add(&mut self, time: Timestamp, seconds: f64, champion: &Outcome, baseline: &Outcome) {
        let score = |outcome: &Outcome| Score {
            late: outcome.late,
            replica_hours: f64::from(outcome.paid) * seconds / HOUR.as_secs_f64(),
        };
        let happened =
            Comparison { seconds, requests: champion.requests, champion: score(champion), baseline: score(baseline) };
        self.total.add(&happened);
        file(&mut self.hours, time.floor_to(HOUR), &happened, HOURS);
        file(&mut self.slices, time.floor_to(SLICE), &happened, SLICES);
    }
}

fn file(into: &mut VecDeque<(Timestamp, Comparison)>, start: Timestamp, what: &Comparison, most: usize) {
    match into.back_mut() {
        Some((open, sum)) if *open >= start => sum.add(what),
        _ => {
            if into.len() == most {
                into.pop_front();
            }
            into.push_back((start, *what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_by_hour_by_window_and_in_all() {
        let mut card = Scorecard::default();
        let outcome = |late, paid| Outcome { requests: 100.0, late, paid, ..Outcome::default() };
        for minute in 0..(300 * 60) {
            card.add(Timestamp::from_secs(60 * minute), 60.0, &outcome(1.0, 3), &outcome(2.0, 4));
        }
        assert_eq!((card.hours.len(), card.slices.len()), (HOURS, SLICES));
        assert!((card.total().saved_replica_hours() - 300.0).abs() < 1e-6);
        let (_, hour) = card.hours().last().expect("filled");
        assert!((hour.champion_late() - 0.01).abs() < 1e-12 && (hour.baseline_late() - 0.02).abs() < 1e-12);
        let window = card.since(Timestamp::from_secs(60 * (300 * 60 - 30)));
        assert!((window.seconds - 1_800.0).abs() < 1e-9);
    }
}

//! What is said of a run: lateness, cost, restlessness, and how sure that is.

use std::ops::Range;

use foresail_core::SeededRng;
use foresail_scale::{Elasticity, Interval, Run, bootstrap};
use serde::Serialize;

use super::league::{Entry, Timing};

/// Coverage of the bootstrap intervals.
pub(crate) const COVERAGE: f64 = 0.95;
const RESAMPLES: usize = 2_000;

/// The figures of one policy over the scored ticks.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Score {
    /// The policy.
    pub(crate) policy: String,
    /// Requests that arrived.
    pub(crate) requests: f64,
    /// Of them, late, rejected or timed out.
    pub(crate) late_requests: f64,
    /// The same as a percentage.
    pub(crate) late_percent: f64,
    /// Its bootstrap interval over days.
    pub(crate) late_percent_interval: [f64; 2],
    /// Minutes with more than 1 % late, as a percentage of all.
    pub(crate) bad_minutes_percent: f64,
    /// Replica-hours paid for.
    pub(crate) replica_hours: f64,
    /// The same over the oracle's.
    pub(crate) over_oracle: f64,
    /// Its bootstrap interval over days.
    pub(crate) over_oracle_interval: [f64; 2],
    /// Replica-hours saved against a provision for the highest load so far, as a percentage of it.
    pub(crate) saved_against_static_percent: f64,
    /// Changes of the wanted number an hour.
    pub(crate) actions_per_hour: f64,
    /// SPEC's elasticity metrics, with the oracle's replicas as demand.
    pub(crate) elasticity: SpecMetrics,
    /// How long its decisions took; none for the oracle.
    pub(crate) decision: Option<Timing>,
}

/// SPEC's metrics under the names of the report; see `foresail_scale::Elasticity`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SpecMetrics {
    under_accuracy_percent: f64,
    over_accuracy_percent: f64,
    under_timeshare_percent: f64,
    over_timeshare_percent: f64,
    instability_percent: f64,
    jitter_per_hour: f64,
    deviation: f64,
    speed_up_over_static: f64,
}

impl SpecMetrics {
    /// All of them in the order of the table: θU, θO, τU, τO, υ, jitter, σ, speed-up.
    pub(crate) fn values(&self) -> [f64; 8] {
        [
            self.under_accuracy_percent,
            self.over_accuracy_percent,
            self.under_timeshare_percent,
            self.over_timeshare_percent,
            self.instability_percent,
            self.jitter_per_hour,
            self.deviation,
            self.speed_up_over_static,
        ]
    }
}

/// What runs are measured against.
#[derive(Clone, Debug)]
pub(crate) struct Yardstick {
    oracle: Run,
    fixed: Run,
    fixed_elasticity: Elasticity,
    seed: u64,
}

impl Yardstick {
    /// Against perfect foresight and a provision for the peak.
    pub(crate) fn new(oracle: Run, fixed: Run, seed: u64) -> Self {
        let fixed_elasticity = Elasticity::of(&fixed, &oracle);
        Self { oracle, fixed, fixed_elasticity, seed }
    }

    /// Perfect foresight.
    pub(crate) fn oracle(&self) -> &Run {
        &self.oracle
    }

    /// Perfect foresight, for good.
    pub(crate) fn into_oracle(self) -> Run {
        self.oracle
    }

    /// The figures of an entry.
    pub(crate) fn score(&self, entry: &Entry) -> Score {
        let run = &entry.run;
        let scored = run.evaluate_from..run.requests.len();
        let intervals = bootstrap(run, &self.oracle, COVERAGE, RESAMPLES, &mut SeededRng::seed_from_u64(self.seed));
        let percent = |i: &Interval| [100.0 * i.low, 100.0 * i.high];
        let elasticity = Elasticity::of(run, &self.oracle);
        Score {
            policy: run.policy.clone(),
            requests: run.requests[scored.clone()].iter().sum(),
            late_requests: run.late[scored.clone()].iter().sum(),
            late_percent: 100.0 * run.late_share(),
            late_percent_interval: percent(&intervals.late_share),
            bad_minutes_percent: 100.0 * bad_minutes(run, scored),
            replica_hours: run.replica_hours(),
            over_oracle: intervals.cost_ratio.estimate,
            over_oracle_interval: [intervals.cost_ratio.low, intervals.cost_ratio.high],
            saved_against_static_percent: 100.0 * (1.0 - ratio(run.replica_hours(), self.fixed.replica_hours())),
            actions_per_hour: run.actions_per_hour(),
            elasticity: SpecMetrics {
                under_accuracy_percent: elasticity.under_accuracy,
                over_accuracy_percent: elasticity.over_accuracy,
                under_timeshare_percent: elasticity.under_timeshare,
                over_timeshare_percent: elasticity.over_timeshare,
                instability_percent: elasticity.instability,
                jitter_per_hour: elasticity.jitter,
                deviation: elasticity.deviation(),
                speed_up_over_static: elasticity.speed_up(&self.fixed_elasticity),
            },
            decision: entry.timing,
        }
    }
}

/// `a / b`, 1 where `b` is 0.
pub(crate) fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 1.0 }
}

/// Late share of the requests of some ticks, 0 to 1; 0 without requests.
pub(crate) fn late_share(run: &Run, ticks: Range<usize>) -> f64 {
    let requests: f64 = run.requests[ticks.clone()].iter().sum();
    let late: f64 = run.late[ticks].iter().sum();
    if requests > 0.0 { late / requests } else { 0.0 }
}

/// Replica-hours paid for in some ticks.
pub(crate) fn replica_hours(run: &Run, ticks: Range<usize>) -> f64 {
    run.paid[ticks].iter().map(|p| f64::from(*p)).sum::<f64>() * run.tick_s / 3_600.0
}

/// Share of the minutes in which more than 1 % of the requests were late; a tick longer than a minute counts as one.
fn bad_minutes(run: &Run, ticks: Range<usize>) -> f64 {
    let ticks_a_minute = ((60.0 / run.tick_s).round() as usize).max(1);
    let starts: Vec<usize> = ticks.clone().step_by(ticks_a_minute).collect();
    let bad =
        starts.iter().filter(|from| late_share(run, **from..(**from + ticks_a_minute).min(ticks.end)) > 0.01).count();
    if starts.is_empty() { 0.0 } else { bad as f64 / starts.len() as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(late: &[f64], paid: u32) -> Run {
        let ticks = late.len();
        Run {
            policy: "test".into(),
            evaluate_from: 4,
            tick_s: 15.0,
            requests: vec![100.0; ticks],
            late: late.to_vec(),
            desired: vec![paid; ticks],
            ready: vec![paid; ticks],
            paid: vec![paid; ticks],
        }
    }

    #[test]
    fn a_bad_minute_has_more_than_a_hundredth_late() {
        let ours = run(&[100.0, 0.0, 0.0, 0.0, 4.1, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0], 3);
        assert_eq!(bad_minutes(&ours, 4..14), 1.0 / 3.0);
        assert_eq!(late_share(&ours, 0..4), 0.25);
        let entry = Entry { run: ours, timing: None, changes: Vec::new() };
        let score = Yardstick::new(run(&[0.0; 14], 2), run(&[0.0; 14], 6), 1).score(&entry);
        assert_eq!((score.over_oracle, score.saved_against_static_percent), (1.5, 50.0));
        assert_eq!(score.requests, 1_000.0);
    }
}

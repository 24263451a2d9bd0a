//! Champion against baseline: when a learned policy may act. Judged on the scorecard alone.

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::options::TrialOptions;
use super::scorecard::{Comparison, Scorecard};

/// Share of a window that must have been scored for a verdict.
const SEEN: f64 = 0.9;
/// Scored seconds and late requests below which lateness is no evidence.
const LEAST_SECONDS: f64 = 900.0;
const LEAST_LATE: f64 = 10.0;

/// Who decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seat {
    /// The champion.
    #[default]
    Champion,
    /// The baseline, the champion having been demoted.
    Baseline,
}

/// Whether the seat changes at `now`, and why: `judged_from` is when it last did (or the start).
///
/// The champion goes when, within the lateness window, more of its requests are late than the SLO allows and than the
/// baseline's by the factor `later`; or when over the whole cost window it is dearer by more than `dearer` without being
/// better. It comes back when over a whole cost window in shadow it kept the SLO (or was better than the baseline, where
/// that did not keep it) at no higher cost.
pub(super) fn verdict(
    seat: Seat,
    card: &Scorecard,
    now: Timestamp,
    judged_from: Timestamp,
    late_fraction: f64,
    trial: &TrialOptions,
) -> Option<String> {
    let long = card.since(judged_from.max(now - trial.cost_window));
    let whole = long.seconds >= SEEN * trial.cost_window.as_secs_f64();
    match seat {
        Seat::Champion => {
            let recent = card.since(judged_from.max(now - trial.late_window));
            if recent.seconds >= LEAST_SECONDS && later(&recent, late_fraction, trial.later) {
                return Some(say(&recent, "more of its requests were late"));
            }
            let worth = better(&long, late_fraction);
            let dearer = long.champion.replica_hours > (1.0 + trial.dearer) * long.baseline.replica_hours;
            (whole && dearer && !worth).then(|| say(&long, "it was dearer without being better"))
        }
        Seat::Baseline => {
            let in_time = long.champion_late() <= late_fraction || better(&long, late_fraction);
            let cheaper = long.champion.replica_hours <= long.baseline.replica_hours || better(&long, late_fraction);
            (whole && in_time && cheaper).then(|| say(&long, "it won in shadow"))
        }
    }
}

fn later(window: &Comparison, late_fraction: f64, factor: f64) -> bool {
    window.champion.late >= LEAST_LATE
        && window.champion_late() > late_fraction
        && window.champion.late > factor * window.baseline.late
}

/// The baseline broke the SLO and the champion did better by more than a tenth.
fn better(window: &Comparison, late_fraction: f64) -> bool {
    window.baseline_late() > late_fraction && window.champion.late < 0.9 * window.baseline.late
}

fn say(window: &Comparison, what: &str) -> String {
    format!(
        "{what} in {:.1} h: {:.3} % late for {:.1} replica-hours, the baseline {:.3} % for {:.1}",
        window.seconds / 3_600.0,
        100.0 * window.champion_late(),
        window.champion.replica_hours,
        100.0 * window.baseline_late(),
        window.baseline.replica_hours,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plant::Outcome;

    /// A card of `hours`, 1,000 requests a minute, with the given late requests and paid replicas a minute.
    fn check(seat: Seat, hours: i64, champion: (f64, u32), baseline: (f64, u32)) -> bool {
        let mut card = Scorecard::default();
        let outcome = |(late, paid)| Outcome { requests: 1_000.0, late, paid, ..Outcome::default() };
        for minute in 0..60 * hours {
            card.add(Timestamp::from_secs(60 * minute), 60.0, &outcome(champion), &outcome(baseline));
        }
        let now = Timestamp::EPOCH + Duration::from_secs(3_600 * hours as u64);
        verdict(seat, &card, now, Timestamp::EPOCH, 0.001, &TrialOptions::default()).is_some()
    }

    #[test]
    fn what_demotes() {
        let seat = Seat::Champion;
        assert!(check(seat, 1, (5.0, 10), (0.0, 10)), "late beyond the SLO");
        assert!(!check(seat, 1, (0.9, 10), (0.0, 10)), "late within the SLO");
        assert!(!check(seat, 1, (5.0, 10), (5.0, 10)), "no later than the baseline");
        assert!(!check(seat, 20, (0.0, 20), (0.0, 10)), "dear, but not for a day");
        assert!(check(seat, 24, (0.0, 20), (0.0, 10)), "dear for nothing");
        assert!(!check(seat, 24, (0.0, 20), (5.0, 10)), "dear for something");
        assert!(!check(seat, 24, (0.0, 11), (0.0, 10)), "dearer by a tenth");
    }

    #[test]
    fn what_readmits() {
        let seat = Seat::Baseline;
        assert!(!check(seat, 20, (0.0, 8), (0.0, 10)), "not a day yet");
        assert!(check(seat, 24, (0.0, 8), (0.0, 10)), "cheaper in time");
        assert!(!check(seat, 24, (0.0, 11), (0.0, 10)), "dearer");
        assert!(!check(seat, 24, (5.0, 8), (0.0, 10)), "cheaper but late");
        assert!(check(seat, 24, (0.0, 11), (5.0, 10)), "better");
    }
}

//! What came of a trial.

use std::time::Duration;

use foresail_sim::site::CLASSES;
use serde::Serialize;

use super::fate::{Counts, FATES, Fate};
use super::players::{Played, Sent};
use super::trial::Pace;

/// What came of a trial: counts of requests by fate (served, failed, challenged, throttled, blocked, unserved).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measured {
    pub(crate) seed: u64,
    /// Well-meant requests during the attack, by class.
    pub(crate) legit: Vec<Counts>,
    /// The attack's requests.
    pub(crate) attack: Counts,
    /// Those of them after the grace.
    pub(crate) attack_later: Counts,
    /// Seconds until no second let more through than may pass; none if that never came, or there is no attack or promise.
    pub(crate) mitigated_s: Option<usize>,
    /// Of well-meant requests that were served, after the grace, from their intended times.
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    /// Most memory that the proxy had resident.
    pub(crate) memory_mib: Option<f64>,
    /// By how much either generator was behind its plan at most: what a busy machine adds.
    pub(crate) behind_ms: f64,
}

impl Measured {
    /// `attack` is counted from when it begins, `people` from the beginning of the warm-up.
    pub(super) fn of(seed: u64, pace: Pace, may_pass: Option<f64>, people: &Played, attack: &Played) -> Self {
        let mut legit = vec![[0; FATES.len()]; CLASSES.len()];
        let mut latencies = Vec::new();
        for sent in people.sent.iter().filter(|sent| sent.after >= pace.warm_up) {
            legit[sent.class][sent.fate as usize] += 1;
            if sent.after >= pace.warm_up + pace.grace && sent.fate == Fate::Served {
                latencies.push(1_000.0 * sent.taken.as_secs_f64());
            }
        }
        latencies.sort_unstable_by(f64::total_cmp);
        let at = |level: f64| {
            let rank = (level * latencies.len() as f64).ceil() as usize;
            latencies.get(rank.saturating_sub(1)).copied()
        };
        let later: Vec<Sent> = attack.sent.iter().filter(|sent| sent.after >= pace.grace).copied().collect();
        Self {
            seed,
            legit,
            attack: counts(&attack.sent),
            attack_later: counts(&later),
            mitigated_s: may_pass.and_then(|may| mitigated(&attack.sent, pace.measured, may)),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            memory_mib: None,
            behind_ms: 1_000.0 * people.behind.max(attack.behind).as_secs_f64(),
        }
    }
}

fn counts(sent: &[Sent]) -> Counts {
    let mut counts = [0; FATES.len()];
    for one in sent {
        counts[one.fate as usize] += 1;
    }
    counts
}

/// Seconds after which no further one lets more than the share `may` through, or a tenth if that is more.
fn mitigated(sent: &[Sent], length: Duration, may: f64) -> Option<usize> {
    let mut seconds = vec![(0_u64, 0_u64); length.as_secs() as usize + 1];
    for one in sent {
        if let Some((all, passed)) = seconds.get_mut(one.after.as_secs() as usize) {
            *all += 1;
            *passed += u64::from(one.fate.is_passed());
        }
    }
    let last = seconds.iter().rposition(|(all, _)| *all > 0)?;
    let is_over = |(all, passed): &(u64, u64)| *passed as f64 > may.max(0.1) * *all as f64;
    let stopped = seconds.iter().rposition(is_over).map_or(0, |second| second + 1);
    (stopped <= last).then_some(stopped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(ms: u64, fate: Fate) -> Sent {
        Sent { class: 3, after: Duration::from_millis(ms), fate, taken: Duration::from_millis(ms / 100) }
    }

    fn played(sent: Vec<Sent>) -> Played {
        Played { sent, behind: Duration::from_millis(3) }
    }

    #[test]
    fn shares_are_of_the_attack_and_latencies_of_what_was_served_after_the_grace() {
        let second = Duration::from_secs;
        let pace = Pace { warm_up: second(5), measured: second(20), grace: second(10) };
        // The warm-up does not count; from then on one is served each second, and one is blocked.
        let mut people: Vec<Sent> = (0..25).map(|s| sent(1_000 * s, Fate::Served)).collect();
        people.push(sent(8_000, Fate::Blocked));
        // Two seconds of it pass, and a tenth of it later on.
        let fate = |ms: u64| if ms < 2_000 || ms.is_multiple_of(1_000) { Fate::Served } else { Fate::Throttled };
        let attack = (0..200).map(|n| sent(100 * n, fate(100 * n))).collect();
        let measured = Measured::of(4, pace, Some(0.01), &played(people), &played(attack));
        assert_eq!(measured.legit[3], [20, 0, 0, 0, 1, 0]);
        assert_eq!((measured.attack, measured.attack_later), ([38, 0, 0, 162, 0, 0], [10, 0, 0, 90, 0, 0]));
        assert_eq!(measured.mitigated_s, Some(2));
        assert_eq!((measured.p50_ms, measured.p99_ms), (Some(190.0), Some(240.0)));
        assert!((measured.behind_ms - 3.0).abs() < 1e-9);
    }

    #[test]
    fn what_passes_to_the_end_is_never_mitigated_and_of_nothing_nothing_is_said() {
        let attack: Vec<Sent> = (0..30).map(|n| sent(100 * n, Fate::Failed)).collect();
        assert_eq!(mitigated(&attack, Duration::from_secs(3), 0.1), None);
        assert_eq!(mitigated(&[], Duration::from_secs(3), 0.1), None);
        let held: Vec<Sent> = (0..30).map(|n| sent(100 * n, Fate::Unserved)).collect();
        assert_eq!(mitigated(&held, Duration::from_secs(3), 0.1), Some(0));
    }
}

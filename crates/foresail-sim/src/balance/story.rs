//! What goes wrong in a run, and when.

use super::fleet::Nature;

/// The endpoint that turns bad: one of the middling of the note's fleets.
pub const BAD: usize = 2;
/// Share of the run after which it does.
const FROM: f64 = 0.3;
/// Of a collector's pauses.
const PAUSE_MS: f64 = 300.0;
const PAUSE_EVERY_MS: f64 = 5_000.0;
/// How long a new endpoint stays cold, and how much longer its first answers take.
const COLD_MS: f64 = 5_000.0;
const COLD: f64 = 3.0;

/// The scenarios of the design note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// All are well.
    Steady,
    /// One takes five times as long.
    Slow,
    /// One fails nine requests of ten within 1 ms.
    Failing,
    /// One accepts and never answers.
    Frozen,
    /// One refuses connections for a third of the run; what it had is lost.
    Crash,
    /// Each stands still for 300 ms of every 5 s, in turn.
    Pauses,
    /// One joins, and is three times as slow at first.
    Newcomer,
    /// One refuses connections for 2 s of every 5 s.
    Flap,
    /// In the middle of the run the load becomes threefold.
    Step,
    /// Two proxies share the endpoints, neither knowing what the other has in flight.
    TwoProxies,
}

/// How an endpoint is at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Service takes so many times as long.
    pub factor: f64,
    /// Share of requests that fail within 1 ms.
    pub failing: f64,
    /// Nothing is answered.
    pub is_frozen: bool,
    /// Connections are refused.
    pub is_down: bool,
    /// It is one of the set.
    pub is_member: bool,
}

const WELL: Condition = Condition { factor: 1.0, failing: 0.0, is_frozen: false, is_down: false, is_member: true };

impl Story {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Steady,
        Self::Slow,
        Self::Failing,
        Self::Frozen,
        Self::Crash,
        Self::Pauses,
        Self::Newcomer,
        Self::Flap,
        Self::Step,
        Self::TwoProxies,
    ];

    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Steady => "steady",
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::Frozen => "frozen",
            Self::Crash => "crash",
            Self::Pauses => "pauses",
            Self::Newcomer => "newcomer",
            Self::Flap => "flap",
            Self::Step => "step",
            Self::TwoProxies => "two proxies",
        }
    }

    /// Proxies in front of the fleet.
    pub fn proxies(self) -> usize {
        if self == Self::TwoProxies { 2 } else { 1 }
    }

    /// How the endpoint at `index` is at `now_ms` of a run of `seconds`.
    pub fn condition(self, index: usize, now_ms: f64, seconds: f64) -> Condition {
        let since_ms = now_ms - FROM * seconds * 1_000.0;
        if index != BAD || (since_ms < 0.0 && self != Self::Newcomer) {
            return WELL;
        }
        match self {
            Self::Steady | Self::Pauses | Self::Step | Self::TwoProxies => WELL,
            Self::Slow => Condition { factor: 5.0, ..WELL },
            Self::Failing => Condition { failing: 0.9, ..WELL },
            Self::Frozen => Condition { is_frozen: true, ..WELL },
            Self::Crash => Condition { is_down: since_ms < seconds * 1_000.0 / 3.0, ..WELL },
            Self::Flap => Condition { is_down: since_ms % 5_000.0 < 2_000.0, ..WELL },
            Self::Newcomer if since_ms < 0.0 => Condition { is_member: false, ..WELL },
            Self::Newcomer => Condition { factor: 1.0 + (COLD - 1.0) * (1.0 - since_ms / COLD_MS).max(0.0), ..WELL },
        }
    }

    /// How long the endpoint at `index` of `count` still stands still at `now_ms`.
    pub(super) fn pause_left_ms(self, index: usize, count: usize, now_ms: f64) -> f64 {
        if self != Self::Pauses {
            return 0.0;
        }
        let phase = PAUSE_EVERY_MS * index as f64 / count as f64;
        let into = (now_ms + PAUSE_EVERY_MS - phase) % PAUSE_EVERY_MS;
        (PAUSE_MS - into).max(0.0)
    }

    /// When work of `work_ms` begun at `now_ms` is done, standing still included.
    pub(super) fn done_ms(self, index: usize, count: usize, now_ms: f64, work_ms: f64) -> f64 {
        let (mut now_ms, mut left_ms) = (now_ms, work_ms);
        if self != Self::Pauses {
            return now_ms + left_ms;
        }
        let phase = PAUSE_EVERY_MS * index as f64 / count as f64;
        loop {
            now_ms += self.pause_left_ms(index, count, now_ms);
            let into = (now_ms + PAUSE_EVERY_MS - phase) % PAUSE_EVERY_MS;
            let free_ms = PAUSE_EVERY_MS - into;
            if left_ms <= free_ms {
                return now_ms + left_ms;
            }
            (now_ms, left_ms) = (now_ms + free_ms, left_ms - free_ms);
        }
    }

    /// Requests a second that a load of 1 stands for: what the fleet can serve at its worst, once it has turned bad.
    pub fn capacity_rps(self, fleet: &[Nature]) -> f64 {
        let sum: f64 = fleet.iter().map(Nature::capacity_rps).sum();
        let bad = fleet.get(BAD).map_or(0.0, Nature::capacity_rps);
        match self {
            Self::Steady | Self::Step | Self::TwoProxies => sum,
            Self::Slow => sum - 0.8 * bad,
            Self::Failing | Self::Frozen | Self::Crash | Self::Newcomer | Self::Flap => sum - bad,
            Self::Pauses => sum * (1.0 - PAUSE_MS / PAUSE_EVERY_MS),
        }
    }

    /// The share of the scenario's load that is offered at `now_ms`.
    pub(super) fn share_of_load(self, now_ms: f64, seconds: f64) -> f64 {
        if self == Self::Step && now_ms < 500.0 * seconds { 1.0 / 3.0 } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_hold_work_up_and_end() {
        let story = Story::Pauses;
        // The first of two endpoints stands still from 0 to 300 ms, the second from 2,500 on.
        assert_eq!(story.done_ms(0, 2, 100.0, 50.0), 350.0);
        assert_eq!(story.done_ms(0, 2, 4_990.0, 50.0), 5_340.0);
        assert_eq!(story.done_ms(1, 2, 100.0, 50.0), 150.0);
        assert_eq!(story.pause_left_ms(1, 2, 2_600.0), 200.0);
        assert_eq!(story.done_ms(0, 2, 1_000.0, 9_000.0), 10_600.0);
    }

    #[test]
    fn only_one_turns_bad_and_only_then() {
        for story in Story::ALL {
            assert_eq!(story.condition(0, 9_000.0, 10.0), WELL);
            assert_eq!(story.condition(BAD, 100.0, 10.0) == WELL, story != Story::Newcomer, "{story:?}");
        }
        assert!(
            Story::Flap.condition(BAD, 3_500.0, 10.0).is_down && !Story::Flap.condition(BAD, 5_500.0, 10.0).is_down
        );
        assert_eq!(Story::Newcomer.condition(BAD, 3_000.0, 10.0).factor, 3.0);
    }
}

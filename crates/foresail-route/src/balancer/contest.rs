//! Whether a policy that learns may act: it contests with a simple one, and acts for as long as it does not lose.
//!
//! Requests cannot be dealt out between two balancers to compare them: both meet the same queues, and a policy that spares
//! others looks worse than one that pushes in. So time is dealt out (a switchback experiment): slices of a few seconds in the
//! order A B B A, which cancels a load that rises or falls steadily; the beginning of each slice, in which the queues are
//! still the other's, is left out. A round gives the logarithm of the ratio of the two mean costs; rounds are one sample.

use serde::{Deserialize, Serialize};

/// Length of a slice, and of its beginning that is left out, ms.
const SLICE_MS: u64 = 5_000;
const SETTLING_MS: u64 = 1_000;
/// Rounds until a verdict may be given, and until one must.
const LEAST_ROUNDS: u32 = 3;
const MOST_ROUNDS: u32 = 12;
/// A slice of fewer answers says nothing.
const LEAST_ANSWERS: u32 = 20;
/// Standard errors that count as proof. Three rounds are few, so it is more than the usual two.
const PROOF: f64 = 3.0;
/// Where nothing is proved, the learner may be so much dearer on the mean: it is noise, and on even fleets both are one.
const TIE: f64 = 0.02;
/// A learner that acts is called to a new contest after so long; one that lost waits, longer each time.
const REIGN_MS: u64 = 1_800_000;
const LEAST_BAN_MS: u64 = 60_000;
const MOST_BAN_MS: u64 = 3_600_000;
/// It is called at once where its cost over some seconds is so many times what it was over minutes.
const ALARM: f64 = 1.5;
const FAST_MS: f64 = 5_000.0;
const SLOW_MS: f64 = 120_000.0;

/// Who chooses endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Learner,
    Baseline,
}

/// Where a contest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Acting {
    /// The learner and the baseline choose in turn.
    Contest,
    /// The learner chooses.
    Learner,
    /// The baseline chooses: the learner lost.
    Baseline,
}

/// Logarithms of ratios of costs, learner over baseline, as one sample: how many, their sum and that of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratios(u32, f64, f64);

impl Ratios {
    /// Takes in mean costs as sums and counts, if both are of enough answers to say something.
    pub(crate) fn push(&mut self, (learner, n): (f64, u32), (baseline, m): (f64, u32), least: u32) {
        if n.min(m) >= least && learner > 0.0 && baseline > 0.0 {
            let ratio = (learner / f64::from(n) * f64::from(m) / baseline).ln();
            *self = Self(self.0 + 1, self.1 + ratio, self.2 + ratio * ratio);
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.1.is_finite() && self.2.is_finite()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u32 {
        self.0
    }

    /// Their mean and its standard error.
    pub(crate) fn evidence(&self) -> Option<(f64, f64)> {
        let Self(count, sum, squares) = *self;
        if count < 2 {
            return None;
        }
        let n = f64::from(count);
        let mean = sum / n;
        let variance = ((squares - n * mean * mean) / (n - 1.0)).max(0.0);
        Some((mean, (variance / n).sqrt()))
    }

    /// Whether the learner is proved to be dearer.
    pub(crate) fn is_lost(&self) -> bool {
        let proved = |(mean, error): (f64, f64)| mean > TIE && mean > PROOF * error;
        self.0 >= LEAST_ROUNDS && self.evidence().is_some_and(proved)
    }
}

/// The state of a contest that never ends. Times are those of the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contest {
    acting: Acting,
    /// When the acting began.
    since_ms: Option<u64>,
    ban_ms: u64,
    /// Sum of costs and answers, of the learner and of the baseline, in the round.
    round: [(f64, u32); 2],
    slice: u32,
    /// Rounds begun; those that count, the sum of their log ratios (learner over baseline) and of the squares.
    rounds: u32,
    sample: Ratios,
    /// Mean cost over seconds and minutes while the learner acts, and when it was last told.
    running: Option<(f64, f64)>,
    told_ms: u64,
}

impl Default for Contest {
    fn default() -> Self {
        Self {
            acting: Acting::Contest,
            since_ms: None,
            ban_ms: LEAST_BAN_MS / 2, // doubled before it is served
            round: [(0.0, 0); 2],
            slice: 0,
            rounds: 0,
            sample: Ratios::default(),
            running: None,
            told_ms: 0,
        }
    }
}

impl Contest {
    /// A contest in which the learner acts until it is called to prove itself.
    pub(crate) fn reigning() -> Self {
        Self { acting: Acting::Learner, ..Self::default() }
    }

    /// Calls the learner to prove itself from now on.
    pub(crate) fn call(&mut self, at_ms: u64) {
        self.enter(Acting::Contest, at_ms);
    }

    pub(crate) fn acting(&self) -> Acting {
        self.acting
    }

    /// Whether a restored one can be reckoned with at `now_ms`: one that begins later would stand still until then.
    pub(crate) fn is_sound(&self, now_ms: u64) -> bool {
        let Self { acting: _, since_ms, ban_ms, round, slice: _, rounds: _, sample, running, told_ms } = self;
        since_ms.is_none_or(|since| since <= now_ms)
            && *told_ms <= now_ms
            && (LEAST_BAN_MS / 2..=MOST_BAN_MS).contains(ban_ms)
            && round.iter().all(|(sum, _)| sum.is_finite())
            && sample.is_sound()
            && running.is_none_or(|(fast, slow)| fast.is_finite() && slow.is_finite())
    }

    /// Who chooses now.
    pub(crate) fn side(&self) -> Side {
        match self.acting {
            Acting::Learner => Side::Learner,
            Acting::Baseline => Side::Baseline,
            Acting::Contest if matches!(self.slice % 4, 0 | 3) => Side::Learner,
            Acting::Contest => Side::Baseline,
        }
    }

    /// Mean of the log ratio of the costs, learner over baseline, and its standard error, over the rounds so far.
    pub(crate) fn evidence(&self) -> Option<(f64, f64)> {
        self.sample.evidence()
    }

    /// Takes in what an answer cost.
    pub(crate) fn observe(&mut self, at_ms: u64, cost_ms: f64) {
        let since = *self.since_ms.get_or_insert(at_ms);
        let passed = at_ms.saturating_sub(since);
        match self.acting {
            Acting::Contest => self.observe_contest(passed, at_ms, cost_ms),
            Acting::Learner => {
                let is_worse = self.is_alarming(at_ms, cost_ms);
                if is_worse || passed >= REIGN_MS {
                    self.enter(Acting::Contest, at_ms);
                }
            }
            Acting::Baseline if passed >= self.ban_ms => self.enter(Acting::Contest, at_ms),
            Acting::Baseline => {}
        }
    }

    fn observe_contest(&mut self, passed: u64, at_ms: u64, cost_ms: f64) {
        let slice = u32::try_from(passed / SLICE_MS).unwrap_or(u32::MAX);
        if slice != self.slice {
            if slice / 4 != self.slice / 4 {
                self.end_round();
                if let Some(acting) = self.verdict() {
                    return self.enter(acting, at_ms);
                }
            }
            self.slice = slice;
        }
        if passed % SLICE_MS >= SETTLING_MS {
            let (sum, count) = &mut self.round[usize::from(self.side() == Side::Baseline)];
            (*sum, *count) = (*sum + cost_ms, count.saturating_add(1));
        }
    }

    fn end_round(&mut self) {
        let [learner, baseline] = std::mem::take(&mut self.round);
        self.rounds += 1;
        self.sample.push(learner, baseline, 2 * LEAST_ANSWERS);
    }

    fn verdict(&self) -> Option<Acting> {
        let evidence = self.evidence().filter(|_| self.sample.count() >= LEAST_ROUNDS);
        match evidence {
            Some(_) if self.sample.is_lost() => Some(Acting::Baseline),
            Some((mean, error)) if mean < -PROOF * error => Some(Acting::Learner),
            _ if self.rounds < MOST_ROUNDS => None,
            Some((mean, _)) if mean < TIE => Some(Acting::Learner),
            // Too little traffic to tell is no proof.
            _ => Some(Acting::Baseline),
        }
    }

    fn enter(&mut self, acting: Acting, at_ms: u64) {
        let ban_ms = match acting {
            Acting::Learner => LEAST_BAN_MS / 2,
            Acting::Baseline => (self.ban_ms * 2).min(MOST_BAN_MS),
            Acting::Contest => self.ban_ms,
        };
        let sample = if acting == Acting::Contest { Ratios::default() } else { self.sample };
        *self = Self { acting, since_ms: Some(at_ms), ban_ms, sample, ..Self::default() };
    }

    fn is_alarming(&mut self, at_ms: u64, cost_ms: f64) -> bool {
        let Some((fast, slow)) = &mut self.running else {
            (self.running, self.told_ms) = (Some((cost_ms, cost_ms)), at_ms);
            return false;
        };
        // Answers within one millisecond share its weight.
        let passed = at_ms.saturating_sub(self.told_ms).max(1) as f64;
        self.told_ms = self.told_ms.max(at_ms);
        *fast += (passed / (passed + FAST_MS)) * (cost_ms - *fast);
        *slow += (passed / (passed + SLOW_MS)) * (cost_ms - *slow);
        let settled = at_ms.saturating_sub(self.since_ms.unwrap_or(at_ms)) as f64 >= SLOW_MS / 4.0;
        settled && *fast > ALARM * *slow
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    /// Plays answers of those mean costs for so long, 100 a second with noise; tells who chose for which share of the time.
    fn play(contest: &mut Contest, from_ms: u64, seconds: u64, costs: (f64, f64), seed: u64) -> f64 {
        let mut rng = SeededRng::seed_from_u64(seed);
        let mut learner = 0_u64;
        for i in 0..seconds * 100 {
            let at_ms = from_ms + i * 10;
            // Load that rises steadily.
            let swell = 1.0 + at_ms as f64 / 3e6;
            let side = contest.side();
            learner += u64::from(side == Side::Learner);
            let mean = if side == Side::Learner { costs.0 } else { costs.1 };
            contest.observe(at_ms, mean * swell * rng.exponential());
        }
        learner as f64 / (seconds * 100) as f64
    }

    #[test]
    fn the_better_one_acts() {
        for seed in 0..10 {
            let mut contest = Contest::default();
            play(&mut contest, 0, 300, (20.0, 30.0), seed);
            assert_eq!(contest.acting(), Acting::Learner, "{seed}");
            let (mean, error) = contest.evidence().unwrap();
            assert!((mean - (20.0_f64 / 30.0).ln()).abs() < 5.0 * error.max(0.02), "{mean} {error}");
            let mut contest = Contest::default();
            let share = play(&mut contest, 0, 1000, (30.0, 20.0), seed);
            assert!(share < 0.25, "{seed}: {share}");
        }
    }

    #[test]
    fn a_tie_goes_to_the_learner_mostly_and_silence_to_the_baseline() {
        let mut won = 0;
        for seed in 0..20 {
            let mut contest = Contest::default();
            play(&mut contest, 0, 260, (20.0, 20.0), seed);
            won += u32::from(contest.acting() == Acting::Learner);
        }
        assert!(won >= 15, "{won}");
        let mut contest = Contest::default();
        (0..250).for_each(|s| contest.observe(s * 1000, 20.0));
        assert_eq!(contest.acting(), Acting::Baseline);
    }

    #[test]
    fn a_learner_that_turns_bad_is_called_and_loses() {
        let mut contest = Contest::default();
        play(&mut contest, 0, 600, (20.0, 30.0), 1);
        assert_eq!(contest.acting(), Acting::Learner);
        play(&mut contest, 600_000, 20, (60.0, 30.0), 2);
        assert_eq!(contest.acting(), Acting::Contest);
        play(&mut contest, 620_000, 90, (60.0, 30.0), 3);
        assert_eq!(contest.acting(), Acting::Baseline);
    }

    #[test]
    fn one_that_loses_again_waits_longer_and_state_is_kept() {
        let mut contest = Contest::default();
        let shares: Vec<f64> = (0..6).map(|i| play(&mut contest, i * 600_000, 600, (30.0, 20.0), i)).collect();
        assert!(shares[5] < shares[0], "{shares:?}");
        let text = serde_json::to_string(&contest).unwrap();
        assert_eq!(serde_json::from_str::<Contest>(&text).unwrap(), contest);
    }
}

//! The weights at one step ahead.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bank::{Bank, MEMORIES, lowered};
use super::regimes::{Apart, Regimes};

/// A member whose usual error is more than this many times that of the best awake sleeps: such a member can only mend a
/// bias of the others by chance, and does harm when the chance is over.
const HOPELESS: f64 = 10.0;
/// Rounds a member is judged by before it may be called that.
const PATIENCE: u32 = 24;
/// What a round holds beside what members say: a value a memory, and the mix.
const EXTRA: usize = MEMORIES + 1;

/// State of one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weights {
    steps: usize,
    /// Rounds awaiting their actual, one a step ahead: what each member said, NaN if it slept; what the mix of each memory
    /// said; and the mix of those, NaN if there was no round.
    #[serde(serialize_with = "nan_as_none", deserialize_with = "none_as_nan")]
    rounds: Vec<f64>,
    /// The round that is judged next and then takes what is said: [`Weights::judge`] and [`Weights::issue`] take turns. It
    /// starts with `issue`, one round on.
    next: usize,
    #[serde(flatten)]
    bank: Bank,
    /// Usual error of the mix, over about a day; and the rounds behind it.
    usual: f64,
    judged: f64,
    /// Share of `usual` that a day keeps from one row to the next.
    keep: f64,
    members: Vec<Usual>,
    /// What each kind of work has taught; none until there have been two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regimes: Option<Regimes>,
}

/// The usual error of a member, over about a day, and the rounds behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Usual {
    error: f64,
    rounds: u32,
}

impl Usual {
    fn learn(&mut self, error: f64, keep: f64) {
        self.rounds = self.rounds.saturating_add(1);
        self.error += (error - self.error) * (1.0 / f64::from(self.rounds)).max(1.0 - keep);
    }

    fn known(self) -> Option<f64> {
        (self.rounds >= PATIENCE).then_some(self.error)
    }
}

impl Weights {
    /// For forecasts `steps` ahead by `members` members; `day` in rows.
    pub(super) fn new(steps: usize, members: usize, day: f64) -> Self {
        Self {
            steps,
            rounds: vec![f64::NAN; steps * (members + EXTRA)],
            next: 0,
            bank: Bank::new(members, day),
            usual: 0.0,
            judged: 0.0,
            keep: 0.5_f64.powf(1.0 / day.max(1.0)),
            members: vec![Usual::default(); members],
            regimes: None,
        }
    }

    /// From the next round on, the work is of the kind `to` rather than of the kind `from`.
    pub(super) fn enter(&mut self, from: Option<usize>, to: Option<usize>) {
        match (&mut self.regimes, from, to) {
            (None, Some(first), Some(second)) => {
                self.regimes = Some(Regimes::begin(first, second, self.steps, &self.bank));
            }
            (None, ..) => {}
            (Some(regimes), _, to) => regimes.enter(to, &self.bank),
        }
    }

    /// Whether restored state keeps what the code relies on.
    pub(super) fn is_sound(&self, steps: usize, members: usize) -> bool {
        self.rounds.len() == steps * (members + EXTRA)
            && self.steps == steps
            && self.next < steps
            && self.bank.is_sound(members)
            && self.members.len() == members
            && self.regimes.as_ref().is_none_or(|regimes| regimes.is_sound(steps, members))
    }

    /// The next row has come: learns from the round that was played for it, if there is one and the row was observed.
    pub(super) fn judge(&mut self, actual: Option<f64>) {
        let width = self.width();
        let round = &mut self.rounds[self.next * width..(self.next + 1) * width];
        let (members, [memories @ .., mix]) = round.split_at_mut(width - EXTRA) else { return };
        let played = std::mem::replace(mix, f64::NAN);
        let Some(actual) = actual.filter(|_| !played.is_nan()) else { return };
        for (usual, said) in self.members.iter_mut().zip(&*members).filter(|(_, said)| !said.is_nan()) {
            usual.learn((actual - said).abs(), self.keep);
        }
        self.judged += 1.0;
        self.usual += ((actual - played).abs() - self.usual) * (1.0 / self.judged).max(1.0 - self.keep);
        if self.usual <= 0.0 {
            return;
        }
        let gain = lowered(actual, self.usual);
        self.bank.learn(members, memories, played, &gain);
        if let Some(regimes) = &mut self.regimes {
            regimes.learn(self.next, members, played, &gain);
        }
    }

    fn width(&self) -> usize {
        self.rounds.len() / self.steps
    }

    /// Plays a round with what the members say now, NaN where one sleeps, and writes the weights they have in it; no round
    /// if all sleep.
    pub(super) fn issue(&mut self, said: &[f64], weights: &mut [f64]) {
        let played = self.weigh(said, weights);
        let any = said.iter().any(|value| !value.is_nan());
        if let Some(regimes) = &mut self.regimes {
            regimes.played(self.next, played.apart.filter(|_| any));
        }
        let round = self.take_turn();
        let (of_members, [of_memories @ .., of_mix]) = round.split_at_mut(said.len()) else { return };
        of_members.copy_from_slice(said);
        of_memories.copy_from_slice(&played.memories);
        *of_mix = if any { played.mix } else { f64::NAN };
    }

    /// Nothing is said of the row this many steps ahead.
    pub(super) fn pass(&mut self) {
        if let Some(regimes) = &mut self.regimes {
            regimes.played(self.next, None);
        }
        self.take_turn().fill(f64::NAN);
    }

    /// The round whose turn it is.
    fn take_turn(&mut self) -> &mut [f64] {
        let (width, turn) = (self.width(), self.next);
        self.next = (self.next + 1) % self.steps;
        &mut self.rounds[turn * width..(turn + 1) * width]
    }

    /// Writes the weights of the members in the whole mix of what they say, NaN where one sleeps: those learned of all work,
    /// and those of the present kind as far as they have earned it. Gives what was said by which part.
    pub(super) fn weigh(&self, said: &[f64], weights: &mut [f64]) -> Played {
        let known = self.members.iter().zip(said).filter(|(_, said)| !said.is_nan()).filter_map(|(m, _)| m.known());
        let bound = HOPELESS * known.fold(f64::INFINITY, f64::min);
        let awake = |i: usize| !said[i].is_nan() && self.members[i].known().is_none_or(|error| error <= bound);
        let (memories, mix) = self.bank.weigh(said, weights, awake);
        let apart = self.regimes.as_ref().and_then(|regimes| regimes.weigh(said, weights, awake));
        Played { memories, mix, apart }
    }
}

/// What was said in a round.
pub(super) struct Played {
    /// By the mix of each memory.
    memories: [f64; MEMORIES],
    /// By the mix of those.
    mix: f64,
    /// By what is known of the kind of work.
    apart: Option<Apart>,
}

fn nan_as_none<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| (!value.is_nan()).then_some(*value)))
}

fn none_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let values: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

/// The weighted mean of what is said, NaN where a member sleeps.
pub(super) fn mixed(weights: &[f64], said: &[f64]) -> f64 {
    weights.iter().zip(said).filter(|(weight, _)| **weight > 0.0).map(|(weight, said)| weight * said).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use foresail_core::SeededRng;

    /// Mean error of the mix and of the best member over the last half of `rows` rounds one step ahead.
    fn play(rows: usize, said: impl Fn(usize, &mut SeededRng) -> (f64, Vec<Option<f64>>)) -> (f64, f64) {
        let mut rng = SeededRng::seed_from_u64(4);
        let members = said(0, &mut rng).1.len();
        let mut weights = Weights::new(1, members, 1440.0);
        let (mut mix, mut each) = (0.0, vec![0.0; members]);
        for row in 0..rows {
            let (actual, said) = said(row, &mut rng);
            let said: Vec<f64> = said.into_iter().map(|said| said.unwrap_or(f64::NAN)).collect();
            let mut now = vec![0.0; members];
            weights.issue(&said, &mut now);
            if row >= rows / 2 {
                mix += (mixed(&now, &said) - actual).abs();
                let value = |said: &f64| if said.is_nan() { 0.0 } else { *said };
                each.iter_mut().zip(&said).for_each(|(sum, said)| *sum += (value(said) - actual).abs());
            }
            weights.judge(Some(actual));
        }
        (mix, each.into_iter().fold(f64::INFINITY, f64::min))
    }

    #[test]
    fn beats_the_best_member_where_members_err_to_either_side() {
        let (mix, best) = play(4000, |_, rng| {
            let actual = rng.normal();
            (actual, vec![Some(actual + 1.0 + 0.1 * rng.normal()), Some(actual - 1.0), Some(actual + 5.0)])
        });
        assert!(mix < 0.5 * best, "{mix} against {best}");
    }

    #[test]
    fn follows_the_best_member_when_it_changes() {
        let (mix, best) = play(8000, |row, rng| {
            let noise = rng.normal();
            let (good, bad) = (Some(0.2 * noise), Some(3.0 + noise));
            (0.0, if row / 1000 % 2 == 0 { vec![good, bad] } else { vec![bad, good] })
        });
        assert!(mix < 0.3 * best, "{mix} against {best}");
    }

    #[test]
    fn sleepers_neither_gain_nor_matter() {
        let (mix, _) =
            play(1000, |row, rng| (0.0, vec![Some(0.1 * rng.normal()), (row % 3 == 0).then_some(50.0), None]));
        assert!(mix / 500.0 < 0.3, "{mix}");
    }

    /// The third member errs by thirty times the others, now and then to the side that would mend their bias.
    #[test]
    fn a_hopeless_member_has_no_weight() {
        let mut rng = SeededRng::seed_from_u64(8);
        let mut weights = Weights::new(1, 3, 48.0);
        let mut now = [0.0; 3];
        for _ in 0..300 {
            weights.issue(&[0.9 + 0.1 * rng.normal(), 0.8, 1.0 + 30.0 * rng.normal()], &mut now);
            weights.judge(Some(1.0));
        }
        assert_eq!(now[2], 0.0);
        weights.issue(&[f64::NAN, f64::NAN, 7.0], &mut now);
        assert_eq!(now, [0.0, 0.0, 1.0]);
    }

    proptest::proptest! {
        /// Weights are a distribution over those awake.
        #[test]
        fn weights_sum_to_one(rounds in proptest::collection::vec((proptest::collection::vec(proptest::option::of(-9.0..9.0_f64), 3), proptest::option::of(-9.0..9.0_f64)), 1..50), steps in 1_usize..4) {
            let mut weights = Weights::new(steps, 3, 10.0);
            for (said, actual) in rounds {
                let awake = |i: usize| said[i].is_some();
                let values: Vec<f64> = said.iter().map(|said| said.unwrap_or(f64::NAN)).collect();
                let mut now = [0.0; 3];
                weights.issue(&values, &mut now);
                let sum: f64 = now.iter().sum();
                proptest::prop_assert!(now.iter().enumerate().all(|(i, w)| *w >= 0.0 && (awake(i) || *w == 0.0)));
                proptest::prop_assert!((sum - f64::from(u8::from((0..3).any(awake)))).abs() < 1e-9);
                weights.judge(actual);
            }
        }
    }
}

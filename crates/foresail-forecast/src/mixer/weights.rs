//! The weights at one step ahead.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::poly::{Poly, normalise};

/// Half-lives of the four memories in days, and the least of each in rows.
const MEMORIES: [(f64, f64); 4] = [(0.05, 32.0), (0.2, 128.0), (1.0, 512.0), (5.0, 2048.0)];
/// Half-life of what is known of the memories themselves, alike.
const CHOICE: (f64, f64) = (1.0, 512.0);
/// A gain counts for no more than this many usual errors.
const CLIP: f64 = 10.0;

/// A round that awaits its actual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Round {
    /// What each member said; none slept.
    members: Vec<Option<f64>>,
    /// What the mix of each memory said, and the mix of those.
    memories: [f64; 4],
    mix: f64,
}

/// State of one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weights {
    /// Rounds awaiting their actual, that of the next row first: as many as the steps ahead, and one fewer between
    /// [`Weights::judge`] and [`Weights::issue`], which take turns. It starts with `issue`.
    pending: VecDeque<Option<Round>>,
    memories: Vec<Poly>,
    choice: Poly,
    /// Usual error of the mix, over about a day; and the rounds behind it.
    usual: f64,
    rounds: f64,
    /// Share of `usual` that a day keeps from one row to the next.
    keep: f64,
}

impl Weights {
    /// For forecasts `steps` ahead by `members` members; `day` in rows.
    pub(super) fn new(steps: usize, members: usize, day: f64) -> Self {
        let rows = |(days, least): (f64, f64)| (days * day).max(least);
        Self {
            pending: (1..steps).map(|_| None).collect(),
            memories: MEMORIES.map(|memory| Poly::new(members, rows(memory))).to_vec(),
            choice: Poly::new(MEMORIES.len(), rows(CHOICE)),
            usual: 0.0,
            rounds: 0.0,
            keep: 0.5_f64.powf(1.0 / day.max(1.0)),
        }
    }

    /// Whether restored state keeps what the code relies on.
    pub(super) fn is_sound(&self, steps: usize, members: usize) -> bool {
        self.pending.len() == steps
            && self.pending.iter().flatten().all(|round| round.members.len() == members)
            && self.memories.len() == MEMORIES.len()
            && self.memories.iter().all(|poly| poly.is_sound(members))
            && self.choice.is_sound(MEMORIES.len())
    }

    /// The next row has come: learns from the round that was played for it, if there is one and the row was observed.
    pub(super) fn judge(&mut self, actual: Option<f64>) {
        let round = self.pending.pop_front().flatten();
        let (Some(round), Some(actual)) = (round, actual) else {
            return;
        };
        self.rounds += 1.0;
        self.usual += ((actual - round.mix).abs() - self.usual) * (1.0 / self.rounds).max(1.0 - self.keep);
        if self.usual <= 0.0 {
            return;
        }
        // The gradient of the absolute error says only on which side of the actual the played value lay.
        let gain = |played: f64, other: f64| {
            let lower = ((played - other) / self.usual).clamp(-CLIP, CLIP);
            if played > actual {
                lower
            } else if played < actual {
                -lower
            } else {
                0.0
            }
        };
        for (memory, played) in self.memories.iter_mut().zip(round.memories) {
            memory.learn(round.members.iter().map(|said| said.map(|said| gain(played, said))));
        }
        self.choice.learn(round.memories.iter().map(|said| Some(gain(round.mix, *said))));
    }

    /// Plays a round with what the members say now; none if all sleep.
    pub(super) fn issue(&mut self, members: &[Option<f64>]) {
        let awake = |i: usize| members[i].is_some();
        let round = members.iter().any(Option::is_some).then(|| {
            let mut memories = [0.0; 4];
            for (said, memory) in memories.iter_mut().zip(&self.memories) {
                *said = mixed(&memory.weights(awake), |i| members[i]);
            }
            let mix = mixed(&self.choice.weights(|_| true), |i| Some(memories[i]));
            Round { members: members.to_vec(), memories, mix }
        });
        self.pending.push_back(round);
    }

    /// Nothing is said of the row this many steps ahead.
    pub(super) fn pass(&mut self) {
        self.pending.push_back(None);
    }

    /// Weights of the members in the whole mix.
    pub(super) fn members(&self, awake: impl Fn(usize) -> bool + Copy) -> Vec<f64> {
        let mut sum = Vec::new();
        for (weight, memory) in self.choice.weights(|_| true).iter().zip(&self.memories) {
            let weights = memory.weights(awake);
            sum.resize(weights.len(), 0.0);
            sum.iter_mut().zip(weights).for_each(|(total, w): (&mut f64, f64)| *total += weight * w);
        }
        normalise(&mut sum, awake);
        sum
    }
}

/// The weighted mean of what is said.
pub(super) fn mixed(weights: &[f64], said: impl Fn(usize) -> Option<f64>) -> f64 {
    weights.iter().enumerate().filter_map(|(i, weight)| Some(weight * said(i)?)).sum()
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
            if row >= rows / 2 {
                let weights = weights.members(|i| said[i].is_some());
                mix += (mixed(&weights, |i| said[i]) - actual).abs();
                each.iter_mut().zip(&said).for_each(|(sum, said)| *sum += (said.unwrap_or(0.0) - actual).abs());
            }
            weights.issue(&said);
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

    proptest::proptest! {
        /// Weights are a distribution over those awake.
        #[test]
        fn weights_sum_to_one(rounds in proptest::collection::vec((proptest::collection::vec(proptest::option::of(-9.0..9.0_f64), 3), proptest::option::of(-9.0..9.0_f64)), 1..50), steps in 1_usize..4) {
            let mut weights = Weights::new(steps, 3, 10.0);
            for (said, actual) in rounds {
                let awake = |i: usize| said[i].is_some();
                let now = weights.members(awake);
                let sum: f64 = now.iter().sum();
                proptest::prop_assert!(now.iter().enumerate().all(|(i, w)| *w >= 0.0 && (awake(i) || *w == 0.0)));
                proptest::prop_assert!((sum - f64::from(u8::from((0..3).any(awake)))).abs() < 1e-9);
                weights.issue(&said);
                weights.judge(actual);
            }
        }
    }
}

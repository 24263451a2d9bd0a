//! Four memories of one past, and which of them to believe.

use serde::{Deserialize, Serialize};

use super::poly::{Poly, normalise};
use super::weights::mixed;

/// How many memories there are.
pub(super) const MEMORIES: usize = 4;
/// Their half-lives in days, and the least of each in rows.
const HALF_LIVES: [(f64, f64); MEMORIES] = [(0.05, 32.0), (0.2, 128.0), (1.0, 512.0), (5.0, 2048.0)];
/// Half-life of what is known of the memories themselves, alike.
const CHOICE: (f64, f64) = (1.0, 512.0);
/// A gain counts for no more than this many usual errors.
const CLIP: f64 = 10.0;

/// Weights of the members by each memory, and of the memories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Bank {
    memories: Vec<Poly>,
    choice: Poly,
}

impl Bank {
    /// Of `members` members; `day` in rows.
    pub(super) fn new(members: usize, day: f64) -> Self {
        let rows = |(days, least): (f64, f64)| (days * day).max(least);
        Self {
            memories: HALF_LIVES.map(|memory| Poly::new(members, rows(memory))).to_vec(),
            choice: Poly::new(MEMORIES, rows(CHOICE)),
        }
    }

    pub(super) fn is_sound(&self, members: usize) -> bool {
        self.memories.len() == MEMORIES
            && self.memories.iter().all(|poly| poly.is_sound(members))
            && self.choice.is_sound(MEMORIES)
    }

    /// A record of `experts` that fades as that of the memories does.
    pub(super) fn record(&self, experts: usize) -> Poly {
        self.choice.anew(experts)
    }

    /// Writes the weights of the members awake in the mix. Gives what the mix of each memory says, and the mix of those.
    pub(super) fn weigh(
        &self,
        said: &[f64],
        weights: &mut [f64],
        awake: impl Fn(usize) -> bool,
    ) -> ([f64; MEMORIES], f64) {
        let (mut memories, mut choice) = ([0.0; MEMORIES], [0.0; MEMORIES]);
        self.choice.weigh(&mut choice, |_| true);
        weights.fill(0.0);
        let mut of_memory = vec![0.0; said.len()];
        for ((mix, share), memory) in memories.iter_mut().zip(choice).zip(&self.memories) {
            memory.weigh(&mut of_memory, &awake);
            *mix = mixed(&of_memory, said);
            weights.iter_mut().zip(&of_memory).for_each(|(total, weight)| *total += share * weight);
        }
        normalise(weights, awake);
        (memories, memories.iter().zip(choice).map(|(said, weight)| said * weight).sum())
    }

    /// Learns from a round in which the members, the mixes of the memories and the mix of those said this.
    pub(super) fn learn(&mut self, members: &[f64], memories: &[f64], mix: f64, gain: impl Fn(f64, f64) -> f64) {
        for (memory, played) in self.memories.iter_mut().zip(memories) {
            memory.learn(members.iter().map(|said| (!said.is_nan()).then(|| gain(*played, *said))));
        }
        self.choice.learn(memories.iter().map(|said| Some(gain(mix, *said))));
    }
}

/// By how much another value would have lowered the loss of a played one, in units of the usual loss. The gradient of the
/// absolute error says only on which side of the actual the played value lay.
pub(super) fn lowered(actual: f64, usual: f64) -> impl Fn(f64, f64) -> f64 {
    move |played, other| {
        let lower = ((played - other) / usual).clamp(-CLIP, CLIP);
        if played > actual {
            lower
        } else if played < actual {
            -lower
        } else {
            0.0
        }
    }
}

//! Weights of each kind of work.
//!
//! Which member is best may depend on what the service is doing, and a mix that learns of all work alike has to find that out
//! again after each change. So each regime has weights of its own: they begin as those of all work, learn from rounds played in
//! that regime alone, and count by their record against those of all work, shrunk towards these while they have seen little.
//! What is learned of all work is the same with regimes as without. That experts are worth judging within a context is from
//! Cesa-Bianchi & Lugosi, "Prediction, Learning, and Games", 2006, §4.10 (hierarchies of forecasters by side information).

use serde::{Deserialize, Serialize};

use super::bank::{Bank, MEMORIES};
use super::poly::Poly;

/// Most regimes with weights of their own; then those of the one left longest ago are forgotten.
const MOST: usize = 6;
/// So many rounds of its own a regime's weights need to count for half of what their record says.
const SHRINK: f64 = 16.0;

/// What is known of the kinds of work, one step ahead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Regimes {
    own: Vec<Own>,
    /// Id of the present one.
    current: Option<usize>,
    /// Changes so far.
    changes: u64,
    /// What was said in the rounds that await their actual, in the places of those of all work.
    rounds: Vec<Option<Apart>>,
}

/// What one kind of work has taught.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Own {
    id: usize,
    bank: Bank,
    /// How the weights of all work and these did in rounds of this regime.
    record: Poly,
    rounds: u64,
    /// The change at which it was last entered.
    entered: u64,
}

/// What was said in a round of a regime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Apart {
    id: usize,
    /// By the mix of each of its memories, and by the mix of those.
    memories: [f64; MEMORIES],
    own: f64,
    /// Share of that in the whole mix.
    share: f64,
}

impl Own {
    /// How much its own weights count beside those of all work, 0 to 1.
    fn share(&self) -> f64 {
        let mut record = [0.0; 2];
        self.record.weigh(&mut record, |_| true);
        let rounds = self.rounds as f64;
        record[1] * rounds / (rounds + SHRINK)
    }
}

impl Regimes {
    /// The work was of the kind `first` and is of the kind `second` now.
    pub(super) fn begin(first: usize, second: usize, steps: usize, all: &Bank) -> Self {
        let mut regimes = Self { own: Vec::new(), current: None, changes: 0, rounds: vec![None; steps] };
        regimes.enter(Some(first), all);
        regimes.enter(Some(second), all);
        regimes
    }

    /// From the next round on, the work is of this kind.
    pub(super) fn enter(&mut self, id: Option<usize>, all: &Bank) {
        self.current = id;
        self.changes += 1;
        let Some(id) = id else { return };
        if let Some(own) = self.own.iter_mut().find(|own| own.id == id) {
            own.entered = self.changes;
            return;
        }
        if self.own.len() >= MOST {
            let oldest = (0..self.own.len()).min_by_key(|i| self.own[*i].entered).unwrap_or(0);
            self.own.remove(oldest);
        }
        self.own.push(Own { id, bank: all.clone(), record: all.record(2), rounds: 0, entered: self.changes });
    }

    pub(super) fn is_sound(&self, steps: usize, members: usize) -> bool {
        self.own.len() <= MOST
            && self.rounds.len() == steps
            && self.current.is_none_or(|id| self.own.iter().any(|own| own.id == id))
            && self.own.iter().all(|own| own.bank.is_sound(members) && own.record.is_sound(2))
    }

    /// Moves `weights`, those of all work, towards the weights of the present regime; none is present, nothing is moved.
    pub(super) fn weigh(&self, said: &[f64], weights: &mut [f64], awake: impl Fn(usize) -> bool) -> Option<Apart> {
        let own = self.own.iter().find(|own| Some(own.id) == self.current)?;
        let mut of_own = vec![0.0; said.len()];
        let (memories, mix) = own.bank.weigh(said, &mut of_own, awake);
        let share = own.share();
        weights.iter_mut().zip(&of_own).for_each(|(weight, own)| *weight += share * (own - *weight));
        Some(Apart { id: own.id, memories, own: mix, share })
    }

    /// This was said in the round at `place`.
    pub(super) fn played(&mut self, place: usize, apart: Option<Apart>) {
        self.rounds[place] = apart;
    }

    /// Learns from the round at `place`, in which the members said `members` and the mix of all work `all`.
    pub(super) fn learn(&mut self, place: usize, members: &[f64], all: f64, gain: impl Fn(f64, f64) -> f64) {
        let Some(apart) = self.rounds[place].take() else { return };
        let Some(own) = self.own.iter_mut().find(|own| own.id == apart.id) else { return };
        own.rounds += 1;
        own.bank.learn(members, &apart.memories, apart.own, &gain);
        let whole = all + apart.share * (apart.own - all);
        own.record.learn([all, apart.own].into_iter().map(|said| Some(gain(whole, said))));
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::super::weights::{Weights, mixed};

    /// Mean error over the last half of `rows` rounds in which `regime` tells which of two members is good; with the regime
    /// told if `told`, and every forecast.
    fn play(rows: usize, told: bool, regime: impl Fn(usize) -> usize) -> (f64, Vec<f64>) {
        let mut rng = SeededRng::seed_from_u64(11);
        let mut weights = Weights::new(1, 3, 1440.0);
        let (mut error, mut forecasts, mut last) = (0.0, Vec::new(), None);
        for row in 0..rows {
            let now = told.then(|| regime(row));
            if now != last {
                weights.enter(last, now);
                last = now;
            }
            let actual = 10.0 * rng.normal();
            let mut near = |good: bool| actual + if good { rng.normal() } else { 8.0 + 6.0 * rng.normal() };
            let said = [near(regime(row) == 0), near(regime(row) == 1), near(false)];
            let mut shares = [0.0; 3];
            weights.issue(&said, &mut shares);
            let forecast = mixed(&shares, &said);
            forecasts.push(forecast);
            if row >= rows / 2 {
                error += (forecast - actual).abs() / (rows - rows / 2) as f64;
            }
            weights.judge(Some(actual));
        }
        (error, forecasts)
    }

    #[test]
    fn where_another_member_is_best_in_each_of_two_regimes_knowing_them_helps() {
        let alternate = |row: usize| row / 25 % 2;
        let (with, _) = play(4_000, true, alternate);
        let (without, _) = play(4_000, false, alternate);
        assert!(with < 0.6 * without, "{with} against {without}");
        // The best in each errs by 0.8 in the mean.
        assert!(with < 1.2, "{with}");
    }

    #[test]
    fn of_one_regime_nothing_is_different() {
        let ((with, ours), (without, theirs)) = (play(1_000, true, |_| 0), play(1_000, false, |_| 0));
        assert_eq!((with.to_bits(), ours), (without.to_bits(), theirs));
    }

    /// Regimes that mean nothing cost next to nothing.
    #[test]
    fn where_regimes_do_not_matter_they_hardly_harm() {
        let play = |told: bool| {
            let mut rng = SeededRng::seed_from_u64(12);
            let (mut weights, mut error) = (Weights::new(1, 2, 1440.0), 0.0);
            for row in 0..4_000_usize {
                if told && row > 0 && row.is_multiple_of(25) {
                    weights.enter(Some((row / 25 + 1) % 2), Some(row / 25 % 2));
                }
                let said = [rng.normal(), 0.5 + 2.0 * rng.normal()];
                let mut shares = [0.0; 2];
                weights.issue(&said, &mut shares);
                error += mixed(&shares, &said).abs();
                weights.judge(Some(0.0));
            }
            error
        };
        let (with, without) = (play(true), play(false));
        assert!(with < 1.02 * without, "{with} against {without}");
    }

    #[test]
    fn regimes_are_bounded_and_state_goes_on_alike() {
        let mut rng = SeededRng::seed_from_u64(13);
        let mut weights = Weights::new(3, 2, 48.0);
        let mut last = None;
        let mut round = |weights: &mut Weights, row: usize| {
            let now = (row % 50 > 3).then_some(row / 10 % 9);
            if now != last {
                weights.enter(last, now);
                last = now;
            }
            let mut shares = [0.0; 2];
            weights.issue(&[rng.normal(), 1.0 + rng.normal()], &mut shares);
            assert!((shares[0] + shares[1] - 1.0).abs() < 1e-9);
            if row.is_multiple_of(13) {
                weights.judge(None);
                weights.pass();
            }
            weights.judge(Some(0.3 * rng.normal()));
        };
        (0..400).for_each(|row| round(&mut weights, row));
        assert!(weights.is_sound(3, 2) && !weights.is_sound(3, 1));
        let text = serde_json::to_string(&weights).unwrap();
        // As text, for a round that was not played is no number.
        let mut twin: Weights = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&twin).unwrap(), text);
        for told in [Some(3), Some(4), None] {
            let said = [0.3, -0.2];
            let mut shares = [[0.0; 2]; 2];
            for (weights, shares) in [&mut weights, &mut twin].into_iter().zip(&mut shares) {
                weights.enter(Some(8), told);
                weights.issue(&said, shares);
                weights.judge(Some(0.1));
            }
            assert_eq!(shares[0], shares[1]);
        }
        assert!(text.matches("\"entered\"").count() <= super::MOST);
    }
}

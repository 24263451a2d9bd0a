//! Which kind of work is this, and when does it change?

use serde::{Deserialize, Serialize};

use super::pca::OnlinePca;

/// States before any change is told.
const WARM_UP: u64 = 12;
/// States in a row that must be unlike the regime before it is left.
const HOLD: usize = 2;
/// Squared distance from a regime's centre, in that of a state from the one it is a noisy picture of, from which on it is another.
const RADIUS: f64 = 3.0;
/// The noise is reckoned over so many states, and taken to be at least so much a feature.
const MEMORY: f64 = 60.0;
const LEAST_NOISE: f64 = 0.01;
/// A regime's centre follows its last so many states.
const CENTRE: f64 = 60.0;
/// Most regimes told apart; then the one left longest ago is forgotten.
const MOST: usize = 24;

/// The kind of work has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegimeChange {
    /// What it was.
    pub from: usize,
    /// What it is now.
    pub to: usize,
    /// Whether it has never been seen, as far as is remembered.
    pub is_new: bool,
}

/// Names the regime of each state by leader clustering (Hartigan 1975, §3): a state belongs to the regime whose centre is near,
/// or begins a new one. A regime is left only after two states in a row are unlike it, so that one odd state changes nothing.
/// Distances are of all standardised features rather than of fingerprints: the axes are learned from what has been, and a change
/// may be along none of them. O(regimes × features) a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegimeTracker {
    regimes: Vec<Regime>,
    current: usize,
    /// Ids given so far.
    named: usize,
    states: u64,
    /// Usual squared distance of a state from what it is a noisy picture of.
    noise: f64,
    previous: Vec<Option<f64>>,
    /// The last states unlike the current regime.
    unlike: Vec<Vec<Option<f64>>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Regime {
    id: usize,
    /// Mean of its states' features.
    centre: Vec<Option<f64>>,
    count: f64,
    /// The state it was last seen at.
    last: u64,
}

impl Regime {
    fn learn(&mut self, features: &[Option<f64>], at: u64) {
        self.count = (self.count + 1.0).min(CENTRE);
        self.last = at;
        for (mean, value) in self.centre.iter_mut().zip(features) {
            *mean = match (*mean, *value) {
                (Some(mean), Some(value)) => Some(mean + (value - mean) / self.count),
                (mean, value) => mean.or(value),
            };
        }
    }
}

impl RegimeTracker {
    /// Nothing seen yet: regime 0.
    pub fn new() -> Self {
        Self {
            regimes: Vec::new(),
            current: 0,
            named: 0,
            states: 0,
            noise: 0.0,
            previous: Vec::new(),
            unlike: Vec::new(),
        }
    }

    /// Takes in the features of a state, which `pca` has learned from; a change, if this state completes one.
    pub fn push(&mut self, pca: &OnlinePca, features: &[Option<f64>]) -> Option<RegimeChange> {
        self.states += 1;
        let standard = pca.standardised(features);
        let apart = |other: &[Option<f64>]| -> f64 {
            let other = pca.standardised(other);
            standard.iter().zip(&other).map(|(a, b)| (a - b).powi(2)).sum()
        };
        if self.states > 1 {
            // Two pictures of one thing are twice as far apart, squared, as either is from the thing.
            let seen = 0.5 * apart(&self.previous);
            let seen = if self.states > WARM_UP { seen.min(4.0 * self.noise) } else { seen };
            self.noise += (seen - self.noise) * (1.0 / (self.states - 1) as f64).max(1.0 / MEMORY);
        }
        self.previous = features.to_vec();
        if self.states <= WARM_UP || self.regimes.is_empty() {
            match self.regimes.first_mut() {
                Some(regime) => regime.learn(features, self.states),
                None => {
                    self.begin(&[features.to_vec()]);
                }
            }
            return None;
        }
        let radius = RADIUS * self.noise.max(LEAST_NOISE * pca.width() as f64);
        let current = self.current.min(self.regimes.len() - 1);
        if apart(&self.regimes[current].centre) <= radius {
            self.unlike.clear();
            self.regimes[current].learn(features, self.states);
            return None;
        }
        self.unlike.push(features.to_vec());
        if self.unlike.len() < HOLD {
            return None;
        }
        let from = self.regimes[current].id;
        let distances = self.regimes.iter().enumerate().map(|(i, regime)| (i, apart(&regime.centre)));
        let nearest = distances.filter(|(i, _)| *i != current).min_by(|a, b| a.1.total_cmp(&b.1));
        let unlike = std::mem::take(&mut self.unlike);
        let is_new = !nearest.is_some_and(|(_, distance)| distance <= radius);
        self.current = match nearest {
            Some((known, _)) if !is_new => {
                unlike.iter().for_each(|features| self.regimes[known].learn(features, self.states));
                known
            }
            _ => self.begin(&unlike),
        };
        Some(RegimeChange { from, to: self.regimes[self.current].id, is_new })
    }

    /// Begins a regime with some states, forgetting the one left longest ago if there are too many; its place.
    fn begin(&mut self, states: &[Vec<Option<f64>>]) -> usize {
        if self.regimes.len() >= MOST {
            let oldest = (0..self.regimes.len()).min_by_key(|i| self.regimes[*i].last).unwrap_or(0);
            self.regimes.remove(oldest);
        }
        let centre = vec![None; states.first().map_or(0, Vec::len)];
        let mut regime = Regime { id: self.named, centre, count: 0.0, last: self.states };
        self.named += 1;
        states.iter().for_each(|features| regime.learn(features, self.states));
        self.regimes.push(regime);
        self.regimes.len() - 1
    }

    /// The regime of the last state: a number that stays its own.
    pub fn current(&self) -> usize {
        self.regimes.get(self.current).map_or(0, |regime| regime.id)
    }

    /// Regimes told apart at present.
    pub fn len(&self) -> usize {
        self.regimes.len()
    }

    /// No state was seen yet.
    pub fn is_empty(&self) -> bool {
        self.regimes.is_empty()
    }
}

impl Default for RegimeTracker {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    /// The changes, with their places, of a series of states around one of some centres.
    fn changes(steps: usize, odd: Option<usize>, centre: impl Fn(usize) -> f64) -> Vec<(usize, RegimeChange)> {
        let mut rng = SeededRng::seed_from_u64(7);
        let (mut pca, mut tracker) = (OnlinePca::new(8, 4, 1e4), RegimeTracker::new());
        let mut found = Vec::new();
        for step in 0..steps {
            let at = if odd == Some(step) { 99.0 } else { centre(step) };
            let features: Vec<Option<f64>> =
                (0..8).map(|i| Some(at * if i < 4 { 1.0 } else { -1.0 } + 0.3 * rng.normal())).collect();
            pca.update(&features);
            found.extend(tracker.push(&pca, &features).map(|change| (step, change)));
        }
        found
    }

    #[test]
    fn a_new_kind_of_work_is_told_at_once_and_an_old_one_recognised() {
        let found = changes(400, None, |step| [0.0, 2.0, -2.0, 2.0][step / 100]);
        let expected = [(0, 1, true), (1, 2, true), (2, 1, false)];
        assert_eq!(found.len(), 3, "{found:?}");
        for (i, ((step, change), (from, to, is_new))) in found.iter().zip(expected).enumerate() {
            assert!((100 * (i + 1)..100 * (i + 1) + 4).contains(step), "{found:?}");
            assert_eq!(*change, RegimeChange { from, to, is_new });
        }
    }

    #[test]
    fn one_odd_state_changes_nothing() {
        assert_eq!(changes(2_000, Some(500), |_| 1.0), []);
    }

    #[test]
    fn regimes_are_bounded_and_state_goes_on_alike() {
        let mut rng = SeededRng::seed_from_u64(7);
        let (mut pca, mut tracker) = (OnlinePca::new(2, 2, 1e4), RegimeTracker::default());
        assert!(tracker.is_empty() && tracker.current() == 0);
        for step in 0..4_000 {
            let at = f64::from(step / 20 % 97 * 13 % 89);
            let features = [Some(at + 0.01 * rng.normal()), (step % 7 > 0).then_some(at * at)];
            pca.update(&features);
            tracker.push(&pca, &features);
            assert!(tracker.len() <= MOST);
        }
        let text = serde_json::to_string(&tracker).unwrap();
        assert_eq!(serde_json::from_str::<RegimeTracker>(&text).unwrap(), tracker);
    }
}

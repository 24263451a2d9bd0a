//! Past states, those like the present one, and what followed them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::features::{CLASSES, PLAIN};
use super::pca::OnlinePca;
use crate::Timestamp;
use crate::sketches::straight_exp2;

/// One interval as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredState {
    /// Its start.
    pub time: Timestamp,
    /// Its features, `None` where there was nothing to tell them from.
    pub features: Vec<Option<f64>>,
    /// What the service used in it, in any one unit, if that was measured.
    pub resource: Option<f64>,
}

impl StoredState {
    /// Requests a second.
    pub fn rate(&self) -> Option<f64> {
        Some((straight_exp2(self.features.first().copied().flatten()?) - 1.0).max(0.0))
    }

    /// Shares of the classes that patterns are hashed into, which sum to 1.
    pub fn mix(&self) -> Option<[f64; CLASSES]> {
        let mut shares = [0.0; CLASSES];
        for (share, root) in shares.iter_mut().zip(self.features.get(PLAIN.len()..)?) {
            *share = (*root)?.powi(2);
        }
        Some(shares)
    }
}

/// A past state like the one asked about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its number, from the oldest remembered, 0.
    pub index: usize,
    /// How far from the one asked about, in the space of the fingerprints.
    pub distance: f64,
}

/// Which past states are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many.
    pub count: usize,
    /// So many intervals before they have to be alike too; 0 if only they themselves.
    pub lag: usize,
    /// Intervals that lie between any two of them, at least; 0 or 1 for any.
    pub between: usize,
}

/// What came after states alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Followed {
    /// Resource use, or what else was asked for, in the mean.
    pub level: f64,
    /// By how much it had changed, in the mean.
    pub change: f64,
}

/// The last states, oldest first; the oldest is forgotten as a new one comes. Features are kept rather than fingerprints, so
/// that the axes may go on turning: a search looks at all through the axes of today, exactly, at O(states × features ×
/// components), about a millisecond for four thousand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StateMemory {
    capacity: usize,
    states: VecDeque<StoredState>,
}

impl StateMemory {
    /// Of at most `capacity` states, at least 1.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), states: VecDeque::new() }
    }

    /// Keeps a state, later than all before it.
    pub fn push(&mut self, state: StoredState) {
        while self.states.len() >= self.capacity.max(1) {
            self.states.pop_front();
        }
        self.states.push_back(state);
    }

    /// The states, oldest first.
    pub fn states(&self) -> impl ExactSizeIterator<Item = &StoredState> {
        self.states.iter()
    }

    /// State number `index` from the oldest.
    pub fn get(&self, index: usize) -> Option<&StoredState> {
        self.states.get(index)
    }

    /// States remembered.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// No states.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// The states before `before` that are most like number `index`, nearest first.
    pub fn nearest(&self, pca: &OnlinePca, index: usize, before: Timestamp, wanted: &Wanted) -> Vec<Neighbour> {
        let Wanted { count, lag, between } = *wanted;
        let scores: Vec<Vec<f64>> = self.states.iter().map(|state| pca.project(&state.features)).collect();
        let apart =
            |a: usize, b: usize| -> f64 { scores[a].iter().zip(&scores[b]).map(|(a, b)| (a - b).powi(2)).sum() };
        if index >= scores.len() {
            return Vec::new();
        }
        let lag = if lag <= index { lag } else { 0 };
        let past = self.states.partition_point(|state| state.time < before).min(index);
        let mut found: Vec<Neighbour> = (lag..past)
            .map(|other| {
                let behind = if lag > 0 { apart(other - lag, index - lag) } else { 0.0 };
                Neighbour { index: other, distance: (apart(other, index) + behind).sqrt() }
            })
            .collect();
        // Of equally near ones the latest, which is the likeliest to hold still.
        let order = |a: &Neighbour, b: &Neighbour| a.distance.total_cmp(&b.distance).then(b.index.cmp(&a.index));
        // Each of those taken rules out fewer than two `between` others.
        let looked_at = count.saturating_mul(2 * between.max(1)).min(found.len());
        if looked_at > 0 && looked_at < found.len() {
            found.select_nth_unstable_by(looked_at - 1, order);
        }
        found.truncate(looked_at);
        found.sort_by(order);
        let mut kept: Vec<Neighbour> = Vec::with_capacity(count);
        for neighbour in found {
            if kept.len() == count {
                break;
            }
            if kept.iter().all(|k| k.index.abs_diff(neighbour.index) >= between) {
                kept.push(neighbour);
            }
        }
        kept
    }

    /// What came `ahead` intervals after `neighbours`, the nearer counting for more; `None` if that is not known of any.
    pub fn what_followed(&self, neighbours: &[Neighbour], ahead: usize) -> Option<Followed> {
        self.mean_after(neighbours, ahead, |state| state.resource)
    }

    /// The same of what `value` makes of a state, where it makes something of it.
    pub fn mean_after(
        &self,
        neighbours: &[Neighbour],
        ahead: usize,
        value: impl Fn(&StoredState) -> Option<f64>,
    ) -> Option<Followed> {
        let floor = neighbours.first().map_or(0.0, |nearest| 0.1 * nearest.distance * nearest.distance) + 1e-9;
        let (mut change, mut level, mut weights) = (0.0, 0.0, 0.0);
        for neighbour in neighbours {
            let at = |index: usize| value(self.states.get(index)?);
            let Some((then, later)) = at(neighbour.index).zip(at(neighbour.index + ahead)) else {
                continue;
            };
            let weight = 1.0 / (neighbour.distance * neighbour.distance + floor);
            change += weight * (later - then);
            level += weight * later;
            weights += weight;
        }
        (weights > 0.0).then(|| Followed { level: level / weights, change: change / weights })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> (StateMemory, OnlinePca) {
        let mut memory = StateMemory::new(50);
        let mut pca = OnlinePca::new(2, 2, 1e4);
        for i in 0..60_i64 {
            // Two features that go round in a circle of ten.
            let angle = i as f64 * std::f64::consts::TAU / 10.0;
            let features = vec![Some(angle.sin()), Some(100.0 * angle.cos())];
            pca.update(&features);
            memory.push(StoredState { time: Timestamp::from_secs(10 * i), features, resource: Some((i % 10) as f64) });
        }
        (memory, pca)
    }

    #[test]
    fn the_nearest_are_those_of_the_same_phase_and_the_past_tells_what_follows() {
        let (memory, pca) = memory();
        assert_eq!(memory.len(), 50);
        let latest = memory.len() - 1;
        let time = memory.get(latest).unwrap().time;
        for lag in [0, 3] {
            let found = memory.nearest(&pca, latest, time, &Wanted { count: 3, lag, between: 5 });
            let places: Vec<usize> = found.iter().map(|n| n.index).collect();
            assert!(places.iter().all(|i| (latest - i).is_multiple_of(10)), "{places:?}");
            assert!(found.is_sorted_by(|a, b| a.distance <= b.distance));
            // The latest is phase 9; three on is phase 2: 7 less.
            let followed = memory.what_followed(&found, 3).unwrap();
            assert!((followed.change + 7.0).abs() < 1e-6 && (followed.level - 2.0).abs() < 1e-6);
        }
        let wanted = Wanted { count: 3, lag: 0, between: 0 };
        let early = memory.nearest(&pca, latest, Timestamp::from_secs(300), &wanted);
        assert_eq!(early.len(), 3);
        assert!(early.iter().all(|n| memory.get(n.index).unwrap().time < Timestamp::from_secs(300)));
    }

    #[test]
    fn rate_and_mix_are_read_back() {
        let options = super::super::FingerprintOptions::default();
        let mut collector = super::super::Collector::new(&options);
        collector.record_counter(1, 300, 0, None);
        collector.record_counter(2, 100, 0, None);
        let features = collector.close(std::time::Duration::from_secs(10), &[], &options);
        let state = StoredState { time: Timestamp::EPOCH, features, resource: None };
        assert!((state.rate().unwrap() - 40.0).abs() < 1e-9);
        let mut mix = state.mix().unwrap();
        mix.sort_by(|a, b| b.total_cmp(a));
        assert!((mix[0] - 0.75).abs() < 1e-9 && (mix[1] - 0.25).abs() < 1e-9 && mix[2] == 0.0);
        let empty = StoredState { time: Timestamp::EPOCH, features: Vec::new(), resource: None };
        assert_eq!((empty.rate(), empty.mix()), (None, None));
    }

    #[test]
    fn nothing_is_like_nothing() {
        let (memory, pca) = memory();
        let wanted = Wanted { count: 3, lag: 0, between: 0 };
        assert_eq!(memory.nearest(&pca, 999, Timestamp::from_secs(1_000), &wanted), []);
        assert_eq!(memory.nearest(&pca, 49, Timestamp::EPOCH, &wanted), []);
        assert_eq!(memory.nearest(&pca, 49, Timestamp::from_secs(1_000), &Wanted { count: 0, ..wanted }), []);
        assert_eq!(memory.what_followed(&[], 3), None);
        assert_eq!(memory.what_followed(&[Neighbour { index: 49, distance: 0.0 }], 3), None);
    }
}

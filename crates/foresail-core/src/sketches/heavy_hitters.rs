//! The keys that come most often, and how evenly all are spread.

use serde::{Deserialize, Serialize};

use crate::Error;

/// A key that came often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeavyHitter {
    /// The key.
    pub key: u64,
    /// How often it came, at most.
    pub count: u64,
    /// By how much that may be too many.
    pub error: u64,
}

/// Space-Saving (Metwally, Agrawal and El Abbadi 2005): the counts of `capacity` keys; a new key takes the place of the rarest
/// and inherits its count as error. Every key that came more often than total/capacity is kept. A key costs O(capacity) at
/// most, a sweep through one small array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct HeavyHitters {
    capacity: usize,
    /// Side by side, so that a sweep for a key reads keys alone.
    keys: Vec<u64>,
    counts: Vec<u64>,
    errors: Vec<u64>,
    total: u64,
}

impl HeavyHitters {
    /// Of at most `capacity` keys, clamped to 1 to 4,096.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, 4_096);
        Self { capacity, keys: Vec::new(), counts: Vec::new(), errors: Vec::new(), total: 0 }
    }

    /// Counts a key `count` times.
    #[inline]
    pub fn add(&mut self, key: u64, count: u64) {
        self.total += count;
        if let Some(place) = self.keys.iter().position(|k| *k == key) {
            self.counts[place] += count;
            // Often asked for, soon found.
            if place > 0 && self.counts[place] > self.counts[place - 1] {
                self.swap(place, place - 1);
            }
        } else {
            self.admit(key, count, 0);
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.keys.swap(a, b);
        self.counts.swap(a, b);
        self.errors.swap(a, b);
    }

    /// Takes in a key that is not there.
    fn admit(&mut self, key: u64, count: u64, error: u64) {
        if self.keys.len() < self.capacity {
            self.keys.push(key);
            self.counts.push(count);
            self.errors.push(error);
            return;
        }
        // The last of the rarest: with the frequent ones in front, it is at the end.
        let rarest = self.counts.iter().enumerate().rev().min_by_key(|(_, count)| **count);
        let Some((place, least)) = rarest.map(|(place, least)| (place, *least)) else { return };
        self.keys[place] = key;
        self.counts[place] = least + count;
        self.errors[place] = least + error;
    }

    /// Keys counted, repeats included.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The keys kept, those that came most often first.
    pub fn top(&self) -> Vec<HeavyHitter> {
        let all = self.keys.iter().zip(&self.counts).zip(&self.errors);
        let mut top: Vec<HeavyHitter> =
            all.map(|((key, count), error)| HeavyHitter { key: *key, count: *count, error: *error }).collect();
        top.sort_by_key(|hitter| (std::cmp::Reverse(hitter.count), hitter.key));
        top
    }

    /// Entropy of the keys in bits, given how many different ones there are about; 0 of none. Exact while no more came than
    /// are kept; else what is not certainly one of the keys kept is taken to be spread evenly over the others, as the principle
    /// of greatest entropy has it.
    pub fn entropy_bits(&self, distinct: f64) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let total = self.total as f64;
        let of = |mass: f64| if mass > 0.0 { -mass / total * (mass / total).log2() } else { 0.0 };
        let (mut sum, mut known, mut kept) = (0.0, 0.0, 0.0);
        for (count, error) in self.counts.iter().zip(&self.errors) {
            // A count that is mostly error says nothing of its key.
            if count - error > *error {
                let certain = (count - error) as f64;
                sum += of(certain);
                known += certain;
                kept += 1.0;
            }
        }
        let rest = total - known;
        let others = (distinct - kept).max(1.0);
        sum + others * of(rest / others)
    }

    /// Takes in what `other` has counted (Cafaro et al. 2016, but for ties).
    pub fn merge(&mut self, other: &Self) {
        let floor = |hitters: &Self| {
            if hitters.keys.len() < hitters.capacity { 0 } else { hitters.counts.iter().copied().min().unwrap_or(0) }
        };
        let (ours, theirs) = (floor(self), floor(other));
        let mut joined: Vec<HeavyHitter> = Vec::with_capacity(self.keys.len() + other.keys.len());
        for hitter in self.top() {
            let twin = other.keys.iter().position(|k| *k == hitter.key);
            let (count, error) = twin.map_or((theirs, theirs), |at| (other.counts[at], other.errors[at]));
            joined.push(HeavyHitter { key: hitter.key, count: hitter.count + count, error: hitter.error + error });
        }
        for hitter in other.top() {
            if !self.keys.contains(&hitter.key) {
                joined.push(HeavyHitter { key: hitter.key, count: hitter.count + ours, error: hitter.error + ours });
            }
        }
        joined.sort_by_key(|hitter| (std::cmp::Reverse(hitter.count), hitter.key));
        joined.truncate(self.capacity);
        self.keys = joined.iter().map(|hitter| hitter.key).collect();
        self.counts = joined.iter().map(|hitter| hitter.count).collect();
        self.errors = joined.iter().map(|hitter| hitter.error).collect();
        self.total += other.total;
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.keys.clear();
        self.counts.clear();
        self.errors.clear();
        self.total = 0;
    }
}

#[derive(Deserialize)]
struct Saved {
    capacity: usize,
    keys: Vec<u64>,
    counts: Vec<u64>,
    errors: Vec<u64>,
    total: u64,
}

impl TryFrom<Saved> for HeavyHitters {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self, Error> {
        let Saved { capacity, keys, counts, errors, total } = saved;
        let is_sound = (1..=4_096).contains(&capacity)
            && keys.len() <= capacity
            && counts.len() == keys.len()
            && errors.len() == keys.len()
            && errors.iter().zip(&counts).all(|(error, count)| error <= count && *count <= u64::MAX / 8_192)
            && total <= u64::MAX / 2;
        if is_sound {
            Ok(Self { capacity, keys, counts, errors, total })
        } else {
            Err(Error::BadSnapshot(format!("{} frequent keys of at most {capacity}", keys.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::DistinctCount;
    use super::*;
    use crate::SeededRng;

    #[test]
    fn the_entropy_of_few_keys_is_exact() {
        let mut hitters = HeavyHitters::new(8);
        assert_eq!(hitters.entropy_bits(0.0), 0.0);
        for (key, count) in [(1, 50), (2, 25), (3, 25)] {
            hitters.add(key, count);
        }
        assert!((hitters.entropy_bits(3.0) - 1.5).abs() < 1e-9);
        assert_eq!(hitters.top()[0], HeavyHitter { key: 1, count: 50, error: 0 });
    }

    #[test]
    fn the_entropy_of_many_keys_is_near() {
        // Zipf's law over more keys than are kept, and keys that hardly repeat.
        for (keys, exponent) in [(500, 1.0), (5_000, 1.2), (20_000, 0.0)] {
            let weights: Vec<f64> = (1..=keys).map(|rank| f64::from(rank).powf(-exponent)).collect();
            let sum: f64 = weights.iter().sum();
            let cumulative: Vec<f64> = weights
                .iter()
                .scan(0.0, |at, w| {
                    *at += w / sum;
                    Some(*at)
                })
                .collect();
            let mut rng = SeededRng::seed_from_u64(1);
            let (mut hitters, mut distinct, mut exact) = (HeavyHitters::new(64), DistinctCount::new(), BTreeMap::new());
            for _ in 0..20_000 {
                let draw = rng.uniform();
                let key = cumulative.partition_point(|c| *c < draw) as u64;
                hitters.add(key, 1);
                distinct.add(key);
                *exact.entry(key).or_insert(0.0) += 1.0 / 20_000.0;
            }
            let truth: f64 = exact.values().map(|p: &f64| -p * p.log2()).sum();
            let got = hitters.entropy_bits(distinct.estimate());
            assert!((got - truth).abs() < 0.12 * truth, "{keys} {exponent}: {got}, not {truth}");
        }
    }

    proptest! {
        /// Frequent keys are kept, counts bracket the truth, before and after two are joined.
        #[test]
        fn counts_bracket_the_truth(stream in prop::collection::vec(0..30_u64, 0..400), cut in 0..400_usize) {
            let (left, right) = stream.split_at(cut.min(stream.len()));
            let (mut one, mut other) = (HeavyHitters::new(10), HeavyHitters::new(10));
            left.iter().for_each(|key| one.add(*key, 1));
            right.iter().for_each(|key| other.add(*key, 1));
            let truth = |stream: &[u64], key: u64| stream.iter().filter(|k| **k == key).count() as u64;
            for hitter in one.top() {
                let exact = truth(left, hitter.key);
                prop_assert!(exact <= hitter.count && hitter.count - hitter.error <= exact);
            }
            one.merge(&other);
            prop_assert_eq!(one.total(), stream.len() as u64);
            let top = one.top();
            for hitter in &top {
                let exact = truth(&stream, hitter.key);
                prop_assert!(exact <= hitter.count && hitter.count - hitter.error <= exact);
            }
            for key in 0..30 {
                let is_kept = top.iter().any(|hitter| hitter.key == key);
                prop_assert!(is_kept || 10 * truth(&stream, key) <= 2 * stream.len() as u64);
            }
            let text = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<HeavyHitters>(&text).unwrap(), one);
        }
    }
}

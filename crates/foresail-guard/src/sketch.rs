//! Sketches of the request path: fixed memory, places chosen by the keyed hash.

/// Rows of a [`CountMin`].
const ROWS: usize = 4;

/// A count-min sketch (Cormode and Muthukrishnan 2005) of small counts with conservative update (Estan and Varghese 2002):
/// never counts too few up to 255, and stops there. Four bytes a column.
#[derive(Clone, Debug)]
pub(crate) struct CountMin {
    counts: Vec<u8>,
    mask: usize,
}

impl CountMin {
    /// Of `columns` columns, rounded up to a power of two between 1,024 and 2^24.
    pub(crate) fn new(columns: usize) -> Self {
        let columns = columns.clamp(1 << 10, 1 << 24).next_power_of_two();
        Self { counts: vec![0; ROWS * columns], mask: columns - 1 }
    }

    /// Counts the key of which `hash` is the hash; how often it came, itself included, at least.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) -> u8 {
        let places = self.places(hash);
        let least = places.map(|place| self.counts[place]).into_iter().min().unwrap_or(0).saturating_add(1);
        for place in places {
            self.counts[place] = self.counts[place].max(least);
        }
        least
    }

    /// One place in each row, by double hashing (Kirsch and Mitzenmacher 2008).
    #[inline]
    fn places(&self, hash: u64) -> [usize; ROWS] {
        let step = (hash >> 32) | 1;
        std::array::from_fn(|row| {
            let column = hash.wrapping_add(step.wrapping_mul(row as u64)) as usize & self.mask;
            row * (self.mask + 1) + column
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.counts.len()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
    }
}

/// Whether a key was seen in this period or the one before: two Bloom filters in turn, each key within one word (Putze,
/// Sanders and Singler 2009). May take a new key for an old one, never an old one for a new one.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    words: [Vec<u64>; 2],
    current: usize,
    left: usize,
}

impl Seen {
    /// Of about `bits` bits in all; a period ends when half of its bits could be set.
    pub(crate) fn new(bits: usize) -> Self {
        let words = (bits / 128).clamp(16, 1 << 22).next_power_of_two();
        Self { words: [vec![0; words], vec![0; words]], current: 0, left: Self::period(words) }
    }

    /// A word of 64 bits holds eight keys of four bits with few errors.
    fn period(words: usize) -> usize {
        8 * words
    }

    /// Takes a key in; whether it was there already.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        let (word, mask) = spot(hash, self.words[0].len());
        let is_old = |words: &[u64]| words[word] & mask == mask;
        if is_old(&self.words[self.current]) {
            return true;
        }
        let was_before = is_old(&self.words[1 - self.current]);
        self.words[self.current][word] |= mask;
        self.left -= 1;
        if self.left == 0 {
            self.current = 1 - self.current;
            self.words[self.current].fill(0);
            self.left = Self::period(self.words[0].len());
        }
        was_before
    }
}

/// The word and the four bits in it that stand for a key, among `words` words, a power of two.
#[inline]
pub(crate) fn spot(hash: u64, words: usize) -> (usize, u64) {
    let word = (hash >> 24) as usize & (words - 1);
    let mask = (0..4).fold(0, |mask, i| mask | 1_u64 << (hash >> (6 * i) & 63));
    (word, mask)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use foresail_core::SeededRng;
    use proptest::prelude::*;

    use super::*;
    use crate::hash::HashKey;

    #[test]
    fn a_million_that_come_once_are_not_taken_for_frequent() {
        let key = HashKey::new([3, 4]);
        let mut sketch = CountMin::new(1 << 20);
        let wrong = (0..1_000_000).filter(|i| sketch.add(key.word(*i)) >= 4).count();
        assert!(wrong < 1_000, "{wrong}");
    }

    #[test]
    fn what_was_seen_is_known_and_little_else() {
        let key = HashKey::new([5, 6]);
        let mut seen = Seen::new(1 << 20);
        assert_eq!((0..20_000).filter(|i| seen.insert(key.word(*i))).count() / 200, 0);
        assert!((0..20_000).all(|i| seen.insert(key.word(i))));
        let wrong = (20_000..40_000).filter(|i| seen.insert(key.word(*i))).count();
        assert!(wrong < 400, "{wrong}");
    }

    proptest! {
        /// No key is counted too seldom, up to where counting ends.
        #[test]
        fn never_too_few(seed in any::<u64>(), keys in 1..200_usize) {
            let mut rng = SeededRng::seed_from_u64(seed);
            let (key, mut sketch, mut exact) = (HashKey::new([seed, 1]), CountMin::new(1), BTreeMap::new());
            for _ in 0..2_000 {
                let word = rng.below(keys) as u64;
                let truth = exact.entry(word).or_insert(0_u32);
                *truth += 1;
                prop_assert!(u32::from(sketch.add(key.word(word))) >= (*truth).min(255));
            }
        }
    }
}

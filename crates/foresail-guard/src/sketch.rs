//! Sketches of the request path: fixed memory, places chosen by the keyed hash.

/// Rows of a [`CountMin`], and counts of each that lie together.
const ROWS: usize = 4;
const COUNTS: usize = 16;

/// A count-min sketch (Cormode and Muthukrishnan 2005) of small counts with conservative update (Estan and Varghese 2002):
/// never counts too few up to 255, and stops there. The four counts of a key lie within 64 bytes, so that a stranger costs
/// one look at memory that is far away.
#[derive(Clone, Debug)]
pub(crate) struct CountMin {
    lines: Vec<[[u8; COUNTS]; ROWS]>,
}

impl CountMin {
    /// Of `bytes` bytes, rounded up to a power of two between 4,096 and 2^26.
    pub(crate) fn new(bytes: usize) -> Self {
        let lines = bytes.clamp(1 << 12, 1 << 26).next_power_of_two() / (ROWS * COUNTS);
        Self { lines: vec![[[0; COUNTS]; ROWS]; lines] }
    }

    /// Counts the key of which `hash` is the hash; how often it came, itself included, at least.
    #[inline]
    pub(crate) fn add(&mut self, hash: u64) -> u8 {
        let at = (hash >> 32) as usize & (self.lines.len() - 1);
        let line = &mut self.lines[at];
        let place = |row: usize| (hash >> (4 * row)) as usize % COUNTS;
        let least = (0..ROWS).map(|row| line[row][place(row)]).min().unwrap_or(0).saturating_add(1);
        for (row, counts) in line.iter_mut().enumerate() {
            let count = &mut counts[place(row)];
            *count = (*count).max(least);
        }
        least
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lines.len() * ROWS * COUNTS
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.lines.fill([[0; COUNTS]; ROWS]);
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
        let mut sketch = CountMin::new(1 << 22);
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

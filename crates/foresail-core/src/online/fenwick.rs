//! Counts that give their running total in 8 steps.

use serde::{Deserialize, Serialize};

/// Buckets of a [`Fenwick`].
pub(super) const BUCKETS: usize = 256;

/// Counts of 256 buckets as a binary indexed tree (P. M. Fenwick, "A new data structure for cumulative frequency tables",
/// Softw. Pract. Exper. 24(3), 1994). The counts must add up to less than 2¹⁶.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Fenwick {
    tree: Vec<u16>,
}

impl Fenwick {
    pub(super) fn new() -> Self {
        Self { tree: vec![0; BUCKETS] }
    }

    #[inline]
    pub(super) fn add(&mut self, bucket: usize, count: u16) {
        let mut node = bucket + 1;
        while node <= BUCKETS {
            self.tree[node - 1] += count;
            node += node & node.wrapping_neg();
        }
    }

    /// Total of all buckets before `bucket`, which may be one past the last.
    pub(super) fn before(&self, bucket: usize) -> u32 {
        let (mut node, mut sum) = (bucket, 0);
        while node > 0 {
            sum += u32::from(self.tree[node - 1]);
            node &= node - 1;
        }
        sum
    }

    pub(super) fn count(&self, bucket: usize) -> u32 {
        self.before(bucket + 1) - self.before(bucket)
    }

    /// The bucket that holds number `rank` (from 0) of all that was counted, and the total before it.
    pub(super) fn find(&self, rank: u32) -> (usize, u32) {
        let (mut bucket, mut before) = (0, 0);
        let mut stride = BUCKETS / 2;
        while stride > 0 {
            let reached = before + u32::from(self.tree[bucket + stride - 1]);
            if reached <= rank {
                (bucket, before) = (bucket + stride, reached);
            }
            stride /= 2;
        }
        (bucket, before)
    }

    pub(super) fn counts(&self) -> [u16; BUCKETS] {
        std::array::from_fn(|bucket| self.count(bucket) as u16)
    }

    /// Puts these counts into the place of those there are.
    pub(super) fn set(&mut self, counts: &[u16; BUCKETS]) {
        self.tree.fill(0);
        for (bucket, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.add(bucket, count);
        }
    }

    /// Whether restored counts are whole and add up to `total`.
    pub(super) fn is_sound(&self, total: u32) -> bool {
        self.tree.len() == BUCKETS
            && (0..BUCKETS).all(|bucket| self.before(bucket + 1) >= self.before(bucket))
            && self.before(BUCKETS) == total
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.tree.capacity() * size_of::<u16>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_and_ranks_agree_with_a_scan() {
        let counts: [u16; BUCKETS] = std::array::from_fn(|b| (b * 7919 % 13) as u16);
        let mut tree = Fenwick::new();
        tree.set(&counts);
        let total: u32 = counts.iter().map(|&c| u32::from(c)).sum();
        assert!(tree.is_sound(total) && !tree.is_sound(total + 1));
        assert_eq!(tree.counts(), counts);
        for rank in 0..total {
            let (bucket, before) = tree.find(rank);
            assert!(before <= rank && rank < before + u32::from(counts[bucket]));
            assert_eq!(before, counts[..bucket].iter().map(|&c| u32::from(c)).sum::<u32>());
        }
    }
}

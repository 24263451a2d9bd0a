//! How many different keys there were.

use serde::{Deserialize, Serialize};

use super::mix;
use crate::Error;

const BITS: u32 = 8;
const REGISTERS: usize = 1 << BITS;

/// HyperLogLog (Flajolet et al. 2007) of 256 registers: a standard error of 6.5 %, and by linear counting nearly exact below
/// some hundred keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct DistinctCount {
    registers: Vec<u8>,
}

impl DistinctCount {
    /// Of no keys.
    pub fn new() -> Self {
        Self { registers: vec![0; REGISTERS] }
    }

    /// Counts a key.
    #[inline]
    pub fn add(&mut self, key: u64) {
        let hash = mix(key);
        let register = &mut self.registers[(hash >> (64 - BITS)) as usize];
        let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() as u8 + 1;
        *register = (*register).max(rank);
    }

    /// How many different keys were counted, about.
    pub fn estimate(&self) -> f64 {
        let m = REGISTERS as f64;
        let sum: f64 = self.registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
        let empty = self.registers.iter().filter(|rank| **rank == 0).count();
        if raw <= 2.5 * m && empty > 0 { m * (m / empty as f64).ln() } else { raw }
    }

    /// Takes in what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (register, rank) in self.registers.iter_mut().zip(&other.registers) {
            *register = (*register).max(*rank);
        }
    }

    /// Forgets all keys.
    pub fn clear(&mut self) {
        self.registers.fill(0);
    }
}

impl Default for DistinctCount {
    fn default() -> Self {
        Self::new()
    }
}

impl From<DistinctCount> for Vec<u8> {
    fn from(count: DistinctCount) -> Self {
        count.registers
    }
}

impl TryFrom<Vec<u8>> for DistinctCount {
    type Error = Error;

    fn try_from(registers: Vec<u8>) -> Result<Self, Error> {
        if registers.len() == REGISTERS && registers.iter().all(|rank| *rank <= 65) {
            Ok(Self { registers })
        } else {
            Err(Error::BadSnapshot(format!("a count of distinct keys with {} registers", registers.len())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: u64, tolerance: f64) {
        let (mut one, mut other) = (DistinctCount::new(), DistinctCount::default());
        for key in 0..keys {
            for _ in 0..3 {
                if key % 2 == 0 { one.add(key) } else { other.add(key) }
            }
        }
        one.merge(&other);
        let estimate = one.estimate();
        assert!((estimate - keys as f64).abs() <= tolerance * keys as f64, "{estimate}, not {keys}");
    }

    #[test]
    fn counts_are_as_near_as_promised() {
        check(0, 0.0);
        check(1, 0.01);
        check(20, 0.1);
        check(200, 0.2);
        check(5_000, 0.2);
        check(300_000, 0.2);
    }

    #[test]
    fn only_what_was_saved_is_restored() {
        let mut count = DistinctCount::new();
        (0..50).for_each(|key| count.add(key));
        let text = serde_json::to_string(&count).unwrap();
        assert_eq!(serde_json::from_str::<DistinctCount>(&text).unwrap(), count);
        assert!(serde_json::from_str::<DistinctCount>("[1,2,3]").is_err());
    }
}

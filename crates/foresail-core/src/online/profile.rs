//! What is usual in each slot of a day or a week.

use serde::{Deserialize, Serialize};

/// One exponentially weighted value for each slot of a cycle. A slot that has never been visited stands at the mean of
/// those that have. Stored as `f32` with a byte of visits, 5 bytes a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalProfile {
    gain: f64,
    sum: f64,
    visited: u32,
    values: Box<[f32]>,
    visits: Vec<u8>,
}

impl SeasonalProfile {
    /// Of `slots` slots (at least 1), each of which forgets half of what it knew in `half_life` visits.
    pub fn new(slots: usize, half_life: f64) -> Self {
        let slots = slots.max(1);
        Self {
            gain: 1.0 - super::decay_per_tick(half_life),
            sum: 0.0,
            visited: 0,
            values: vec![0.0; slots].into(),
            visits: vec![0; slots],
        }
    }

    /// Slots in the cycle.
    pub fn slots(&self) -> usize {
        self.values.len()
    }

    /// Mean over the slots that have been visited; 0 before.
    #[inline]
    pub fn mean(&self) -> f64 {
        if self.visited == 0 { 0.0 } else { self.sum / f64::from(self.visited) }
    }

    /// The value of `slot`; a slot out of range or never visited is at the mean.
    #[inline]
    pub fn value(&self, slot: usize) -> f64 {
        match (self.visits.get(slot), self.values.get(slot)) {
            (Some(1..), Some(&value)) => f64::from(value),
            _ => self.mean(),
        }
    }

    /// Moves `slot` towards an observation that lay `error` above its value: all the way on the first visit, half on the
    /// second, and so on down to the gain of its half-life. Returns the part of the error that is left.
    #[inline]
    pub fn correct(&mut self, slot: usize, error: f64) -> f64 {
        let old = self.value(slot);
        let (Some(visits), Some(value)) = (self.visits.get_mut(slot), self.values.get_mut(slot)) else {
            return error;
        };
        // At 255 visits counting stops, and the gain settles.
        let gain = if *visits == u8::MAX { self.gain } else { self.gain.max(f64::from(*visits + 1).recip()) };
        let first = *visits == 0;
        *visits = visits.saturating_add(1);
        let new = (old + gain * error).clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
        // The sum follows what is stored, not what was meant, so it cannot drift away from the slots.
        self.sum += f64::from(new) - if first { 0.0 } else { f64::from(*value) };
        self.visited += u32::from(first);
        *value = new;
        error - gain * error
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        size_of_val::<[f32]>(&self.values) + self.visits.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_learn_fast_first_and_slowly_later() {
        let mut profile = SeasonalProfile::new(3, 4.0);
        assert_eq!(profile.correct(0, 6.0), 0.0);
        assert_eq!((profile.value(0), profile.value(1), profile.mean()), (6.0, 6.0, 6.0));
        assert_eq!(profile.correct(1, -4.0), 0.0); // stood at the mean, 6
        assert_eq!((profile.value(1), profile.mean()), (2.0, 4.0));
        assert_eq!(profile.correct(0, 2.0), 1.0); // second visit: half of it
        assert_eq!(profile.value(0), 7.0);
        for _ in 0..300 {
            let error = 10.0 - profile.value(2);
            profile.correct(2, error);
        }
        assert!((profile.value(2) - 10.0).abs() < 1e-5);
        let left = profile.correct(2, 1.0);
        assert!((left - 0.5_f64.powf(0.25)).abs() < 1e-12, "{left}");
        assert_eq!(profile.correct(3, 5.0), 5.0); // no such slot
    }
}

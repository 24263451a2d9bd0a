//! Smallest and largest value over sliding windows.

use serde::{Deserialize, Serialize};

use super::Ring;
use crate::Error;

/// Minimum and maximum of the observed values over several windows of one [`Ring`].
///
/// One monotonic deque for each of the two serves every window: its candidates are ordered by age, so a window's extreme
/// is the first candidate young enough, and a cursor a window remembers where that was. Amortised O(1) a window. Only
/// ticks are kept (2 bytes a candidate); the values are read back from the ring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct RollingExtremes {
    windows: Box<[u16]>,
    now: u16,
    low: Candidates,
    high: Candidates,
}

impl RollingExtremes {
    /// Over `windows`, each of 1 to 65,535 ticks.
    pub fn new(windows: &[usize]) -> Self {
        let windows: Box<[u16]> = windows.iter().map(|&w| u16::try_from(w.max(1)).unwrap_or(u16::MAX)).collect();
        let longest = windows.iter().copied().max().unwrap_or(1);
        let candidates = Candidates {
            ticks: vec![0; usize::from(longest)].into(),
            front: 0,
            len: 0,
            cursors: vec![0; windows.len()].into(),
        };
        Self { windows, now: 0, low: candidates.clone(), high: candidates }
    }

    /// Takes in the tick that was last pushed into `ring`, which must hold at least the longest window.
    #[inline]
    pub fn update(&mut self, ring: &Ring<f64>) {
        debug_assert!(ring.capacity() >= self.low.ticks.len(), "the ring is shorter than the longest window");
        self.now = self.now.wrapping_add(1);
        self.low.update(ring, self.now, &self.windows, |old, new| old >= new);
        self.high.update(ring, self.now, &self.windows, |old, new| old <= new);
    }

    /// The smallest value within window number `index`; `None` without any.
    #[inline]
    pub fn min(&self, ring: &Ring<f64>, index: usize) -> Option<f64> {
        self.low.best(ring, self.now, index)
    }

    /// The largest value within window number `index`; `None` without any.
    #[inline]
    pub fn max(&self, ring: &Ring<f64>, index: usize) -> Option<f64> {
        self.high.best(ring, self.now, index)
    }

    /// Its windows, ticks.
    pub fn windows(&self) -> impl Iterator<Item = usize> + '_ {
        self.windows.iter().map(|&w| usize::from(w))
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        let each = size_of_val::<[u16]>(&self.low.ticks) + size_of_val::<[u32]>(&self.low.cursors);
        2 * each + size_of_val::<[u16]>(&self.windows)
    }
}

/// A deque of the ticks that may still become an extreme, oldest (and best) first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Candidates {
    ticks: Box<[u16]>,
    front: u32,
    len: u32,
    /// For each window, how many candidates from the front are too old for it.
    cursors: Box<[u32]>,
}

impl Candidates {
    #[inline]
    fn slot(&self, place: u32) -> usize {
        let slot = (self.front + place) as usize;
        if slot >= self.ticks.len() { slot - self.ticks.len() } else { slot }
    }

    #[inline]
    fn age(&self, now: u16, place: u32) -> u16 {
        // Time wraps every 2^16 ticks, which is harmless: no candidate grows older than the longest window.
        now.wrapping_sub(self.ticks[self.slot(place)])
    }

    #[inline]
    fn update(&mut self, ring: &Ring<f64>, now: u16, windows: &[u16], beaten: impl Fn(f64, f64) -> bool) {
        if self.len > 0 && usize::from(self.age(now, 0)) >= self.ticks.len() {
            self.front = self.slot(1) as u32;
            self.len -= 1;
            for cursor in &mut self.cursors {
                *cursor = cursor.saturating_sub(1);
            }
        }
        if let Some(new) = ring.lag(0) {
            while self.len > 0 {
                let last = ring.lag(usize::from(self.age(now, self.len - 1)));
                if last.is_some_and(|old| !beaten(old, new)) {
                    break;
                }
                self.len -= 1;
            }
            let slot = self.slot(self.len);
            self.ticks[slot] = now;
            self.len += 1;
        }
        for (index, &window) in windows.iter().enumerate() {
            let mut cursor = self.cursors[index].min(self.len.saturating_sub(1));
            while cursor < self.len && self.age(now, cursor) >= window {
                cursor += 1;
            }
            self.cursors[index] = cursor;
        }
    }

    #[inline]
    fn best(&self, ring: &Ring<f64>, now: u16, index: usize) -> Option<f64> {
        let cursor = *self.cursors.get(index)?;
        if cursor < self.len { ring.lag(usize::from(self.age(now, cursor))) } else { None }
    }

    fn is_sound(&self, windows: &[u16]) -> bool {
        let room = self.ticks.len();
        room == usize::from(windows.iter().copied().max().unwrap_or(1))
            && (self.front as usize) < room
            && self.len as usize <= room
            && self.cursors.len() == windows.len()
            && self.cursors.iter().all(|&c| c <= self.len)
    }
}

#[derive(Deserialize)]
struct Saved {
    windows: Box<[u16]>,
    now: u16,
    low: Candidates,
    high: Candidates,
}

impl TryFrom<Saved> for RollingExtremes {
    type Error = Error;
    fn try_from(saved: Saved) -> Result<Self, Error> {
        if saved.windows.contains(&0) || !saved.low.is_sound(&saved.windows) || !saved.high.is_sound(&saved.windows) {
            return Err(Error::BadSnapshot("rolling extremes point outside their window".to_owned()));
        }
        Ok(Self { windows: saved.windows, now: saved.now, low: saved.low, high: saved.high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Every window's extremes are those of a scan, and a save and restore in between changes nothing.
        #[test]
        fn extremes_equal_a_scan(
            values in prop::collection::vec(prop::option::weighted(0.7, -5..5_i32), 1..120),
            windows in prop::collection::vec(1..20_usize, 1..5),
        ) {
            let longest = windows.iter().copied().max().unwrap_or(1);
            let mut ring = Ring::new(longest);
            let mut extremes = RollingExtremes::new(&windows);
            for end in 1..=values.len() {
                ring.push(values[end - 1].map(f64::from));
                extremes.update(&ring);
                for (index, &window) in windows.iter().enumerate() {
                    let seen = values[end.saturating_sub(window)..end].iter().flatten();
                    prop_assert_eq!(extremes.min(&ring, index), seen.clone().min().map(|&v| f64::from(v)));
                    prop_assert_eq!(extremes.max(&ring, index), seen.max().map(|&v| f64::from(v)));
                }
                if end % 7 == 0 {
                    let text = serde_json::to_string(&extremes).unwrap();
                    let back: RollingExtremes = serde_json::from_str(&text).unwrap();
                    prop_assert_eq!(&back, &extremes);
                    extremes = back;
                }
            }
        }
    }

    #[test]
    fn broken_state_is_refused() {
        let text = serde_json::to_string(&RollingExtremes::new(&[3])).unwrap();
        assert!(serde_json::from_str::<RollingExtremes>(&text).is_ok());
        for (from, to) in [("\"front\":0", "\"front\":3"), ("\"len\":0", "\"len\":4"), ("[3]", "[4]"), ("[3]", "[0]")] {
            assert!(serde_json::from_str::<RollingExtremes>(&text.replacen(from, to, 1)).is_err(), "{from} to {to}");
        }
    }
}

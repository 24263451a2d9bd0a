//! The usual statistics over several windows of one series.

use serde::{Deserialize, Serialize};

use super::{Moments, Ring, RollingExtremes, RollingMoments};
use crate::Error;

/// Mean, spread, minimum and maximum over several windows of one series, all ending at the newest tick and sharing one
/// history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Saved")]
pub struct Rolling {
    ring: Ring<f64>,
    moments: Vec<RollingMoments>,
    extremes: RollingExtremes,
}

impl Rolling {
    /// Over `windows`, each of 1 to 65,535 ticks.
    pub fn new(windows: &[usize]) -> Self {
        Self::with_history(windows, 0)
    }

    /// Over `windows`, with a history of at least `history` ticks for others to look at.
    pub fn with_history(windows: &[usize], history: usize) -> Self {
        let extremes = RollingExtremes::new(windows);
        let longest = extremes.windows().max().unwrap_or(1);
        Self {
            ring: Ring::new(history.max(longest + 1)),
            moments: extremes.windows().map(RollingMoments::new).collect(),
            extremes,
        }
    }

    /// Takes in one tick.
    #[inline]
    pub fn push(&mut self, value: Option<f64>) {
        self.ring.push(value);
        for moments in &mut self.moments {
            moments.update(&self.ring);
        }
        self.extremes.update(&self.ring);
    }

    /// The history: at least one tick more than the longest window.
    #[inline]
    pub fn ring(&self) -> &Ring<f64> {
        &self.ring
    }

    /// Moments within window number `index`; `None` without any value there.
    #[inline]
    pub fn moments(&self, index: usize) -> Option<Moments> {
        self.moments.get(index)?.moments()
    }

    /// Smallest value within window number `index`.
    #[inline]
    pub fn min(&self, index: usize) -> Option<f64> {
        self.extremes.min(&self.ring, index)
    }

    /// Largest value within window number `index`.
    #[inline]
    pub fn max(&self, index: usize) -> Option<f64> {
        self.extremes.max(&self.ring, index)
    }

    /// Its windows, ticks.
    pub fn windows(&self) -> impl Iterator<Item = usize> + '_ {
        self.moments.iter().map(RollingMoments::window)
    }

    /// Bytes on the heap besides the history in [`Rolling::ring`].
    pub fn heap_bytes(&self) -> usize {
        self.extremes.heap_bytes() + self.moments.capacity() * size_of::<RollingMoments>()
    }
}

#[derive(Deserialize)]
struct Saved {
    ring: Ring<f64>,
    moments: Vec<RollingMoments>,
    extremes: RollingExtremes,
}

impl TryFrom<Saved> for Rolling {
    type Error = Error;
    fn try_from(saved: Saved) -> Result<Self, Error> {
        let longest = saved.moments.iter().map(RollingMoments::window).max().unwrap_or(1);
        let windows = saved.moments.iter().map(RollingMoments::window);
        if saved.ring.capacity() <= longest || !windows.eq(saved.extremes.windows()) {
            return Err(Error::BadSnapshot("rolling windows do not fit their history".to_owned()));
        }
        Ok(Self { ring: saved.ring, moments: saved.moments, extremes: saved.extremes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_share_one_history() {
        let mut rolling = Rolling::new(&[2, 4]);
        for value in [Some(9.0), Some(1.0), None, Some(5.0)] {
            rolling.push(value);
        }
        assert_eq!(rolling.moments(0), Some(Moments { count: 1, mean: 5.0, squares: 0.0 }));
        assert_eq!(rolling.moments(1).map(|m| (m.count, m.mean)), Some((3, 5.0)));
        assert_eq!((rolling.min(1), rolling.max(1), rolling.min(0)), (Some(1.0), Some(9.0), Some(5.0)));
        assert_eq!((rolling.moments(2), rolling.min(2)), (None, None));
        rolling.push(None);
        rolling.push(None);
        assert_eq!((rolling.moments(0), rolling.max(0), rolling.max(1)), (None, None, Some(5.0)));
    }

    #[test]
    fn parts_that_do_not_belong_together_are_refused() {
        let text = serde_json::to_string(&Rolling::new(&[2, 4])).unwrap();
        assert!(serde_json::from_str::<Rolling>(&text).is_ok());
        assert!(serde_json::from_str::<Rolling>(&text.replacen("\"window\":2", "\"window\":3", 1)).is_err());
        assert!(serde_json::from_str::<Rolling>(&text.replacen("\"slots\":[null,", "\"slots\":[", 1)).is_err());
    }
}

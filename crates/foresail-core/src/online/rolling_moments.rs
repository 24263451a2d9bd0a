//! Mean and variance over a sliding window.

use serde::{Deserialize, Serialize};

use super::{CompensatedSum, Moments, Ring};

/// Mean and variance of the observed values among the last `window` ticks of a [`Ring`].
///
/// Compensated running sums of deviations from an origin inside the data; every `window` updates, and when the data have
/// left the origin behind, they are summed anew about the then mean, which bounds the drift. Amortised O(1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollingMoments {
    window: u32,
    count: u32,
    since_resum: u32,
    origin: f64,
    first: CompensatedSum,
    second: CompensatedSum,
}

impl RollingMoments {
    /// Over `window` ticks, at least 1.
    pub fn new(window: usize) -> Self {
        Self {
            window: u32::try_from(window.max(1)).unwrap_or(u32::MAX),
            count: 0,
            since_resum: 0,
            origin: 0.0,
            first: CompensatedSum::default(),
            second: CompensatedSum::default(),
        }
    }

    /// Takes in the tick that was last pushed into `ring`, which must hold at least `window + 1` ticks.
    #[inline]
    pub fn update(&mut self, ring: &Ring<f64>) {
        debug_assert!(ring.capacity() > self.window as usize, "the ring forgets what the window must let go");
        if let Some(old) = ring.lag(self.window as usize) {
            self.count = self.count.saturating_sub(1);
            let deviation = old - self.origin;
            self.first.add(-deviation);
            self.second.add(-deviation * deviation);
        }
        let new = ring.lag(0);
        if self.count == 0 {
            // An empty window has no history, not even a rounding error.
            self.origin = new.unwrap_or(0.0);
            (self.first, self.second) = Default::default();
            self.since_resum = 0;
        }
        let Some(new) = new else {
            if self.count > 0 {
                self.tick(ring);
            }
            return;
        };
        let deviation = new - self.origin;
        self.count += 1;
        self.first.add(deviation);
        self.second.add(deviation * deviation);
        self.tick(ring);
    }

    #[inline]
    fn tick(&mut self, ring: &Ring<f64>) {
        self.since_resum += 1;
        if self.since_resum >= self.window || self.is_far_off() {
            self.resum(ring);
        }
    }

    /// Whether the data have moved so far from the origin that their spread drowns in their distance from it. Happens
    /// once for each such move, since summing anew brings the origin back.
    #[inline]
    fn is_far_off(&self) -> bool {
        let (n, first) = (f64::from(self.count), self.first.value());
        let distance = first * first / n;
        distance > 1e6 * (self.second.value() - distance) && first.abs() > 1e-6 * n * self.origin.abs()
    }

    fn resum(&mut self, ring: &Ring<f64>) {
        self.origin += self.first.value() / f64::from(self.count);
        (self.first, self.second) = Default::default();
        for value in (0..self.window as usize).filter_map(|age| ring.lag(age)) {
            let deviation = value - self.origin;
            self.first.add(deviation);
            self.second.add(deviation * deviation);
        }
        self.since_resum = 0;
    }

    /// The moments of the observed values in the window; `None` if there are none.
    #[inline]
    pub fn moments(&self) -> Option<Moments> {
        if self.count == 0 {
            return None;
        }
        let (n, first) = (f64::from(self.count), self.first.value());
        let squares = (self.second.value() - first * first / n).max(0.0);
        Some(Moments { count: self.count, mean: self.origin + first / n, squares })
    }

    /// Its length, ticks.
    pub fn window(&self) -> usize {
        self.window as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(values: &[Option<f64>], window: usize) -> Option<(u32, f64, f64)> {
        let seen: Vec<f64> = values[values.len().saturating_sub(window)..].iter().flatten().copied().collect();
        let mean = seen.iter().sum::<f64>() / seen.len() as f64;
        let squares = seen.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        (!seen.is_empty()).then_some((seen.len() as u32, mean, squares))
    }

    proptest! {
        /// The running sums stay with what a fresh sum over the window gives, after spikes and gaps too.
        #[test]
        fn running_equals_recomputed(
            values in prop::collection::vec(prop::option::weighted(0.8, prop_oneof![-1e3..1e3_f64, Just(1e9), Just(0.0)]), 1..200),
            window in 1..40_usize,
        ) {
            let mut ring = Ring::new(window + 1);
            let mut rolling = RollingMoments::new(window);
            for end in 1..=values.len() {
                ring.push(values[end - 1]);
                rolling.update(&ring);
                let found = rolling.moments().map(|m| (m.count, m.mean, m.squares));
                match (found, naive(&values[..end], window)) {
                    (None, None) => {}
                    (Some((n, mean, squares)), Some((n0, mean0, squares0))) => {
                        prop_assert_eq!(n, n0);
                        prop_assert!((mean - mean0).abs() <= 1e-9 * (1.0 + mean0.abs()), "{} {}", mean, mean0);
                        prop_assert!((squares - squares0).abs() <= 1e-6 * (squares0 + 1e-3), "{} {}", squares, squares0);
                    }
                    (found, expected) => prop_assert!(false, "{:?} {:?}", found, expected),
                }
            }
        }
    }

    #[test]
    fn a_constant_has_no_spread_at_all() {
        let mut ring = Ring::new(8);
        let mut rolling = RollingMoments::new(7);
        for _ in 0..100 {
            ring.push(Some(0.1));
            rolling.update(&ring);
            let moments = rolling.moments().unwrap();
            assert_eq!((moments.mean, moments.squares), (0.1, 0.0));
        }
    }
}

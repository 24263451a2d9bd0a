//! Least-squares slope over a sliding window.

use serde::{Deserialize, Serialize};

use super::{CompensatedSum, Ring};

/// Slope of the least-squares line through the observed values among the last `window` ticks of a [`Ring`], a tick.
///
/// Running sums of t, t², y and t·y with t counted back from the newest tick: the sums of t are whole numbers and exact;
/// those of y are compensated and summed anew every `window` updates. Amortised O(1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RollingSlope {
    window: u32,
    since_resum: u32,
    count: i64,
    times: i64,
    squares: i64,
    origin: f64,
    values: CompensatedSum,
    products: CompensatedSum,
}

impl RollingSlope {
    /// Over `window` ticks, at least 2 (and at most a million, so that the sums of t² stay exact).
    pub fn new(window: usize) -> Self {
        Self {
            window: window.clamp(2, 1_000_000) as u32,
            since_resum: 0,
            count: 0,
            times: 0,
            squares: 0,
            origin: 0.0,
            values: CompensatedSum::default(),
            products: CompensatedSum::default(),
        }
    }

    /// Takes in the tick that was last pushed into `ring`, which must hold at least `window + 1` ticks.
    #[inline]
    pub fn update(&mut self, ring: &Ring<f64>) {
        debug_assert!(ring.capacity() > self.window as usize, "the ring forgets what the window must let go");
        // A tick has passed: every t falls by one.
        self.squares += self.count - 2 * self.times;
        self.times -= self.count;
        let values = self.values;
        self.products.add_sum(values, -1.0);
        if let Some(old) = ring.lag(self.window as usize) {
            let (age, deviation) = (i64::from(self.window), old - self.origin);
            self.count -= 1;
            self.times += age;
            self.squares -= age * age;
            self.values.add(-deviation);
            self.products.add(age as f64 * deviation);
        }
        if self.count == 0 {
            *self = Self { origin: ring.lag(0).unwrap_or(0.0), ..Self::new(self.window as usize) };
        }
        if let Some(new) = ring.lag(0) {
            self.count += 1;
            self.values.add(new - self.origin);
        }
        if self.count > 0 {
            self.since_resum += 1;
            if self.since_resum >= self.window {
                self.resum(ring);
            }
        }
    }

    fn resum(&mut self, ring: &Ring<f64>) {
        self.origin += self.values.value() / self.count as f64;
        (self.values, self.products) = Default::default();
        for age in 0..self.window as usize {
            if let Some(value) = ring.lag(age) {
                let deviation = value - self.origin;
                self.values.add(deviation);
                self.products.add(-(age as f64) * deviation);
            }
        }
        self.since_resum = 0;
    }

    /// Its length, ticks.
    pub fn window(&self) -> usize {
        self.window as usize
    }

    /// Rise a tick; `None` with fewer than two values in the window.
    #[inline]
    pub fn slope(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let (n, times) = (self.count as f64, self.times as f64);
        let spread = n * self.squares as f64 - times * times;
        Some((n * self.products.value() - times * self.values.value()) / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(values: &[Option<f64>]) -> Option<f64> {
        let seen: Vec<(f64, f64)> = values.iter().enumerate().filter_map(|(t, v)| Some((t as f64, (*v)?))).collect();
        let n = seen.len() as f64;
        let (t, y) = (seen.iter().map(|p| p.0).sum::<f64>() / n, seen.iter().map(|p| p.1).sum::<f64>() / n);
        let spread: f64 = seen.iter().map(|p| (p.0 - t).powi(2)).sum();
        (seen.len() > 1).then(|| seen.iter().map(|p| (p.0 - t) * (p.1 - y)).sum::<f64>() / spread)
    }

    proptest! {
        /// The running slope stays with a fit from scratch.
        #[test]
        fn running_equals_refitted(
            values in prop::collection::vec(prop::option::weighted(0.8, -1e4..1e4_f64), 1..200),
            window in 2..40_usize,
        ) {
            let mut ring = Ring::new(window + 1);
            let mut slope = RollingSlope::new(window);
            for end in 1..=values.len() {
                ring.push(values[end - 1]);
                slope.update(&ring);
                match (slope.slope(), naive(&values[end.saturating_sub(window)..end])) {
                    (None, None) => {}
                    (Some(found), Some(expected)) => prop_assert!((found - expected).abs() < 1e-7, "{} {}", found, expected),
                    (found, expected) => prop_assert!(false, "{:?} {:?}", found, expected),
                }
            }
        }
    }
}

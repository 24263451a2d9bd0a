//! What residuals are like while nothing has changed.

use foresail_core::online::LARGEST;
use serde::{Deserialize, Serialize};

use super::median;

/// Values count as this many standard deviations at most, so that what is odd teaches little.
const WINSOR: f64 = 3.0;
/// Mean magnitude of a standard normal value, and its standard deviation.
pub(super) const MEAN_MAGNITUDE: f64 = 0.797_884_560_802_865_4;
/// Autocorrelation is taken to be no more than this: beyond, no window would ever hold enough.
const MOST_PHI: f64 = 0.95;

/// Location, spread and first-order autocorrelation of the residuals, learned point by point from winsorised values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Baseline {
    pub(super) location: f64,
    /// Standard deviation, above 0.
    pub(super) scale: f64,
    /// Means of products of neighbours and of squares, both standardised.
    product: f64,
    square: f64,
    /// Points' worth of knowledge.
    pub(super) count: f64,
    memory: f64,
    /// The standardised point before, if it was observed.
    previous: Option<f64>,
}

impl Baseline {
    /// From points in their order; those missing between them are left out.
    pub(super) fn of(points: &[f64], memory: f64) -> Self {
        let mut sorted = points.to_vec();
        let location = median(&mut sorted);
        sorted.iter_mut().for_each(|v| *v = (*v - location).abs());
        let mean = sorted.iter().sum::<f64>() / sorted.len().max(1) as f64;
        let deviation = 1.4826 * median(&mut sorted);
        // More than half alike have no median deviation; what differs then is all there is to go by.
        let scale = if deviation > 0.0 { deviation } else { mean / MEAN_MAGNITUDE };
        let mut found = Self {
            location,
            scale: floor(scale, location),
            product: 0.0,
            square: 1.0,
            count: 1.0,
            memory,
            previous: None,
        };
        let scores: Vec<f64> = points.iter().map(|v| found.clipped(*v)).collect();
        let count = scores.len().max(2) as f64;
        found.square = scores.iter().map(|z| z * z).sum::<f64>() / count;
        found.product = scores.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / (count - 1.0);
        found.count = count;
        found.previous = scores.last().copied();
        found
    }

    /// Standardised residual; magnitudes beyond 10⁶ count as that.
    pub(super) fn score(&self, value: f64) -> f64 {
        ((value - self.location) / self.scale).clamp(-1e6, 1e6)
    }

    fn clipped(&self, value: f64) -> f64 {
        self.score(value).clamp(-WINSOR, WINSOR)
    }

    /// Autocorrelation of neighbours, 0 to 0.95, with the bias of few points made up for (Marriott and Pope 1954).
    pub(super) fn phi(&self) -> f64 {
        let plain = if self.square > 0.0 { self.product / self.square } else { 0.0 };
        (plain + (1.0 + 3.0 * plain) / self.count).clamp(0.0, MOST_PHI)
    }

    /// What this point brings that the one before did not foretell, of unit variance while nothing has changed; to be asked
    /// before the point is learned or skipped.
    pub(super) fn innovation(&self, value: f64) -> f64 {
        let score = self.score(value);
        match self.previous {
            Some(previous) => {
                let phi = self.phi();
                (score - phi * previous) / (1.0 - phi * phi).sqrt()
            }
            None => score,
        }
    }

    /// Whether all points have been alike, as of a flat line: then neither spread nor autocorrelation says anything.
    pub(super) fn is_flat(&self) -> bool {
        self.scale <= 2.0 * floor(0.0, self.location)
    }

    /// Learns from a point.
    pub(super) fn learn(&mut self, value: f64) {
        let score = self.clipped(value);
        self.count = (self.count + 1.0).min(self.memory);
        let pace = 1.0 / self.count;
        self.square += pace * (score * score - self.square);
        if let Some(previous) = self.previous {
            self.product += pace * (score * previous - self.product);
        }
        self.previous = Some(score);
        // The mean magnitude tells the spread, the mean the location; both of winsorised values.
        let spread = score.abs() / MEAN_MAGNITUDE;
        self.location += pace * score * self.scale;
        self.scale = floor(self.scale * (1.0 + pace * (spread - 1.0)), self.location);
    }

    /// Keeps a point as the one before the next, without learning from it.
    pub(super) fn skip(&mut self, value: Option<f64>) {
        // Unclipped up to a point: what follows a spike is foretold by it.
        self.previous = value.map(|value| self.score(value).clamp(-10.0, 10.0));
    }

    /// A refitted model is expected to be right on average: location 0, known only as well as `count` points tell.
    pub(super) fn recentre(&mut self, count: f64) {
        self.location = 0.0;
        self.count = self.count.min(count);
        self.previous = None;
    }

    pub(super) fn is_sound(&self) -> bool {
        let numbers = [self.location, self.scale, self.product, self.square, self.count, self.memory];
        numbers.iter().all(|v| v.is_finite() && v.abs() <= 4.0 * LARGEST)
            && self.scale > 0.0
            && self.count >= 1.0
            && self.previous.is_none_or(|z| z.abs() <= 10.0)
    }
}

/// A spread of nothing, as of a flat line, becomes a very small one.
fn floor(scale: f64, location: f64) -> f64 {
    scale.max(1e-9 * location.abs()).max(1e-100)
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    fn check(phi: f64, level: f64, spread: f64) {
        let mut rng = SeededRng::seed_from_u64(9);
        let mut state = 0.0;
        let points: Vec<f64> = (0..20_000)
            .map(|_| {
                state = phi * state + (1.0 - phi * phi).sqrt() * rng.normal();
                level + spread * state
            })
            .collect();
        let (first, rest) = points.split_at(200);
        let mut baseline = Baseline::of(first, 5_000.0);
        rest.iter().for_each(|v| baseline.learn(*v));
        assert!((baseline.phi() - phi).abs() < 0.05, "{}", baseline.phi());
        assert!((baseline.location - level).abs() < 0.15 * spread, "{}", baseline.location);
        assert!((baseline.scale / spread - 1.0).abs() < 0.06, "{}", baseline.scale);
    }

    #[test]
    fn level_spread_and_autocorrelation_are_found_in_any_unit() {
        check(0.0, 0.0, 1.0);
        check(0.7, 0.0, 1.0);
        check(0.9, 1e7, 1e5);
        check(0.3, -2e-8, 1e-9);
    }

    #[test]
    fn odd_values_teach_little() {
        let mut rng = SeededRng::seed_from_u64(2);
        let points: Vec<f64> = (0..200).map(|_| rng.normal()).collect();
        let mut baseline = Baseline::of(&points, 1_000.0);
        let before = baseline.clone();
        (0..10).for_each(|_| baseline.learn(1e30));
        assert!((baseline.location - before.location).abs() < 0.2 && baseline.scale < 1.2 * before.scale);
    }
}

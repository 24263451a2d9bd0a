//! Do two things go together?

use serde::{Deserialize, Serialize};

/// Means, variances and covariance of pairs, one pass (Welford 1962; joined by Chan et al. 1979).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Comoments {
    count: f64,
    mean_x: f64,
    mean_y: f64,
    square_x: f64,
    square_y: f64,
    product: f64,
}

impl Comoments {
    #[inline]
    pub(super) fn push(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        let (before_x, before_y) = (x - self.mean_x, y - self.mean_y);
        self.mean_x += before_x / self.count;
        self.mean_y += before_y / self.count;
        self.square_x += before_x * (x - self.mean_x);
        self.square_y += before_y * (y - self.mean_y);
        self.product += before_x * (y - self.mean_y);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let count = self.count + other.count;
        if other.count == 0.0 {
            return;
        }
        let (dx, dy) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let weight = self.count * other.count / count;
        self.square_x += other.square_x + weight * dx * dx;
        self.square_y += other.square_y + weight * dy * dy;
        self.product += other.product + weight * dx * dy;
        self.mean_x += dx * other.count / count;
        self.mean_y += dy * other.count / count;
        self.count = count;
    }

    pub(super) fn mean_x(&self) -> Option<f64> {
        (self.count > 0.0).then_some(self.mean_x)
    }

    /// −1 to 1; `None` of fewer than eight pairs, or where either does not vary.
    pub(super) fn correlation(&self) -> Option<f64> {
        let spread = (self.square_x * self.square_y).sqrt();
        let enough = self.count >= 8.0 && spread > 1e-12 * self.count;
        enough.then(|| (self.product / spread).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    #[test]
    fn correlation_is_found_and_joins() {
        let mut rng = SeededRng::seed_from_u64(3);
        let (mut whole, mut parts) = (Comoments::default(), [Comoments::default(); 2]);
        for i in 0..4_000 {
            let x = rng.normal();
            let y = 5.0 + 0.6 * x + 0.8 * rng.normal();
            whole.push(x, y);
            parts[usize::from(i % 3 == 0)].push(x, y);
        }
        let [mut one, other] = parts;
        one.merge(&other);
        one.merge(&Comoments::default());
        let correlation = whole.correlation().unwrap();
        assert!((correlation - 0.6).abs() < 0.03 && (one.correlation().unwrap() - correlation).abs() < 1e-9);
        assert_eq!(Comoments::default().correlation(), None);
    }
}

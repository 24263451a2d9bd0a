//! Quantiles of the last so many scores.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The last `capacity` scores, in the order of arrival and sorted. Taking one in costs O(capacity) moves of memory, a
/// quantile O(1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreWindow {
    capacity: usize,
    arrived: VecDeque<f32>,
    sorted: Vec<f32>,
}

impl ScoreWindow {
    /// An empty window of at least one score.
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), arrived: VecDeque::new(), sorted: Vec::new() }
    }

    /// Takes in a score, dropping the oldest if the window is full; one that is not finite is left out.
    pub fn push(&mut self, score: f64) {
        let score = score as f32;
        if !score.is_finite() {
            return;
        }
        if self.arrived.len() == self.capacity
            && let Some(oldest) = self.arrived.pop_front()
        {
            let at = self.sorted.partition_point(|s| *s < oldest);
            self.sorted.remove(at);
        }
        self.arrived.push_back(score);
        let at = self.sorted.partition_point(|s| *s < score);
        self.sorted.insert(at, score);
    }

    /// Scores held.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// The `level` quantile, linear between the scores placed at `i / (n + 1)` (type 6 of Hyndman & Fan, "Sample
    /// quantiles in statistical packages", 1996), which is the finite-sample correction of conformal prediction; the
    /// extreme scores beyond them, 0 if empty.
    pub fn quantile(&self, level: f64) -> f64 {
        let n = self.sorted.len();
        if n == 0 {
            return 0.0;
        }
        let position = (level * (n as f64 + 1.0) - 1.0).clamp(0.0, (n - 1) as f64);
        let below = position as usize;
        let above = (below + 1).min(n - 1);
        let (low, high) = (f64::from(self.sorted[below]), f64::from(self.sorted[above]));
        low + (high - low) * (position - below as f64)
    }

    /// Mean of the scores above `threshold` less the threshold, and how many there are.
    pub(super) fn excess_over(&self, threshold: f64) -> (f64, usize) {
        let from = self.sorted.partition_point(|s| f64::from(*s) <= threshold);
        let above = &self.sorted[from..];
        let sum: f64 = above.iter().map(|s| f64::from(*s) - threshold).sum();
        (sum / above.len().max(1) as f64, above.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_by_hand_and_the_oldest_leaves() {
        let mut window = ScoreWindow::new(3);
        assert_eq!(window.quantile(0.5), 0.0);
        for score in [9.0, 1.0, 3.0, 2.0, f64::NAN] {
            window.push(score);
        }
        assert_eq!(window.len(), 3); // 1, 3, 2: the 9 has left
        assert_eq!(window.quantile(0.5), 2.0);
        assert_eq!(window.quantile(0.375), 1.5);
        assert_eq!((window.quantile(0.0), window.quantile(1.0)), (1.0, 3.0));
        assert_eq!(window.excess_over(1.0), (1.5, 2));
    }

    proptest::proptest! {
        /// The sorted copy holds what arrived, in order.
        #[test]
        fn sorted_is_what_arrived(scores in proptest::collection::vec(-5.0..5.0_f64, 1..200), capacity in 1_usize..50) {
            let mut window = ScoreWindow::new(capacity);
            scores.iter().for_each(|s| window.push(*s));
            let mut expected: Vec<f32> = scores.iter().rev().take(capacity).map(|s| *s as f32).collect();
            expected.sort_by(f32::total_cmp);
            proptest::prop_assert_eq!(window.sorted, expected);
        }
    }
}

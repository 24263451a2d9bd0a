//! The steps ahead at which errors are tracked.

use serde::{Deserialize, Serialize};

/// Steps ahead, ascending from 1 to the longest; what lies between two of them is interpolated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Knots(Vec<usize>);

impl Knots {
    /// All steps up to `dense`, then `ratio` apart, ending at `longest` exactly.
    pub(crate) fn new(longest: usize, dense: usize, ratio: f64) -> Self {
        let longest = longest.max(1);
        let mut steps = vec![1];
        let mut last = 1;
        while last < longest {
            let apart = if last < dense { 1 } else { ((last as f64 * (ratio - 1.0)) as usize).max(1) };
            last = (last + apart).min(longest);
            steps.push(last);
        }
        Self(steps)
    }

    /// Whether restored knots ascend from 1.
    pub(crate) fn is_sound(&self) -> bool {
        self.0.first() == Some(&1) && self.0.windows(2).all(|pair| pair[0] < pair[1])
    }

    pub(crate) fn steps(&self) -> &[usize] {
        &self.0
    }

    pub(crate) fn longest(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// The knots below and above `step` and the weight of the one above; beyond the longest, the longest alone.
    pub(crate) fn around(&self, step: usize) -> (usize, usize, f64) {
        let above = self.0.partition_point(|s| *s < step).min(self.0.len() - 1);
        if self.0[above] <= step || above == 0 {
            return (above, above, 0.0);
        }
        let below = above - 1;
        (below, above, (step - self.0[below]) as f64 / (self.0[above] - self.0[below]) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knots_are_dense_first_and_end_at_the_longest() {
        assert_eq!(Knots::new(5, 64, 1.1).steps(), [1, 2, 3, 4, 5]);
        assert_eq!(Knots::new(30, 3, 1.5).steps(), [1, 2, 3, 4, 6, 9, 13, 19, 28, 30]);
        assert_eq!(Knots::new(0, 3, 1.5).steps(), [1]);
        assert!(Knots::new(1440, 32, 1.1).steps().len() < 90);
    }

    #[test]
    fn between_knots_the_nearer_weighs_more() {
        let knots = Knots::new(30, 3, 1.5);
        assert_eq!(knots.around(1), (0, 0, 0.0));
        assert_eq!(knots.around(6), (4, 4, 0.0));
        assert_eq!(knots.around(7), (4, 5, 1.0 / 3.0));
        assert_eq!(knots.around(99), (9, 9, 0.0));
    }
}

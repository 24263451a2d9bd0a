//! Cumulative sums that notice small, lasting shifts.

use serde::{Deserialize, Serialize};

use super::admit;

/// Page's two one-sided cumulative sums (E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954) of a
/// standardised error. Unlike the textbook chart they do not reset on alarm but saturate, so that they can serve as a
/// feature: after a shift has been learned they fall back by the slack a tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    slack: f64,
    limit: f64,
    up: f64,
    down: f64,
}

impl Cusum {
    /// `slack` is the deviation that is tolerated, usually half the shift to be found, at least 0; `limit` is where the
    /// sums saturate, above 0. Both in standard deviations.
    pub fn new(slack: f64, limit: f64) -> Self {
        Self { slack: slack.max(0.0), limit: limit.max(0.0), up: 0.0, down: 0.0 }
    }

    /// Takes in one standardised error; a gap changes nothing.
    #[inline]
    pub fn push(&mut self, error: Option<f64>) {
        if let Some(error) = admit(error) {
            self.up = (self.up + error - self.slack).clamp(0.0, self.limit);
            self.down = (self.down - error - self.slack).clamp(0.0, self.limit);
        }
    }

    /// Evidence for a rise, 0 to the limit.
    #[inline]
    pub fn up(&self) -> f64 {
        self.up
    }

    /// Evidence for a fall, 0 to the limit.
    #[inline]
    pub fn down(&self) -> f64 {
        self.down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_rise_on_their_side_saturate_and_fall_back() {
        let mut cusum = Cusum::new(0.5, 4.0);
        for error in [Some(1.0), Some(2.0), None, Some(-0.5)] {
            cusum.push(error);
        }
        assert_eq!((cusum.up(), cusum.down()), (1.0, 0.0));
        (0..9).for_each(|_| cusum.push(Some(-3.0)));
        assert_eq!((cusum.up(), cusum.down()), (0.0, 4.0));
        cusum.push(Some(0.0));
        assert_eq!(cusum.down(), 3.5);
    }
}

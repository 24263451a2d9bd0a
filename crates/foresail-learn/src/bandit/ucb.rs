//! Upper confidence bounds: UCB1 (Auer, Cesa-Bianchi and Fischer 2002, "Finite-time Analysis of the Multiarmed Bandit
//! Problem", figure 1) and discounted UCB (Garivier and Moulines 2011, "On Upper-Confidence Bound Policies for Switching
//! Bandit Problems", section 2), which forgets.

use serde::{Deserialize, Serialize};

use crate::Error;

/// The optimistic value of an arm of `mean` reward after `plays` of `total` plays: mean + √(`exploration` · ln total /
/// plays). With rewards in 0 to 1, an `exploration` of 2 is UCB1, and 4ξ is discounted UCB, whose authors take ξ = 0.6.
/// Infinite for an arm never played.
pub fn ucb_index(mean: f64, plays: f64, total: f64, exploration: f64) -> f64 {
    if plays > 0.0 { mean + (exploration * total.max(1.0).ln() / plays).sqrt() } else { f64::INFINITY }
}

/// A mean whose samples lose weight as time goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "(f64, f64)", into = "(f64, f64)")]
pub struct DiscountedMean {
    weight: f64,
    sum: f64,
}

impl DiscountedMean {
    /// Takes in a reward; what is not finite is left out.
    pub fn observe(&mut self, reward: f64) {
        if reward.is_finite() {
            self.weight += 1.0;
            self.sum += reward;
        }
    }

    /// Keeps the share `keep`, 0 to 1, of all that was seen.
    pub fn discount(&mut self, keep: f64) {
        let keep = keep.clamp(0.0, 1.0);
        self.weight *= keep;
        self.sum *= keep;
    }

    /// How many samples it is worth.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The mean; 0 if nothing is left.
    pub fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.sum / self.weight } else { 0.0 }
    }
}

impl From<DiscountedMean> for (f64, f64) {
    fn from(mean: DiscountedMean) -> Self {
        (mean.weight, mean.sum)
    }
}

impl TryFrom<(f64, f64)> for DiscountedMean {
    type Error = Error;

    fn try_from((weight, sum): (f64, f64)) -> Result<Self, Error> {
        if weight.is_finite() && weight >= 0.0 && sum.is_finite() {
            Ok(Self { weight, sum })
        } else {
            let value = format!("{sum} of weight {weight}");
            Err(Error::BadParameter { parameter: "discounted_mean", value, range: "finite, of weight 0 or more" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_paper() {
        assert!((ucb_index(0.5, 10.0, 100.0, 2.0) - (0.5 + (2.0 * 100.0_f64.ln() / 10.0).sqrt())).abs() < 1e-12);
        assert_eq!(ucb_index(0.9, 0.0, 100.0, 2.0), f64::INFINITY);
        assert_eq!(ucb_index(0.5, 4.0, 0.0, 2.0), 0.5);
    }

    #[test]
    fn a_discounted_mean_follows_what_is_new() {
        let mut mean = DiscountedMean::default();
        assert_eq!(mean.mean(), 0.0);
        for _ in 0..100 {
            mean.observe(1.0);
        }
        mean.discount(0.01);
        for _ in 0..9 {
            mean.observe(0.0);
        }
        mean.observe(f64::NAN);
        assert!((mean.weight() - 10.0).abs() < 1e-9 && (mean.mean() - 0.1).abs() < 1e-9);
        let text = serde_json::to_string(&mean).unwrap();
        assert_eq!(serde_json::from_str::<DiscountedMean>(&text).unwrap(), mean);
        assert!(serde_json::from_str::<DiscountedMean>("[-1.0,0.0]").is_err());
    }
}

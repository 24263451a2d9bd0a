//! Bandits: which of several arms to pull, when only the pulled arm tells its reward.

mod beta;
mod ucb;

pub use beta::BetaPosterior;
pub use ucb::{DiscountedMean, ucb_index};

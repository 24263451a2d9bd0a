//! Random forests on the histogram trees of this crate.

mod online_forest;
mod random_forest;

pub use crate::tree::Matrix;
pub use online_forest::{Belief, OnlineForest, Ranks};
pub use random_forest::{ForestParams, RandomForest};

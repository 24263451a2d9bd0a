//! Random forests on the histogram trees of this crate.

mod random_forest;

pub use crate::tree::Matrix;
pub use random_forest::{ForestParams, RandomForest};

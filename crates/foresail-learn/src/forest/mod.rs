//! Histogram trees and what is made of them.
//!
//! Features are cut once into at most 255 quantile bins so that a split is searched over bins and
//! not over sorted values (Chen & Guestrin, *XGBoost*, KDD 2016, §3; Ke et al., *LightGBM*, NIPS 2017, §2.1). A missing
//! value (NaN) has a bin of its own and is sent, at every split, to the side where that lowers the error more.
//! [`RandomForest`] averages such trees; the growing itself asks only for a target and a weight a row, so gradient
//! boosting can stand on the same core.

mod binner;
mod grow;
mod matrix;
mod random_forest;
mod tree;

pub use matrix::Matrix;
pub use random_forest::{ForestParams, RandomForest};

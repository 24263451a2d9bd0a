//! The 72 features of a load series, from one streaming definition.
//!
//! [`FeatureSet::push`] takes in a row and gives the features as of its end; [`FeatureSet::batch`] is a loop over it, and
//! so are training, backtesting and serving. So there is nothing that could differ between them, and no feature can see
//! a later row. A [`Schema`] kept with every model names what it was trained on and refuses anything else.
//!
//! Values are in the unit of the load, NaN where a feature is not defined (a lag from before the start, a column that is
//! missing or was not observed). [`FEATURES`] lists and explains all 72; those marked wide span decades, and learners that
//! mind take their signed logarithm with [`compress`]. Windows are given in minutes and hold the rows that cover them, the
//! newest included; where the step is longer than a window, that is one row.
//!
//! ```
//! use foresail_core::features::{FeatureConfig, FeatureSet, index_of};
//! use foresail_core::{Row, Timestamp};
//! use std::time::Duration;
//!
//! let step = Duration::from_secs(120);
//! let mut features = FeatureSet::new(FeatureConfig::new(step)).unwrap();
//! let mut time = Timestamp::parse("2026-03-02T09:00:00Z").unwrap();
//! for load in 1..=7 {
//!     features.push(&Row::univariate(time, Some(f64::from(load))));
//!     time = time + step;
//! }
//! let lag = index_of("lag_12m").unwrap();
//! assert_eq!(features.latest()[lag], 1.0); // six rows of two minutes ago
//! ```

mod calendar;
mod config;
mod emit;
mod matrix;
mod schema;
mod set;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod workload;

pub use config::{Columns, FeatureConfig};
pub use matrix::FeatureMatrix;
pub use schema::{DEFINITION, Schema};
pub use set::{FeatureSet, Memory};
pub use spec::{FEATURES, FeatureSpec, Group, WIDTH, compress, index_of};
pub use workload::{Workload, throughput};

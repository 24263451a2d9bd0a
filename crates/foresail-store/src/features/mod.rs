//! Feature vectors as they were served.
//!
//! A store is a directory: `manifest.json` with the schema of the features and the list of parts, and the parts, Parquet
//! files that are never changed. A part is written whole, then listed; what is not listed does not exist.

mod index;
mod manifest;
mod part;
mod store;
mod view;

use foresail_core::Timestamp;

pub use store::{FeatureStore, ROWS_PER_PART};
pub use view::FeatureView;

/// A feature vector with the two times that matter.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRow {
    /// Whose features they are.
    pub entity: String,
    /// What instant they describe.
    pub event_time: Timestamp,
    /// From when on they could be known.
    pub available_at: Timestamp,
    /// The features, in the order of the schema; NaN where undefined.
    pub features: Vec<f32>,
}

//! Pictures of many numbers in two.

mod tsne;

pub use tsne::{TsneOptions, tsne};

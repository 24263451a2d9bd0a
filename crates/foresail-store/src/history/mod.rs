//! Samples of the past, a Parquet file a day and service.
//!
//! Days are taken from the recent samples of a [`StateStore`](crate::StateStore) once they are over, so writing one again
//! after a crash gives the same file. As with features, a part is written whole, then listed; what is not listed does not
//! exist.

mod frame;
mod manifest;
mod part;
mod store;

pub use frame::frame;
pub use store::{Archived, HistoryOptions, HistoryStore, Recalled};

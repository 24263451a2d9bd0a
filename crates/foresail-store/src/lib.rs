//! Memory on disk: state in SQLite, samples and served features in Parquet, decisions in a journal.
//!
//! - [`StateStore`] keeps controller state, recent samples, alerts and the audit log; a tick is written whole or not at
//!   all. [`HistoryStore`] keeps the samples of days past, and [`frame`] makes a series of either.
//! - [`FeatureStore`] keeps feature vectors as they were served, in immutable part files, and answers what was known at
//!   a given time ([`FeatureView::as_of`]): nothing that became available later can leak into training data.
//! - [`Journal`] appends one entry a line, a [`JournalRecord`](foresail_core::JournalRecord) or whatever else is
//!   [`Journalled`](foresail_core::Journalled), chained by hashes, and replays to the same bytes.
//! - [`ResultWriter`] writes tables of figures that appear whole or not at all, the same bytes for the same rows.
//!
//! Times are arguments and nothing here reads a clock.
//!
//! ```
//! use foresail_core::{Timestamp, features::Schema};
//! use foresail_store::FeatureStore;
//! use std::time::Duration;
//!
//! let dir = tempfile::tempdir().unwrap();
//! let step = Duration::from_secs(120);
//! let mut store = FeatureStore::open(dir.path(), &Schema::of(step).unwrap()).unwrap();
//! let noon = Timestamp::parse("2026-03-01T12:00:00Z").unwrap();
//! store.append("checkout", noon, noon + step, &[0.5; 72]).unwrap(); // known when its row has ended
//! store.flush().unwrap();
//! assert!(store.view().as_of("checkout", noon).unwrap().is_none());
//! assert_eq!(store.view().as_of("checkout", noon + step).unwrap().unwrap().features[0], 0.5);
//! ```

mod disk;
mod error;
mod features;
mod history;
mod journal;
mod part;
mod results;
mod state;

pub use error::Error;
pub use features::{FeatureStore, FeatureView, ROWS_PER_PART, StoredRow};
pub use history::{Archived, HistoryOptions, HistoryStore, Recalled, frame};
pub use journal::{Journal, JournalReader, Rotation, Torn, entries_after, find, find_entry};
pub use results::{ResultRow, ResultSchema, ResultWriter, read_results, write_results};
pub use state::{
    AlertRow, AuditEntry, AuditRecord, Broken, Checkpoint, JournalMark, Restored, StateOptions, StateStore, Tick,
};

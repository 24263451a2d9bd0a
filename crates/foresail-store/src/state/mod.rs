//! What a control plane must not forget: controller state and learner checkpoints, recent samples, alerts and the audit
//! log, in one SQLite file.
//!
//! All that a turn of the loop writes is one transaction ([`StateStore::commit_tick`]). In SQLite's write-ahead log with
//! `synchronous = NORMAL`, a transaction that was acknowledged survives the death of the process at any moment; a power
//! cut may cost the newest few, never half of one. What people did (the audit log) is forced to disk before it is
//! acknowledged.

mod alerts;
mod audit;
mod options;
mod samples;
mod schema;
mod snapshots;
mod store;
mod tick;

pub use alerts::AlertRow;
pub use audit::{AuditEntry, AuditRecord};
pub use options::StateOptions;
pub(crate) use samples::{meant, word};
pub use snapshots::{Broken, Restored};
pub use store::StateStore;
pub use tick::{Checkpoint, JournalMark, Tick};

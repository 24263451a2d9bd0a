//! How much is kept, and how long to wait.

use std::time::Duration;

/// Longest wait for another connection.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// Bounds of a state store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateOptions {
    /// Snapshots kept of each kind, so that a broken one has others behind it. At least 2; default 3.
    pub snapshots: u32,
    /// How long samples stay. Longer than a day, so that a day is whole when it is written to the history. Default 3 days.
    pub recent: Duration,
    /// Most bytes of the database file; `None` leaves it to the disk. Default none.
    pub max_bytes: Option<u64>,
    /// How long a statement waits for another connection, an hour at most. Default 5 s.
    pub busy_timeout: Duration,
}

impl Default for StateOptions {
    fn default() -> Self {
        Self {
            snapshots: 3,
            recent: Duration::from_secs(3 * 86_400),
            max_bytes: None,
            busy_timeout: Duration::from_secs(5),
        }
    }
}

impl StateOptions {
    /// The same, each within its range.
    pub(super) fn within_range(mut self) -> Self {
        self.snapshots = self.snapshots.max(2);
        self.busy_timeout = self.busy_timeout.min(LONGEST_WAIT);
        self
    }
}

//! Places at an endpoint, counts of those who wait, and counters of one writer: the words that workers share on a request's
//! way. Kept by themselves so that `tests/loom.rs` can try every interleaving of them.

use crate::atomic::{AtomicU32, AtomicU64, Ordering};

/// Requests that hold a place at an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Places(AtomicU32);

impl Places {
    /// How many are taken; what those who gave theirs back did is seen.
    pub(crate) fn taken(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether fewer than `most` are taken; ordered against the registration of those who wait.
    pub(crate) fn is_free(&self, most: u32) -> bool {
        self.0.load(Ordering::SeqCst) < most
    }

    /// Takes one if fewer than `most` are taken, and tells how many others there were.
    pub(crate) fn take(&self, most: u32) -> Option<u32> {
        let others = self.0.fetch_add(1, Ordering::SeqCst);
        if others < most {
            return Some(others);
        }
        self.give_back();
        None
    }

    /// Gives one back.
    pub(crate) fn give_back(&self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether all have been given back, and what their holders did is seen.
    pub(crate) fn is_empty(&self) -> bool {
        self.taken() == 0
    }
}

/// Adds to a counter that no other thread writes, which spares the bus lock of `fetch_add`.
#[inline]
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

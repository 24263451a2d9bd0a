//! Where the rows of an entity lie, by time.

use std::collections::BTreeMap;

use foresail_core::Timestamp;

/// A row: number of its part, and of the row within it. Rows not yet written belong to the part to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) part: u32,
    pub(super) row: u32,
}

/// Sorted by event time, then availability, then order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) event_time: Timestamp,
    pub(super) available_at: Timestamp,
    pub(super) place: Place,
}

/// All rows of all entities; 24 bytes a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    entities: BTreeMap<String, Vec<Entry>>,
}

impl Index {
    pub(super) fn insert(&mut self, entity: &str, entry: Entry) {
        if !self.entities.contains_key(entity) {
            self.entities.insert(entity.to_owned(), Vec::new());
        }
        let entries = self.entities.get_mut(entity).expect("inserted where it was missing");
        let at = entries.partition_point(|e| *e <= entry);
        entries.insert(at, entry);
    }

    /// The newest row of `entity` about an instant no later than `time` that was available by then.
    pub(super) fn as_of(&self, entity: &str, time: Timestamp) -> Option<Entry> {
        let entries = self.entities.get(entity)?;
        let past = &entries[..entries.partition_point(|e| e.event_time <= time)];
        past.iter().rev().find(|e| e.available_at <= time).copied()
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &str> {
        self.entities.keys().map(String::as_str)
    }

    pub(super) fn len(&self) -> usize {
        self.entities.values().map(Vec::len).sum()
    }
}

//! Reading features as of a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use foresail_core::Timestamp;
use foresail_core::features::Schema;

use super::StoredRow;
use super::index::{Entry, Index, Place};
use super::manifest::Manifest;
use super::part::Part;
use crate::Error;

/// The rows of a store as they are listed when it is opened, and what they were known to be at any time.
#[derive(Debug)]
pub struct FeatureView {
    pub(super) directory: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) index: Index,
    /// Rows of the part to come, in order.
    pub(super) pending: Vec<StoredRow>,
}

impl FeatureView {
    /// Opens the store in `directory` for reading; a writer may go on beside it. Reads every part once, to know where
    /// rows lie and that none is damaged.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming a part or manifest that is missing, cut short or altered; [`Error::Io`].
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let missing = || Error::damaged(&Manifest::path(directory), &"missing: there is no feature store here");
        Self::with_manifest(directory, Manifest::read(directory)?.ok_or_else(missing)?)
    }

    pub(super) fn with_manifest(directory: &Path, manifest: Manifest) -> Result<Self, Error> {
        let mut index = Index::default();
        for (part, entry) in (0_u32..).zip(&manifest.parts) {
            let path = directory.join(&entry.file);
            for (row, key) in (0_u32..).zip(Part::open(&path, entry, &manifest.schema)?.keys()?) {
                let (entity, event_time, available_at) = key;
                index.insert(&entity, Entry { event_time, available_at, place: Place { part, row } });
            }
        }
        Ok(Self { directory: directory.to_owned(), manifest, index, pending: Vec::new() })
    }

    /// What its features are.
    pub fn schema(&self) -> &Schema {
        &self.manifest.schema
    }

    /// Rows of all entities.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// No rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those who have rows, in order.
    pub fn entities(&self) -> impl Iterator<Item = &str> {
        self.index.entities()
    }

    /// The features of `entity` as they were known at `time`: the newest row that describes no later instant and was
    /// available by then; of several about the same instant, the one that became available last. `None` if there is none.
    ///
    /// Decodes one part: for many questions, ask [`FeatureView::point_in_time_join`].
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`], naming the part.
    pub fn as_of(&self, entity: &str, time: Timestamp) -> Result<Option<StoredRow>, Error> {
        Ok(self.point_in_time_join(&[(entity, time)])?.pop().flatten())
    }

    /// [`FeatureView::as_of`] for every pair of entity and time, in their order. Decodes each part once at most.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Io`], naming the part.
    pub fn point_in_time_join(&self, wanted: &[(&str, Timestamp)]) -> Result<Vec<Option<StoredRow>>, Error> {
        let mut found: Vec<Option<StoredRow>> = vec![None; wanted.len()];
        let mut by_part: BTreeMap<u32, Vec<(usize, u32)>> = BTreeMap::new();
        for (number, (entity, time)) in wanted.iter().enumerate() {
            if let Some(entry) = self.index.as_of(entity, *time) {
                debug_assert!(entry.event_time <= *time && entry.available_at <= *time);
                by_part.entry(entry.place.part).or_default().push((number, entry.place.row));
                found[number] = Some(StoredRow {
                    entity: (*entity).to_owned(),
                    event_time: entry.event_time,
                    available_at: entry.available_at,
                    features: Vec::with_capacity(self.schema().width()),
                });
            }
        }
        for (part, rows) in by_part {
            self.fill(part, &rows, &mut found)?;
        }
        Ok(found)
    }

    /// Adds the features of rows of one part to the answers with the given numbers.
    fn fill(&self, part: u32, rows: &[(usize, u32)], found: &mut [Option<StoredRow>]) -> Result<(), Error> {
        let Some(entry) = self.manifest.parts.get(part as usize) else {
            for &(number, row) in rows {
                let pending = &self.pending[row as usize];
                found[number].as_mut().expect("answered before").features.extend_from_slice(&pending.features);
            }
            return Ok(());
        };
        let path = self.directory.join(&entry.file);
        let part = Part::open(&path, entry, self.schema())?;
        for feature in 0..self.schema().width() {
            let values = part.feature(feature)?;
            for &(number, row) in rows {
                found[number].as_mut().expect("answered before").features.push(values[row as usize]);
            }
        }
        Ok(())
    }
}

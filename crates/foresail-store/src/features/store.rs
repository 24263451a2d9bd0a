//! Appending features as they are served.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use foresail_core::Timestamp;
use foresail_core::features::Schema;

use super::StoredRow;
use super::index::{Entry, Place};
use super::manifest::Manifest;
use super::part;
use super::view::FeatureView;
use crate::part::PartEntry;
use crate::{Error, disk};

/// Rows after which a part is written without being asked for.
pub const ROWS_PER_PART: usize = 8192;

/// The one writer of a feature store.
///
/// Rows are held in memory until [`FeatureStore::flush`], or until there are [`ROWS_PER_PART`]; what has been flushed is
/// on disk. Dropping a store drops rows that were not flushed.
#[derive(Debug)]
pub struct FeatureStore {
    view: FeatureView,
    /// Held open, and so locked, for as long as the store is.
    _lock: File,
}

impl FeatureStore {
    /// Opens the store in `directory`, or begins one there.
    ///
    /// # Errors
    /// [`Error::Schema`] if the store holds features of another schema, [`Error::Locked`] if another writer has it open,
    /// [`Error::Damaged`] naming a manifest or part that is not as it was written, [`Error::Io`].
    pub fn open(directory: impl AsRef<Path>, schema: &Schema) -> Result<Self, Error> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(Error::io(directory))?;
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(Error::io(&path))?;
        disk::lock(&lock, &path)?;
        let manifest = match Manifest::read(directory)? {
            Some(manifest) => {
                let differs = |source| Error::Schema { path: Manifest::path(directory), source };
                manifest.schema.check(schema).map_err(differs)?;
                manifest
            }
            None => begin(directory, schema)?,
        };
        Ok(Self { view: FeatureView::with_manifest(directory, manifest)?, _lock: lock })
    }

    /// Adds the features that `entity` was served: they describe `event_time` and could be known from `available_at` on
    /// (when they were computed). May write a part.
    ///
    /// # Errors
    /// [`Error::Width`] unless there are as many features as the schema has; [`Error::Io`] if a part cannot be written,
    /// in which case the row is held nonetheless and the next flush tries again.
    pub fn append(
        &mut self,
        entity: &str,
        event_time: Timestamp,
        available_at: Timestamp,
        features: &[f32],
    ) -> Result<(), Error> {
        let expected = self.view.schema().width();
        if features.len() != expected {
            return Err(Error::Width { expected, got: features.len() });
        }
        let place = Place { part: self.view.manifest.parts.len() as u32, row: self.view.pending.len() as u32 };
        self.view.index.insert(entity, Entry { event_time, available_at, place });
        let row = StoredRow { entity: entity.to_owned(), event_time, available_at, features: features.to_vec() };
        self.view.pending.push(row);
        if self.view.pending.len() >= ROWS_PER_PART { self.flush().map(drop) } else { Ok(()) }
    }

    /// Writes the rows held in memory as a part and gives its path; `None` if there are none.
    ///
    /// # Errors
    /// [`Error::Io`]; the rows are still held then.
    pub fn flush(&mut self) -> Result<Option<PathBuf>, Error> {
        let view = &mut self.view;
        if view.pending.is_empty() {
            return Ok(None);
        }
        let file = Manifest::part_name(view.manifest.parts.len());
        let path = view.directory.join(&file);
        let encoded = part::encode(&view.manifest.schema, &view.pending).map_err(io::Error::other);
        let bytes = encoded.map_err(Error::io(&path))?;
        // Under this name there can only be a part that a crash kept from being listed.
        disk::replace(&path, &bytes)?;
        let mut manifest = view.manifest.clone();
        manifest.parts.push(PartEntry::of(file, view.pending.len(), &bytes));
        manifest.write(&view.directory)?;
        view.manifest = manifest;
        view.pending.clear();
        Ok(Some(path))
    }

    /// What can be read, rows that were not flushed included.
    pub fn view(&self) -> &FeatureView {
        &self.view
    }
}

/// Begins a store, unless parts without a manifest show that there was one.
fn begin(directory: &Path, schema: &Schema) -> Result<Manifest, Error> {
    for entry in fs::read_dir(directory).map_err(Error::io(directory))? {
        let name = entry.map_err(Error::io(directory))?.file_name();
        if name.to_string_lossy().ends_with(".parquet") {
            let what = format!("missing, though there is a part {name:?}");
            return Err(Error::damaged(&Manifest::path(directory), &what));
        }
    }
    let manifest = Manifest::new(schema.clone());
    manifest.write(directory)?;
    Ok(manifest)
}

//! What a feature store holds.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use foresail_core::features::Schema;
use serde::{Deserialize, Serialize};

use crate::part::PartEntry;
use crate::{Error, disk};

const VERSION: u32 = 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pub(super) schema: Schema,
    pub(super) parts: Vec<PartEntry>,
}

impl Manifest {
    pub(super) fn new(schema: Schema) -> Self {
        Self { version: VERSION, schema, parts: Vec::new() }
    }

    pub(super) fn path(directory: &Path) -> PathBuf {
        directory.join("manifest.json")
    }

    /// The file name of part number `index`.
    pub(super) fn part_name(index: usize) -> String {
        format!("part-{index:06}.parquet")
    }

    /// Reads the manifest of `directory`; `None` if there is none.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = Self::path(directory);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Io { path, source }),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|e| Error::damaged(&path, &e))?;
        if manifest.version != VERSION {
            return Err(Error::damaged(&path, &format!("version {}, this build reads {VERSION}", manifest.version)));
        }
        let names = manifest.parts.iter().enumerate().map(|(i, part)| (Self::part_name(i), &part.file));
        match names.into_iter().find(|(expected, file)| *expected != **file) {
            Some((expected, file)) => Err(Error::damaged(&path, &format!("lists {file:?} where {expected:?} belongs"))),
            None => Ok(Some(manifest)),
        }
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).expect("plain data with text keys always serialises");
        disk::replace(&Self::path(directory), &text)
    }
}

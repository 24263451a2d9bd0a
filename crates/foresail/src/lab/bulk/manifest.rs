//! What a run is: its settings and its files, so that parts of different runs are never joined.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::InputFile;
use crate::failure::usage;

/// The file's name in a folder of results.
const NAME: &str = "run.json";

/// Everything that decides what the results are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Version of the program.
    pub(crate) version: String,
    /// The settings as they were given, in one line.
    pub(crate) settings: String,
    /// Files of a chunk.
    pub(crate) chunk: usize,
    /// The files, by name, with their lengths in bytes.
    pub(crate) files: Vec<(String, u64)>,
}

impl Manifest {
    /// Of a run on `files`.
    ///
    /// # Errors
    /// If a file is not there any more.
    pub(crate) fn new(settings: String, chunk: usize, files: &[InputFile]) -> anyhow::Result<Self> {
        let length = |file: &InputFile| -> anyhow::Result<(String, u64)> {
            let found =
                std::fs::metadata(&file.path).with_context(|| format!("cannot read {}", file.path.display()))?;
            Ok((file.name.clone(), found.len()))
        };
        let files = files.iter().map(length).collect::<anyhow::Result<_>>()?;
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), settings, chunk, files })
    }

    /// How many chunks there are.
    pub(crate) fn chunks(&self) -> usize {
        self.files.len().div_ceil(self.chunk)
    }

    /// That of the results in `folder`.
    ///
    /// # Errors
    /// If there is none, or it cannot be understood.
    pub(crate) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(NAME);
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Makes `folder` the place of this run's results, or goes on in it.
    ///
    /// # Errors
    /// If it holds the results of another run, saying what differs; if it cannot be written.
    pub(crate) fn claim(&self, folder: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", folder.display());
        std::fs::create_dir_all(folder).with_context(failed)?;
        if folder.join(NAME).exists() {
            let found = Self::read(folder)?;
            return match self.difference(&found) {
                None => Ok(()),
                Some(what) => {
                    Err(usage(format!("--out {} holds the results of another run: {what}", folder.display())))
                }
            };
        }
        // Renamed into its place, so that another shard never reads half of it.
        let unfinished = folder.join(format!("{NAME}.{}.tmp", std::process::id()));
        std::fs::write(&unfinished, serde_json::to_string(self)?).with_context(failed)?;
        std::fs::rename(&unfinished, folder.join(NAME)).with_context(failed)
    }

    /// What `other` has otherwise, in words; none if nothing.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        if self.settings != other.settings {
            return Some(format!("its settings are {:?}, these are {:?}", other.settings, self.settings));
        }
        if self.version != other.version {
            return Some(format!("it was made by version {}, this is {}", other.version, self.version));
        }
        if self.chunk != other.chunk {
            return Some(format!("it has {} files a chunk, this has {}", other.chunk, self.chunk));
        }
        if self.files.len() != other.files.len() {
            return Some(format!("it has {} files, this has {}", other.files.len(), self.files.len()));
        }
        let differs = self.files.iter().zip(&other.files).find(|(a, b)| a != b);
        differs.map(|(a, b)| format!("it has {} of {} bytes, this has {} of {} bytes", b.0, b.1, a.0, a.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(settings: &str, bytes: u64) -> Manifest {
        Manifest { version: "1".into(), settings: settings.into(), chunk: 2, files: vec![("a".into(), bytes); 5] }
    }

    #[test]
    fn a_folder_belongs_to_one_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours = manifest("horizon 1h", 7);
        assert_eq!(ours.chunks(), 3);
        ours.claim(folder.path()).expect("a new folder");
        ours.claim(folder.path()).expect("the same run again");
        assert_eq!(Manifest::read(folder.path()).expect("written"), ours);
        for (other, what) in [(manifest("horizon 2h", 7), "settings"), (manifest("horizon 1h", 8), "a of 7 bytes")] {
            let said = other.claim(folder.path()).expect_err("another run").to_string();
            assert!(said.contains("the results of another run") && said.contains(what), "{said}");
        }
    }
}

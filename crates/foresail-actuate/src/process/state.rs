//! What is remembered across restarts of Foresail: the fence, what was wanted, and the copies.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

const VERSION: u32 = 1;

/// The remembered state. Plain data, versioned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// What tells the start of the machine the processes belong to.
    pub(super) boot_id: String,
    /// Newest decision whose order was applied.
    pub(super) fence: Option<u64>,
    /// Copies wanted.
    pub(super) desired: u32,
    /// Size of a copy, as a factor of its base size.
    pub(super) size: f64,
    /// Id of the next new copy.
    pub(super) next_id: u64,
    /// The copies that have a process.
    pub(super) copies: Vec<Record>,
}

/// A copy that has a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) id: u64,
    pub(super) port: u16,
    pub(super) pid: u32,
    /// Start of the process, in clock ticks since that of the machine.
    pub(super) start_ticks: u64,
    /// Whether it was being stopped.
    pub(super) stopping: bool,
    /// Since when it had been ready, if it was.
    pub(super) ready_since: Option<Timestamp>,
    pub(super) startup_ms: Option<u64>,
    pub(super) restarts: u32,
    /// Size it was started with or last told of.
    pub(super) size: f64,
}

impl State {
    /// That of a service never seen before.
    pub(super) fn new(desired: u32, boot_id: String) -> Self {
        Self { version: VERSION, boot_id, fence: None, desired, size: 1.0, next_id: 1, copies: Vec::new() }
    }

    /// Reads what was saved in `folder`; none if nothing was.
    ///
    /// # Errors
    /// [`Error::Damaged`] if it is not what was saved: nothing is done blindly, since the fence is lost.
    pub(super) fn load(folder: &Path) -> Result<Option<Self>, Error> {
        let path = path(folder);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let damaged = |what: String| Error::Damaged { path: path.clone(), what };
        let state: Self = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if state.version != VERSION {
            return Err(damaged(format!("version {} where {VERSION} is known", state.version)));
        }
        if !(state.size.is_finite() && state.size > 0.0) {
            return Err(damaged(format!("size {}", state.size)));
        }
        Ok(Some(state))
    }

    /// Saves it in `folder`: a crash at any moment leaves the old file or the new one.
    pub(super) fn save(&self, folder: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).expect("plain data with finite numbers has a JSON form");
        write_atomically(&path(folder), &text)
    }
}

/// Replaces `path` by a file of `bytes`.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let next = path.with_extension("next");
    let written = File::create(&next).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io(&next))?;
    fs::rename(&next, path).map_err(Error::io(path))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_saved_and_refuses_what_was_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(State::load(folder.path()).unwrap(), None);
        let mut state = State::new(3, "boot".to_owned());
        state.fence = Some(17);
        state.copies.push(Record {
            id: 1,
            port: 4000,
            pid: 99,
            start_ticks: 12_345,
            stopping: false,
            ready_since: Some(Timestamp::from_secs(1_000)),
            startup_ms: Some(80),
            restarts: 2,
            size: 1.5,
        });
        state.save(folder.path()).unwrap();
        assert_eq!(State::load(folder.path()).unwrap(), Some(state.clone()));

        for text in ["", "{}", "{\"version\": 1"] {
            fs::write(path(folder.path()), text).unwrap();
            assert!(matches!(State::load(folder.path()), Err(Error::Damaged { .. })), "{text}");
        }
        state.version = 2;
        state.save(folder.path()).unwrap();
        let error = State::load(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("damaged: version 2 where 1 is known"), "{error}");
    }
}

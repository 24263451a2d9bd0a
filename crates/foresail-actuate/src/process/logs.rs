//! Where the output of copies goes: a file a copy, bounded, with one older generation.
//!
//! Copies write to their files themselves, since a pipe would break with Foresail, and the copies that go on with it. So a
//! file is rotated by copying and emptying it, which loses what is written in between; appending writers go on at its
//! new end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The log files of a service.
#[derive(Clone, Debug)]
pub(super) struct LogFolder {
    folder: PathBuf,
    max_bytes: u64,
    keep: usize,
}

impl LogFolder {
    pub(super) fn open(folder: PathBuf, max_bytes: u64, keep: u32) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, max_bytes, keep: keep as usize })
    }

    /// The file of copy `id`, to append to.
    pub(super) fn file(&self, id: u64) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.folder.join(format!("copy-{id}.log")))
    }

    /// Rotates what has outgrown its bound, and removes the files of copies that are not `live`, but for the newest.
    pub(super) fn tidy(&self, live: &BTreeSet<u64>) -> io::Result<()> {
        let mut gone = BTreeSet::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let Some(id) = id_of(&entry.path()) else { continue };
            if live.contains(&id) && entry.metadata()?.len() > self.max_bytes {
                rotate(&entry.path())?;
            }
            if !live.contains(&id) {
                gone.insert(id);
            }
        }
        for id in gone.iter().rev().skip(self.keep) {
            fs::remove_file(self.folder.join(format!("copy-{id}.log")))?;
            ignore_absent(fs::remove_file(self.folder.join(format!("copy-{id}.log.1"))))?;
        }
        Ok(())
    }
}

fn rotate(path: &Path) -> io::Result<()> {
    let copied = fs::copy(path, path.with_extension("log.1"));
    // Emptied even if the copy failed: a full disk must not fill further.
    OpenOptions::new().write(true).open(path)?.set_len(0)?;
    copied.map(drop)
}

fn id_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("copy-")?.strip_suffix(".log")?.parse().ok()
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_are_bounded_in_size_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let logs = LogFolder::open(folder.path().to_owned(), 10, 1).unwrap();
        let mut files: Vec<File> = (1..=4).map(|id| logs.file(id).unwrap()).collect();
        files[3].write_all(b"more than ten bytes").unwrap();
        logs.tidy(&BTreeSet::from([4])).unwrap();
        files[3].write_all(b"then").unwrap();

        let read = |name: &str| fs::read_to_string(folder.path().join(name));
        assert_eq!(read("copy-4.log").unwrap(), "then");
        assert_eq!(read("copy-4.log.1").unwrap(), "more than ten bytes");
        assert!(read("copy-3.log").is_ok() && read("copy-2.log").is_err() && read("copy-1.log").is_err());
    }
}

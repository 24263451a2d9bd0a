//! Files that are there whole or not at all.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::Error;

/// Ends the name of a file that is still being written. One that is left over after a crash means nothing.
pub(crate) const UNFINISHED: &str = "tmp";

/// Puts `bytes` into the place of `path`: written beside it, forced to disk, then renamed.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let unfinished = unfinished(path);
    let mut file = File::create(&unfinished).map_err(Error::io(&unfinished))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io(&unfinished))?;
    fs::rename(&unfinished, path).map_err(Error::io(path))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Where `path` is written before it takes its place.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// Forces the names in a directory to disk, where the system knows how.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), Error> {
    if cfg!(unix) && !directory.as_os_str().is_empty() {
        File::open(directory).and_then(|d| d.sync_all()).map_err(Error::io(directory))?;
    }
    Ok(())
}

/// Takes the exclusive lock of `file`, for as long as it stays open.
pub(crate) fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::Io { path: path.to_owned(), source }),
    }
}

/// SHA-256 of `parts` one after the other, 64 hexadecimal digits.
pub(crate) fn sha256(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

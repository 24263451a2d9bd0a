//! Gives running copies another size.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use super::config::ResizeSignal;
use super::running::Identity;
use super::state::write_atomically;
use crate::Error;

/// The file that tells copies their number of workers.
pub(super) fn size_file(folder: &Path) -> PathBuf {
    folder.join("workers")
}

/// Writes `workers` where copies read it.
pub(super) fn publish(folder: &Path, workers: u32) -> Result<(), Error> {
    write_atomically(&size_file(folder), format!("{workers}\n").as_bytes())
}

/// Tells `process` to read its size again.
pub(super) fn tell(signal: ResizeSignal, process: Identity) {
    let signal = match signal {
        ResizeSignal::Hup => Signal::HUP,
        ResizeSignal::Usr1 => Signal::USR1,
        ResizeSignal::Usr2 => Signal::USR2,
    };
    if let Err(error) = process.signal(signal) {
        tracing::warn!(pid = process.pid, %error, "copy not told of its size");
    }
}

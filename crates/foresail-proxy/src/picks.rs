//! A file of picks, for estimates of what other policies would have done.

use std::thread::JoinHandle;

use foresail_route::LoggedPick;

use crate::Error;
use crate::config::PickLogConfig;
use crate::lines::{self, LineSender};

/// Starts its writer.
///
/// # Errors
/// As [`lines::start`].
pub(crate) fn start(config: &PickLogConfig) -> Result<(LineSender<LoggedPick>, JoinHandle<()>), Error> {
    lines::start(&config.path, config.buffer, |pick: &LoggedPick, out| {
        // Numbers always serialize.
        let _ = serde_json::to_writer(&mut *out, pick);
        out.push(b'\n');
    })
}

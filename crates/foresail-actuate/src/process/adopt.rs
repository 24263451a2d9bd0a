//! Finds the copies an earlier Foresail left running.

use std::path::Path;

use super::proc_fs;
use super::running::Identity;
use super::spawn::{MARK, read_mark};
use super::state::{Record, State};

/// The copies of `state` whose processes still run, and those that run with the mark of `folder` but that a crash kept
/// out of the state.
pub(super) fn survivors(state: &State, boot_id: &str, folder: &Path) -> Vec<Record> {
    let mut found: Vec<Record> = Vec::new();
    if state.boot_id == boot_id {
        let alive = |record: &&Record| Identity { pid: record.pid, start_ticks: record.start_ticks }.is_alive();
        found.extend(state.copies.iter().filter(alive).cloned());
    }
    for (pid, mark) in proc_fs::leaders_marked(MARK) {
        let known = found.iter().any(|record| record.pid == pid);
        let (Some((id, port)), Some(start_ticks), false) = (read_mark(&mark, folder), proc_fs::start_ticks(pid), known)
        else {
            continue;
        };
        // A second leader under one mark is something the copy started itself.
        if found.iter().all(|record| record.id != id) {
            let (ready_since, startup_ms) = (None, None);
            let size = state.size;
            found.push(Record {
                id,
                port,
                pid,
                start_ticks,
                stopping: false,
                ready_since,
                startup_ms,
                restarts: 0,
                size,
            });
        }
    }
    found
}

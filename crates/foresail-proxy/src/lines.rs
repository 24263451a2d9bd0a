//! Lines that a thread of their own appends to a file, so that no request waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Error;

/// How long a line may stay in the buffer.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

/// Takes what is to be written to the writer.
#[derive(Debug)]
pub(crate) struct LineSender<T>(SyncSender<Box<T>>);

impl<T> Clone for LineSender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> LineSender<T> {
    /// Whether it was taken; it is not if the writer has fallen behind.
    pub(crate) fn send(&self, line: Box<T>) -> bool {
        self.0.try_send(line).is_ok()
    }
}

/// Starts a writer, which ends when the last sender is gone. Up to `buffer` lines may wait for it; `write` appends one, its end
/// included. A file that was moved away is begun anew.
///
/// # Errors
/// [`Error::File`] if the file cannot be opened, [`Error::Worker`] if the thread cannot be started.
pub(crate) fn start<T: Send + 'static>(
    path: &Path,
    buffer: usize,
    write: impl Fn(&T, &mut Vec<u8>) + Send + 'static,
) -> Result<(LineSender<T>, JoinHandle<()>), Error> {
    let path = path.to_owned();
    let file = open(&path).map_err(|cause| Error::File { path: path.clone(), cause })?;
    let (sender, receiver) = sync_channel(buffer);
    let thread = std::thread::Builder::new()
        .name("proxy-lines".to_owned())
        .spawn(move || write_lines(&receiver, &path, write, file))
        .map_err(Error::Worker)?;
    Ok((LineSender(sender), thread))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_lines<T>(receiver: &Receiver<Box<T>>, path: &Path, write: impl Fn(&T, &mut Vec<u8>), file: File) {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    let mut is_silent = false;
    loop {
        let result = match receiver.recv_timeout(FLUSH_AFTER) {
            Ok(record) => {
                line.clear();
                write(&record, &mut line);
                out.write_all(&line)
            }
            Err(RecvTimeoutError::Timeout) => {
                let flushed = out.flush();
                // Moved away by a log rotation: begin a new one.
                if !path.exists()
                    && let Ok(file) = open(path)
                {
                    out = BufWriter::with_capacity(64 * 1024, file);
                }
                flushed
            }
            Err(RecvTimeoutError::Disconnected) => {
                let _ = out.flush();
                return;
            }
        };
        if let Err(error) = &result
            && !is_silent
        {
            tracing::warn!(path = %path.display(), %error, "lines cannot be written");
        }
        is_silent = result.is_err();
    }
}

//! A line per request, written by a thread of its own.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use foresail_core::TimeZone;

use crate::Error;
use crate::config::{AccessLog, LogFormat};
use crate::record::Record;

/// How long a line may stay in the buffer.
const FLUSH_AFTER: Duration = Duration::from_secs(1);

impl Record {
    fn write(&self, format: LogFormat, out: &mut Vec<u8>) {
        match format {
            LogFormat::Json => {
                // Strings and numbers always serialize.
                let _ = serde_json::to_writer(&mut *out, self);
                out.push(b'\n');
            }
            LogFormat::Combined => self.write_combined(out),
        }
    }

    fn write_combined(&self, out: &mut Vec<u8>) {
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let at = self.time.civil(&TimeZone::utc());
        let month = MONTHS[usize::from(at.month.clamp(1, 12)) - 1];
        let mut line = String::new();
        let (day, year, hour, minute, second) = (at.day_of_month, at.year, at.hour, at.minute, at.second);
        let _ =
            write!(line, "{} - - [{day:02}/{month}/{year}:{hour:02}:{minute:02}:{second:02} +0000] \"", self.client);
        escape(&mut line, &self.method);
        line.push(' ');
        escape(&mut line, &self.target);
        let _ = write!(line, " {}\" {} {} \"", self.version, self.status, self.sent_bytes);
        escape(&mut line, dash(&self.referer));
        line.push_str("\" \"");
        escape(&mut line, dash(&self.user_agent));
        line.push_str("\"\n");
        out.extend_from_slice(line.as_bytes());
    }
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// Quotes and what is not printable become `\xhh`, as in Apache.
fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        if c == '"' || c == '\\' || c.is_control() {
            let _ = write!(line, "\\x{:02x}", u32::from(c));
        } else {
            line.push(c);
        }
    }
}

/// Takes records to the writer.
#[derive(Clone, Debug)]
pub(crate) struct LogSender(SyncSender<Box<Record>>);

impl LogSender {
    /// Whether the record was taken; it is not if the writer has fallen behind.
    pub(crate) fn send(&self, record: Box<Record>) -> bool {
        self.0.try_send(record).is_ok()
    }
}

/// Starts the writer, which ends when the last sender is gone.
///
/// # Errors
/// [`Error::File`] if the file cannot be opened, [`Error::Worker`] if the thread cannot be started.
pub(crate) fn start(config: &AccessLog) -> Result<(LogSender, JoinHandle<()>), Error> {
    let file = open(&config.path).map_err(|cause| Error::File { path: config.path.clone(), cause })?;
    let (sender, receiver) = sync_channel(config.buffer);
    let config = config.clone();
    let thread = std::thread::Builder::new()
        .name("proxy-access-log".to_owned())
        .spawn(move || write_lines(&receiver, &config, file))
        .map_err(Error::Worker)?;
    Ok((LogSender(sender), thread))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn write_lines(receiver: &Receiver<Box<Record>>, config: &AccessLog, file: File) {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    let mut is_silent = false;
    loop {
        let result = match receiver.recv_timeout(FLUSH_AFTER) {
            Ok(record) => {
                line.clear();
                record.write(config.format, &mut line);
                out.write_all(&line)
            }
            Err(RecvTimeoutError::Timeout) => {
                let flushed = out.flush();
                // Moved away by a log rotation: begin a new one.
                if !config.path.exists()
                    && let Ok(file) = open(&config.path)
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
            tracing::warn!(path = %config.path.display(), %error, "access log cannot be written");
        }
        is_silent = result.is_err();
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::Timestamp;
    use hyper::Request;

    use super::*;
    use crate::exchange::Outcome;

    fn record() -> Record {
        let request = Request::builder()
            .uri("/a\"b?c")
            .header("host", "x")
            .header("user-agent", "q\"uote")
            .header("x-request-id", "id1");
        let (parts, ()) = request.body(()).unwrap_or_else(|_| Request::new(())).into_parts();
        let mut record = Record::new(&parts, hyper::Version::HTTP_11, "1.2.3.4".parse().unwrap(), None);
        record.time = Timestamp::from_secs(1_772_366_400);
        (record.status, record.sent_bytes) = (200, 17);
        record.end(Outcome::Completed, Duration::from_millis(5));
        record
    }

    #[test]
    fn lines_are_one_line_and_quotes_cannot_break_out() {
        let mut out = Vec::new();
        record().write(LogFormat::Combined, &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("1.2.3.4 - - [01/Mar/2026:12:00:00 +0000] \"GET /"), "{text}");
        assert!(text.ends_with("HTTP/1.1\" 200 17 \"-\" \"q\\x22uote\"\n"), "{text}");
        let mut out = Vec::new();
        record().write(LogFormat::Json, &mut out);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value["status"], &value["outcome"]), (&200.into(), &"completed".into()));
    }
}

//! A line per request.

use std::fmt::Write as _;
use std::thread::JoinHandle;

use foresail_core::TimeZone;

use crate::Error;
use crate::config::{AccessLog, LogFormat};
use crate::lines::{self, LineSender};
use crate::record::Record;

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

/// Starts the writer.
///
/// # Errors
/// As [`lines::start`].
pub(crate) fn start(config: &AccessLog) -> Result<(LineSender<Record>, JoinHandle<()>), Error> {
    let format = config.format;
    lines::start(&config.path, config.buffer, move |record: &Record, out| record.write(format, out))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

//! Answers.

use std::time::Duration;

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{DATE, HeaderName, RETRY_AFTER};

/// No host is waited for longer than this because it asks so.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// A whole answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// Its status, not a redirect.
    pub status: u16,
    /// How long the host asks to be left alone (`Retry-After`), a day at most.
    pub retry_after: Option<Duration>,
    /// Its body.
    pub body: Bytes,
}

impl Response {
    /// A status that means success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A status that may be another one later: a time-out, too many requests, or an error of the host.
    pub fn is_transient(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
    }

    /// The first `most` characters of the body on one line, for an error.
    pub fn excerpt(&self, most: usize) -> String {
        let prefix = &self.body[..self.body.len().min(4 * most)];
        let text = String::from_utf8_lossy(prefix);
        let one_line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        one_line.take(most).collect::<String>().trim().to_owned()
    }
}

/// How long the host asks to be left alone. A date counts from the answer's own date, so that no clock is needed.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let asked = text(RETRY_AFTER)?.trim();
    let wait = match asked.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(asked).ok()?;
            until.duration_since(httpdate::parse_http_date(text(DATE)?).ok()?).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (asked, date, expected) in [
            ("120", None, Some(120)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", Some(date), Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(date), Some(0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("999999999999", None, Some(86_400)),
            ("soon", None, None),
            ("-1", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers), expected.map(Duration::from_secs), "{asked}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn an_excerpt_is_one_short_line() {
        let response = |body: &'static str| Response { status: 500, retry_after: None, body: Bytes::from(body) };
        assert_eq!(response("a\nb\u{1b}[31m").excerpt(5), "a b [");
        assert_eq!(response("éééé").excerpt(2), "éé");
        assert_eq!(response("").excerpt(9), "");
    }
}

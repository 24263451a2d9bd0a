//! Addresses.

use std::fmt;

use hyper::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Error;

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// An address that can be asked: `http` or `https`, with a host, without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    is_tls: bool,
    host: String,
    port: u16,
    /// Host and port as they were written.
    authority: String,
    /// Path and query, beginning with a slash.
    target: String,
}

impl Endpoint {
    /// Reads an absolute address.
    ///
    /// # Errors
    /// [`Error::BadAddress`], which does not repeat the text: it may hold credentials.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bad = |what| Error::BadAddress { what };
        let uri: Uri = text.trim().parse().map_err(|_| bad("it cannot be read"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it holds credentials, which belong into the options"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let target = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        Ok(Self { is_tls, host, port, authority: authority.as_str().to_owned(), target })
    }

    /// The address of `path` (which begins with a slash) below this one, with a query of these names and values. A query
    /// of this address itself is dropped.
    pub fn with_query(&self, path: &str, query: &[(&str, &str)]) -> Self {
        let base = self.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        let mut target = format!("{base}{path}");
        for (number, (name, value)) in query.iter().enumerate() {
            target.push(if number == 0 { '?' } else { '&' });
            target.extend(utf8_percent_encode(name, RESERVED));
            target.push('=');
            target.extend(utf8_percent_encode(value, RESERVED));
        }
        Self { target, ..self.clone() }
    }

    /// The address of `path` below this one.
    pub fn with_path(&self, path: &str) -> Self {
        self.with_query(path, &[])
    }

    /// Whether it is asked over TLS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Name or IP address of the host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_refused() {
        for (text, expected) in [
            ("http://a", Some(("a", 80, false, "http://a/"))),
            ("https://a/b?c=d", Some(("a", 443, true, "https://a/b?c=d"))),
            (" http://127.0.0.1:9090/ ", Some(("127.0.0.1", 9090, false, "http://127.0.0.1:9090/"))),
            ("http://[::1]:9090/x", Some(("::1", 9090, false, "http://[::1]:9090/x"))),
            ("ftp://a", None),
            ("a:9090", None),
            ("/path", None),
            ("http://user:secret@a", None),
            ("http://a b", None),
            ("", None),
        ] {
            let got = Endpoint::parse(text);
            let shown = got.as_ref().map(ToString::to_string);
            let parts = got.as_ref().ok().map(|e| (e.host(), e.port(), e.is_tls(), shown.as_deref().unwrap()));
            assert_eq!(parts, expected, "{text}");
            assert!(!format!("{got:?}").contains("secret"));
        }
    }

    #[test]
    fn a_query_is_encoded_and_goes_below_the_base() {
        let base = Endpoint::parse("http://a/prometheus/?x=1").unwrap();
        let got = base.with_query("/api", &[("q", "a{b=\"c&d\"} + 1/é"), ("t", "-1.5")]);
        assert_eq!(got.to_string(), "http://a/prometheus/api?q=a%7Bb%3D%22c%26d%22%7D%20%2B%201%2F%C3%A9&t=-1.5");
        assert_eq!(base.with_path("/x").to_string(), "http://a/prometheus/x");
    }
}

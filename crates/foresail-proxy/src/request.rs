//! A request's head on its way to an endpoint: checked, stripped of what concerns one hop, and marked with where it came
//! from.

use std::net::IpAddr;

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{PathAndQuery, Uri};
use hyper::{Method, Version};

use crate::forwarded;
use crate::scan::Refusal;
use crate::watch::Watch;

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// What is to be known of a request besides its head.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// By which the request is found again in logs.
    pub(crate) id: HeaderValue,
    /// The address of the client that the request is from.
    pub(crate) client: IpAddr,
    /// May be repeated without harm.
    pub(crate) idempotent: bool,
    /// The protocol to which the client asks to switch.
    pub(crate) upgrade: Option<HeaderValue>,
}

/// Checks a head and turns it into the one that the endpoint gets. `has_body` tells whether a body follows.
///
/// # Errors
/// The refusal, with the id to report.
pub(crate) fn prepare(
    parts: &mut Parts,
    watch: &Watch,
    trusted: &[ipnet::IpNet],
    has_body: bool,
    fresh_id: impl FnOnce() -> HeaderValue,
) -> Result<Prepared, (Refusal, HeaderValue)> {
    let id = match parts.headers.get(X_REQUEST_ID) {
        Some(given) if watch.is_trusted && is_sound_id(given) => given.clone(),
        _ => fresh_id(),
    };
    match prepare_head(parts, watch, trusted, has_body) {
        Ok((client, upgrade)) => {
            parts.headers.insert(X_REQUEST_ID, id.clone());
            Ok(Prepared { id, client, idempotent: parts.method.is_idempotent(), upgrade })
        }
        Err(refusal) => Err((refusal, id)),
    }
}

fn prepare_head(
    parts: &mut Parts,
    watch: &Watch,
    trusted: &[ipnet::IpNet],
    has_body: bool,
) -> Result<(IpAddr, Option<HeaderValue>), Refusal> {
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(Refusal::NotImplemented);
    }
    settle_authority(parts)?;
    let headers = &mut parts.headers;
    if let Some(expect) = headers.remove(header::EXPECT)
        && !expect.as_bytes().eq_ignore_ascii_case(b"100-continue")
    {
        return Err(Refusal::Expectation);
    }
    let may_upgrade = parts.version == Version::HTTP_11 && !has_body;
    let upgrade = if may_upgrade { requested_upgrade(headers) } else { None };
    let wants_trailers = headers.get(header::TE).is_some_and(|te| lists(te, b"trailers"));
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    strip_hop_by_hop(headers);
    if wants_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    if is_chunked || (has_body && !headers.contains_key(header::CONTENT_LENGTH)) {
        // Said here because the client side assumes that a GET has no body unless told.
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(protocol) = &upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, protocol.clone());
    }
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    let client = mark_origin(headers, watch, trusted);
    parts.version = Version::HTTP_11;
    Ok((client, upgrade))
}

/// Exactly one authority: one `Host`, equal to the one in the target if there is one. The target becomes a path.
fn settle_authority(parts: &mut Parts) -> Result<(), Refusal> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let (host, another) = (hosts.next(), hosts.next());
    if another.is_some() || host.is_some_and(|host| !is_sound_host(host.as_bytes())) {
        return Err(Refusal::Malformed);
    }
    if let Some(authority) = parts.uri.authority() {
        let authority = authority.as_str();
        if !is_sound_host(authority.as_bytes()) {
            return Err(Refusal::Malformed);
        }
        match host {
            Some(host) if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
                return Err(Refusal::Malformed);
            }
            Some(_) => {}
            None => {
                let host = HeaderValue::from_str(authority).map_err(|_| Refusal::Malformed)?;
                parts.headers.insert(header::HOST, host);
            }
        }
        let path = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        parts.uri = Uri::from(path);
    } else if host.is_none() && parts.version != Version::HTTP_10 {
        return Err(Refusal::Malformed);
    }
    let path = parts.uri.path();
    let is_asterisk = path == "*" && parts.method == Method::OPTIONS;
    if path.starts_with('/') || is_asterisk { Ok(()) } else { Err(Refusal::Malformed) }
}

/// A name, an address or a bracketed address, with a port perhaps; no user, no path, no list.
fn is_sound_host(host: &[u8]) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.iter().all(|b| b.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+=".contains(b))
}

/// The protocol of an upgrade that both headers ask for. HTTP/2 over cleartext by upgrade is not one we pass on.
fn requested_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = headers.get_all(header::CONNECTION).iter().any(|value| lists(value, b"upgrade"));
    let protocol = headers.get(header::UPGRADE).filter(|_| asked)?;
    if protocol.as_bytes().get(..3).is_some_and(|p| p.eq_ignore_ascii_case(b"h2c")) {
        return None;
    }
    Some(protocol.clone())
}

/// Whether a comma-separated value lists `token` (in lower case).
pub(crate) fn lists(value: &HeaderValue, token: &[u8]) -> bool {
    value.as_bytes().split(|b| *b == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(token))
}

/// Removes what concerns one hop (RFC 9110 §7.6.1), also what `Connection` names, as long as that does not change the
/// meaning of the message.
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|b| *b == b','))
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| !matches!(*name, header::HOST | header::CONTENT_LENGTH | header::CACHE_CONTROL))
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in [
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::PROXY_AUTHORIZATION,
        HTTP2_SETTINGS,
    ] {
        headers.remove(name);
    }
}

/// HTTP/2 may split cookies into several fields; HTTP/1 wants them in one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(header::COOKIE).iter().nth(1).is_none() {
        return;
    }
    let parts: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&parts.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// Writes where the request came from. What an untrusted peer claims about that is thrown away.
fn mark_origin(headers: &mut HeaderMap, watch: &Watch, trusted: &[ipnet::IpNet]) -> IpAddr {
    let mut client = watch.peer.ip();
    if watch.is_trusted {
        client = forwarded::client(headers, client, trusted);
        forwarded::append(headers, &watch.peer_value);
    } else {
        headers.insert(X_FORWARDED_FOR, watch.peer_value.clone());
        headers.remove(X_REAL_IP);
        headers.remove(header::FORWARDED);
    }
    if !watch.is_trusted || !headers.contains_key(X_FORWARDED_PROTO) {
        let scheme = if watch.is_tls { "https" } else { "http" };
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    }
    if !watch.is_trusted || !headers.contains_key(X_FORWARDED_HOST) {
        match headers.get(header::HOST).cloned() {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
    client
}

/// At most 128 visible characters, so that it may stand in a log line and in JSON.
fn is_sound_id(id: &HeaderValue) -> bool {
    let sound = |b: &u8| b.is_ascii_alphanumeric() || b"-._~:=+/".contains(b);
    (1..=128).contains(&id.len()) && id.as_bytes().iter().all(sound)
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;
    use crate::clock;

    fn watch(is_trusted: bool) -> Watch {
        Watch::new(([10, 0, 0, 7], 999).into(), is_trusted, false, clock::now())
    }

    fn run(request: hyper::http::request::Builder, is_trusted: bool) -> Result<Parts, u16> {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        prepare(&mut parts, &watch(is_trusted), &trusted, false, || HeaderValue::from_static("fresh"))
            .map_err(|(refusal, _)| refusal.status())?;
        Ok(parts)
    }

    fn request(uri: &str) -> hyper::http::request::Builder {
        Request::builder().uri(uri).header("host", "a.example:80")
    }

    #[test]
    fn one_authority_only() {
        assert_eq!(run(request("/x?y"), false).unwrap().uri, "/x?y");
        assert_eq!(run(request("http://A.example:80/x"), false).unwrap().uri, "/x");
        assert_eq!(run(request("http://b.example/x"), false).unwrap_err(), 400);
        assert_eq!(run(request("/").header("host", "a.example:80"), false).unwrap_err(), 400);
        assert_eq!(run(Request::builder().uri("/"), false).unwrap_err(), 400);
        for host in ["", "a b", "a/b", "user@a", "a,b", "a\\b"] {
            assert_eq!(run(Request::builder().uri("/").header("host", host), false).unwrap_err(), 400, "{host:?}");
        }
        assert!(run(Request::builder().uri("/").version(Version::HTTP_10), false).is_ok());
        assert_eq!(run(request("*").method("GET"), false).unwrap_err(), 400);
        assert!(run(request("*").method("OPTIONS"), false).is_ok());
        assert_eq!(run(request("/").method("TRACE"), false).unwrap_err(), 501);
        assert_eq!(run(request("/").header("expect", "miracle"), false).unwrap_err(), 417);
    }

    #[test]
    fn one_hop_stays_one_hop() {
        let parts = run(
            request("/")
                .header("connection", "keep-alive, x-secret, host, content-length")
                .header("x-secret", "1")
                .header("keep-alive", "5")
                .header("te", "gzip, trailers")
                .header("upgrade", "h2c")
                .header("proxy-connection", "keep-alive"),
            false,
        )
        .unwrap();
        for gone in ["connection", "x-secret", "keep-alive", "upgrade", "proxy-connection"] {
            assert!(!parts.headers.contains_key(gone), "{gone}");
        }
        assert_eq!(parts.headers["te"], "trailers");
        assert_eq!(parts.headers["host"], "a.example:80");
    }

    #[test]
    fn strangers_are_not_believed() {
        let claims = || {
            request("/")
                .header("x-forwarded-for", "1.2.3.4")
                .header("x-forwarded-proto", "https")
                .header("x-real-ip", "1.2.3.4")
                .header("x-request-id", "abc")
        };
        let stranger = run(claims(), false).unwrap();
        assert_eq!(stranger.headers["x-forwarded-for"], "10.0.0.7");
        assert_eq!(stranger.headers["x-forwarded-proto"], "http");
        assert_eq!(stranger.headers["x-forwarded-host"], "a.example:80");
        assert_eq!(stranger.headers["x-request-id"], "fresh");
        assert!(!stranger.headers.contains_key("x-real-ip"));
        let friend = run(claims(), true).unwrap();
        assert_eq!(friend.headers["x-forwarded-for"], "1.2.3.4, 10.0.0.7");
        assert_eq!(friend.headers["x-forwarded-proto"], "https");
        assert_eq!(friend.headers["x-request-id"], "abc");
    }
}

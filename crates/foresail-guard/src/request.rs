//! What the guard is told of a request and of what came of it.

use std::net::IpAddr;

use foresail_core::Timestamp;

use crate::hash::HashKey;

/// What kind of answer a request can take, as far as its head tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A person's browser opens a page: it can be shown another.
    Navigation,
    /// Part of a page: an image, a script.
    Asset,
    /// A program asks: it can only be told to wait.
    Api,
}

impl Kind {
    /// From the method, the path, and the values of `Accept` and `Sec-Fetch-Dest`, where there are any.
    pub fn of(method: &str, path: &str, accept: Option<&[u8]>, fetch_dest: Option<&[u8]>) -> Self {
        if !matches!(method, "GET" | "HEAD") {
            return Self::Api;
        }
        match fetch_dest {
            Some(b"document" | b"iframe" | b"frame") => return Self::Navigation,
            Some(b"empty") => return Self::Api,
            Some(_) => return Self::Asset,
            None => {}
        }
        let wants_page = accept.is_some_and(|a| a.windows(9).any(|w| w.eq_ignore_ascii_case(b"text/html")));
        if wants_page {
            return Self::Navigation;
        }
        let name = path.rsplit('/').next().unwrap_or("");
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        const ASSETS: [&str; 15] = [
            "js", "css", "png", "jpg", "jpeg", "gif", "svg", "webp", "avif", "ico", "woff", "woff2", "ttf", "mp4",
            "map",
        ];
        if ASSETS.contains(&ending) { Self::Asset } else { Self::Api }
    }
}

/// What tells one program from another by the way it writes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of which headers there are, and in which order; differs between a page and its images.
    pub shape: u64,
    /// Of what stays the same from request to request: agent, languages, the handshake of TLS. Clearance is bound
    /// to it.
    pub stable: u64,
}

impl Fingerprint {
    /// Of the headers in the order they came, and what is known of the connection (a hash of its TLS handshake, or 0).
    pub fn of<'a>(
        key: HashKey,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        version: u8,
        handshake: u64,
    ) -> Self {
        let mut shape = u64::from(version);
        let mut stable = handshake;
        for (name, value) in headers {
            if is_passing(name) {
                continue;
            }
            // A rolling product keeps the order; the keyed hash at the end keeps it secret.
            shape = (shape ^ short(name.as_bytes())).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
            if matches!(name, "user-agent" | "accept-language") {
                stable = stable.wrapping_add(key.pair(short(name.as_bytes()), key.bytes(value)));
            }
        }
        Self { shape: key.pair(shape, handshake), stable: key.pair(stable, u64::from(version)) }
    }
}

/// Headers that one program now sends and now does not.
fn is_passing(name: &str) -> bool {
    matches!(
        name,
        "cookie"
            | "referer"
            | "origin"
            | "authorization"
            | "range"
            | "pragma"
            | "cache-control"
            | "x-request-id"
            | "forwarded"
    ) || name.starts_with("x-forwarded")
        || name.starts_with("if-")
        || name.starts_with("content-")
}

/// A name of a header as a word, told from others by its length and both its ends.
#[inline]
fn short(name: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    let (head, tail) = (&name[..name.len().min(8)], &name[name.len().saturating_sub(8)..]);
    word(head) ^ word(tail).rotate_left(31) ^ (name.len() as u64) << 57
}

/// One request, as it arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// When.
    pub at: Timestamp,
    /// From whom, seen through trusted proxies.
    pub client: IpAddr,
    /// What kind of answer it can take.
    pub kind: Kind,
    /// Path without the query.
    pub path: &'a str,
    /// The query, if there is one.
    pub query: Option<&'a str>,
    /// The value of `User-Agent`, empty if there is none.
    pub agent: &'a [u8],
    /// How it is written.
    pub fingerprint: Fingerprint,
    /// The value of `Cookie`, if there is one.
    pub cookie: Option<&'a [u8]>,
    /// Whether it is a bot whose name its network vouches for; see [`bots`](crate::bots).
    pub is_verified_bot: bool,
}

/// What came of a request that was let through.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The status it was answered with.
    pub status: u16,
    /// What it cost the origin, in milliseconds; 0 from a cache.
    pub origin_ms: f32,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// Whether a cache was asked in vain.
    pub is_miss: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_head() {
        let check = |method, path, accept: &str, dest: &str, expected| {
            let some = |text: &'static str| Some(text.as_bytes()).filter(|t| !t.is_empty());
            let (accept, dest): (&'static str, &'static str) = (accept.to_owned().leak(), dest.to_owned().leak());
            assert_eq!(Kind::of(method, path, some(accept), some(dest)), expected, "{path}");
        };
        check("GET", "/", "text/html,*/*", "", Kind::Navigation);
        check("GET", "/a.png", "text/html", "image", Kind::Asset);
        check("GET", "/a.png", "*/*", "", Kind::Asset);
        check("GET", "/feed", "application/rss+xml", "", Kind::Api);
        check("GET", "/", "text/html", "empty", Kind::Api);
        check("POST", "/", "text/html", "document", Kind::Api);
        check("GET", "/", "", "document", Kind::Navigation);
        check("GET", "/v1.2/things", "", "", Kind::Api);
    }

    #[test]
    fn the_shape_is_of_names_and_order_the_rest_is_of_what_stays() {
        let key = HashKey::new([1, 2]);
        let print = |names: &[(&'static str, &'static str)]| {
            Fingerprint::of(key, names.iter().map(|(n, v)| (*n, v.as_bytes())), 11, 0)
        };
        let one = print(&[("host", "a"), ("user-agent", "x"), ("accept", "*/*")]);
        let cookie = print(&[("host", "a"), ("user-agent", "x"), ("cookie", "k=v"), ("accept", "*/*")]);
        let other = print(&[("host", "a"), ("accept", "*/*"), ("user-agent", "x")]);
        let agent = print(&[("host", "a"), ("user-agent", "y"), ("accept", "text/html")]);
        assert_eq!(one, cookie);
        assert_ne!(one.shape, other.shape);
        assert_eq!(one.stable, other.stable);
        assert_eq!(one.shape, agent.shape);
        assert_ne!(one.stable, agent.stable);
    }
}

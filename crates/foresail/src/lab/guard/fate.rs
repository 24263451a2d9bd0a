//! What becomes of a request.

use bytes::Bytes;
use foresail_guard::challenge;
use hyper::Response;

use crate::demo::service::SERVED_BY;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The origin has answered it well.
    Served,
    /// The origin has answered it with an error.
    Failed,
    /// The proxy answered with a puzzle.
    Challenged,
    /// The proxy answered 429.
    Throttled,
    /// The proxy answered 403.
    Blocked,
    /// No answer in time, or one of the proxy that there is no room.
    Unserved,
}

/// Their number and names, in the order of the enumeration.
pub(crate) const FATES: [&str; 6] = ["served", "failed", "challenged", "throttled", "blocked", "unserved"];

/// So many requests of each fate.
pub(crate) type Counts = [u64; FATES.len()];

impl Fate {
    pub(super) fn of(answer: &Response<Bytes>) -> Self {
        let status = answer.status().as_u16();
        if answer.headers().contains_key(SERVED_BY) {
            return if status < 500 { Self::Served } else { Self::Failed };
        }
        match status {
            403 if puzzle(answer).is_some() => Self::Challenged,
            403 => Self::Blocked,
            429 => Self::Throttled,
            _ => Self::Unserved,
        }
    }

    /// Whether the request came to the origin.
    pub(super) fn is_passed(self) -> bool {
        matches!(self, Self::Served | Self::Failed)
    }
}

/// The puzzle in an answer, and the bits it asks for.
pub(super) fn puzzle(answer: &Response<Bytes>) -> Option<(&str, u8)> {
    std::str::from_utf8(answer.body()).ok().and_then(challenge::read_page)
}

#[cfg(test)]
mod tests {
    use foresail_guard::Challenge;

    use super::*;

    #[test]
    fn answers_of_the_origin_are_told_from_the_proxys() {
        let fate = |status: u16, is_origins: bool, body: &str| {
            let mut answer = Response::builder().status(status);
            if is_origins {
                answer = answer.header(SERVED_BY, "sample-service");
            }
            Fate::of(&answer.body(Bytes::from(body.to_owned())).unwrap())
        };
        let page = challenge::page("abc", Challenge::Script);
        for (status, is_origins, body, expected) in [
            (200, true, "", Fate::Served),
            (503, true, "queue full\n", Fate::Failed),
            (503, false, "", Fate::Unserved),
            (429, false, "", Fate::Throttled),
            (403, false, "come back later", Fate::Blocked),
            (403, false, page.as_str(), Fate::Challenged),
        ] {
            assert_eq!(fate(status, is_origins, body), expected, "{status} {is_origins}");
            assert_eq!(expected.is_passed(), is_origins);
        }
        assert_eq!(FATES[Fate::Unserved as usize], "unserved");
    }
}

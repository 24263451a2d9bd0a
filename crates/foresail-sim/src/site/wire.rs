//! How the requests of the mix and of attacks are written, so that a fingerprint taken of their headers tells them apart as
//! the mix does.

use std::collections::BTreeMap;

use foresail_core::SeededRng;
use foresail_guard::{Fingerprint, HashKey, Kind};

use super::legit::{APP_PRINT, Ask, SHAPE_OF_BROWSERS, SHAPE_OF_CLASSES};

/// Headers of programs that choose their order themselves.
const ANY: [&str; 8] = [
    "user-agent",
    "accept",
    "accept-language",
    "accept-encoding",
    "dnt",
    "priority",
    "sec-gpc",
    "upgrade-insecure-requests",
];

/// The headers of a request in order, without the address and the cookie of the client: what it is written like, and
/// what kind of answer it can take, both follow from them as they do from [`Ask`].
pub fn headers(ask: &Ask) -> Vec<(&'static str, String)> {
    let Fingerprint { shape, stable } = ask.fingerprint;
    let mut written = match shape {
        SHAPE_OF_BROWSERS..2_000 => browser(ask.kind, (shape - SHAPE_OF_BROWSERS) / 10, stable),
        _ if ask.fingerprint == APP_PRINT => vec![
            ("user-agent", "ShopApp/4.2".to_owned()),
            ("accept", "application/json".to_owned()),
            ("x-app-version", "4.2".to_owned()),
        ],
        SHAPE_OF_CLASSES..200 => {
            let own = match shape - SHAPE_OF_CLASSES {
                4 => "accept-encoding",
                5 => "x-hook-id",
                6 => "x-check",
                _ => "from",
            };
            vec![
                ("user-agent", format!("program-{stable}")),
                ("accept", accept(ask.kind).to_owned()),
                (own, "1".to_owned()),
            ]
        }
        _ => {
            let mut names = ANY;
            SeededRng::seed_from_u64(shape).shuffle(&mut names);
            let value = |name| match name {
                "user-agent" => format!("tool/{stable}"),
                "accept" => accept(ask.kind).to_owned(),
                _ => "1".to_owned(),
            };
            names.into_iter().map(|name| (name, value(name))).collect()
        }
    };
    written.insert(0, ("host", "shop.example".to_owned()));
    written
}

/// Every browser has an order of its own, and writes requests for pages, for parts and for data differently.
fn browser(kind: Kind, browser: u64, person: u64) -> Vec<(&'static str, String)> {
    let (destination, mode, own) = match kind {
        Kind::Navigation => ("document", "navigate", Some("upgrade-insecure-requests")),
        Kind::Asset => ("script", "no-cors", None),
        Kind::Api => ("empty", "cors", Some("x-requested-with")),
    };
    let mut written = vec![
        ("user-agent", format!("Mozilla/5.0 (person {person}) Browser/{browser}")),
        ("accept", accept(kind).to_owned()),
        ("accept-language", "en-GB,en;q=0.7".to_owned()),
        ("accept-encoding", "gzip, deflate".to_owned()),
        ("dnt", "1".to_owned()),
        ("priority", "u=0".to_owned()),
        ("sec-fetch-site", "same-origin".to_owned()),
        ("sec-fetch-mode", mode.to_owned()),
        ("sec-fetch-dest", destination.to_owned()),
    ];
    written.rotate_left(browser as usize % 9);
    written.extend(own.map(|name| (name, "1".to_owned())));
    written
}

fn accept(kind: Kind) -> &'static str {
    if kind == Kind::Navigation { "text/html,application/xhtml+xml" } else { "*/*" }
}

/// Fingerprints of requests as a proxy takes them of HTTP/1.1 without TLS, each computed once.
#[derive(Clone, Debug)]
pub(crate) struct Prints {
    key: HashKey,
    known: BTreeMap<(u64, u64, u8), Fingerprint>,
}

impl Prints {
    /// Those taken under `key`.
    pub(crate) fn new(key: HashKey) -> Self {
        Self { key, known: BTreeMap::new() }
    }

    pub(crate) fn of(&mut self, ask: &Ask) -> Fingerprint {
        let place = (ask.fingerprint.shape, ask.fingerprint.stable, ask.kind as u8);
        let key = self.key;
        let compute = || {
            let written = headers(ask);
            Fingerprint::of(key, written.iter().map(|(name, value)| (*name, value.as_bytes())), 11, 0)
        };
        // Programs that are another each time would fill it.
        if ask.fingerprint.shape > 1 << 32 { compute() } else { *self.known.entry(place).or_insert_with(compute) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use foresail_core::Timestamp;

    use super::*;
    use crate::site::{Attack, Legit};

    const NOON: Timestamp = Timestamp::from_secs(1_772_366_400);

    /// What the headers say is what the mix means: the kind of answer, and who is written alike.
    #[test]
    fn what_is_written_is_what_was_meant() {
        let mut legit = Legit::new(3, NOON);
        let mut asks: Vec<Ask> = legit.plan(Duration::from_secs(120)).into_iter().map(|planned| planned.ask).collect();
        for attack in Attack::ALL {
            asks.extend(attack.plan(legit.site(), 200.0, 5).take(200).map(|(_, ask)| ask));
        }
        let mut prints = Prints::new(HashKey::new([1, 2]));
        let (mut meant, mut written, mut both) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for ask in &asks {
            let headers = headers(ask);
            let value = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_bytes());
            let kind = Kind::of("GET", &ask.path, value("accept"), value("sec-fetch-dest"));
            assert_eq!(kind, ask.kind, "{ask:?}");
            // One tool writes all it asks for alike; the mix gives browsers a shape for each kind.
            let shape = prints.of(ask).shape;
            meant.insert(ask.fingerprint.shape);
            written.insert(shape);
            both.insert((ask.fingerprint.shape, shape));
        }
        assert!(meant.len() > 200, "{}", meant.len());
        assert_eq!(both.len(), meant.len());
        // Of 40,320 orders two may be drawn alike.
        assert!(written.len() + 5 > meant.len(), "{} of {}", written.len(), meant.len());
    }
}

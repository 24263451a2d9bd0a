//! What traffic consists of: shares of a few groupings of requests, each in a fixed number of groups.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::geo::{Location, Origin};
use crate::request::Kind;

/// By what requests are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// How they are written: which headers, in which order.
    Fingerprint,
    /// The country of the client, or the part of the Internet where no database tells.
    Place,
    /// The autonomous system of the client, or its network.
    Network,
    /// What they ask for, and whether the query is one not seen before.
    Path,
    /// What the client has done so far: how long it is here, how fast, for what, how regularly.
    Conduct,
    /// What the isolation forest makes of the client.
    Oddness,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Fingerprint, Self::Place, Self::Network, Self::Path, Self::Conduct, Self::Oddness];

    /// As in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fingerprint => "fingerprint",
            Self::Place => "place",
            Self::Network => "network",
            Self::Path => "path",
            Self::Conduct => "conduct",
            Self::Oddness => "oddness",
        }
    }

    pub(crate) const fn size(self) -> usize {
        match self {
            Self::Fingerprint | Self::Place => 1024,
            Self::Network | Self::Path => 2048,
            Self::Conduct => 1024,
            Self::Oddness => ODDNESS,
        }
    }

    /// Where its groups begin among all.
    pub(crate) const fn offset(self) -> usize {
        match self {
            Self::Fingerprint => 0,
            Self::Place => 1024,
            Self::Network => 2048,
            Self::Path => 4096,
            Self::Conduct => 6144,
            Self::Oddness => 7168,
        }
    }

    pub(crate) const fn range(self) -> std::ops::Range<usize> {
        self.offset()..self.offset() + self.size()
    }
}

/// Reads as the subject of a sentence about shares.
impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fingerprint => "requests written like this one",
            Self::Place => "requests from its country or region",
            Self::Network => "requests from its network",
            Self::Path => "requests for this path",
            Self::Conduct => "requests of clients that behave like this one",
            Self::Oddness => "requests of clients as odd as this one",
        })
    }
}

/// A group of requests as the subject of a sentence about shares: by its name where a database gives it one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject(pub Dimension, pub Option<Origin>);

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(origin) => write!(f, "requests from {origin}"),
            None => self.0.fmt(f),
        }
    }
}

/// Groups of the forest's score: 16 quantiles, and those not judged yet.
const ODDNESS: usize = 32;
/// The group of clients that the forest has not judged.
pub(crate) const UNJUDGED: u8 = 16;

/// All groups of all dimensions.
pub(crate) const GROUPS: usize = 7168 + ODDNESS;

/// The group of a request in every dimension, as places among [`GROUPS`].
pub(crate) type Places = [u16; 6];

/// What the groups of a request follow from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traits {
    pub(crate) fingerprint: u64,
    pub(crate) place: u64,
    pub(crate) network: u64,
    /// What place and network follow from, where a database tells.
    pub(crate) location: Location,
    pub(crate) path: u64,
    /// Whether the query is one that was not asked before.
    pub(crate) is_new_query: bool,
    pub(crate) conduct: Conduct,
    pub(crate) oddness: u8,
}

/// What a client has done so far, coarsely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conduct {
    pub(crate) kind: Kind,
    /// Seconds since it was first seen; 0 of one that has no record.
    pub(crate) age_s: f32,
    /// Requests lately.
    pub(crate) recent: f32,
    /// See [`Profile::purity`](crate::profile::Profile::purity).
    pub(crate) purity: usize,
    /// See [`Profile::regularity`](crate::profile::Profile::regularity).
    pub(crate) regularity: usize,
}

impl Conduct {
    fn group(self) -> usize {
        let age = match self.age_s {
            ..2.0 => 0,
            ..20.0 => 1,
            ..120.0 => 2,
            ..900.0 => 3,
            _ => 4,
        };
        let rate = match self.recent {
            ..1.5 => 0,
            ..3.5 => 1,
            ..7.0 => 2,
            ..14.0 => 3,
            ..40.0 => 4,
            _ => 5,
        };
        ((((self.kind as usize * 5 + age) * 6 + rate) * 3) + self.purity) * 3 + self.regularity
    }
}

impl Traits {
    pub(crate) fn places(&self) -> Places {
        let at = |dimension: Dimension, group: usize| (dimension.offset() + group % dimension.size()) as u16;
        let path = (self.path as usize % 1024) * 2 + usize::from(self.is_new_query);
        [
            at(Dimension::Fingerprint, self.fingerprint as usize),
            at(Dimension::Place, self.place as usize),
            at(Dimension::Network, self.network as usize),
            at(Dimension::Path, path),
            at(Dimension::Conduct, self.conduct.group()),
            at(Dimension::Oddness, usize::from(self.oddness)),
        ]
    }
}

/// The part of the Internet that a client's row for the forest counts for: of these there are many on every site, of countries
/// there may be one.
pub(crate) fn part(region: u64) -> u16 {
    (Dimension::Place.offset() + region as usize % Dimension::Place.size()) as u16
}

/// The form of a path: its first two steps, with every step that holds a digit taken for a name of one thing among many.
pub(crate) fn path_form(path: &str) -> impl Iterator<Item = &[u8]> {
    let steps = path.as_bytes().split(|b| *b == b'/').filter(|step| !step.is_empty());
    steps.take(2).map(|step| if step.iter().any(u8::is_ascii_digit) { &b"0"[..] } else { &step[..step.len().min(24)] })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dimensions_lie_side_by_side() {
        let mut end = 0;
        for dimension in Dimension::ALL {
            assert_eq!(dimension.range().start, end);
            end = dimension.range().end;
        }
        assert_eq!(end, GROUPS);
    }

    #[test]
    fn paths_of_one_form_are_one() {
        let form = |path| path_form(path).map(<[u8]>::to_vec).collect::<Vec<_>>();
        assert_eq!(form("/item/17"), form("/item/4"));
        assert_eq!(form("/item/17/more"), form("//item/4"));
        assert_ne!(form("/item/17"), form("/user/17"));
        assert!(form("/").is_empty());
    }

    proptest! {
        /// Every request has one group in every dimension.
        #[test]
        fn groups_are_within_their_dimension(words in any::<[u64; 4]>(), kind in 0..3_usize, age in any::<f32>(), recent in any::<f32>(), more in (0..3_usize, 0..3_usize, 0..=16_u8)) {
            let kind = [Kind::Navigation, Kind::Asset, Kind::Api][kind];
            let conduct = Conduct { kind, age_s: age, recent, purity: more.0, regularity: more.1 };
            let [fingerprint, place, network, path] = words;
            let location = Location::default();
            let traits = Traits { fingerprint, place, network, location, path, is_new_query: path & 1 == 1, conduct, oddness: more.2 };
            for (place, dimension) in traits.places().into_iter().zip(Dimension::ALL) {
                prop_assert!(dimension.range().contains(&usize::from(place)));
            }
        }
    }
}

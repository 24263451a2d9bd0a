//! Where an address is, from databases that the operator supplies; without one, networks stand in.

use std::fmt;
use std::net::IpAddr;

use maxminddb::{PathElement, Reader};
use serde::{Deserialize, Serialize, Serializer};

use crate::Error;
use crate::mix::Dimension;

/// Answers where an address is. Called for clients that are new, so it may cost a microsecond.
pub trait Geo: Send + Sync {
    /// What it tells at all.
    fn coverage(&self) -> Coverage;

    /// Where an address is, as far as it knows.
    fn locate(&self, address: IpAddr) -> Location;
}

/// What a database tells. What is usual is learned by country and by autonomous system where this says so, else by network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Countries of addresses.
    pub countries: bool,
    /// Autonomous systems of addresses.
    pub systems: bool,
}

/// Where an address is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Its country.
    pub country: Option<Country>,
    /// The number of its autonomous system.
    pub system: Option<u32>,
}

impl Location {
    /// What of it names the group of a request in a dimension.
    pub fn origin(&self, dimension: Dimension) -> Option<Origin> {
        match dimension {
            Dimension::Place => self.country.map(Origin::Country),
            Dimension::Network => self.system.map(Origin::System),
            _ => None,
        }
    }
}

/// A country, as two capital letters (ISO 3166-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// None if these are not two capital letters.
    pub fn new(code: &[u8]) -> Option<Self> {
        let code: [u8; 2] = code.try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// As one word.
    pub fn word(self) -> u64 {
        u64::from(u16::from_be_bytes(self.0))
    }
}

/// As `DE`.
impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a group of clients has in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Their country.
    Country(Country),
    /// The number of their autonomous system.
    System(u32),
}

/// As `country DE` or `AS64500`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Country(country) => write!(f, "country {country}"),
            Self::System(number) => write!(f, "AS{number}"),
        }
    }
}

/// A database in MaxMind's format (`.mmdb`), of countries, cities or autonomous systems, all of it in memory.
pub struct MaxMind {
    reader: Reader<Vec<u8>>,
    coverage: Coverage,
}

impl MaxMind {
    /// Reads a database that is in memory. What it tells is known by its type, such as `GeoLite2-Country` or `DBIP-ASN-Lite`.
    ///
    /// # Errors
    /// [`Error::BadDatabase`] if it is none, or one of other things.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
        let reader = Reader::from_source(bytes).map_err(|error| Error::BadDatabase(error.to_string()))?;
        let kind = reader.metadata().database_type.to_ascii_lowercase();
        let is_of = |names: &[&str]| names.iter().any(|name| kind.contains(name));
        let coverage = Coverage {
            countries: is_of(&["country", "city", "location", "enterprise"]),
            systems: is_of(&["asn", "isp", "enterprise"]),
        };
        if coverage == Coverage::default() {
            let kind: String = kind.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Error::BadDatabase(format!("its type {kind:?} is neither of countries nor of AS numbers")));
        }
        Ok(Self { reader, coverage })
    }
}

/// A damaged record is as good as none.
impl Geo for MaxMind {
    fn coverage(&self) -> Coverage {
        self.coverage
    }

    fn locate(&self, address: IpAddr) -> Location {
        let Ok(found) = self.reader.lookup(address) else { return Location::default() };
        let country = || {
            let path = [PathElement::Key("country"), PathElement::Key("iso_code")];
            let code: Option<&str> = found.decode_path(&path).ok()?;
            Country::new(code?.as_bytes())
        };
        let system = || found.decode_path(&[PathElement::Key("autonomous_system_number")]).ok()?;
        Location {
            country: if self.coverage.countries { country() } else { None },
            system: if self.coverage.systems { system() } else { None },
        }
    }
}

/// Several databases: what one does not tell, the next is asked.
pub struct Databases(Vec<MaxMind>);

impl Databases {
    /// In the order in which they are asked.
    pub fn new(databases: Vec<MaxMind>) -> Self {
        Self(databases)
    }
}

/// What they tell together.
impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Databases").field(&self.coverage()).finish()
    }
}

impl Geo for Databases {
    fn coverage(&self) -> Coverage {
        self.0.iter().fold(Coverage::default(), |all, database| Coverage {
            countries: all.countries || database.coverage.countries,
            systems: all.systems || database.coverage.systems,
        })
    }

    fn locate(&self, address: IpAddr) -> Location {
        let mut location = Location::default();
        for database in &self.0 {
            let Coverage { countries, systems } = database.coverage;
            if (countries && location.country.is_none()) || (systems && location.system.is_none()) {
                let found = database.locate(address);
                location.country = location.country.or(found.country);
                location.system = location.system.or(found.system);
            }
        }
        location
    }
}

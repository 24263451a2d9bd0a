//! Where an address is, from a database that the operator supplies; without one, networks stand in.

use std::net::IpAddr;

/// Answers where an address is. Called for clients that are new, so it may cost a microsecond.
pub trait Geo: Send + Sync {
    /// The country, as two letters (ISO 3166-1).
    fn country(&self, address: IpAddr) -> Option<[u8; 2]>;

    /// The number of the autonomous system.
    fn system(&self, address: IpAddr) -> Option<u32>;
}

#[cfg(feature = "geoip")]
mod maxmind {
    use std::net::IpAddr;

    use maxminddb::Reader;

    use super::Geo;
    use crate::Error;

    /// A database in MaxMind's format (`.mmdb`), of countries, cities or autonomous systems.
    pub struct MaxMind(Reader<Vec<u8>>);

    impl MaxMind {
        /// Reads a database that is in memory.
        ///
        /// # Errors
        /// [`Error::BadDatabase`] if it is none.
        pub fn new(bytes: Vec<u8>) -> Result<Self, Error> {
            Reader::from_source(bytes).map(Self).map_err(|error| Error::BadDatabase(error.to_string()))
        }
    }

    impl Geo for MaxMind {
        fn country(&self, address: IpAddr) -> Option<[u8; 2]> {
            let found = self.0.lookup(address).ok()?;
            let path = [maxminddb::PathElement::Key("country"), maxminddb::PathElement::Key("iso_code")];
            let code: Option<&str> = found.decode_path(&path).ok()?;
            code?.as_bytes().try_into().ok()
        }

        fn system(&self, address: IpAddr) -> Option<u32> {
            let found = self.0.lookup(address).ok()?;
            found.decode_path(&[maxminddb::PathElement::Key("autonomous_system_number")]).ok()?
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_no_database_is_refused() {
            assert!(MaxMind::new(vec![1, 2, 3]).is_err());
            assert!(MaxMind::new(b"\xab\xcd\xefMaxMind.com\xff\xff\xff".to_vec()).is_err());
        }
    }
}

#[cfg(feature = "geoip")]
pub use maxmind::MaxMind;

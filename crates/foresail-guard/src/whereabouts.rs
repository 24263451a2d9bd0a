//! Where clients are, remembered for those who came lately: to ask a database takes longer than all the rest of a decision.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::client::ClientId;
use crate::geo::{Geo, Location};

/// Clients remembered, a power of two; each takes 24 bytes.
const RECENT: usize = 4096;

/// A database, and what it said of recent clients. Addresses of one IPv6 /64 are taken to be in one place.
#[derive(Clone)]
pub(crate) struct Whereabouts {
    geo: Option<Arc<dyn Geo>>,
    /// By a hash of the client, which is 0 where there is none. Empty without a database.
    recent: Vec<(u64, Location)>,
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whereabouts").field("coverage", &self.geo.as_ref().map(|geo| geo.coverage())).finish()
    }
}

impl Whereabouts {
    pub(crate) fn new(geo: Option<Arc<dyn Geo>>) -> Self {
        let room = if geo.is_some() { RECENT } else { 0 };
        Self { geo, recent: vec![(0, Location::default()); room] }
    }

    /// Where the client at an address is; nowhere without a database.
    #[inline]
    pub(crate) fn locate(&mut self, client: ClientId, address: IpAddr) -> Location {
        let Some(geo) = &self.geo else { return Location::default() };
        // Who finds clients that share a place makes the guard ask for them again, no more.
        let place = client.word().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52;
        let known = &mut self.recent[place as usize % RECENT];
        if known.0 != client.word() {
            *known = (client.word(), geo.locate(address));
        }
        known.1
    }

    pub(crate) fn bytes(&self) -> usize {
        self.recent.len() * size_of::<(u64, Location)>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;

    use super::*;
    use crate::geo::Coverage;

    /// Tells the address itself for the number of a system, and counts how often it is asked.
    #[derive(Default)]
    struct Telling(AtomicU32);

    impl Geo for Telling {
        fn coverage(&self) -> Coverage {
            Coverage { countries: false, systems: true }
        }

        fn locate(&self, address: IpAddr) -> Location {
            self.0.fetch_add(1, Ordering::Relaxed);
            let IpAddr::V4(v4) = address else { return Location::default() };
            Location { country: None, system: Some(u32::from(v4)) }
        }
    }

    #[test]
    fn who_comes_again_is_not_looked_up_again() {
        let telling = Arc::new(Telling::default());
        let mut whereabouts = Whereabouts::new(Some(telling.clone()));
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        for _ in 0..5 {
            assert_eq!(whereabouts.locate(ClientId::of(address), address).system, Some(0xc000_0207));
        }
        assert_eq!(telling.0.load(Ordering::Relaxed), 1);
        assert_eq!(whereabouts.bytes(), RECENT * 24);
        assert_eq!(Whereabouts::new(None).locate(ClientId::of(address), address), Location::default());
    }

    proptest! {
        /// Whoever else came before, what is told of a client is what the database says of it.
        #[test]
        fn no_client_is_taken_for_another(addresses in prop::collection::vec(any::<u32>(), 1..400)) {
            let mut whereabouts = Whereabouts::new(Some(Arc::new(Telling::default())));
            for address in addresses.into_iter().filter(|address| *address != 0) {
                let ip = IpAddr::from(std::net::Ipv4Addr::from(address));
                prop_assert_eq!(whereabouts.locate(ClientId::of(ip), ip).system, Some(address));
            }
        }
    }
}

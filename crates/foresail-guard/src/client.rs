//! Who a request counts for: an IPv4 address or an IPv6 network of 64 bits, in one word.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// One client: an IPv4 address, or the first 64 bits of an IPv6 address, for whoever has one of those has all of them.
/// The trusted proxies in front are seen through before this, where addresses are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClientId(u64);

/// What stands for addresses that no client on the Internet has: 0.0.0.0 and the reserved ::/32 (RFC 4291 §2.5).
const RESERVED: u64 = 0xffff_ffff;

impl ClientId {
    /// The client at `address`. An IPv4 address within IPv6 is that IPv4 address; ::1 is 127.0.0.1.
    pub fn of(address: IpAddr) -> Self {
        let word = match address {
            IpAddr::V4(v4) => u64::from(u32::from(v4)),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => u64::from(u32::from(Ipv4Addr::LOCALHOST)),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) => u64::from(u32::from(v4)),
                None => Some((u128::from(v6) >> 64) as u64).filter(|word| *word > RESERVED).unwrap_or(RESERVED),
            },
        };
        Self(if word == 0 { RESERVED } else { word })
    }

    /// As one word, never 0; no two clients share one.
    pub const fn word(self) -> u64 {
        self.0
    }

    /// The client of a word that [`word`](Self::word) gave.
    pub(crate) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    const fn is_v4(self) -> bool {
        self.0 <= RESERVED
    }

    /// The network it is in: /24 of IPv4, /48 of IPv6.
    pub const fn network(self) -> u64 {
        if self.is_v4() { self.0 >> 8 << 8 } else { self.0 >> 16 << 16 }
    }

    /// The part of the Internet it is in, where no GeoIP database says more: /16 of IPv4, /32 of IPv6.
    pub const fn region(self) -> u64 {
        if self.is_v4() { self.0 >> 16 << 16 } else { self.0 >> 32 << 32 }
    }
}

/// An address, or a network of IPv6.
impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_v4() {
            Ipv4Addr::from(self.0 as u32).fmt(f)
        } else {
            write!(f, "{}/64", Ipv6Addr::from(u128::from(self.0) << 64))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> ClientId {
        ClientId::of(text.parse().unwrap())
    }

    #[test]
    fn one_client_however_it_is_written() {
        assert_eq!(id("::ffff:192.0.2.7"), id("192.0.2.7"));
        assert_eq!(id("::1"), id("127.0.0.1"));
        assert_eq!(id("2001:db8:1:2::1"), id("2001:db8:1:2:ffff::9"));
        assert_ne!(id("2001:db8:1:2::1"), id("2001:db8:1:3::1"));
        assert_eq!(id("2001:db8:1:2::1").network(), id("2001:db8:1:3::1").network());
        assert_eq!(id("192.0.2.7").network(), id("192.0.2.200").network());
        assert_ne!(id("192.0.2.7").network(), id("192.0.3.7").network());
        assert_eq!(id("192.0.2.7").region(), id("192.0.99.7").region());
        assert_eq!(id("192.0.2.7").to_string(), "192.0.2.7");
        assert_eq!(id("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
        assert_ne!(id("0.0.0.0").word(), 0);
    }

    proptest! {
        /// Every address has a client that is not 0, and the roll-ups of one client are those of its network.
        #[test]
        fn every_address_has_a_client(bits in any::<u128>(), v4 in any::<u32>()) {
            for ip in [IpAddr::from(Ipv6Addr::from(bits)), IpAddr::from(Ipv4Addr::from(v4))] {
                let client = ClientId::of(ip);
                prop_assert!(client.word() != 0);
                prop_assert_eq!(ClientId::from_word(client.word()), client);
                prop_assert!(!client.to_string().is_empty());
            }
            prop_assert!(v4 == 0 || ClientId::of(Ipv4Addr::from(v4).into()).to_string() == Ipv4Addr::from(v4).to_string());
        }
    }
}

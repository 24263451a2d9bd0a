//! Databases of where addresses are: read, combined, damaged.

use std::net::IpAddr;
use std::sync::LazyLock;

use foresail_guard::geo::{Country, Coverage, Databases, Geo, Location, MaxMind};
use proptest::prelude::*;

use crate::mmdb::{Value, database};

fn countries() -> Vec<u8> {
    let networks = [("192.0.0.0/8", "DE"), ("192.0.2.0/24", "FR"), ("2001:db8::/32", "JP"), ("198.51.100.0/24", "x")];
    database("GeoLite2-Country", networks.map(|(network, code)| (network, Value::country(code))))
}

fn systems() -> Vec<u8> {
    let networks = [("192.0.2.0/25", 64_500), ("203.0.113.0/24", 4_200_000_000), ("2001:db8::/48", 64_501)];
    database("DBIP-ASN-Lite (compat=GeoLite2-ASN)", networks.map(|(network, n)| (network, Value::system(n))))
}

fn location(country: &str, system: u32) -> Location {
    Location { country: Country::new(country.as_bytes()), system: Some(system).filter(|n| *n > 0) }
}

#[test]
fn what_one_does_not_tell_the_next_is_asked() {
    let read = |bytes| MaxMind::new(bytes).unwrap();
    let fallback =
        database("GeoIP2-City", [("203.0.113.0/24", Value::country("US")), ("192.0.2.0/24", Value::country("IT"))]);
    let all = Databases::new(vec![read(countries()), read(systems()), read(fallback)]);
    let check = |address: &str, expected: Location| {
        assert_eq!(all.locate(address.parse().unwrap()), expected, "{address}");
    };
    check("192.0.2.7", location("FR", 64_500));
    check("192.0.2.200", location("FR", 0));
    check("192.7.7.7", location("DE", 0));
    check("203.0.113.9", location("US", 4_200_000_000));
    check("2001:db8::1", location("JP", 64_501));
    check("2001:db8:9::1", location("JP", 0));
    check("198.51.100.1", location("", 0));
    check("10.0.0.1", Location::default());
    check("fe80::1", Location::default());
    assert_eq!(all.coverage(), Coverage { countries: true, systems: true });
    assert_eq!(read(systems()).coverage(), Coverage { countries: false, systems: true });
    assert_eq!(Databases::new(Vec::new()).coverage(), Coverage::default());
}

#[test]
fn what_is_no_database_or_one_of_other_things_is_refused() {
    let check = |bytes: &[u8], expected: &str| {
        let error = MaxMind::new(bytes.to_vec()).err().expect("refused").to_string();
        assert!(error.starts_with("no usable GeoIP database: ") && error.contains(expected), "{error}");
    };
    check(&[1, 2, 3], "could not find MaxMind DB metadata");
    check(b"\xab\xcd\xefMaxMind.com\xff\xff\xff", "");
    let domains = database("GeoIP2-Domain", [("192.0.2.0/24", Value::text("a.example"))]);
    check(&domains, "its type \"geoip2-domain\" is neither of countries nor of AS numbers");
    let whole = countries();
    check(&whole[whole.len() / 2..], "");
}

#[test]
fn countries_are_two_capital_letters() {
    assert_eq!(Country::new(b"DE").unwrap().to_string(), "DE");
    for wrong in [&b"de"[..], b"D\n", b"D", b"DEU", b"", b"\xff\xff"] {
        assert_eq!(Country::new(wrong), None, "{wrong:?}");
    }
}

static WHOLE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [countries(), systems()]);

/// Asks for addresses whose networks are there and for others; what is told does not matter.
fn ask(bytes: Vec<u8>, addresses: &[u128]) {
    let Ok(database) = MaxMind::new(bytes) else { return };
    let bits = addresses
        .iter()
        .flat_map(|bits| [*bits, bits >> 96, 0x2001_0db8_u128 << 96 | bits >> 64, 0xc000_0200 | bits >> 120]);
    for bits in bits {
        database.locate(IpAddr::from(std::net::Ipv6Addr::from(bits)));
        database.locate(IpAddr::from(std::net::Ipv4Addr::from(bits as u32)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever bytes are taken for a database, and whatever is behind its metadata's marker, nothing panics.
    #[test]
    fn garbage_is_refused_or_tells_nothing(bytes in prop::collection::vec(any::<u8>(), 0..400), addresses in any::<[u128; 4]>()) {
        let marked = [&bytes, &b"\xab\xcd\xefMaxMind.com"[..], &bytes].concat();
        ask(bytes, &addresses);
        ask(marked, &addresses);
    }

    /// A database with bytes that are not what they should be is refused, or opened, and asking it does not panic.
    #[test]
    fn a_damaged_database_never_panics(
        which in 0..2_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        is_inside in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        is_cut in prop::bool::weighted(0.1),
        addresses in any::<[u128; 4]>(),
    ) {
        let mut bytes = WHOLE[which].clone();
        let marker = bytes.windows(3).rposition(|window| window == b"\xab\xcd\xef").unwrap();
        // Damage before the metadata leaves a database that opens.
        let end = if is_inside { marker } else { bytes.len() };
        for (at, byte) in damage {
            bytes[at.index(end)] = byte;
        }
        if is_cut {
            bytes.drain(..cut.index(end));
        }
        ask(bytes, &addresses);
    }
}

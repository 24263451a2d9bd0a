//! Writes small databases in MaxMind's format, by its specification (MaxMind DB file format 2.0): a search tree over the bits of
//! IPv6 addresses, with IPv4 at ::/96, 16 zero bytes, the records, and the metadata behind a marker.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a record consists of.
pub(crate) enum Value {
    Text(String),
    Short(u16),
    Number(u32),
    Long(u64),
    Map(Vec<(&'static str, Value)>),
    List(Vec<Value>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// As in GeoLite2-Country: a continent with its names comes first.
    pub(crate) fn country(code: &str) -> Self {
        let names = || Self::Map(["de", "en", "fr"].map(|language| (language, Self::text(code))).into());
        let continent = vec![("code", Self::text("XX")), ("geoname_id", Self::Number(6_255_148)), ("names", names())];
        let country = vec![("geoname_id", Self::Number(2_921_044)), ("iso_code", Self::text(code)), ("names", names())];
        Self::Map(vec![("continent", Self::Map(continent)), ("country", Self::Map(country))])
    }

    /// As in GeoLite2-ASN.
    pub(crate) fn system(number: u32) -> Self {
        let organization = Self::text("An organization");
        Self::Map(vec![
            ("autonomous_system_number", Self::Number(number)),
            ("autonomous_system_organization", organization),
        ])
    }

    /// A control byte of three bits of type and five of size, then the content; sizes up to 284.
    fn write(&self, out: &mut Vec<u8>) {
        let mut head = |kind: u8, size: usize| {
            let (short, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
            if kind <= 7 {
                out.push(kind << 5 | short);
            } else {
                out.extend([short, kind - 7]);
            }
            out.extend(more);
        };
        match self {
            Self::Text(text) => {
                head(2, text.len());
                out.extend(text.as_bytes());
            }
            Self::Short(_) | Self::Number(_) | Self::Long(_) => {
                let (kind, number) = match *self {
                    Self::Short(number) => (5, number.into()),
                    Self::Long(number) => (9, number),
                    Self::Number(number) => (6, number.into()),
                    _ => unreachable!("only numbers come here"),
                };
                let first = number.leading_zeros() as usize / 8;
                head(kind, 8 - first);
                out.extend(&number.to_be_bytes()[first..]);
            }
            Self::Map(entries) => {
                head(7, entries.len());
                for (key, value) in entries {
                    Self::text(key).write(out);
                    value.write(out);
                }
            }
            Self::List(values) => {
                head(11, values.len());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

/// Which way the tree goes: nowhere, to a node, or to a record.
#[derive(Clone, Copy)]
enum Child {
    None,
    Node(usize),
    Record(usize),
}

/// A database of a type, such as `GeoLite2-ASN`, of networks with their records. A network within another comes after it.
pub(crate) fn database(kind: &str, networks: impl IntoIterator<Item = (&'static str, Value)>) -> Vec<u8> {
    let parsed = networks.into_iter().map(|(network, value)| {
        let (address, length) = network.split_once('/').expect("a network has a length");
        (address.parse().expect("an address"), length.parse().expect("a length"), value)
    });
    database_of(kind, parsed)
}

/// The same of addresses and lengths of networks.
pub(crate) fn database_of(kind: &str, networks: impl IntoIterator<Item = (IpAddr, usize, Value)>) -> Vec<u8> {
    let mut tree = vec![[Child::None; 2]];
    let (mut records, mut written) = (Vec::<u8>::new(), BTreeMap::new());
    for (address, length, value) in networks {
        let (bits, length) = match address {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), length + 96),
            IpAddr::V6(v6) => (u128::from(v6), length),
        };
        let bit = |depth: usize| (bits >> (127 - depth)) as usize & 1;
        let mut node = 0;
        for depth in 0..length - 1 {
            let child = tree[node][bit(depth)];
            node = match child {
                Child::Node(next) => next,
                // What a network says holds for its parts, until they say something themselves.
                Child::None | Child::Record(_) => {
                    tree.push([child; 2]);
                    tree[node][bit(depth)] = Child::Node(tree.len() - 1);
                    tree.len() - 1
                }
            };
        }
        let mut record = Vec::new();
        value.write(&mut record);
        let at = *written.entry(record).or_insert_with_key(|record| {
            records.extend(record);
            records.len() - record.len()
        });
        tree[node][bit(length - 1)] = Child::Record(at);
    }
    let mut out = Vec::new();
    for child in tree.iter().flatten() {
        let word = match *child {
            Child::None => tree.len(),
            Child::Node(node) => node,
            Child::Record(at) => tree.len() + 16 + at,
        };
        out.extend((word as u32).to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(records);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = Value::Map(vec![
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(1_772_366_400)),
        ("database_type", Value::text(kind)),
        ("description", Value::Map(vec![("en", Value::text("written by a test"))])),
        ("ip_version", Value::Short(6)),
        ("languages", Value::List(vec![Value::text("en")])),
        ("node_count", Value::Number(tree.len() as u32)),
        ("record_size", Value::Short(32)),
    ]);
    metadata.write(&mut out);
    out
}

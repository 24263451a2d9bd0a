//! Who the client is when trusted proxies stand between.

use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::request::X_FORWARDED_FOR;
use crate::watch::canonical;

/// Longest entry that may still be an address.
const LONGEST: usize = 64;

/// Whether `ip` belongs to one of the networks.
pub(crate) fn is_trusted(ip: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&ip))
}

/// The client of a request whose connection `peer`, a trusted proxy, made: walking `X-Forwarded-For` from the right, the
/// first address that is not trusted. An entry that is no address ends the walk at the last good one.
pub(crate) fn client(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let values: Vec<&[u8]> = headers.get_all(X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
    walk(&values, peer, trusted)
}

/// The walk itself, over the values of all fields in order.
pub fn walk(values: &[&[u8]], peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer;
    for entry in values.iter().rev().flat_map(|value| value.rsplit(|b| *b == b',')) {
        let Some(ip) = address(entry) else { return client };
        client = ip;
        if !is_trusted(ip, trusted) {
            return client;
        }
    }
    client
}

/// `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]` or `[::1]:80`.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let entry = entry.trim_ascii();
    if entry.len() > LONGEST {
        return None;
    }
    let text = std::str::from_utf8(entry).ok()?;
    let text = text.trim_matches('"');
    let ip = if let Some(rest) = text.strip_prefix('[') {
        rest.split_once(']')?.0.parse().ok()?
    } else if let Some((ip, port)) = text.split_once(':').filter(|(_, port)| !port.contains(':')) {
        port.parse::<u16>().ok()?;
        ip.parse().ok()?
    } else {
        text.parse().ok()?
    };
    Some(canonical(ip))
}

/// Adds the peer behind what is there already.
pub(crate) fn append(headers: &mut HeaderMap, peer: &HeaderValue) {
    let mut list: Vec<u8> = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(peer.as_bytes());
    let value = HeaderValue::from_bytes(&list).unwrap_or_else(|_| peer.clone());
    headers.insert(X_FORWARDED_FOR, value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(values: &[&str], expected: &str) {
        let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().map(|n| n.parse().unwrap()).collect();
        let values: Vec<&[u8]> = values.iter().map(|v| v.as_bytes()).collect();
        let peer = "10.0.0.1".parse().unwrap();
        assert_eq!(walk(&values, peer, &trusted), expected.parse::<IpAddr>().unwrap(), "{values:?}");
    }

    #[test]
    fn the_first_stranger_from_the_right_is_the_client() {
        check(&[], "10.0.0.1");
        check(&["1.2.3.4"], "1.2.3.4");
        check(&["6.6.6.6, 1.2.3.4, 10.0.0.9"], "1.2.3.4");
        check(&["6.6.6.6", "1.2.3.4:555, 10.0.0.9"], "1.2.3.4");
        check(&["[2001:db8::1]:80, fd00::2"], "2001:db8::1");
        check(&["10.0.0.5, 10.0.0.6"], "10.0.0.5");
        check(&["1.2.3.4, unknown, 10.0.0.9"], "10.0.0.9");
        check(&["unknown"], "10.0.0.1");
        check(&["::ffff:1.2.3.4"], "1.2.3.4");
        check(&[&"1".repeat(100)], "10.0.0.1");
    }

    proptest! {
        /// Whatever the fields hold, the result is the peer or an address, and nothing panics.
        #[test]
        fn no_bytes_break_it(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..4)) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let _ = walk(&values, "10.0.0.1".parse().unwrap(), &["10.0.0.0/8".parse().unwrap()]);
        }
    }
}

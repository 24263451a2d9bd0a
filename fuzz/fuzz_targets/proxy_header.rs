#![no_main]

use std::net::{IpAddr, SocketAddr};

use foresail_proxy::parse::{ProxyHeader, proxy_header};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

// With the signature in front, so that something lies behind the first test.
libfuzzer_sys::fuzz_target!(|input: (Option<SocketAddr>, SocketAddr, &[u8])| {
    let (source, destination, bytes) = input;
    check(bytes);
    check(&[SIGNATURE, bytes].concat());
    // What is written is read again, whatever follows the addresses.
    let extras = &bytes[..bytes.len().min(512)];
    let written = header(source, destination, extras);
    let expected = source.map(|s| SocketAddr::new(s.ip(), s.port()));
    assert_eq!(proxy_header(&written), Some(ProxyHeader::Whole(written.len(), expected)));
    check(&written);
});

/// More bytes are asked for until the header is whole, and those behind it change nothing.
fn check(bytes: &[u8]) {
    let all = proxy_header(bytes);
    for end in 0..bytes.len() {
        match (proxy_header(&bytes[..end]), all) {
            (Some(ProxyHeader::Whole(length, source)), _) => {
                assert!(length <= end);
                assert_eq!(all, Some(ProxyHeader::Whole(length, source)));
            }
            (Some(ProxyHeader::Partial(wanted)), all) => {
                assert!(wanted > end);
                if let Some(ProxyHeader::Whole(length, _)) = all {
                    assert!(wanted <= length && end < length);
                }
            }
            (None, all) => assert_eq!(all, None),
        }
    }
    if let Some(ProxyHeader::Partial(wanted)) = all {
        assert!(wanted > bytes.len());
    }
}

/// A header as the specification of HAProxy describes it, of a proxied connection or, without a source, of a local one.
fn header(source: Option<SocketAddr>, destination: SocketAddr, extras: &[u8]) -> Vec<u8> {
    let mut addresses = Vec::new();
    let family = match source.map(|s| s.ip()) {
        None => 0x00,
        Some(IpAddr::V4(_)) => 0x11,
        Some(IpAddr::V6(_)) => 0x21,
    };
    if let Some(source) = source {
        for address in [source, destination] {
            match (source.ip(), address.ip()) {
                (IpAddr::V4(_), IpAddr::V4(ip)) => addresses.extend(ip.octets()),
                (IpAddr::V4(_), IpAddr::V6(_)) => addresses.extend([0; 4]),
                (IpAddr::V6(_), IpAddr::V4(ip)) => addresses.extend(ip.to_ipv6_mapped().octets()),
                (IpAddr::V6(_), IpAddr::V6(ip)) => addresses.extend(ip.octets()),
            }
        }
        addresses.extend(source.port().to_be_bytes());
        addresses.extend(destination.port().to_be_bytes());
    }
    addresses.extend(extras);
    let length = u16::try_from(addresses.len()).expect("a short header").to_be_bytes();
    [&SIGNATURE[..], &[if source.is_some() { 0x21 } else { 0x20 }, family], &length, &addresses].concat()
}

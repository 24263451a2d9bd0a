#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use foresail_proxy::parse::forwarded_client;

// Fields that name the client, a line each.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let peer = IpAddr::from(Ipv4Addr::new(10, 0, 0, 1));
    let trusted = ["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
    let is_trusted = |ip| match ip {
        IpAddr::V4(ip) => ip.octets()[0] == 10,
        IpAddr::V6(ip) => ip.octets()[0] == 0xfd,
    };
    let values: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
    let client = forwarded_client(&values, peer, &trusted);

    // Several fields mean what one with commas means.
    assert_eq!(client, forwarded_client(&[&values.join(&b","[..])], peer, &trusted));
    // Nobody is believed without being trusted: with no trusted network only the last entry counts.
    let last = forwarded_client(&values, peer, &[]);
    assert!(is_trusted(last) || client == last);
    // Whoever is found first from the right is found whatever a client has written to the left.
    if !is_trusted(client) {
        let claimed: Vec<&[u8]> = std::iter::once(&b"192.0.2.1, 10.9.9.9"[..]).chain(values.iter().copied()).collect();
        assert_eq!(client, forwarded_client(&claimed, peer, &trusted));
    }
    // An address as it is written is read again, and a proxy of ours behind it changes nothing.
    let written = client.to_string();
    let behind = [written.as_bytes(), b"10.1.2.3"];
    assert_eq!(forwarded_client(&[written.as_bytes()], peer, &trusted), client);
    assert_eq!(forwarded_client(&behind, peer, &trusted), client);
});

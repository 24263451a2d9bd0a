#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use foresail_proxy::parse::{forwarded_client, is_sound_traceparent};

// Headers that name the client and the trace.
libfuzzer_sys::fuzz_target!(|values: Vec<&[u8]>| {
    let peer = IpAddr::from(Ipv4Addr::LOCALHOST);
    assert_eq!(forwarded_client(&[], peer, &[]), peer);
    let _ = forwarded_client(&values, peer, &["10.0.0.0/8".parse().expect("a network")]);
    for value in values {
        let _ = is_sound_traceparent(value);
    }
});

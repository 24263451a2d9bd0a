#![no_main]

use foresail_proxy::parse::{ProxyHeader, proxy_header};

// With the signature in front, so that something lies behind the first test.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let signed = [b"\r\n\r\n\0\r\nQUIT\n", bytes].concat();
    for bytes in [bytes, &signed] {
        match proxy_header(bytes) {
            Some(ProxyHeader::Whole(length, _)) => assert!(length <= bytes.len()),
            Some(ProxyHeader::Partial(wanted)) => assert!(wanted > bytes.len()),
            None => {}
        }
    }
});

#![no_main]

use foresail_fuzz::http::{Read, read_with_hyper};
use foresail_proxy::parse::Scanner;

const HEAD: usize = 4096;
const HEADERS: usize = 32;

// What the gate lets through, the parser behind it reads in the same way: as many requests, each with the head that the
// gate saw and the body that its framing says.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut scanner = Scanner::new(HEAD, HEADERS);
    let mut expected: Vec<Read> = Vec::new();
    let (mut at, mut begin, mut was_in_body) = (0, 0, false);
    // Byte by byte, so that it is seen where heads and bodies end.
    for to in 1..=bytes.len() {
        let passed = scanner.feed(&bytes[at..to]);
        at += passed.bytes;
        if scanner.heads() > expected.len() as u64 {
            expected.push(Read::from_head(&bytes[begin..at]));
            begin = at;
        } else if was_in_body && !scanner.in_body() && passed.refusal.is_none() {
            expected.last_mut().expect("a body has a head").take_body(&bytes[begin..at]);
            begin = at;
        }
        was_in_body = scanner.in_body();
        // What is refused has not passed; what follows a request to upgrade is not looked at.
        if passed.refusal.is_some() || scanner.is_opaque() {
            break;
        }
    }
    let is_broken_off = was_in_body;
    let read = read_with_hyper(&bytes[..at], HEAD, HEADERS);
    // A request may be the last one that its connection carries.
    let carried = expected.iter().position(Read::ends_connection).map_or(expected.len(), |last| last + 1);
    assert_eq!(read.len(), carried, "hyper reads {read:?}, the gate {expected:?}");
    for (number, (ours, theirs)) in expected.iter().zip(&read).enumerate() {
        let is_whole = !(is_broken_off && number + 1 == expected.len());
        assert!(ours.agrees_with(theirs, is_whole), "hyper reads {theirs:?}, the gate {ours:?}");
    }
});

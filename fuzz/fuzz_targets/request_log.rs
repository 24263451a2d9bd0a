#![no_main]

use foresail_ingest::{Source, read_requests};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut handed = 0;
    if let Ok(quality) = read_requests(Source::bytes("fuzz", bytes), 1 << 22, |_| handed += 1) {
        assert_eq!(quality.requests, handed);
    }
});

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use foresail_core::Timestamp;
use foresail_guard::challenge::{Checker, Spent};
use foresail_guard::clearance::{COOKIE, Keys, Level, find, issue};
use foresail_guard::{ClientId, Fingerprint, HashKey};

static SPENT: LazyLock<Arc<Spent>> = LazyLock::new(|| Spent::new(HashKey::new([1, 2])));

// A `Cookie` header; after a line feed the query of an answer to a puzzle.
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let keys = Keys::new(&[7; 32]);
    let client = ClientId::of([192, 0, 2, 1].into());
    let fingerprint = Fingerprint { shape: 1, stable: 2 };
    let now = Timestamp::from_secs(1_772_366_400);
    let mut parts = bytes.splitn(2, |b| *b == b'\n');
    let (cookie, query) = (parts.next().unwrap_or(&[]), parts.next().unwrap_or(&[]));

    // Nobody guesses a signature of 128 bits.
    assert_eq!(find(&keys, cookie, client, fingerprint, now), None);
    // A clearance of ours is found among other cookies, unless they bring several of its name before it.
    let ours = format!("{COOKIE}={}", issue(&keys, client, fingerprint, Level(1), now + Duration::from_secs(60)));
    let named = cookie.split(|b| *b == b';').filter(|c| c.trim_ascii().starts_with(COOKIE.as_bytes())).count();
    if named < 3 {
        let among = [cookie, b"; ", ours.as_bytes()].concat();
        assert_eq!(find(&keys, &among, client, fingerprint, now), Some(Level(1)));
    }
    if let Ok(query) = std::str::from_utf8(query) {
        let checker = Checker { keys: &keys, captcha: None, spent: &SPENT };
        assert!(checker.check(query, client, fingerprint, now).is_err());
    }
});

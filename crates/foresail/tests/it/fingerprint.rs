//! `foresail fingerprint` from outside.

use std::fmt::Write as _;

use crate::run::{Place, is_filled};

/// Two hours of two kinds of work, half an hour each in turn, ten requests a minute.
fn log() -> String {
    let mut log = String::new();
    for minute in 0..120 {
        for i in 0..10 {
            let (clock, second) = (format!("{:02}:{:02}", 10 + minute / 60, minute % 60), 6 * i);
            let (path, bytes, took) = match minute / 30 % 2 {
                0 => (format!("/products/{i}"), 900 + i, 0.010),
                _ => (format!("/export/report/{}", i % 3), 90_000, 1.5),
            };
            let _ = writeln!(
                log,
                "9.9.9.9 - - [01/Mar/2026:{clock}:{second:02} +0000] \"GET {path} HTTP/1.1\" 200 {bytes} \"-\" \"x\" {took:.3}"
            );
        }
    }
    log
}

#[test]
fn kinds_of_work_are_told_apart_and_the_past_is_found() {
    let place = Place::new();
    place.write("access.log", &log());
    let document = place.json("fingerprint access.log --apart 20m --json --plot m.html --store features");
    assert_eq!(document["requests"], 1_200);
    assert_eq!(document["regimes"].as_array().map(Vec::len), Some(2), "{}", document["regimes"]);
    assert_eq!(document["fingerprints"].as_array().map(Vec::len), Some(120));
    for like in document["nearest"].as_array().expect("a list") {
        assert_eq!(like["regime"], 1, "{like}");
    }
    assert!(is_filled(&place.path("m.html")) && is_filled(&place.path("features/part-000000.parquet")));
    let text = place.ok("fingerprint access.log");
    assert!(text.contains("1200 requests in 120 intervals of 1m, 2 kinds of work"), "{text}");
}

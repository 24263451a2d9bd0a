//! `foresail generate` from outside.

use crate::run::{Place, cells};

#[test]
fn the_same_seed_writes_the_same_bytes_with_the_truth_beside() {
    let place = Place::new();
    for name in ["a.csv", "b.csv"] {
        place.ok(&format!(
            "generate --days 2 --seed 7 --overlay flash_crowd@1d6h:1h:3 --overlay outage@30h:30m --output {name}"
        ));
    }
    assert_eq!(place.read("a.csv"), place.read("b.csv"));
    let (header, rows) = cells(&place.read("a.csv"));
    assert_eq!((header.join(",").as_str(), rows.len()), ("timestamp,requests", 2 * 1_440));
    let truth: serde_json::Value = serde_json::from_str(&place.read("a.truth.json")).expect("JSON");
    assert_eq!((&truth["seed"], truth["planted"].as_array().map(Vec::len)), (&7.into(), Some(2)));
}

#[test]
fn every_pattern_and_adversity_can_be_read_back() {
    let place = Place::new();
    for pattern in ["exercise3", "exercise2", "events_bursty", "events_campaigns", "events_heavy_tailed"] {
        place.ok(&format!("generate --pattern {pattern} --days 2 --output g.parquet"));
        let document = place.json("forecast g.parquet --model last_value --horizon 10m --json");
        assert!(document["rows"].as_u64().is_some_and(|rows| rows >= 1_440), "{pattern}");
    }
    for kind in ["flash_crowd", "level_shift", "phase_shift", "missing_day", "sawtooth"] {
        let (header, rows) = cells(&place.ok(&format!("generate --adversarial {kind}")));
        assert_eq!((header.len(), rows.len()), (2, 14_400), "{kind}");
    }
    assert!(place.fails(2, "generate --overlay crowd@1d").contains("flash_crowd"));
}

#[test]
fn many_series_are_those_of_successive_seeds() {
    let place = Place::new();
    place.ok("generate --days 1 --step 1h --seed 7 --series 3 --output many");
    place.ok("generate --days 1 --step 1h --seed 9 --output one.parquet");
    let bytes = |name: &str| std::fs::read(place.path(name)).expect("a series");
    assert!(bytes("many/series-00002.parquet") == bytes("one.parquet"));
    assert!(bytes("many/series-00000.parquet") != bytes("one.parquet"));
    place.fails(2, "generate --series 3");
}

//! `foresail bench forecast --suite`, `foresail bench balance` and `foresail bench guard` from outside.

use std::path::Path;

use crate::run::Place;

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast");

#[test]
fn the_suite_runs_on_what_there_is_and_takes_peers_in() {
    if !Path::new(TRACES).is_dir() {
        println!("skipped: no traces in {TRACES}");
        return;
    }
    let place = Place::new();
    let call = format!("bench forecast --suite gift5 --traces {TRACES} --sets m4_hourly/H --series 3");
    place.ok(&format!("{call} --export windows"));
    let windows: serde_json::Value = serde_json::from_str(&place.read("windows/m4_hourly_H.json")).expect("JSON");
    assert_eq!((windows["horizon"].as_u64(), windows["series"].as_array().map(Vec::len)), (Some(48), Some(3)));
    let zeros = serde_json::json!([[[0.0; 9]; 48], [[0.0; 9]; 48], [[0.0; 9]; 48]].map(|w| w.to_vec()).to_vec());
    let sets = serde_json::json!({ "m4_hourly/H": { "cpu_s": 0.5, "fallbacks": 1, "quantiles": zeros } });
    let peer = serde_json::json!({ "model": "Zero", "library": "none 1.0", "note": "says 0", "sets": sets });
    place.write("peers.json", &peer.to_string());

    let models = "--models seasonal_naive,last_value,global --peers peers.json";
    let document = place.json(&format!("{call} {models} --json"));
    let names: Vec<&str> =
        document["models"].as_array().expect("models").iter().filter_map(|m| m["model"].as_str()).collect();
    assert_eq!(names, ["seasonal_naive", "last_value", "global", "Zero"]);
    let zero = &document["models"][3];
    assert!(
        (zero["sets"][0]["wql"].as_f64().expect("a loss") - 1.0).abs() < 1e-9,
        "a forecast of 0 loses all there is"
    );
    assert!(zero["relative_mase"]["value"].as_f64().expect("a ratio") > 1.0);
    let table = place.ok(&format!("{call} {models} --threads 1"));
    for part in ["rel. MASE", "Zero", "none 1.0", "1 windows answered by the seasonal naive", "TiRex", "published"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
}

#[test]
fn wrong_suites_and_sets_are_usage_errors() {
    let place = Place::new();
    for (call, what) in [
        ("--suite gift9", "gift5"),
        ("--suite gift5 --traces nowhere", "there is no such folder"),
        ("--suite gift5 --traces . --sets m5", "accepted are m4_hourly/H"),
        ("--sets m4_hourly/H", "--suite"),
        ("--suite gift5 load.csv", "cannot be used with"),
    ] {
        let said = place.fails(2, &format!("bench forecast {call}"));
        assert!(said.contains(what), "{call}: {said}");
    }
}

/// A round of real processes at a small load, without other proxies.
#[test]
fn balancers_meet_a_failing_endpoint() {
    let place = Place::new();
    let call = "bench balance --contenders learned --scenario failing-100 --load 10 --seeds 1 --seconds 2 --warm-up 1";
    let document = place.json(&format!("{call} --json"));
    let cell = &document["cells"][0];
    assert_eq!((cell["scenario"].as_str(), document["seeds"].as_u64()), (Some("failing-100"), Some(1)));
    let trial = &cell["contenders"][0]["trials"][0];
    let figure = |name: &str| trial[name].as_f64().unwrap_or_else(|| panic!("no {name} in {trial}"));
    assert!(figure("sent") > 500.0 && figure("p50_ms") <= figure("p99_ms"), "{trial}");
    assert!(figure("errors") < 0.5 && figure("bad_share") < 0.5, "{trial}");
}

#[test]
fn a_balance_that_fits_into_no_time_is_a_usage_error() {
    let place = Place::new();
    for (call, what) in [
        ("--contenders learned --seconds 300 --minutes 1", "one round takes"),
        ("--load 100", "expected 1 to 99"),
        ("--scenario melting", "failing-100"),
    ] {
        let said = place.fails(2, &format!("bench balance {call}"));
        assert!(said.contains(what), "{call}: {said}");
    }
}

/// A round of real processes: a small flood, a guard that knows a morning, no other proxies.
#[test]
fn a_flood_is_held_and_people_are_served() {
    let place = Place::new();
    let call = "bench guard --contenders guard --attacks flood --seeds 1 --days 0 --rate 800 --seconds 2 --grace 1";
    let document = place.json(&format!("{call} --warm-up 1 --json"));
    let (none, flood) = (&document["cells"][0], &document["cells"][1]);
    assert_eq!((none["attack"].as_str(), flood["attack"].as_str()), (Some("none"), Some("flood")));
    let calm = &none["contenders"][0];
    assert!(calm["legit_requests"].as_u64().is_some_and(|n| n > 10), "{calm}");
    assert_eq!((calm["blocked"].as_f64(), calm["throttled"].as_f64()), (Some(0.0), Some(0.0)), "{calm}");
    let line = &flood["contenders"][0];
    assert!(line["attack_requests"].as_u64().is_some_and(|n| n > 500), "{line}");
    let fates: Vec<u64> = (2..5).filter_map(|fate| line["trials"][0]["attack"][fate].as_u64()).collect();
    assert!(fates.iter().sum::<u64>() > 0, "nothing was held: {line}");
    assert!(document["decision"][0]["usual_p50_ns"].as_f64().is_some(), "{document}");
}

#[test]
fn a_guard_that_cannot_be_measured_is_a_usage_error() {
    let place = Place::new();
    for (call, what) in [
        ("--contenders guard --seconds 300 --minutes 1", "one round takes"),
        ("--seconds 10", "expected less than --seconds"),
        ("--attacks boredom", "cache-busting"),
    ] {
        let said = place.fails(2, &format!("bench guard {call}"));
        assert!(said.contains(what), "{call}: {said}");
    }
}

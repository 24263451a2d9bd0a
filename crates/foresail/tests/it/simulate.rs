//! `foresail simulate` from outside.

use std::collections::BTreeMap;

use crate::run::{Place, cells, is_filled, wave};

const COMMON: &str = "--value requests --per 1m --capacity-rps 100 --startup 60s";

#[test]
fn decisions_cover_the_scored_ticks_of_every_policy() {
    let place = Place::new();
    place.write("load.csv", &wave(1_440));
    let out = place.ok(&format!(
        "simulate load.csv {COMMON} --policies hpa,oracle --train-days 0.5 --decisions d.csv --journal j.jsonl --report r.html"
    ));
    assert!(out.contains("hpa") && out.contains("oracle") && !out.contains("keda"), "{out}");
    let (header, rows) = cells(&place.read("d.csv"));
    assert_eq!(header, ["timestamp", "policy", "demand_rps", "desired", "ready"]);
    assert_eq!(rows.len(), 2 * 4 * 720);
    assert_eq!((rows[0][0].as_str(), rows[0][1].as_str()), ("2026-03-01T12:00:00Z", "hpa"));
    // A sample holds from its own time on, a minute's requests over four ticks of 15 seconds.
    let noon =
        wave(1_440).lines().nth(721).and_then(|l| l.split(',').next_back()?.parse::<f64>().ok()).expect("a value");
    for row in &rows[..4] {
        assert!((row[2].parse::<f64>().expect("a number") - noon / 60.0).abs() < 1e-9);
    }
    assert_eq!(place.read("j.jsonl").lines().count(), 1 + 4 * 720); // a line says what the file is
    let why = place.ok("explain j.jsonl 2880");
    assert!(why.starts_with("Decision 2880 at 2026-03-01T23:59:45Z: hpa ordered") && why.contains("Set by"), "{why}");
    let record: serde_json::Value = serde_json::from_str(&place.ok("explain j.jsonl 7 --json")).expect("JSON");
    assert_eq!(record["id"], 7);
    assert!(place.fails(1, "explain j.jsonl 2881").contains("there are 1 to 2880"));
    assert!(is_filled(&place.path("r.html")));
}

/// What a person reads; every figure in it is the same on every machine.
#[test]
fn the_table_is_readable() {
    let place = Place::new();
    place.write("load.csv", &wave(1_440));
    insta::assert_snapshot!(
        "table",
        place.ok(&format!("simulate load.csv {COMMON} --policies hpa,keda@0.6,oracle --train-days 0.5 --sweep"))
    );
}

#[test]
fn a_peak_is_reached_by_one_row_in_a_thousand() {
    let place = Place::new();
    place.write("load.csv", &wave(1_440));
    place.ok(&format!(
        "simulate load.csv {COMMON} --policies static --train-days 0 --scale-peak 5000 --decisions d.csv"
    ));
    let (_, rows) = cells(&place.read("d.csv"));
    let above = rows.iter().filter(|r| r[2].parse::<f64>().expect("a number") > 5_000.0).count();
    assert!((1..=8).contains(&above), "{above} ticks above the peak");
}

#[test]
fn json_has_the_figures_and_the_sweep() {
    let place = Place::new();
    place.write("load.csv", &wave(1_440));
    let document =
        place.json(&format!("simulate load.csv {COMMON} --policies hpa,keda,oracle --train-days 0.5 --sweep --json"));
    let policies = document["policies"].as_array().expect("policies");
    assert_eq!(policies.len(), 3);
    for key in [
        "late_percent",
        "bad_minutes_percent",
        "replica_hours",
        "over_oracle",
        "over_oracle_interval",
        "saved_against_static_percent",
        "actions_per_hour",
        "elasticity",
    ] {
        assert!(policies[0].get(key).is_some(), "{key} is missing");
    }
    let sweep = &document["sweep"];
    assert_eq!(sweep["points"].as_array().map(Vec::len), Some(56));
    let hindsight = &sweep["verdict"]["hindsight"];
    assert!(hindsight["late_share"].as_f64().is_some_and(|late| late <= 0.001), "{hindsight}");
    assert_eq!(policies[2]["over_oracle"], 1.0);
}

/// Decisions by policy and time.
fn decisions(place: &Place, input: &str, name: &str) -> BTreeMap<(String, String), (String, String, String)> {
    place.ok(&format!(
        "simulate {input} {COMMON} --policies all --scale-factor 2 --train-days 0 --step 30s --decisions {name}"
    ));
    let (_, rows) = cells(&place.read(name));
    rows.into_iter().map(|r| ((r[1].clone(), r[0].clone()), (r[2].clone(), r[3].clone(), r[4].clone()))).collect()
}

/// The second promise: what comes later changes nothing that was decided before, for any policy and any cut.
#[test]
fn cutting_the_input_changes_no_earlier_decision() {
    let place = Place::new();
    let text = wave(900);
    place.write("whole.csv", &text);
    let whole = decisions(&place, "whole.csv", "whole-d.csv");
    for minutes in [700, 451] {
        let part: Vec<&str> = text.lines().take(minutes + 1).collect();
        place.write("part.csv", &part.join("\n"));
        let cut = decisions(&place, "part.csv", "part-d.csv");
        assert!(cut.len() >= 11 * 2 * minutes);
        for (key, decided) in &cut {
            assert_eq!(whole.get(key), Some(decided), "{key:?} after a cut at {minutes} minutes");
        }
    }
}

#[test]
fn threads_change_nothing() {
    let place = Place::new();
    place.write("load.csv", &wave(600));
    let files = [("1", "one.csv"), ("3", "three.csv")].map(|(threads, name)| {
        let call = format!("simulate load.csv {COMMON} --policies all --train-days 0 --decisions {name}");
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_foresail"))
            .args(call.split_whitespace())
            .current_dir(place.path(""))
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .expect("the program runs");
        assert!(status.status.success());
        place.read(name)
    });
    assert!(files[0] == files[1], "decisions depend on the number of threads");
}

#[test]
fn a_queue_is_late_after_its_drain_target() {
    let place = Place::new();
    place.write("load.csv", &wave(720));
    let document = place.json(
        "simulate load.csv --value requests --per 1m --service queue --drain-target 60s --capacity-rps 50 --startup 60s \
         --policies hpa,keda,oracle --train-days 0 --json",
    );
    assert_eq!(document["service"]["kind"], "queue");
    assert_eq!(document["policies"].as_array().map(Vec::len), Some(3));
}

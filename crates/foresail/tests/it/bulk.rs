//! Backtests of many series from outside: one run, a run that was killed, shards.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Place, wave};

const HOW: &str = "--models seasonal_naive,last_value --horizon 30m --windows 3 --chunk 2";

/// Seven files of one series each, one of them below another folder.
fn loads(place: &Place, minutes: usize) {
    fs::create_dir_all(place.path("loads/more")).expect("a folder");
    for i in 0..7 {
        let name = if i == 3 { "loads/more/load3.csv".to_owned() } else { format!("loads/load{i}.csv") };
        place.write(&name, &wave(minutes + 60 * i));
    }
}

/// Every file of a folder, with what it holds.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|path| {
            (path.file_name().expect("a name").to_string_lossy().into_owned(), fs::read(&path).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_series_is_tested_and_what_cannot_be_is_told() {
    let place = Place::new();
    loads(&place, 600);
    place.write("loads/broken.csv", "timestamp,requests\n2026-03-01T00:00:00Z,many\n");
    let outcome = place.call(&format!("backtest loads {HOW} --out results --json"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    let summary: serde_json::Value = serde_json::from_str(&outcome.out).expect("JSON");
    assert_eq!(
        (summary["files"].as_u64(), summary["series"].as_u64(), summary["failed"].as_u64()),
        (Some(8), Some(7), Some(1))
    );
    assert!(outcome.err.contains("1 could not be tested; the first: broken.csv: loads/broken.csv"), "{}", outcome.err);
    let models = summary["models"].as_array().expect("models");
    assert_eq!(models.len(), 2);
    let naive = &models[0];
    assert_eq!((naive["model"].as_str(), naive["series"].as_u64()), (Some("seasonal_naive"), Some(7)));
    assert!((naive["relative_mase"].as_f64().expect("a ratio") - 1.0).abs() < 1e-12);
    // Called again, nothing is left to do and the same is told.
    let again = place.call(&format!("backtest loads {HOW} --out results --json"));
    assert_eq!(again.out, outcome.out);
    assert!(again.err.contains("4 of 4 parts were there already"), "{}", again.err);
}

#[test]
fn a_run_that_was_killed_goes_on_to_the_same_bytes() {
    let place = Place::new();
    loads(&place, 1_500);
    place.ok(&format!("backtest loads {HOW} --out whole"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_foresail"))
        .args(format!("backtest loads {HOW} --threads 1 --out killed").split_whitespace())
        .current_dir(place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let first = place.path("killed/part-000000.parquet");
    while !first.exists() && child.try_wait().expect("a child").is_none() {
        std::thread::yield_now();
    }
    child.kill().expect("a child to kill");
    child.wait().expect("its end");
    // Whatever the kill came upon, a part half written and one lost are among what may be left.
    place.write("killed/part-000001.parquet.tmp", "half");
    for lost in ["killed/part-000001.parquet", "killed/part-000003.parquet"] {
        let _ = fs::remove_file(place.path(lost));
    }
    place.ok(&format!("backtest loads {HOW} --out killed"));
    let (whole, killed) = (content(&place.path("whole")), content(&place.path("killed")));
    assert_eq!(whole.iter().map(|f| &f.0).collect::<Vec<_>>(), killed.iter().map(|f| &f.0).collect::<Vec<_>>());
    assert!(whole == killed, "the bytes differ");
}

#[test]
fn four_shards_merged_are_one_run() {
    let place = Place::new();
    loads(&place, 600);
    place.ok(&format!("backtest loads {HOW} --out whole"));
    for shard in 0..4 {
        // Twice: a shard that is tried again changes nothing.
        for _ in 0..2 {
            place.ok(&format!("batch --shard {shard}/4 --out shard{shard} loads {HOW} --threads 1"));
        }
    }
    let merge = "batch merge shard0 shard1 shard2 shard3 --output merged.parquet --json";
    assert_eq!(place.json(merge)["series"], 7);
    let bytes = |name: &str| fs::read(place.path(name)).expect("a table");
    assert!(bytes("merged.parquet") == bytes("whole/results.parquet"), "the bytes differ");
    let said = place.fails(1, "batch merge shard0 shard2 --output half.parquet");
    assert!(said.contains("2 of 4 parts are missing, the first is part-000001.parquet"), "{said}");
}

#[test]
fn results_of_different_runs_are_not_mixed() {
    let place = Place::new();
    loads(&place, 600);
    place.ok(&format!("batch --shard 0/2 --out a loads {HOW}"));
    place.ok(&format!("batch --shard 1/2 --out b loads {HOW} --seed 1"));
    let said = [
        place.fails(2, &format!("backtest loads {HOW} --seed 1 --out a")),
        place.fails(2, "batch merge a b --output m.parquet"),
    ];
    for said in said {
        assert!(said.contains("the results of another run"), "{said}");
    }
}

#[test]
fn wrong_calls_say_what_is_accepted() {
    let place = Place::new();
    loads(&place, 100);
    let calls = [
        "backtest loads --horizon 30m",
        "backtest loads/load0.csv loads/load1.csv --horizon 30m",
        "backtest none --horizon 30m --out results",
        "backtest loads/*.parquet --horizon 30m --out results",
        "batch --shard 4/4 --out results loads --horizon 30m",
        "batch --shard job/4 --out results loads --horizon 30m",
        "batch --out results loads --horizon 30m",
        "batch manifest --shards 4 --image i --claim c -- /data/loads --horizon 30m",
        "batch manifest --shards 4 --image i --claim c -- /loads --horizon 30m --out /data/out",
    ];
    let said: Vec<String> = calls.iter().map(|call| format!("{call}\n  {}", place.fails(2, call))).collect();
    insta::assert_snapshot!("bulk_usage_errors", said.join("\n"));
}

#[test]
fn the_manifest_runs_every_shard() {
    let place = Place::new();
    let call = "batch manifest --shards 8 --parallelism 4 --image registry.example/foresail:1 --claim loads --cpu 4 -- /data/loads --horizon 1h --models ensemble,seasonal_naive --out /data/results";
    insta::assert_snapshot!("manifest", place.ok(call));
}

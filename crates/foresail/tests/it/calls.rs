//! How the program is called: help, versions, errors and exit codes.

use crate::run::Place;

#[test]
fn help_says_what_there_is() {
    let place = Place::new();
    insta::assert_snapshot!("help", place.ok("--help"));
    for command in ["forecast", "backtest", "batch", "simulate", "features", "generate", "explain", "demo"] {
        insta::assert_snapshot!(format!("help_{command}"), place.ok(&format!("{command} --help")));
    }
    for bench in ["forecast", "scale", "features", "balance", "guard"] {
        insta::assert_snapshot!(format!("help_bench_{bench}"), place.ok(&format!("bench {bench} --help")));
    }
}

#[test]
fn wrong_calls_are_usage_errors() {
    let place = Place::new();
    place.write(
        "load.csv",
        "timestamp,requests\n2026-03-01T00:00:00Z,1\n2026-03-01T00:01:00Z,2\n2026-03-01T00:02:00Z,3\n",
    );
    let calls = [
        "forecast load.csv --horizon 30",
        "forecast load.csv --horizon 90s",
        "forecast load.csv --horizon 5m --model oracle",
        "forecast load.csv --horizon 5m --quantiles 1.5",
        "backtest load.csv --horizon 1m --models nothing",
        "simulate load.csv",
        "simulate load.csv --capacity-rps 0",
        "simulate load.csv --capacity-rps 100 --policies hpa@7",
        "simulate load.csv --capacity-rps 100 --policies autopilot",
        "simulate load.csv --capacity-rps 100 --scale-peak 10 --scale-factor 2",
        "simulate load.csv --capacity-rps 100 --min 5 --max 2",
        "simulate load.csv --capacity-rps 100 --train-days 1",
        "simulate load.csv --capacity-rps 100 --from 2027-01-01",
        "simulate load.csv --capacity-rps 100 --zone Mars/Olympus",
        "man nothing",
    ];
    let said: Vec<String> = calls.iter().map(|call| format!("{call}\n  {}", place.fails(2, call))).collect();
    insta::assert_snapshot!("usage_errors", said.join("\n"));
}

#[test]
fn wrong_data_names_file_line_and_column() {
    let place = Place::new();
    place.write("empty.csv", "");
    place.write("words.csv", "timestamp,requests\n2026-03-01T00:00:00Z,1\n2026-03-01T00:01:00Z,many\n");
    place.write("times.csv", "timestamp,requests\nyesterday,1\ntoday,2\n");
    place.write("short.csv", "timestamp,requests\n2026-03-01T00:00:00Z,1\n");
    place.write(
        "negative.csv",
        "timestamp,requests\n2026-03-01T00:00:00Z,1\n2026-03-01T00:01:00Z,-4\n2026-03-01T00:02:00Z,4\n",
    );
    let calls = [
        "forecast missing.csv --horizon 1m",
        "forecast empty.csv --horizon 1m",
        "forecast words.csv --value requests --horizon 1m",
        "forecast words.csv --value visits --horizon 1m",
        "forecast times.csv --time timestamp --value requests --horizon 1m",
        "forecast short.csv --value requests --horizon 1m",
        "simulate negative.csv --value requests --capacity-rps 100 --train-days 0",
        "explain missing.jsonl 1",
    ];
    let said: Vec<String> = calls.iter().map(|call| format!("{call}\n  {}", place.fails(1, call))).collect();
    insta::assert_snapshot!("data_errors", said.join("\n"));
}

#[test]
fn completions_and_the_manual_name_every_command() {
    let place = Place::new();
    for page in ["completions bash", "completions zsh", "completions fish", "man"] {
        let text = place.ok(page);
        for command in ["forecast", "backtest", "batch", "simulate", "features", "generate", "bench", "explain", "demo"]
        {
            assert!(text.contains(command), "{page} lacks {command}");
        }
    }
    assert!(place.ok("man simulate").contains("scale\\-peak"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};
    let place = Place::new();
    place.ok("generate --days 10 --output load.csv");
    for call in [
        "features --describe",
        "features load.csv",
        "generate --days 60",
        "forecast load.csv --model last_value --horizon 30d --output -",
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_foresail"))
            .args(call.split_whitespace())
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("the program ends");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{call}: {said}");
        assert!(!said.contains("error") && !said.contains("panicked"), "{call}: {said}");
    }
}

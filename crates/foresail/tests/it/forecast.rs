//! `foresail forecast` from outside.

use crate::run::{Place, cells, is_filled, wave};

#[test]
fn the_file_has_the_fixed_columns_and_a_row_a_step() {
    let place = Place::new();
    place.write("load.csv", &wave(3 * 1_440));
    place.ok("forecast load.csv --value requests --model seasonal_naive --horizon 30m --quantiles 0.95,0.05,0.5 --output f.csv --report f.html");
    let (header, rows) = cells(&place.read("f.csv"));
    assert_eq!(header, ["timestamp", "mean", "q0.05", "q0.5", "q0.95"]);
    assert_eq!(rows.len(), 30);
    assert_eq!(rows[0][0], "2026-03-04T00:00:00Z"); // the step after the last row of the input
    for row in &rows {
        let numbers: Vec<f64> = row[1..].iter().map(|c| c.parse().expect("a number")).collect();
        assert!(numbers[1] <= numbers[2] && numbers[2] <= numbers[3], "{row:?}");
        assert!(numbers.iter().all(|n| n.is_finite() && *n >= 0.0), "{row:?}");
    }
    assert!(is_filled(&place.path("f.html")));
}

#[test]
fn standard_input_and_a_file_give_the_same() {
    let place = Place::new();
    let text = wave(600);
    place.write("load.csv", &text);
    let from_file = place.ok("forecast load.csv --value requests --model last_value --horizon 5m --output -");
    let from_stdin = place.call_with("forecast - --value requests --model last_value --horizon 5m --output -", &text);
    assert_eq!(from_stdin.out, from_file);
}

#[test]
fn the_default_is_the_ensemble_and_json_says_so() {
    let place = Place::new();
    place.write("load.csv", &wave(2 * 1_440));
    let document = place.json("forecast load.csv --value requests --horizon 10m --json");
    assert_eq!(document["model"], "ensemble");
    assert_eq!(document["horizon_steps"], 10);
    assert_eq!(document["forecast"].as_array().map(Vec::len), Some(10));
    assert_eq!(document["forecast"][0]["quantiles"].as_array().map(Vec::len), Some(3));
    assert_eq!(document["quality"]["rows_read"], 2_880);
}

#[test]
fn announced_events_holidays_and_signals_are_heeded() {
    let place = Place::new();
    place.write("load.csv", &wave(3 * 1_440));
    place.write("sales.csv", "from,to,label,factor\n2026-03-04T00:00:00Z,2026-03-04T00:05:00Z,sale,2\n");
    place.write("weather.csv", "time,degrees\n2026-03-01T00:00:00Z,5\n2026-03-02T00:00:00Z,9\n");
    let means = |more: &str| -> Vec<f64> {
        let call = format!("forecast load.csv --value requests --model seasonal_naive --horizon 10m --output - {more}");
        cells(&place.ok(&call)).1.iter().map(|row| row[1].parse().expect("a number")).collect()
    };
    let (plain, with) = (means(""), means("--calendar sales.csv --holidays DE,US --signals weather.csv"));
    for (step, (plain, with)) in plain.iter().zip(&with).enumerate() {
        let factor = if step < 5 { 2.0 } else { 1.0 };
        assert!((with - factor * plain).abs() < 1e-9, "step {step}: {with} against {plain}");
    }
    let said = place.fails(1, "forecast load.csv --value requests --horizon 10m --holidays XX");
    assert!(said.contains("XX"), "{said}");
    let said = place.fails(1, "forecast load.csv --value requests --horizon 10m --calendar nowhere.ics");
    assert!(said.contains("nowhere.ics"), "{said}");
}

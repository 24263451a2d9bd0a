//! `foresail backtest` from outside.

use crate::run::{Place, cells, is_filled, wave};

#[test]
fn windows_end_with_the_file_and_do_not_overlap() {
    let place = Place::new();
    place.write("load.csv", &wave(2 * 1_440));
    place.ok("backtest load.csv --value requests --models last_value,seasonal_naive --horizon 30m --windows 4 --forecasts b.csv --report b.html");
    let (header, rows) = cells(&place.read("b.csv"));
    let expected =
        "window,origin,timestamp,horizon,model,actual,mean,q0.05,q0.1,q0.2,q0.3,q0.4,q0.5,q0.6,q0.7,q0.8,q0.9,q0.95";
    assert_eq!(header.join(","), expected);
    assert_eq!(rows.len(), 2 * 4 * 30);
    assert_eq!(rows[0][3], "1");
    assert_eq!(rows.last().expect("rows")[2], "2026-03-02T23:59:00Z");
    let mut seen: Vec<&str> = rows.iter().filter(|r| r[4] == "last_value").map(|r| r[2].as_str()).collect();
    assert!(seen.windows(2).all(|w| w[0] < w[1]), "windows overlap or are out of order");
    seen.dedup();
    assert_eq!(seen.len(), 4 * 30);
    assert!(rows.iter().all(|r| r[1] < r[2]), "an origin is the last row before what is forecast");
    assert!(is_filled(&place.path("b.html")));
}

#[test]
fn json_holds_every_metric() {
    let place = Place::new();
    place.write("load.csv", &wave(2 * 1_440));
    let document = place.json(
        "backtest load.csv --value requests --models seasonal_naive --horizon 10m --season 1d,1w --windows 6 --json",
    );
    let model = &document["models"][0];
    for metric in [
        "mae",
        "rmse",
        "mase",
        "wape",
        "smape",
        "mape",
        "r2",
        "directional_accuracy",
        "peak_precision",
        "peak_recall",
        "pinball",
        "wql",
        "msis",
        "coverage",
        "fit_s",
        "predict_us",
    ] {
        assert!(model.get(metric).is_some(), "{metric} is missing in {model}");
    }
    assert_eq!(document["windows"], 6);
    assert_eq!(model["by_horizon"].as_array().map(Vec::len), Some(10));
}

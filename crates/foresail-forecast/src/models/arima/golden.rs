//! Against statsforecast 2.1.1: `tests/golden/arima.py` wrote the values; the series are read where they are.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};
use serde::Deserialize;

use super::{Arima, ArimaForm};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast/m4_hourly_train.csv.gz");
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Deserialize)]
struct Golden {
    series: usize,
    fixed: Vec<Reference>,
    auto: Option<Reference>,
}

#[derive(Deserialize)]
struct Reference {
    orders: [usize; 7],
    #[serde(default)]
    log_likelihood: f64,
    #[serde(default)]
    aicc: f64,
    /// Empty where it was refused.
    #[serde(default)]
    mean: Vec<f64>,
    /// Standard errors 1, 2, 12 and 24 rows ahead.
    #[serde(default)]
    errors: Vec<f64>,
}

impl Reference {
    fn form(&self) -> ArimaForm {
        let [p, d, q, seasonal_p, seasonal_d, seasonal_q, constant] = self.orders;
        ArimaForm::new([p, d, q], [seasonal_p, seasonal_d, seasonal_q], constant == 1)
    }
}

/// The results and the series they are of; says so and is empty where the series are not there.
fn golden() -> Vec<(Golden, Frame)> {
    let mut text = String::new();
    let Ok(file) = File::open(Path::new(FILE)) else {
        println!("{FILE} is not there, skipped");
        return Vec::new();
    };
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let all: Vec<Golden> = serde_json::from_str(include_str!("../../../tests/golden/arima.json")).unwrap();
    let series = |golden: Golden| {
        let cells = lines[golden.series].split(',').skip(1).filter_map(|cell| cell.trim_matches('"').parse().ok());
        let frame = Frame::univariate(Timestamp::EPOCH, Duration::from_secs(3600), "load", cells.map(Some)).unwrap();
        (golden, frame)
    };
    all.into_iter().map(series).collect()
}

/// Of a few series (the example `arima_check` does all): the likelihood is theirs or higher, and where it is theirs, so are
/// the forecast and its standard errors. Where the start is not forgotten, theirs is of a diffuse prior of finite variance.
#[test]
fn given_orders_are_fitted_as_well_and_forecast_alike() {
    for (golden, history) in golden().into_iter().step_by(8) {
        for theirs in golden.fixed.iter().filter(|theirs| !theirs.mean.is_empty()) {
            let (form, series) = (theirs.form(), golden.series);
            let ours = Arima::of(form, &[DAY]).summary(&history, theirs.mean.len()).unwrap();
            let above = ours.log_likelihood - theirs.log_likelihood;
            assert!(above > -1e-3 * theirs.log_likelihood.abs(), "{series} {form}: {above}");
            if above.abs() > 0.02 || theirs.errors.len() < 4 {
                continue;
            }
            let magnitude: f64 = theirs.mean.iter().map(|v| v.abs()).sum();
            let apart: f64 = theirs.mean.iter().zip(&ours.mean).map(|(a, b)| (a - b).abs()).sum();
            assert!(apart < 0.01 * magnitude, "{series} {form}: {apart} of {magnitude}");
            assert!((ours.aicc - theirs.aicc).abs() < 0.05, "{series} {form}: {} {}", ours.aicc, theirs.aicc);
            for (their, ahead) in theirs.errors.iter().zip([1, 2, 12, 24]) {
                let ratio = ours.deviation[ahead - 1] / their;
                assert!((ratio - 1.0).abs() < 0.03, "{series} {form} at {ahead}: {ratio}");
            }
        }
    }
}

#[test]
fn the_choice_has_no_worse_a_criterion() {
    for (golden, history) in golden().into_iter().take(1) {
        let theirs = golden.auto.expect("the first series has a choice");
        let ours = Arima::automatic(&[DAY]).summary(&history, 1).unwrap();
        let differences = |form: ArimaForm| (form.differences, form.seasonal_differences);
        assert_eq!(differences(ours.form), differences(theirs.form()));
        assert!(ours.aicc < theirs.aicc + 0.05, "{} {}: {} {}", ours.form, ours.aicc, theirs.form(), theirs.aicc);
    }
}

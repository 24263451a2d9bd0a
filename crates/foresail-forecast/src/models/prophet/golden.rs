//! Against Prophet 1.5.0: `tests/golden/prophet.py` wrote the values.

use std::collections::BTreeMap;
use std::time::Duration;

use foresail_core::{Column, Holiday, Known, Signal, TimeZone, Timestamp};
use serde::Deserialize;

use super::posterior::surprise;
use super::*;

#[derive(Deserialize)]
struct Golden {
    name: String,
    start: String,
    step_s: u64,
    values: Vec<Option<f64>>,
    names: Vec<String>,
    /// Day, and index of its name.
    holidays: Vec<(String, usize)>,
    options: ProphetOptions,
    /// Values of columns over the history and the forecast.
    regressors: BTreeMap<String, Vec<f64>>,
    mean: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
    sigma: f64,
    surprise: f64,
}

fn golden() -> Vec<Golden> {
    serde_json::from_str(include_str!("../../../tests/golden/prophet.json")).unwrap()
}

impl Golden {
    fn history(&self) -> Frame {
        let mut columns = vec![Column::new("y", self.values.iter().copied())];
        for (name, values) in &self.regressors {
            columns.push(Column::new(name, values[..self.values.len()].iter().copied().map(Some)));
        }
        let start = Timestamp::parse(&self.start).unwrap();
        Frame::new(start, Duration::from_secs(self.step_s), TimeZone::utc(), columns).unwrap()
    }

    fn known(&self, history: &Frame) -> Known {
        let holiday = |(day, name): &(String, usize)| Holiday {
            day: Timestamp::parse(day).unwrap(),
            name: self.names[*name].clone(),
        };
        let signal = |(name, values): (&String, &Vec<f64>)| {
            let points = values.iter().enumerate().map(|(i, v)| (history.time(i), *v)).collect();
            Signal::new(name, points)
        };
        Known {
            holidays: self.holidays.iter().map(holiday).collect(),
            signals: self.regressors.iter().map(signal).collect(),
            ..Known::none()
        }
    }

    /// The fitted state, and the forecast.
    fn fit(&self) -> (State, crate::Forecast) {
        let history = self.history();
        let known = self.known(&history);
        let model = Prophet::new(self.options.clone()).unwrap();
        let fitted = model.fit(&history, &known, &mut SeededRng::seed_from_u64(1)).unwrap();
        let state = serde_json::from_value(fitted.snapshot().state["model"].clone()).unwrap();
        (state, fitted.predict(self.mean.len(), &known))
    }
}

/// Acceptance: within 2 % of Prophet's point forecasts. What is left is how far its search (L-BFGS) stops from the most
/// probable parameters, which ours never misses by more: see the densities.
#[test]
fn point_forecasts_are_those_of_the_original() {
    let all = golden();
    assert_eq!(all.len(), 10);
    for series in all {
        let (state, forecast) = series.fit();
        let furthest = forecast.mean.iter().zip(&series.mean).map(|(a, b)| ((a - b) / b).abs()).fold(0.0, f64::max);
        let ours = surprise(&state.sums, &state.estimate.theta, &state.shape, &state.priors);
        let sigma = state.estimate.sigma * state.scale / series.sigma;
        println!(
            "{:40} furthest {:.3} %, sigma x {sigma:.4}, surprise {ours:.3} for {:.3}",
            series.name,
            100.0 * furthest,
            series.surprise
        );
        assert!(furthest < 0.02, "{}: {furthest}", series.name);
        assert!(ours < series.surprise + 0.05, "{}: {ours} for {}", series.name, series.surprise);
        assert!((sigma - 1.0).abs() < 0.03, "{}: {sigma}", series.name);
    }
}

/// The intervals are simulated on both sides.
#[test]
fn intervals_are_as_wide_as_those_of_the_original() {
    for series in golden() {
        let (_, forecast) = series.fit();
        let width = |low: &[f64], high: &[f64]| low.iter().zip(high).map(|(a, b)| b - a).sum::<f64>();
        let ratio = width(&forecast.quantile(0.1), &forecast.quantile(0.9)) / width(&series.low, &series.high);
        assert!((ratio - 1.0).abs() < 0.05, "{}: {ratio}", series.name);
    }
}

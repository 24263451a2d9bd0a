//! Are intervals as calibrated, and is the mix as good, as claimed? On every load trace that is there, after a day of
//! warm-up: coverage of the 90 % interval by step ahead, its interval score against split conformal's on the same
//! forecasts, and the ensemble's error against its members'. Once by a backtest of windows that do not overlap, and once
//! for the ensemble from every row, which is many times the points.
//!
//! `cargo run --release -p foresail-forecast --example coverage_check [TRACE…]`

#![allow(clippy::print_stdout, reason = "a report")]
#![allow(clippy::disallowed_methods, reason = "it measures")]

mod traces;

use std::time::{Duration, Instant};

use foresail_core::{Frame, Known, SeededRng};
use foresail_forecast::backtest::{BacktestOptions, BacktestResult, Edges, run};
use foresail_forecast::guard::{Guarded, dependable};
use foresail_forecast::metrics::{IntervalScore, geometric_mean, percentile};
use foresail_forecast::mixer::MEMBERS;
use foresail_forecast::registry::{ModelOptions, build};
use foresail_forecast::{Fitted, Forecaster};

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let gains: Vec<f64> = traces::wanted(&wanted).flat_map(|(name, frame)| check(name, &frame)).collect();
    if let Some(gain) = geometric_mean(gains) {
        println!("every row of all traces: ensemble's error over the best member's, geometric mean {gain:.3}");
    }
}

/// Tests one trace, prints what came out, and gives the ensemble's error at each step over the best member's.
fn check(name: &str, frame: &Frame) -> Vec<f64> {
    let horizon = frame.steps_in(Duration::from_secs(1800));
    let options = ModelOptions { horizon, ..ModelOptions::default() };
    let models = MEMBERS.iter().chain(&["ensemble"]).map(|model| build(model, &options).expect("it is registered"));
    let began = Instant::now();
    let clock = || began.elapsed();
    let edges = Edges { clock: &clock, progress: &|_| {} };
    let result = run(frame, models.collect(), &BacktestOptions::new(horizon), &edges).expect("a trace of many days");
    let (rows, windows) = (frame.len(), result.windows.len());
    println!("{name}: {rows} rows, {windows} windows of {horizon} steps, {:.1} s", began.elapsed().as_secs_f64());
    print_models(&result);
    for model in &result.models {
        let steps = model.by_horizon.iter().filter_map(|m| m.coverage);
        print_coverage("windows", &model.name, steps.map(|c| (c.covered, c.on_bound)));
    }
    print_against_split("windows", &against_split(frame, &result));
    let error = |model: &str, step: usize| result.model(model).and_then(|m| m.by_horizon[step].mae);
    let best = |step: usize| MEMBERS.iter().filter_map(|m| error(m, step)).fold(f64::INFINITY, f64::min);
    let gains: Vec<f64> = (0..horizon).filter_map(|step| Some(error("ensemble", step)? / best(step))).collect();
    print_gains("windows", &gains);
    from_every_row(frame, horizon, &options)
}

fn print_models(result: &BacktestResult) {
    for model in &result.models {
        let (m, t) = (&model.overall, &model.timing);
        let micros = |span: Duration, count: usize| span.as_secs_f64() * 1e6 / count.max(1) as f64;
        let [mase, rmse, wql, msis, covered] = [m.mase, m.rmse, m.wql, m.msis, m.coverage.map(|c| c.covered)]
            .map(|figure| figure.map_or("-".to_owned(), |figure| format!("{figure:.4}")));
        let (fit, update) = (micros(t.fit, t.fits) / 1e3, micros(t.update, t.updates));
        let degraded = model.degraded.values().sum::<usize>();
        let name = &model.name;
        println!("  {name:14} MASE {mase} RMSE {rmse} WQL {wql} MSIS {msis} coverage {covered}, {degraded} degraded");
        println!("  {name:14} fit {fit:.0} ms × {}, update {update:.0} µs", t.fits);
    }
}

/// Least and largest coverage of the steps, and how many are off by more than 1.5 points.
fn print_coverage(from: &str, model: &str, steps: impl Iterator<Item = (f64, f64)>) {
    let steps: Vec<(f64, f64)> = steps.collect();
    let off = steps.iter().filter(|(covered, _)| !(0.885..=0.915).contains(covered)).count();
    let fold = |start: f64, pick: fn(f64, f64) -> f64| steps.iter().map(|s| s.0).fold(start, pick);
    let (low, high, count) = (fold(1.0, f64::min), fold(0.0, f64::max), steps.len());
    let ties = steps.iter().map(|s| s.1).fold(0.0, f64::max);
    println!(
        "  {from}: {model} covers {low:.3} to {high:.3}, {off} of {count} steps off by over 1.5 points, ties {ties:.3}"
    );
}

/// The ensemble's interval score over that of two split conformals, by step.
fn print_against_split(from: &str, ratios: &[[f64; 2]]) {
    let [fixed, rolling] = [0, 1].map(|kind| geometric_mean(ratios.iter().map(|r| r[kind])).unwrap_or(f64::NAN));
    let worst = ratios.iter().flatten().copied().fold(0.0, f64::max);
    println!(
        "  {from}: interval score over split conformal's: fixed {fixed:.3}, rolling {rolling:.3}, worst {worst:.3}"
    );
}

fn print_gains(from: &str, gains: &[f64]) {
    let worst = gains.iter().copied().fold(0.0, f64::max);
    let mean = geometric_mean(gains.iter().copied()).unwrap_or(f64::NAN);
    println!("  {from}: ensemble's error over the best member's at the same step: {mean:.3}, worst step {worst:.3}");
}

/// The half-width of split conformal: the finite-sample 90 % quantile of the magnitude of past errors.
fn split_width(errors: &[f64]) -> f64 {
    percentile(errors, 0.9 * (1.0 + 1.0 / errors.len().max(1) as f64)).unwrap_or(0.0)
}

/// The ensemble against split conformal on the same point forecasts, by step: fixed (errors of the first half of the
/// windows, both scored on the second) and rolling (errors of all windows before).
fn against_split(frame: &Frame, result: &BacktestResult) -> Vec<[f64; 2]> {
    let count = result.windows.len();
    let rows: Vec<_> = result.rows(frame).filter(|row| row.model == "ensemble").collect();
    let of_step = |step: usize| {
        let at = |window: usize| &rows[window * result.horizon + step];
        let error = |window: usize| at(window).actual.map(|actual| (actual - at(window).mean).abs());
        let width = |windows: usize| split_width(&(0..windows).filter_map(error).collect::<Vec<f64>>());
        let fixed = width(count / 2);
        let ratio = |from: usize, width: &dyn Fn(usize) -> f64| {
            let mut scores = Scores::new();
            for window in from..count {
                let row = at(window);
                if let Some(actual) = row.actual {
                    scores.push(row.mean, row.quantiles, width(window), actual);
                }
            }
            scores.ratio()
        };
        [ratio(count / 2, &|_| fixed), ratio(48.min(count / 2), &width)]
    };
    (0..result.horizon).map(of_step).collect()
}

/// Interval scores of ours and of split conformal.
struct Scores([IntervalScore; 2]);

impl Scores {
    fn new() -> Self {
        Self([IntervalScore::new(0.9), IntervalScore::new(0.9)])
    }

    fn push(&mut self, mean: f64, quantiles: &[f64], width: f64, actual: f64) {
        self.0[0].push(quantiles[0], quantiles[quantiles.len() - 1], actual);
        self.0[1].push((mean - width).max(0.0), mean + width, actual);
    }

    fn ratio(&self) -> f64 {
        self.0[0].score().unwrap_or(f64::NAN) / self.0[1].score().unwrap_or(f64::NAN)
    }
}

/// Walks the ensemble and its members through `frame`, forecasting at every row after the first day; gives the ensemble's
/// error at each step over the best member's. Here split conformal is fixed after the second day (both scored from there)
/// or follows the last seven days.
fn from_every_row(frame: &Frame, horizon: usize, options: &ModelOptions) -> Vec<f64> {
    let day = frame.steps_in(Duration::from_secs(86_400));
    let known = Known::none();
    let mut rng = SeededRng::seed_from_u64(0);
    let ensemble = dependable(build("ensemble", options).expect("it is registered"), horizon);
    let members = MEMBERS.map(|member| Guarded::new(build(member, options).expect("it is registered")));
    let models: Vec<&Guarded> = std::iter::once(&ensemble).chain(&members).collect();
    let mut fitted: Vec<Box<dyn Fitted>> = models
        .iter()
        .map(|model| model.fit(&frame.slice(0..day), &known, &mut rng).expect("a guarded model never refuses"))
        .collect();
    let mut errors = vec![vec![0.0; models.len()]; horizon];
    let mut past: Vec<Vec<f64>> = vec![Vec::new(); horizon];
    let mut coverage = vec![IntervalScore::new(0.9); horizon];
    let mut widths = vec![[0.0; 2]; horizon];
    let mut scores: Vec<[Scores; 2]> = (0..horizon).map(|_| [Scores::new(), Scores::new()]).collect();
    for row in day..frame.len() - horizon {
        if row % day == 0 && row > day {
            if row <= 7 * day || row % (7 * day) == 0 {
                let history = frame.slice(row.saturating_sub(28 * day)..row);
                for (model, fitted) in models.iter().zip(&mut fitted) {
                    // A model that cannot be fitted yet goes on with its fall-back.
                    let _ = model.refit(fitted, &history, history.len(), &known, &mut rng);
                }
            }
            for (widths, past) in widths.iter_mut().zip(&past) {
                widths[1] = split_width(&past[past.len().saturating_sub(7 * day)..past.len().saturating_sub(horizon)]);
                widths[0] = if row == 2 * day { widths[1] } else { widths[0] };
            }
        }
        for (i, fitted) in fitted.iter_mut().enumerate() {
            let forecast = fitted.predict(horizon, &known);
            for step in 0..horizon {
                let Some(actual) = frame.target_column().get(row + step) else { continue };
                let (mean, error) = (forecast.mean[step], (actual - forecast.mean[step]).abs());
                errors[step][i] += error;
                if i == 0 {
                    let quantiles = &forecast.quantiles[step];
                    past[step].push(error);
                    coverage[step].push(quantiles[0], quantiles[quantiles.len() - 1], actual);
                    if row >= 2 * day {
                        scores[step].iter_mut().zip(widths[step]).for_each(|(s, w)| s.push(mean, quantiles, w, actual));
                    }
                }
            }
            fitted.update(&frame.row(row));
        }
    }
    print_coverage("every row", "ensemble", coverage.iter().filter_map(|c| Some((c.covered()?, c.on_bound()?))));
    print_against_split("every row", &scores.iter().map(|s| [s[0].ratio(), s[1].ratio()]).collect::<Vec<_>>());
    let best = |e: &[f64]| e.iter().copied().fold(f64::INFINITY, f64::min);
    let gains: Vec<f64> = errors.iter().map(|e| e[0] / best(&e[1..])).collect();
    print_gains("every row", &gains);
    gains
}

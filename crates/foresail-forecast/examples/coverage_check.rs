//! Are intervals as calibrated, and is the mix as good, as claimed? On every load trace that is there: coverage of the 90 %
//! interval by step ahead, its interval score against split conformal's on the same forecasts, and the ensemble's error
//! against its members'.
//!
//! `cargo run --release -p foresail-forecast --example coverage_check [TRACE…] [--refit-days N]`

#![allow(clippy::print_stdout, reason = "a report")]
#![allow(clippy::disallowed_methods, reason = "it measures")]

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};
use foresail_forecast::backtest::{BacktestOptions, BacktestResult, Edges, run};
use foresail_forecast::metrics::{IntervalScore, geometric_mean, percentile};
use foresail_forecast::mixer::MEMBERS;
use foresail_forecast::registry::{ModelOptions, build};

/// File below the folder of load traces, name of the time column, name of the value column.
const TRACES: [(&str, &str, &str); 11] = [
    ("worldcup98", "timestamp", "requests"),
    ("nasa95", "timestamp", "requests"),
    ("alibaba2018", "timestamp", "cpu_util_percent"),
    ("azure_vm_v2", "timestamp", "cpu_usage"),
    ("crane/input1", "ts", "value"),
    ("crane/input3", "ts", "value"),
    ("crane/input5", "ts", "value"),
    ("crane/input7", "ts", "value"),
    ("crane/input9", "ts", "value"),
    ("crane/input11", "ts", "value"),
    ("crane/input13", "ts", "value"),
];

fn main() {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "..", "shared", "traces", "load"].iter().collect();
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        let value = args.get(at + 1)?.parse::<u64>().ok()?;
        args.drain(at..at + 2);
        Some(value)
    };
    let refit_days = option("--refit-days");
    let mut gains = Vec::new();
    for (name, time, value) in TRACES {
        if !args.is_empty() && !args.iter().any(|arg| name.contains(arg.as_str())) {
            continue;
        }
        let path = folder.join(format!("{name}.csv.gz"));
        match read(&path, time, value) {
            Some(frame) => gains.extend(check(name, &frame, refit_days)),
            None => println!("{name}: no such trace here, skipped"),
        }
    }
    if let Some(gain) = geometric_mean(gains.iter().copied()) {
        println!("ensemble's error over that of the best member at the same step: geometric mean {gain:.3}");
    }
}

/// A column of a gzipped CSV file, on the grid of its smallest step.
fn read(path: &Path, time: &str, value: &str) -> Option<Frame> {
    let mut lines = BufReader::new(GzDecoder::new(File::open(path).ok()?)).lines().map_while(Result::ok);
    let header = lines.next()?;
    let column = |name: &str| header.split(',').position(|column| column == name);
    let (time, value) = (column(time)?, column(value)?);
    let cell = |line: &str, column: usize| line.split(',').nth(column).map(str::to_owned);
    let points: Vec<(i64, f64)> = lines
        .filter_map(|line| {
            let text = cell(&line, time)?;
            let secs = text.parse().ok().or_else(|| Some(Timestamp::parse(&text).ok()?.as_micros() / 1_000_000))?;
            Some((secs, cell(&line, value)?.parse().ok()?))
        })
        .collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let step = points.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|gap| *gap > 0).min()?;
    let mut values = vec![None; ((last - first) / step + 1) as usize];
    for (secs, value) in points {
        values[((secs - first) / step) as usize] = Some(value);
    }
    Frame::univariate(Timestamp::from_secs(first), Duration::from_secs(step as u64), "value", values).ok()
}

/// Tests one trace, prints what came out, and gives the ensemble's error at each step over the best member's.
fn check(name: &str, frame: &Frame, refit_days: Option<u64>) -> Vec<f64> {
    let horizon = frame.steps_in(Duration::from_secs(1800));
    let options = ModelOptions { horizon, ..ModelOptions::default() };
    let models =
        MEMBERS.iter().chain(&["ensemble"]).map(|model| build(model, &options).expect("a model of the registry"));
    let mut test = BacktestOptions::new(horizon);
    if let Some(days) = refit_days {
        test.refit_every = Duration::from_secs(86_400 * days);
    }
    let began = Instant::now();
    let clock = || began.elapsed();
    let edges = Edges { clock: &clock, progress: &|_| {} };
    let result = run(frame, models.collect(), &test, &edges).expect("a trace of many days");
    println!(
        "{name}: {} rows, {} windows of {horizon} steps, {:.1} s",
        frame.len(),
        result.windows.len(),
        began.elapsed().as_secs_f64()
    );
    print_models(&result);
    print_coverage(frame, &result);
    gains(&result)
}

fn print_models(result: &BacktestResult) {
    for model in &result.models {
        let (m, t) = (&model.overall, &model.timing);
        let each = |span: Duration, count: usize| span.as_secs_f64() * 1e6 / count.max(1) as f64;
        println!(
            "  {:14} MASE {:.4} RMSE {:.4} WQL {:.4} MSIS {:.3} coverage {:.3} | fit {:.0} ms × {}, update {:.0} µs, degraded {}",
            model.name,
            m.mase.unwrap_or(f64::NAN),
            m.rmse.unwrap_or(f64::NAN),
            m.wql.unwrap_or(f64::NAN),
            m.msis.unwrap_or(f64::NAN),
            m.coverage.map_or(f64::NAN, |c| c.covered),
            each(t.fit, t.fits) / 1e3,
            t.fits,
            each(t.update, t.updates),
            model.degraded.values().sum::<usize>(),
        );
    }
}

/// Coverage by step of every model, and of the ensemble the interval score against split conformal's.
fn print_coverage(frame: &Frame, result: &BacktestResult) {
    for model in &result.models {
        let covered: Vec<f64> = model.by_horizon.iter().filter_map(|m| m.coverage).map(|c| c.covered).collect();
        let ties: Vec<f64> = model.by_horizon.iter().filter_map(|m| m.coverage).map(|c| c.on_bound).collect();
        let outside = covered.iter().filter(|c| !(0.885..=0.915).contains(*c)).count();
        let (low, high) = (covered.iter().copied().fold(1.0, f64::min), covered.iter().copied().fold(0.0, f64::max));
        let most_ties = ties.iter().copied().fold(0.0, f64::max);
        println!(
            "  {:14} coverage {low:.3} to {high:.3}, {outside} of {} steps outside 88.5–91.5 %, ties {most_ties:.3}",
            model.name,
            covered.len()
        );
    }
    let ratios = against_split(frame, result, "ensemble");
    let worst = ratios.iter().flatten().copied().fold(0.0, f64::max);
    let mean = |half: usize| geometric_mean(ratios.iter().map(|r| r[half])).unwrap_or(f64::NAN);
    println!(
        "  interval score over split conformal's: fixed {:.3}, expanding {:.3}, worst step {worst:.3}",
        mean(0),
        mean(1)
    );
}

/// By step, the interval score over that of split conformal on the same point forecasts: fixed (the quantile of the
/// magnitude of errors in the first half of the windows, both scored on the second) and expanding (of all windows before).
fn against_split(frame: &Frame, result: &BacktestResult, model: &str) -> Vec<[f64; 2]> {
    let count = result.windows.len();
    let rows: Vec<_> = result.rows(frame).filter(|row| row.model == model).collect();
    (0..result.horizon)
        .map(|step| {
            let at = |window: usize| &rows[window * result.horizon + step];
            let error = |window: usize| at(window).actual.map(|actual| (actual - at(window).mean).abs());
            let width = |windows: usize| {
                let errors: Vec<f64> = (0..windows).filter_map(error).collect();
                percentile(&errors, 0.9 * (1.0 + 1.0 / errors.len() as f64)).unwrap_or(0.0)
            };
            let fixed = width(count / 2);
            let ratio = |from: usize, width: &dyn Fn(usize) -> f64| {
                let mut scores = [IntervalScore::new(0.9), IntervalScore::new(0.9)];
                for window in from..count {
                    let row = at(window);
                    if let Some(actual) = row.actual {
                        let width = width(window);
                        scores[0].push(row.quantiles[0], row.quantiles[row.quantiles.len() - 1], actual);
                        scores[1].push((row.mean - width).max(0.0), row.mean + width, actual);
                    }
                }
                scores[0].score().unwrap_or(f64::NAN) / scores[1].score().unwrap_or(f64::NAN)
            };
            [ratio(count / 2, &|_| fixed), ratio(48.min(count / 2), &width)]
        })
        .collect()
}

fn gains(result: &BacktestResult) -> Vec<f64> {
    let error = |model: &str, step: usize| result.model(model).and_then(|m| m.by_horizon[step].mae);
    let best = |step: usize| MEMBERS.iter().filter_map(|m| error(m, step)).fold(f64::INFINITY, f64::min);
    let gains: Vec<f64> = (0..result.horizon).filter_map(|step| Some(error("ensemble", step)? / best(step))).collect();
    let worst = gains.iter().copied().fold(0.0, f64::max);
    println!(
        "  ensemble's error over the best member's: {:.3}, worst step {worst:.3}",
        geometric_mean(gains.iter().copied()).unwrap_or(f64::NAN)
    );
    gains
}

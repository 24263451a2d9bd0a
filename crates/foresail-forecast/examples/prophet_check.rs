//! Beside Prophet on ten series with holidays: how far point forecasts are apart, and processor time.
//!
//! The series, and what Prophet 1.5.0 says of them, are those of `tests/golden/prophet.json`. Ours is the processor time of
//! a fit and a forecast, the median of some measurements of many each, for clocks tick coarsely; with the path of a Python that has Prophet as argument, Prophet's is measured
//! on the same machine in the same run, its child processes included.
//!
//! `cargo run --release -p foresail-forecast --example prophet_check [PYTHON]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use foresail_core::{Column, Frame, Holiday, Known, SeededRng, Signal, TimeZone, Timestamp};
use foresail_forecast::Forecaster;
use foresail_forecast::models::{Prophet, ProphetOptions};
use serde::Deserialize;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/prophet.py");
const RUNS: usize = 5;
/// Processor time that a measurement takes at least.
const ENOUGH: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
struct Golden {
    name: String,
    start: String,
    step_s: u64,
    values: Vec<Option<f64>>,
    names: Vec<String>,
    holidays: Vec<(String, usize)>,
    options: ProphetOptions,
    regressors: BTreeMap<String, Vec<f64>>,
    mean: Vec<f64>,
}

#[derive(Deserialize)]
struct Theirs {
    name: String,
    point_s: f64,
    interval_s: f64,
}

fn main() {
    let all: Vec<Golden> =
        serde_json::from_str(include_str!("../tests/golden/prophet.json")).expect("the file is ours");
    let theirs = std::env::args().nth(1).map(|python| measure(&python)).unwrap_or_default();
    println!("{:42} {:>6} {:>9} {:>10} {:>12}", "series", "rows", "apart %", "point ms", "interval ms");
    let (mut worst, mut ratios) = (0.0_f64, Vec::new());
    for series in &all {
        let (history, known) = series.inputs();
        let run = |samples: usize| {
            let options = ProphetOptions { samples, ..series.options.clone() };
            let model = Prophet::new(options).expect("the options are sound");
            let fitted =
                model.fit(&history, &known, &mut SeededRng::seed_from_u64(1)).expect("the history is long enough");
            fitted.predict(series.mean.len(), &known)
        };
        let got = run(0).mean;
        let apart = got.iter().zip(&series.mean).map(|(a, b)| 100.0 * ((a - b) / b).abs()).fold(0.0, f64::max);
        worst = worst.max(apart);
        let (point, interval) = (median(|| drop(black_box(run(0)))), median(|| drop(black_box(run(1000)))));
        print!(
            "{:42} {:6} {apart:9.3} {:10.2} {:12.2}",
            series.name,
            series.values.len(),
            point.as_secs_f64() * 1e3,
            interval.as_secs_f64() * 1e3
        );
        if let Some(theirs) = theirs.iter().find(|t| t.name == series.name) {
            let ratio = [theirs.point_s / point.as_secs_f64(), theirs.interval_s / interval.as_secs_f64()];
            print!(
                "   Prophet {:6.0} ms, {:6.0} ms: {:5.0} and {:5.0} times ours",
                theirs.point_s * 1e3,
                theirs.interval_s * 1e3,
                ratio[0],
                ratio[1]
            );
            ratios.push(ratio);
        }
        println!();
    }
    println!("furthest apart: {worst:.3} %");
    for (what, i) in [("point forecasts", 0), ("with intervals", 1)] {
        let mut sorted: Vec<f64> = ratios.iter().map(|r| r[i]).collect();
        sorted.sort_by(f64::total_cmp);
        if let (Some(least), Some(middle)) = (sorted.first(), sorted.get(sorted.len() / 2)) {
            println!("{what}: Prophet takes {middle:.0} times our processor time (median), {least:.0} times at least");
        }
    }
}

impl Golden {
    fn inputs(&self) -> (Frame, Known) {
        let mut columns = vec![Column::new("y", self.values.iter().copied())];
        for (name, values) in &self.regressors {
            columns.push(Column::new(name, values[..self.values.len()].iter().copied().map(Some)));
        }
        let start = Timestamp::parse(&self.start).expect("a time");
        let history =
            Frame::new(start, Duration::from_secs(self.step_s), TimeZone::utc(), columns).expect("even columns");
        let signal = |(name, values): (&String, &Vec<f64>)| {
            Signal::new(name, values.iter().enumerate().map(|(i, v)| (history.time(i), *v)).collect())
        };
        let holiday = |(day, name): &(String, usize)| Holiday {
            day: Timestamp::parse(day).expect("a day"),
            name: self.names[*name].clone(),
        };
        let known = Known {
            holidays: self.holidays.iter().map(holiday).collect(),
            signals: self.regressors.iter().map(signal).collect(),
            ..Known::none()
        };
        (history, known)
    }
}

/// What Prophet takes, as its script measures it; nothing if it cannot be run.
fn measure(python: &str) -> Vec<Theirs> {
    let output = match Command::new(python).args([SCRIPT, "--cpu"]).output() {
        Ok(output) => output,
        Err(error) => {
            println!("{python} cannot be run: {error}");
            return Vec::new();
        }
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The middle of some measurements of what `work` takes of this thread's processor time.
fn median(work: impl Fn()) -> Duration {
    let mut spent: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let (start, mut times) = (Stopwatch::now(), 0);
            while start.elapsed() < ENOUGH {
                work();
                times += 1;
            }
            start.elapsed() / times.max(1)
        })
        .collect();
    spent.sort();
    spent[RUNS / 2]
}

/// This thread's processor time where the system tells it, else the time of day.
struct Stopwatch {
    cpu: Option<u64>,
    wall: Instant,
}

impl Stopwatch {
    fn now() -> Self {
        Self { cpu: thread_ns(), wall: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, thread_ns()) {
            (Some(start), Some(end)) => Duration::from_nanos(end - start),
            _ => self.wall.elapsed(),
        }
    }
}

fn thread_ns() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

//! Models on the hourly series of the M4 competition (Makridakis et al. 2020): scaled error, symmetric percentage error and
//! what a fit costs, for the competition's 48 hours ahead.
//!
//! MASE takes the in-sample error of the daily naive as its unit. Each model is told the seasons of a day and a week;
//! with `detect` as the first word it finds them itself. Prints a line and stops if the files are not there.
//!
//! `cargo run --release -p foresail-forecast --example m4_hourly_check [detect] [MODEL…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Known, SeededRng, Timestamp};
use foresail_forecast::Forecaster;
use foresail_forecast::guard::Guarded;
use foresail_forecast::registry::{ModelOptions, build, names};

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast");
const HORIZON: usize = 48;
const DAY: usize = 24;

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut options = ModelOptions { horizon: HORIZON, ..ModelOptions::default() };
    if wanted.first().is_some_and(|word| word == "detect") {
        wanted.remove(0);
        options.seasons.clear();
    }
    let (Some(train), Some(test)) = (read("m4_hourly_train.csv.gz"), read("m4_hourly_test.csv.gz")) else {
        return println!("the M4 files are not in {FILES}, skipped");
    };
    println!("{:>24} {:>8} {:>8} {:>8} {:>10}", "model", "MASE", "median", "sMAPE %", "fit ms");
    for name in names().into_iter().filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        let (mut scaled, mut percent, mut busy) = (Vec::new(), 0.0, Duration::ZERO);
        for (train, test) in train.iter().zip(&test) {
            let started = Instant::now();
            let mean = forecast(name, &options, train);
            busy += started.elapsed();
            let naive: f64 = train.windows(DAY + 1).map(|w| (w[DAY] - w[0]).abs()).sum();
            let unit = naive / (train.len() - DAY) as f64;
            let count = test.len() as f64;
            scaled.push(mean.iter().zip(test).map(|(got, seen)| (got - seen).abs() / unit).sum::<f64>() / count);
            let share = |(got, seen): (&f64, &f64)| 200.0 * (got - seen).abs() / (got.abs() + seen.abs()).max(1e-12);
            percent += mean.iter().zip(test).map(share).sum::<f64>() / count;
        }
        let count = scaled.len() as f64;
        let mase = scaled.iter().sum::<f64>() / count;
        scaled.sort_by(f64::total_cmp);
        let (median, percent) = (scaled[scaled.len() / 2], percent / count);
        println!("{name:>24} {mase:8.3} {median:8.3} {percent:8.2} {:10.2}", busy.as_secs_f64() * 1e3 / count);
    }
}

fn forecast(name: &str, options: &ModelOptions, values: &[f64]) -> Vec<f64> {
    let rows = values.iter().copied().map(Some);
    let step = Duration::from_secs(3600);
    let history = Frame::univariate(Timestamp::EPOCH, step, "load", rows).expect("a regular grid");
    let model = Guarded::new(build(name, options).expect("a name of the registry"));
    let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("guarded");
    fitted.predict(HORIZON, &Known::none()).mean
}

/// The series of a wide file: a name and the values, quoted, a line each.
fn read(file: &str) -> Option<Vec<Vec<f64>>> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(FILES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    let cells = |line: &str| line.split(',').skip(1).filter_map(|cell| cell.trim_matches('"').parse().ok()).collect();
    Some(text.lines().skip(1).map(cells).collect())
}

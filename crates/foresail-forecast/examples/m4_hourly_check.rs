//! Models on the hourly series of the M4 competition (Makridakis et al. 2020): scaled error, symmetric percentage error and
//! what a fit costs, for the competition's 48 hours ahead.
//!
//! MASE takes the in-sample error of the daily naive as its unit. Each model is told the seasons of a day and a week;
//! with `detect` as the first word it finds them itself. Prints a line and stops if the files are not there.
//!
//! `cargo run --release -p foresail-forecast --example m4_hourly_check [detect] [MODEL…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod m4;

use std::time::{Duration, Instant};

use foresail_core::{Known, SeededRng};
use foresail_forecast::Forecaster;
use foresail_forecast::guard::Guarded;
use foresail_forecast::registry::{ModelOptions, build, names};

const HORIZON: usize = 48;

fn main() {
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut options = ModelOptions { horizon: HORIZON, ..ModelOptions::default() };
    if wanted.first().is_some_and(|word| word == "detect") {
        wanted.remove(0);
        options.seasons.clear();
    }
    let Some((train, test)) = m4::series() else {
        return println!("the M4 files are not in {}, skipped", m4::FILES);
    };
    println!("{:>24} {:>8} {:>8} {:>8} {:>10}", "model", "MASE", "median", "sMAPE %", "fit ms");
    for name in names().into_iter().filter(|name| wanted.is_empty() || wanted.iter().any(|w| w == name)) {
        let (mut scaled, mut percent, mut busy) = (Vec::new(), 0.0, Duration::ZERO);
        for (train, test) in train.iter().zip(&test) {
            let started = Instant::now();
            let mean = forecast(name, &options, train);
            busy += started.elapsed();
            let count = test.len() as f64;
            scaled.push(m4::mase(&mean, test, train));
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
    let history = m4::frame(values);
    let model = Guarded::new(build(name, options).expect("a name of the registry"));
    let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("guarded");
    fitted.predict(HORIZON, &Known::none()).mean
}

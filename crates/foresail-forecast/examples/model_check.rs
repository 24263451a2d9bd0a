//! Looks at every model on a few real series: scaled error by lead, and what fitting, updating and predicting cost.
//!
//! Each model is fitted on eight days, then takes in two more row by row and forecasts 30 minutes every 29 minutes. The
//! figure is the mean absolute scaled error with the in-sample error of the daily naive as its unit (MASE, m = 1 day),
//! for 1, 5, 10, 20 and 30 minutes and over all leads. Series that are not there are skipped.
//!
//! `cargo run --release -p foresail-forecast --example model_check [MODEL…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Known, SeededRng, Timestamp};
use foresail_forecast::registry::{ModelOptions, build, names};

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/load");
const MINUTES: [usize; 5] = [1, 5, 10, 20, 30];
const DAY: Duration = Duration::from_secs(86_400);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let series = [
        ("worldcup98.csv.gz", 60, 1, "1998-06-16"),
        ("nasa95.csv.gz", 60, 1, "1995-07-01 04:00:00"),
        ("alibaba2018.csv.gz", 30, 1, "2018-01-01"),
        ("azure_vm_v2.csv.gz", 300, 1, "2019-01-01"),
        ("crane/input1.csv.gz", 60, 1, "2021-10-06"),
        ("crane/input3.csv.gz", 60, 1, "2021-10-06"),
        ("crane/input7.csv.gz", 60, 1, "2021-10-06"),
        ("crane/input9.csv.gz", 60, 1, "2021-10-06"),
    ];
    for (file, step_secs, column, from) in series {
        let Some(frame) = read(file, Duration::from_secs(step_secs), column, from) else {
            println!("{file}: not there, skipped");
            continue;
        };
        let days = if file.starts_with("alibaba") { 5 } else { 8 };
        println!("{file}: {} rows from {}", frame.len(), frame.start());
        println!(
            "{:>16} {:>7} MASE at {MINUTES:?} min {:>12} {:>10} {:>11}",
            "", "all", "fit ms", "update us", "predict us"
        );
        for name in names() {
            if wanted.is_empty() || wanted.iter().any(|w| w == name) {
                check(name, &frame, days);
            }
        }
    }
}

/// The rows of a file from some time on, put on a regular grid; a row that comes twice keeps its first value.
fn read(file: &str, step: Duration, column: usize, from: &str) -> Option<Frame> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(TRACES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    let from = Timestamp::parse(from).ok()?;
    let mut values: Vec<Option<f64>> = Vec::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let stamp = cells.next()?;
        let time = stamp.parse().map(Timestamp::from_secs).or_else(|_| Timestamp::parse(stamp)).ok()?;
        let index = (time.as_micros() - from.as_micros()).div_euclid(step.as_micros() as i64);
        let Ok(index) = usize::try_from(index) else { continue };
        if index >= values.len() {
            values.resize(index + 1, None);
        }
        values[index] = values[index].or(cells.nth(column - 1)?.parse().ok());
    }
    Frame::univariate(from, step, "load", values).ok()
}

fn check(name: &str, frame: &Frame, days: u32) {
    let (train, test) = (frame.steps_in(days * DAY), frame.steps_in(2 * DAY));
    let steps_of = |minutes: usize| frame.steps_in(Duration::from_secs(60 * minutes as u64));
    let (horizon, every) = (steps_of(30), steps_of(29));
    let day = frame.steps_in(DAY);
    let history = frame.slice(0..train);
    let naive: Vec<f64> = history.target().windows(day + 1).map(|w| (w[day] - w[0]).abs()).collect();
    let unit = naive.iter().sum::<f64>() / naive.len() as f64;

    let started = Instant::now();
    let mut rng = SeededRng::seed_from_u64(1);
    let model = build(name, &ModelOptions::default()).expect("a name of the registry");
    let fitted = model.fit(&history, &Known::none(), &mut rng);
    let fit_ms = started.elapsed().as_secs_f64() * 1e3;
    let mut fitted = match fitted {
        Ok(fitted) => fitted,
        Err(error) => return println!("{name:>16} {error}"),
    };
    let (mut sums, mut counts) = (vec![0.0; horizon], vec![0.0; horizon]);
    let (mut updating, mut predicting, mut predictions) = (Duration::ZERO, Duration::ZERO, 0);
    let end = frame.len().min(train + test);
    for origin in train..end {
        if (origin - train) % every == 0 {
            let started = Instant::now();
            let mean = fitted.predict(horizon, &Known::none()).mean;
            predicting += started.elapsed();
            predictions += 1;
            for (ahead, got) in mean.iter().enumerate() {
                if frame.target_mask().get(origin + ahead) == Some(&true) {
                    sums[ahead] += (got - frame.target()[origin + ahead]).abs() / unit;
                    counts[ahead] += 1.0;
                }
            }
        }
        let row = frame.row(origin);
        let started = Instant::now();
        fitted.update(&row);
        updating += started.elapsed();
    }
    let at = |minutes: usize| sums[steps_of(minutes) - 1] / counts[steps_of(minutes) - 1];
    let leads: Vec<String> = MINUTES.iter().map(|m| format!("{:.3}", at(*m))).collect();
    let all = sums.iter().sum::<f64>() / counts.iter().sum::<f64>();
    let (update_us, predict_us) =
        (updating.as_secs_f64() * 1e6 / (end - train) as f64, predicting.as_secs_f64() * 1e6 / f64::from(predictions));
    println!("{name:>16} {all:7.3} {:>35} {fit_ms:10.1} {update_us:10.2} {predict_us:11.2}", leads.join(" "));
}

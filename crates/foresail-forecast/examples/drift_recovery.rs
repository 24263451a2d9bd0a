//! How fast forecasts recover from a permanent change: models refitted daily on a fixed window, and the same models under the
//! two-stage drift detector, which refits on what came after the change and lets the window grow again.
//!
//! Hourly load with a day's shape and autocorrelated noise; after six weeks the level falls to 60 % and the peak moves by six
//! hours, for good. Errors are of the next 12 hours, each hour; recovered means below 1.25 times the error before the change,
//! in the mean of a day and of all seeds, and for two days on end.
//!
//! `cargo run --release -p foresail-forecast --example drift_recovery [-- dev]`

#![expect(clippy::print_stdout, reason = "an example that measures and says so")]

use std::f64::consts::TAU;
use std::time::Duration;

use foresail_core::{Frame, Known, SeededRng, Timestamp};
use foresail_forecast::registry::{ModelOptions, build, restore};
use foresail_forecast::{Fitted, Forecaster};
use foresail_learn::drift::{AdaptiveRate, DriftDetector, DriftEvent, DriftOptions, RateOptions};

const SEEDS: u64 = 12;
const DAY: usize = 24;
/// Rows of the fixed window, of the history before the first forecast, of the change, and of all.
const WINDOW: usize = 28 * DAY;
const START: usize = WINDOW;
const CHANGE: usize = 42 * DAY;
const LENGTH: usize = 84 * DAY;
const HORIZON: usize = 12;
const MODELS: [&str; 6] = ["seasonal_naive", "pattern", "level_shape", "holt_winters", "ridge", "theta"];

/// What befalls the load.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Permanent,
    Spike,
}

fn main() {
    let first = if std::env::args().any(|a| a == "dev") { 1 } else { 20_001 };
    let seeds: Vec<u64> = (first..first + SEEDS).collect();
    println!("{SEEDS} seeds from {first}; hours to recover from a permanent change, refitted daily on {WINDOW} hours");
    println!(
        "{:>16} {:>8} {:>8} {:>26} {:>30}",
        "", "fixed", "drift", "ratio [95 % bootstrap]", "error after change, drift/fixed"
    );
    for name in MODELS {
        let curves: Vec<[Vec<f64>; 2]> = seeds.iter().map(|s| both(name, *s, Kind::Permanent)).collect();
        let all: Vec<usize> = (0..curves.len()).collect();
        let [fixed, drift] = recovery(&curves, &all);
        let mut rng = SeededRng::seed_from_u64(1);
        let mut ratios: Vec<f64> = (0..400)
            .map(|_| {
                let drawn: Vec<usize> = all.iter().map(|_| rng.below(all.len())).collect();
                let [fixed, drift] = recovery(&curves, &drawn);
                fixed as f64 / drift as f64
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        let after = |which: usize| curves.iter().map(|c| c[which][CHANGE - START..].iter().sum::<f64>()).sum::<f64>();
        let ratio = format!("{:.2} [{:.2} {:.2}]", fixed as f64 / drift as f64, ratios[10], ratios[389]);
        println!("{name:>16} {fixed:>8} {drift:>8} {ratio:>26} {:>30.3}", after(1) / after(0));
    }
    println!("\nerror over the four weeks after a spike of 20 hours to twice the load, drift over fixed");
    for name in MODELS {
        let curves: Vec<[Vec<f64>; 2]> = seeds.iter().map(|s| both(name, *s, Kind::Spike)).collect();
        let after = |which: usize| -> f64 {
            curves.iter().map(|c| c[which][CHANGE + 20 - START..][..WINDOW].iter().sum::<f64>()).sum()
        };
        println!("{name:>16} {:.3}", after(1) / after(0));
    }
}

/// Hours until the mean of the drawn seeds' errors has recovered, for the fixed window and under the detector.
fn recovery(curves: &[[Vec<f64>; 2]], drawn: &[usize]) -> [usize; 2] {
    [0, 1].map(|which| {
        let rows = curves[0][which].len();
        let mean = |row: usize| drawn.iter().map(|seed| curves[*seed][which][row]).sum::<f64>() / drawn.len() as f64;
        let curve: Vec<f64> = (0..rows).map(mean).collect();
        let change = CHANGE - START;
        let usual = curve[change - 10 * DAY..change].iter().sum::<f64>() / (10 * DAY) as f64;
        let daily: Vec<f64> = curve.windows(DAY).map(|w| w.iter().sum::<f64>() / DAY as f64).collect();
        // Entry `i` is of the rows up to `i + DAY - 1`.
        let calm = |at: usize| daily[at..].iter().take(2 * DAY).all(|error| *error < 1.25 * usual);
        let last = daily.len() - 2 * DAY;
        (change + 1..last).find(|at| calm(at + 1 - DAY)).unwrap_or(last) - change
    })
}

fn load(seed: u64, kind: Kind) -> Frame {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut noise = 0.0;
    let values: Vec<f64> = (0..LENGTH)
        .map(|row| {
            noise = 0.5 * noise + 0.75_f64.sqrt() * rng.normal();
            let changed = row >= CHANGE && kind == Kind::Permanent;
            let (level, peak) = if changed { (600.0, 6.0) } else { (1_000.0, 0.0) };
            let hour = (row % DAY) as f64 - 8.0 - peak;
            let usual = level * (1.0 + 0.4 * (hour / 24.0 * TAU).sin() + 0.1 * (hour / 12.0 * TAU).sin());
            let spike = kind == Kind::Spike && (CHANGE..CHANGE + 20).contains(&row);
            usual * if spike { 2.0 } else { 1.0 } + 30.0 * noise
        })
        .collect();
    let start = Timestamp::from_secs(1_704_067_200);
    let values = values.into_iter().map(Some);
    Frame::univariate(start, Duration::from_secs(3_600), "load", values).expect("an hour is a step")
}

/// Mean absolute errors of the next hours, a row each, from [`START`] on: with the fixed window, and under the detector.
fn both(name: &str, seed: u64, kind: Kind) -> [Vec<f64>; 2] {
    let frame = load(seed, kind);
    let hours = |n: u64| Duration::from_secs(n * 3_600);
    let options = ModelOptions { seasons: vec![hours(24)], horizon: HORIZON, ..ModelOptions::default() };
    let model = build(name, &options).expect("a name of the registry");
    [fixed(&*model, &frame), watched(&*model, &frame)]
}

fn fit(model: &dyn Forecaster, frame: &Frame, from: usize, to: usize) -> Option<Box<dyn Fitted>> {
    model.fit(&frame.slice(from..to), &Known::none(), &mut SeededRng::seed_from_u64(1)).ok()
}

/// Error of the next hours, from `row` on.
fn error(fitted: &dyn Fitted, frame: &Frame, row: usize) -> f64 {
    let ahead = fitted.predict(HORIZON, &Known::none()).mean;
    let actual = &frame.target()[row..];
    let errors: Vec<f64> = ahead.iter().zip(actual).map(|(f, y)| (f - y).abs()).collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

fn fixed(model: &dyn Forecaster, frame: &Frame) -> Vec<f64> {
    let mut fitted = fit(model, frame, START - WINDOW, START).expect("four weeks are enough");
    (START..LENGTH - HORIZON)
        .map(|row| {
            if row % DAY == 0
                && let Some(fresh) = fit(model, frame, row - WINDOW, row)
            {
                fitted = fresh;
            }
            let error = error(&*fitted, frame, row);
            fitted.update(&frame.row(row));
            error
        })
        .collect()
}

fn watched(model: &dyn Forecaster, frame: &Frame) -> Vec<f64> {
    let mut detector = DriftDetector::new(DriftOptions::default()).expect("defaults are within range");
    let base = 1.0 / WINDOW as f64;
    let mut rate = AdaptiveRate::new(RateOptions { base, ..RateOptions::default() }).expect("a rate");
    // What serves goes on learning; what is judged by does not learn while something is suspected, and is what is gone back
    // to after a spike.
    let mut serving = fit(model, frame, START - WINDOW, START).expect("four weeks are enough");
    let mut judged = copy(&*serving);
    (START..LENGTH - HORIZON)
        .map(|row| {
            let error = error(&*serving, frame, row);
            let expected = judged.predict(1, &Known::none()).mean[0];
            let event = detector.push(Some(frame.target()[row] - expected));
            rate.step(event);
            let seen = frame.row(row);
            serving.update(&seen);
            let mut blank = seen.clone();
            blank.values = vec![None];
            judged.update(if detector.is_suspect() { &blank } else { &seen });
            let changed = matches!(event, Some(DriftEvent::Permanent { .. } | DriftEvent::Spread { .. }));
            if matches!(event, Some(DriftEvent::Spike { .. })) {
                serving = copy(&*judged);
            }
            if changed || ((row + 1) % DAY == 0 && !detector.is_suspect()) {
                let from = (row + 1).saturating_sub(rate.window().clamp(2 * DAY, WINDOW));
                if let Some(fresh) = fit(model, frame, from, row + 1) {
                    serving = fresh;
                    judged = copy(&*serving);
                }
            }
            if changed {
                detector.model_refitted();
            }
            error
        })
        .collect()
}

fn copy(fitted: &dyn Fitted) -> Box<dyn Fitted> {
    restore(fitted.snapshot()).expect("just saved")
}

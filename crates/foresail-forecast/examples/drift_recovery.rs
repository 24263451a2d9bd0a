//! How fast forecasts recover from a permanent change: models refitted daily on a fixed window, and the same models under the
//! two-stage drift detector, which has them fitted anew without what was of another shape, or with it at the new level; after
//! a spike, without the spike.
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
use foresail_learn::drift::{DriftDetector, DriftEvent, DriftOptions, keeps_shape};

const SEEDS: u64 = 12;
const DAY: usize = 24;
/// Rows of the fixed window, of the history before the first forecast, of the change, and of all.
const WINDOW: usize = 28 * DAY;
const START: usize = WINDOW;
const CHANGE: usize = 42 * DAY;
const LENGTH: usize = 84 * DAY;
const HORIZON: usize = 12;
/// Steps that are so many standard deviations off are in doubt.
const OFF: f64 = 4.0;
const MODELS: [&str; 7] = ["ensemble", "seasonal_naive", "pattern", "level_shape", "holt_winters", "ridge", "theta"];

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

/// As the running league does it: what serves goes on learning, a copy that sees nothing of what is in doubt judges. After a
/// change for good, models are fitted on what came since, and on what went before at the new level; after a spike, without it.
fn watched(model: &dyn Forecaster, frame: &Frame) -> Vec<f64> {
    let mut detector = DriftDetector::new(DriftOptions::default()).expect("defaults are within range");
    let mut known: Vec<Option<f64>> = frame.target().iter().copied().map(Some).collect();
    // Rows before this one are of another shape.
    let mut forgotten = 0;
    let fit = |known: &[Option<f64>], forgotten: usize, to: usize| {
        let from = to.saturating_sub(WINDOW).max(forgotten);
        let values = known[from..to].iter().copied();
        let window = Frame::univariate(frame.time(from), Duration::from_secs(3_600), "load", values).ok()?;
        model.fit(&window, &Known::none(), &mut SeededRng::seed_from_u64(1)).ok()
    };
    let mut serving = fit(&known, forgotten, START).expect("four weeks are enough");
    let mut judged = copy(&*serving);
    let mut doubted: Vec<(usize, f64)> = Vec::new();
    (START..LENGTH - HORIZON)
        .map(|row| {
            let error = error(&*serving, frame, row);
            let expected = judged.predict(1, &Known::none()).mean[0];
            let residual = frame.target()[row] - expected;
            let calm = detector.clone();
            let off = OFF * calm.usual().map_or(f64::INFINITY, |(spread, _)| spread);
            let event = detector.push(Some(residual));
            let seen = frame.row(row);
            serving.update(&seen);
            let in_doubt = detector.is_suspect() || event.is_some() || residual.abs() >= off;
            let mut shown = seen.clone();
            if in_doubt {
                doubted.push((row, residual));
                shown.values = vec![None];
            }
            judged.update(&shown);
            let mut is_due = (row + 1) % DAY == 0 && !in_doubt;
            match event {
                Some(DriftEvent::Permanent { .. } | DriftEvent::Spread { .. }) => {
                    let since = doubted.first().map_or(row, |d| d.0);
                    if !keeps_shape(&known[..since], &known[since..=row], DAY) {
                        forgotten = since;
                    } else if let Some(DriftEvent::Permanent { shift, .. }) = event {
                        let after = frame.target()[since..=row].iter().sum::<f64>() / (row + 1 - since) as f64;
                        let ratio = (after / (after - shift)).clamp(0.1, 10.0);
                        known[..since].iter_mut().flatten().for_each(|load| *load *= ratio);
                    }
                    is_due = true;
                }
                Some(DriftEvent::Spike { .. }) => {
                    for (at, _) in doubted.iter().filter(|d| d.1.abs() >= off) {
                        known[*at] = None;
                    }
                    is_due = true;
                }
                _ => {}
            }
            if !in_doubt || event.is_some_and(|e| e != DriftEvent::Suspected) {
                doubted.clear();
            }
            if is_due && let Some(fresh) = fit(&known, forgotten, row + 1) {
                serving = fresh;
                judged = copy(&*serving);
                if event.is_some() {
                    detector.model_refitted();
                }
            }
            error
        })
        .collect()
}

fn copy(fitted: &dyn Fitted) -> Box<dyn Fitted> {
    restore(fitted.snapshot()).expect("just saved")
}

//! Is a combination fitted from a history alone better than the online mix, where few forecasts are ever judged?
//!
//! Long forecasts (48 or 60 steps) on the development sets of `../shared/traces/forecast`: every eighth M4 hourly series at
//! its competition window, and for the other sets a few windows over the last tenth. Each forecast is fitted on what
//! precedes its window (at most 6,000 rows). Prints MASE and WQL (levels 0.1 to 0.9) relative to the calibrated seasonal
//! naive on the same windows, by set and as a geometric mean, and seconds of fitting. Sets that are not there are skipped.
//!
//! `cargo run --release -p foresail-forecast --example stack_check [MODEL…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

mod m4;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Known, SeededRng, Timestamp};
use foresail_forecast::guard::{Guarded, dependable};
use foresail_forecast::metrics::geometric_mean;
use foresail_forecast::registry::{ModelOptions, build};
use foresail_forecast::{Forecast, Forecaster};
use rayon::prelude::*;

const CONTEXT: usize = 6000;
const WINDOWS: usize = 6;

/// Series to be forecast: the history and what came.
struct Set {
    name: &'static str,
    step: Duration,
    seasons: Vec<Duration>,
    /// Rows in the season of MASE.
    season: usize,
    windows: Vec<(Vec<f64>, Vec<f64>)>,
}

fn main() {
    let mut models: Vec<String> = std::env::args().skip(1).collect();
    if models.is_empty() {
        models = ["ensemble", "stacked", "stacked, calibrated"].map(str::to_owned).to_vec();
    }
    let mut all = vec![[Vec::new(), Vec::new()]; models.len()];
    for set in sets() {
        println!("{}: {} windows", set.name, set.windows.len());
        let naive = score(&set, "seasonal_naive").0;
        for (model, all) in models.iter().zip(&mut all) {
            let (figures, spent) = score(&set, model);
            let relative = [figures[0] / naive[0], figures[1] / naive[1]];
            println!(
                "  {model:>24} MASE {:7.4} WQL {:7.4}, relative {:.4} {:.4}, {:.1} s",
                figures[0],
                figures[1],
                relative[0],
                relative[1],
                spent.as_secs_f64()
            );
            all.iter_mut().zip(relative).for_each(|(all, figure)| all.push(figure));
        }
    }
    for (model, [mase, wql]) in models.iter().zip(all) {
        let mean = |figures: Vec<f64>| geometric_mean(figures).unwrap_or(f64::NAN);
        println!("{model:>26} relative MASE {:.4} WQL {:.4}", mean(mase), mean(wql));
    }
}

/// MASE and WQL over all windows, and the time it took.
fn score(set: &Set, model: &str) -> ([f64; 2], Duration) {
    let scored: Vec<([f64; 3], Duration)> = set
        .windows
        .par_iter()
        .map(|(history, actual)| {
            let started = Instant::now();
            let forecast = forecast(set, model, history, actual.len());
            let spent = started.elapsed();
            let changes = history.iter().skip(set.season).zip(history).map(|(late, early)| (late - early).abs());
            let unit = (changes.sum::<f64>() / (history.len() - set.season) as f64).max(1e-9);
            let errors = forecast.mean.iter().zip(actual).map(|(mean, actual)| (mean - actual).abs());
            let mut loss = 0.0;
            for level in (1..10).map(|tenth| f64::from(tenth) / 10.0) {
                for (quantile, actual) in forecast.quantile(level).iter().zip(actual) {
                    let over = actual - quantile;
                    loss += 2.0 * (over.max(0.0) * level + (-over).max(0.0) * (1.0 - level)) / 9.0;
                }
            }
            let total = actual.iter().map(|y| y.abs()).sum();
            ([errors.sum::<f64>() / unit / actual.len() as f64, loss, total], spent)
        })
        .collect();
    let sum = |which: usize| scored.iter().map(|(figures, _)| figures[which]).sum::<f64>();
    ([sum(0) / scored.len() as f64, sum(1) / sum(2)], scored.iter().map(|(_, spent)| *spent).sum())
}

fn forecast(set: &Set, name: &str, history: &[f64], horizon: usize) -> Forecast {
    let rows = history.iter().copied().map(Some);
    let frame = Frame::univariate(Timestamp::EPOCH, set.step, "y", rows).expect("a regular grid");
    let options = ModelOptions { horizon, seasons: set.seasons.clone(), ..ModelOptions::default() };
    let model = |name: &str| build(name, &options).expect("a name of the registry");
    let guarded = match name {
        "stacked" => Guarded::new(model("stacked")),
        "stacked, calibrated" => dependable(model("stacked"), horizon),
        other => dependable(model(other), horizon),
    };
    let fitted = guarded.fit(&frame, &Known::none(), &mut SeededRng::seed_from_u64(1)).expect("guarded");
    fitted.predict(horizon, &Known::none())
}

fn sets() -> impl Iterator<Item = Set> {
    let (minute, hour, day) = (Duration::from_secs(60), Duration::from_secs(3600), Duration::from_secs(86_400));
    let wide = || {
        let (train, test) = m4::series()?;
        let windows = train.into_iter().zip(test).step_by(8).collect();
        Some(Set { name: "m4_hourly", step: hour, seasons: vec![day, 7 * day], season: 24, windows })
    };
    let rolling = |name, file, columns: &[usize], step: Duration, seasons: Vec<Duration>, horizon: usize| {
        let windows = columns.iter().flat_map(|column| windows(&column_of(file, *column), horizon)).collect();
        let season = (seasons[0].as_secs() / step.as_secs()) as usize;
        Some(Set { name, step, seasons, season, windows })
    };
    let sets = [
        wide(),
        rolling("etth1", "etth1.csv.gz", &[1, 2, 3, 4, 5, 6, 7], hour, vec![day, 7 * day], 48),
        rolling("bizitobs_application", "bizitobs_application.csv.gz", &[2, 3], minute / 6, vec![hour], 60),
        rolling("bizitobs_l2c", "bizitobs_l2c.csv.gz", &[4, 5, 6, 7, 8, 9], 5 * minute, vec![day, 7 * day], 48),
    ];
    sets.into_iter().flatten().filter(|set| {
        if set.windows.is_empty() {
            println!("{}: not there, skipped", set.name);
        }
        !set.windows.is_empty()
    })
}

/// A few windows, evenly spaced over the last tenth.
fn windows(values: &[f64], horizon: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
    let tenth = values.len() / 10;
    let first = values.len() - tenth;
    let apart = (tenth.saturating_sub(horizon) / WINDOWS).max(1);
    let starts = (0..WINDOWS).map(|i| first + i * apart).filter(|start| tenth > 0 && start + horizon <= values.len());
    let window =
        |start: usize| (values[start.saturating_sub(CONTEXT)..start].to_vec(), values[start..start + horizon].to_vec());
    starts.map(window).collect()
}

fn text(file: &str) -> Option<String> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(m4::FILES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    Some(text)
}

/// A column of a file, of what is no number the value before; nothing if it is not there.
fn column_of(file: &str, column: usize) -> Vec<f64> {
    let Some(text) = text(file) else { return Vec::new() };
    let cells = text.lines().skip(1).filter_map(|line| line.split(',').nth(column));
    let mut last = 0.0;
    cells
        .map(|cell| {
            last = cell.parse().unwrap_or(last);
            last
        })
        .collect()
}

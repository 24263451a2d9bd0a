//! Global models on the public sets of the suite `gift5`: scaled error and weighted quantile loss beside seasonal naive.
//!
//! Windows as GIFT-Eval lays them: they do not overlap, end with the data, and each is forecast from all that came before.
//! The model is learned once, from what lies before the first window, and takes in the rest row by row. MASE has the
//! in-sample error of the daily (hourly, for the application) naive as its unit. Prints a line a set; sets whose files are
//! not there are skipped.
//!
//! `cargo run --release -p foresail-forecast --example global_check [SET…]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use foresail_core::{Frame, Known, SeededRng, Timestamp};
use foresail_forecast::metrics::geometric_mean;
use foresail_forecast::models::GlobalForecaster;

const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast");
const HOUR: u64 = 3600;

/// A set: its series on one grid, and how it is asked about.
struct Set {
    name: &'static str,
    series: Vec<Vec<f64>>,
    step: Duration,
    seasons: Vec<Duration>,
    /// Rows of the season that naive and MASE go by.
    season: usize,
    horizon: usize,
    windows: usize,
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (mut mase, mut wql) = (Vec::new(), Vec::new());
    println!("{:>12} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9}", "set", "MASE", "naive", "WQL", "naive", "fit s", "us a row");
    for set in sets().into_iter().filter(|set| wanted.is_empty() || wanted.iter().any(|w| w == set.name)) {
        let starts: Vec<Frame> = set.series.iter().map(|values| set.frame(&values[..set.origin(values, 0)])).collect();
        let forecaster = GlobalForecaster::new(&set.seasons, set.horizon);
        let started = Instant::now();
        let model = forecaster.fit(&starts, &mut SeededRng::seed_from_u64(1)).expect("long enough a history");
        let fit = started.elapsed().as_secs_f64();
        let (mut own, mut naive) = (Score::default(), Score::default());
        let (mut busy, mut rows) = (Duration::ZERO, 0);
        for (values, start) in set.series.iter().zip(&starts) {
            let mut fitted = model.fitted(start).expect("a series that was learned from");
            let whole = set.frame(values);
            for window in 0..set.windows {
                let origin = set.origin(values, window);
                if window > 0 {
                    (origin - set.horizon..origin).for_each(|row| fitted.update(&whole.row(row)));
                }
                let (past, actual) = (&values[..origin], &values[origin..origin + set.horizon]);
                let started = Instant::now();
                let forecast = fitted.predict(set.horizon, &Known::none());
                busy += started.elapsed();
                rows += set.horizon;
                own.add(past, actual, set.season, &forecast.quantile(0.5), |level| forecast.quantile(level));
                let last: Vec<f64> =
                    (0..set.horizon).map(|ahead| past[origin - set.season + ahead % set.season]).collect();
                naive.add(past, actual, set.season, &last, |_| last.clone());
            }
        }
        let each = busy.as_secs_f64() * 1e6 / rows as f64;
        let [m, n, w, v] = [own.mase(), naive.mase(), own.wql(), naive.wql()];
        println!("{:>12} {m:8.4} {n:8.4} {w:8.4} {v:8.4} {fit:8.1} {each:9.1}  {model}", set.name);
        mase.push(m / n);
        wql.push(w / v);
    }
    if let (Some(mase), Some(wql)) = (geometric_mean(mase), geometric_mean(wql)) {
        println!("geometric means over seasonal naive: MASE {mase:.4}, WQL {wql:.4}");
    }
}

#[derive(Default)]
struct Score {
    scaled: Vec<f64>,
    loss: f64,
    magnitude: f64,
}

impl Score {
    fn add(&mut self, past: &[f64], actual: &[f64], season: usize, point: &[f64], quantile: impl Fn(f64) -> Vec<f64>) {
        let moves: f64 = past.windows(season + 1).map(|w| (w[season] - w[0]).abs()).sum();
        let unit = moves / (past.len() - season) as f64;
        let error: f64 = actual.iter().zip(point).map(|(a, b)| (a - b).abs()).sum();
        if unit > 0.0 {
            self.scaled.push(error / actual.len() as f64 / unit);
        }
        for level in (1..=9).map(|i| f64::from(i) / 10.0) {
            let pairs = actual.iter().zip(quantile(level)).map(|(y, q)| y - q);
            self.loss += pairs.map(|e| 2.0 * (level * e).max((level - 1.0) * e)).sum::<f64>() / 9.0;
        }
        self.magnitude += actual.iter().map(|y| y.abs()).sum::<f64>();
    }

    fn mase(&self) -> f64 {
        self.scaled.iter().sum::<f64>() / self.scaled.len() as f64
    }

    fn wql(&self) -> f64 {
        self.loss / self.magnitude
    }
}

impl Set {
    /// Where a window begins.
    fn origin(&self, values: &[f64], window: usize) -> usize {
        values.len() - (self.windows - window) * self.horizon
    }

    fn frame(&self, values: &[f64]) -> Frame {
        let rows = values.iter().copied().map(Some);
        Frame::univariate(Timestamp::EPOCH, self.step, "value", rows).expect("a regular grid")
    }
}

fn sets() -> Vec<Set> {
    let (day, week) = (Duration::from_secs(24 * HOUR), Duration::from_secs(7 * 24 * HOUR));
    let hourly = Duration::from_secs(HOUR);
    let mut sets = Vec::new();
    let m4 = (rows("m4_hourly_train.csv.gz"), rows("m4_hourly_test.csv.gz"));
    if let (Some(train), Some(test)) = m4 {
        let joined =
            train.into_iter().zip(test).map(|(train, test)| [numbers(&train[1..]), numbers(&test[1..])].concat());
        let seasons = vec![day, week];
        let series = joined.collect();
        sets.push(Set { name: "m4", series, step: hourly, seasons, season: 24, horizon: 48, windows: 1 });
    }
    if let Some(series) = columns("etth1.csv.gz", |name| name != "date") {
        let seasons = vec![day, week];
        sets.push(Set { name: "etth1", series, step: hourly, seasons, season: 24, horizon: 48, windows: 20 });
    }
    let business = |name: &str| name == "Robot-Shop:latency.mean" || name == "Robot-Shop:calls.sum";
    if let Some(series) = columns("bizitobs_application.csv.gz", business) {
        let (step, seasons) = (Duration::from_secs(10), vec![hourly]);
        sets.push(Set { name: "application", series, step, seasons, season: 360, horizon: 60, windows: 15 });
    }
    let activity = |name: &str| name.starts_with("activity") || name.starts_with("Weekly");
    if let Some(series) = columns("bizitobs_l2c.csv.gz", activity) {
        let hours = |values: &Vec<f64>| values.chunks_exact(12).map(|hour| hour.iter().sum::<f64>() / 12.0).collect();
        let resampled = series.iter().map(hours).collect();
        let (step, seasons) = (Duration::from_secs(300), vec![day, week]);
        sets.push(Set {
            name: "l2c_5T",
            series,
            step,
            seasons: seasons.clone(),
            season: 288,
            horizon: 48,
            windows: 20,
        });
        let series = resampled;
        sets.push(Set { name: "l2c_H", series, step: hourly, seasons, season: 24, horizon: 48, windows: 6 });
    }
    if sets.is_empty() {
        println!("no files in {FILES}, skipped");
    }
    sets
}

/// The cells of a file, a line each.
fn rows(file: &str) -> Option<Vec<Vec<String>>> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(FILES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    // Names with commas in them stand at the end of a header, and no number is quoted with one.
    let cells = |line: &str| line.split(',').map(|cell| cell.trim_matches('"').to_owned()).collect();
    Some(text.lines().skip(1).map(cells).collect())
}

fn numbers(cells: &[String]) -> Vec<f64> {
    cells.iter().filter_map(|cell| cell.parse().ok()).collect()
}

/// The columns whose names are wanted; the wanted names come before any that hold a comma.
fn columns(file: &str, wanted: impl Fn(&str) -> bool) -> Option<Vec<Vec<f64>>> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(FILES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    let header = text.lines().next()?;
    let places: Vec<usize> = header.split(',').enumerate().filter(|(_, n)| wanted(n)).map(|(i, _)| i).collect();
    let rows = rows(file)?;
    let column = |place: &usize| rows.iter().map(|row| row[*place].parse().unwrap_or(0.0)).collect();
    Some(places.iter().map(column).collect())
}

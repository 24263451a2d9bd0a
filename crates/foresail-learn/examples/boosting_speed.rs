//! Gradient boosting and random forest beside LightGBM and scikit-learn: time to learn and error on rows not learned from.
//!
//! Two tables: Friedman's benchmark among 45 idle features (100,000 × 50), and fifty lags of the 1998 World Cup load
//! trace, ten minutes ahead. With a folder as its argument, the tables are written there as little-endian numbers, for
//! `scripts/peers/boosting_speed.py` to read. Prints one line a model; times are the median of three runs.
//!
//! `cargo run --release -p foresail-learn --example boosting_speed THREADS [FOLDER]`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example prints, and measures time")]

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use flate2::read::GzDecoder;
use foresail_core::SeededRng;
use foresail_learn::boosting::{Boosting, BoostingParams, Objective};
use foresail_learn::forest::{ForestParams, Matrix, RandomForest};

const TRACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/load/worldcup98.csv.gz");
const LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// A table in two halves: learned from, and asked about.
struct Table {
    name: &'static str,
    width: usize,
    x: Vec<f32>,
    y: Vec<f64>,
    learned: usize,
}

fn main() {
    let mut args = std::env::args().skip(1);
    let threads = args.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let folder = args.next();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
    for table in [Some(friedman()), lags()].into_iter().flatten() {
        if let Some(folder) = &folder {
            table.write(Path::new(folder)).expect("the folder can be written to");
        }
        pool.install(|| measure(&table));
    }
}

fn measure(table: &Table) {
    let rng = SeededRng::seed_from_u64(1);
    let rows = Matrix::new(&table.x[..table.learned * table.width], table.width).expect("whole rows");
    let y = &table.y[..table.learned];
    let params = BoostingParams::default();
    let boost = |objective: Objective| {
        timed(|| Boosting::fit(rows, y, &objective, &params, &rng).expect("a table that can be learned"))
    };
    let (secs, model) = boost(Objective::SquaredError);
    table.report("boosting, mean", secs, "RMSE", table.rmse(|row| model.predict(row)[0]));
    let (secs, model) = boost(Objective::Quantiles(vec![0.9]));
    table.report("boosting, one quantile", secs, "pinball", table.pinball(&[0.9], |row| model.predict(row)));
    let (secs, model) = boost(Objective::Quantiles(LEVELS.to_vec()));
    table.report("boosting, nine quantiles", secs, "pinball", table.pinball(&LEVELS, |row| model.predict(row)));
    let mut answer = vec![0.0; LEVELS.len()];
    let started = Instant::now();
    let mut sum = 0.0;
    for row in table.x.chunks(table.width).take(20_000) {
        model.predict_into(row, &mut answer);
        sum += answer[4];
    }
    let each = started.elapsed().as_secs_f64() / 20_000.0 * 1e6;
    println!("{:>10} one row, nine quantiles: {each:.2} us (mean median {:.3})", table.name, sum / 20_000.0);
    for feature_share in [1.0 / 3.0, 1.0] {
        let params = ForestParams { n_trees: 10, max_depth: 30, min_leaf: 5, feature_share, ..ForestParams::default() };
        let (secs, model) = timed(|| RandomForest::fit(rows, y, &params, &rng).expect("a table that can be learned"));
        let name = format!("forest, {feature_share:.2} of features");
        table.report(&name, secs, "RMSE", table.rmse(|row| model.predict(row)));
    }
}

/// The median time of three runs, and what the last gave.
fn timed<T>(mut work: impl FnMut() -> T) -> (f64, T) {
    let mut run = || {
        let started = Instant::now();
        let result = work();
        (started.elapsed().as_secs_f64(), result)
    };
    let (mut secs, mut last) = (Vec::new(), run());
    secs.push(last.0);
    for _ in 0..2 {
        last = run();
        secs.push(last.0);
    }
    secs.sort_by(f64::total_cmp);
    (secs[1], last.1)
}

impl Table {
    fn report(&self, model: &str, secs: f64, figure: &str, value: f64) {
        println!("{:>10} {model:>28} {secs:8.3} s  {figure} {value:.5}", self.name);
    }

    fn asked(&self) -> impl Iterator<Item = (&[f32], f64)> {
        self.x.chunks(self.width).zip(self.y.iter().copied()).skip(self.learned)
    }

    fn rmse(&self, predict: impl Fn(&[f32]) -> f64) -> f64 {
        let squares: f64 = self.asked().map(|(row, y)| (predict(row) - y).powi(2)).sum();
        (squares / (self.y.len() - self.learned) as f64).sqrt()
    }

    fn pinball(&self, levels: &[f64], predict: impl Fn(&[f32]) -> Vec<f64>) -> f64 {
        let loss = |(row, y): (&[f32], f64)| -> f64 {
            let errors = predict(row).into_iter().zip(levels).map(|(q, level)| (y - q, level));
            errors.map(|(error, level)| (level * error).max((level - 1.0) * error)).sum()
        };
        self.asked().map(loss).sum::<f64>() / ((self.y.len() - self.learned) * levels.len()) as f64
    }

    /// Rows, learned rows and width; then features row by row; then targets.
    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(File::create(folder.join(format!("{}.bin", self.name)))?);
        for number in [self.y.len(), self.learned, self.width] {
            file.write_all(&(number as u64).to_le_bytes())?;
        }
        for value in &self.x {
            file.write_all(&value.to_le_bytes())?;
        }
        for value in &self.y {
            file.write_all(&value.to_le_bytes())?;
        }
        file.flush()
    }
}

fn friedman() -> Table {
    let mut rng = SeededRng::seed_from_u64(7);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for _ in 0..120_000 {
        let row: Vec<f64> = (0..50).map(|_| rng.uniform()).collect();
        let wave = 10.0 * (std::f64::consts::PI * row[0] * row[1]).sin();
        y.push(wave + 20.0 * (row[2] - 0.5).powi(2) + 10.0 * row[3] + 5.0 * row[4] + rng.normal());
        x.extend(row.iter().map(|v| *v as f32));
    }
    Table { name: "friedman", width: 50, x, y, learned: 100_000 }
}

/// Fifty lags, from a minute to a day, and the value ten minutes on.
fn lags() -> Option<Table> {
    let mut text = String::new();
    let read = File::open(TRACE).map(|file| GzDecoder::new(file).read_to_string(&mut text));
    if !matches!(read, Ok(Ok(_))) {
        println!("no load trace at {TRACE}, skipped");
        return None;
    }
    let series: Vec<f64> = text.lines().skip(1).filter_map(|line| line.split(',').nth(1)?.parse().ok()).collect();
    let back: Vec<usize> = (0..30).chain((1..=20).map(|i| 72 * i)).collect();
    let (longest, ahead) = (1440, 10);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for at in longest..series.len().saturating_sub(ahead) {
        x.extend(back.iter().map(|lag| series[at - lag] as f32));
        y.push(series[at + ahead]);
    }
    let learned = y.len() * 4 / 5;
    Some(Table { name: "lags", width: back.len(), x, y, learned })
}

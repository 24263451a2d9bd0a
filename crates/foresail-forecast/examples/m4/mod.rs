//! The hourly series of the M4 competition, for examples that measure on them.
#![allow(dead_code, reason = "each example uses its part")]

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};

/// Where the files are looked for.
pub(crate) const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast");
const DAY: usize = 24;

/// Values of each series.
pub(crate) type Series = Vec<Vec<f64>>;

/// What each series is learned from, and the 48 hours after it.
pub(crate) fn series() -> Option<(Series, Series)> {
    Some((read("m4_hourly_train.csv.gz")?, read("m4_hourly_test.csv.gz")?))
}

/// The series of a wide file: a name and the values, quoted, a line each.
fn read(file: &str) -> Option<Series> {
    let mut text = String::new();
    GzDecoder::new(File::open(Path::new(FILES).join(file)).ok()?).read_to_string(&mut text).ok()?;
    let cells = |line: &str| line.split(',').skip(1).filter_map(|cell| cell.trim_matches('"').parse().ok()).collect();
    Some(text.lines().skip(1).map(cells).collect())
}

/// A series on its hourly grid.
pub(crate) fn frame(values: &[f64]) -> Frame {
    let rows = values.iter().copied().map(Some);
    Frame::univariate(Timestamp::EPOCH, Duration::from_secs(3600), "load", rows).expect("a regular grid")
}

/// Mean absolute error of `mean` in units of the in-sample error of the daily naive.
pub(crate) fn mase(mean: &[f64], seen: &[f64], train: &[f64]) -> f64 {
    let naive: f64 = train.windows(DAY + 1).map(|w| (w[DAY] - w[0]).abs()).sum();
    let unit = naive / (train.len() - DAY) as f64;
    mean.iter().zip(seen).map(|(got, seen)| (got - seen).abs() / unit).sum::<f64>() / seen.len() as f64
}

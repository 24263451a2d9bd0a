//! `foresail bench features`: rows a second through all 72 features.

use clap::Args;
use foresail_core::features::throughput;
use serde::Serialize;

use crate::clock::Stopwatch;
use crate::output::{print, print_json};

/// Rows a second through all 72 features, on one core.
#[derive(Args, Debug)]
pub(crate) struct Features {
    /// Rows a run
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    rows: u32,
    /// Runs, the median of which counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    runs: u32,
    /// Seed of the generated rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    rows: u32,
    features: usize,
    rows_per_s: f64,
    ns_per_row: f64,
    slowest_rows_per_s: f64,
    checksum: u64,
}

impl Features {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut checksum = 0;
        let mut seconds: Vec<f64> = (0..self.runs)
            .map(|_| {
                let watch = Stopwatch::start();
                checksum = throughput(self.rows as usize, self.seed).checksum;
                watch.seconds()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let median = seconds[seconds.len() / 2];
        let rate = |s: f64| f64::from(self.rows) / s.max(1e-9);
        let document = Document {
            rows: self.rows,
            features: foresail_core::features::WIDTH,
            rows_per_s: rate(median),
            ns_per_row: 1e9 / rate(median),
            slowest_rows_per_s: rate(seconds.last().copied().unwrap_or(median)),
            checksum,
        };
        if self.json {
            return print_json(&document);
        }
        print(&format!(
            "{:.0} rows a second with all {} features on one core ({:.0} ns a row; slowest of {} runs {:.0} a second)",
            document.rows_per_s, document.features, document.ns_per_row, self.runs, document.slowest_rows_per_s
        ))
    }
}

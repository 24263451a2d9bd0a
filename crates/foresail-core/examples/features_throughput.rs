//! Rows a second through all 72 features on one core, and the memory a series takes.
//!
//! `cargo run --release -p foresail-core --example features_throughput`

use std::time::{Duration, Instant};

use foresail_core::features::{FeatureConfig, FeatureSet, throughput};

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures and says so")]
fn main() {
    let rows = 1_000_000;
    throughput(rows / 10, 1);
    for round in 1..=5 {
        let start = Instant::now();
        let work = throughput(rows, round);
        let ns = start.elapsed().as_nanos() as f64 / work.rows as f64;
        println!("{:.0} ns a row, {:.0} rows/s (checksum {:016x})", ns, 1e9 / ns, work.checksum);
    }
    for seconds in [120, 60, 30, 15] {
        let step = Duration::from_secs(seconds);
        let memory = FeatureSet::new(FeatureConfig::new(step)).expect("divides a day").memory();
        println!("step {seconds} s: {} B of history, {} B of state", memory.history, memory.state);
    }
}

//! What every target does with its bytes: reads them strictly and leniently, and looks at the frame that comes out.

use std::time::Duration;

pub mod http;

use foresail_ingest::{Aggregation, Counters, Format, ReadOptions, Source, read};

/// Reads `bytes` under the options that touch the most code. Bounds are small, so that what is slow or large here is out
/// of proportion to its input.
pub fn read_as(format: Option<Format>, bytes: &[u8]) {
    let strict = ReadOptions { format, max_cells: 100_000, max_bytes: 1 << 22, ..ReadOptions::default() };
    let lenient = ReadOptions {
        lenient: true,
        sum: true,
        counters: Counters::All,
        aggregation: Aggregation::Count,
        step: Some(Duration::from_secs(3_600)),
        ..strict.clone()
    };
    for options in [strict, lenient] {
        match read(Source::bytes("fuzz", bytes), &options) {
            Ok(got) => {
                let values = got.frame.columns().iter().flat_map(|c| c.values());
                assert!(values.into_iter().all(|v| v.is_finite()), "a value is not finite");
                assert_eq!(got.quality.grid_rows, got.frame.len() as u64);
                drop(got.quality.to_string());
            }
            Err(error) => drop(error.to_string()),
        }
    }
}

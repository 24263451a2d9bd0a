//! Options for files of a known make.

use std::time::Duration;

use crate::options::choices;
use crate::{Error, Negative, ReadOptions};

choices! {
    /// A known make of file.
    Preset ("preset") {
        /// ScaleIQ's event metrics: `DateTime` and five averages at two-minute steps, the target being
        /// `avg_logged_events_in_interval`; resources per node, errors, retries, campaigns, holidays and network where
        /// they are present.
        ScaleIq = "scaleiq",
        /// The Numenta Anomaly Benchmark: `timestamp,value`, local time without a zone (read as UTC unless one is given).
        Nab = "nab",
    }
}

/// The columns every ScaleIQ file has, the target first.
const SCALEIQ_COLUMNS: [&str; 5] = [
    "avg_logged_events_in_interval",
    "avg_average_processing_duration_ms",
    "avg_unprocessed_events_count",
    "avg_processed_events_in_interval",
    "avg_queued_events_in_interval",
];

/// The columns a ScaleIQ file may have besides: system resources per node (`cpu_percent_node3`), performance, business
/// context and network, as its description groups them.
const SCALEIQ_OPTIONAL: [&str; 13] = [
    "cpu*",
    "memory*",
    "mem_*",
    "error*",
    "retr*",
    "success*",
    "campaign*",
    "marketing*",
    "holiday*",
    "is_holiday",
    "network*",
    "net_*",
    "io_*",
];

impl Preset {
    /// The options for it; everything else stays at its default.
    pub fn options(self) -> ReadOptions {
        let names = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect();
        match self {
            Self::ScaleIq => ReadOptions {
                time: Some("DateTime".to_owned()),
                values: names(&SCALEIQ_COLUMNS),
                optional: names(&SCALEIQ_OPTIONAL),
                step: Some(Duration::from_secs(120)),
                negative: Negative::Gap,
                ..ReadOptions::default()
            },
            Self::Nab => {
                ReadOptions { time: Some("timestamp".to_owned()), values: names(&["value"]), ..ReadOptions::default() }
            }
        }
    }
}

//! Processor time, for examples that measure it.

use std::sync::OnceLock;
use std::time::Instant;

/// Seconds that this thread has run: of the processor where the system tells, else of the clock.
pub(crate) fn seconds() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos: Option<f64> = told.and_then(|text| text.split_whitespace().next()?.parse().ok());
    nanos.map_or_else(|| START.get_or_init(Instant::now).elapsed().as_secs_f64(), |nanos| nanos * 1e-9)
}

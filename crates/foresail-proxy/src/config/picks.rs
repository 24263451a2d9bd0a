//! What is learned from beside the requests' own good: picks at random, and picks written down.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::error::check;

/// A file of picks, a line of JSON each: the endpoints as the balancer saw them, which was picked, with what probability, and
/// what came of it. Other policies are judged by it without being run (`foresail picks`); for that, `explore` has to be above 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PickLogConfig {
    /// The file lines are appended to. It is opened again when it has been moved away.
    pub path: PathBuf,
    /// Share of the picks that are written down, 0.0001 to 1; telling how probable a pick was takes some 50 µs.
    #[serde(default = "hundredth")]
    pub share: f64,
    /// Lines that may wait for the writer, 16 to 1000000.
    #[serde(default = "default_buffer")]
    pub buffer: usize,
}

fn hundredth() -> f64 {
    0.01
}

fn default_buffer() -> usize {
    4096
}

impl PickLogConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        check((0.0001..=1.0).contains(&self.share), "picks.share", self.share, "0.0001 to 1")?;
        check((16..=1_000_000).contains(&self.buffer), "picks.buffer", self.buffer, "16 to 1000000")
    }
}

//! How many requests an endpoint is given at a time, learned from its answers.
//!
//! The gradient of Netflix's concurrency limits (Gradient2): while answers take much longer than they would with nobody in
//! line, the limit falls in proportion; else it grows by a few. What an answer would take with nobody in line is not measured
//! by holding requests back, as Envoy's `minRTT` windows do, but read off answers that met few and many others, as `learned`
//! reads service times and slots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arm::{Slots, service};
use super::sums::Sums;
use crate::Error;
use crate::error::check;

/// How the limit is moved.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConcurrencyConfig {
    /// It never falls below this, 1 to 10000: what is let in however overloaded the endpoint seems. Default 8.
    pub floor: u32,
    /// It never grows beyond this, `floor` to 100000. Default 1000.
    pub most: u32,
    /// How much longer than with nobody in line answers may take before it falls, 1.1 to 10. Default 2.
    pub tolerance: f64,
}

impl Default for ConcurrencyConfig {
    fn default() -> Self {
        Self { floor: 8, most: 1_000, tolerance: 2.0 }
    }
}

impl ConcurrencyConfig {
    /// # Errors
    /// [`Error::OutOfRange`] for a field out of its range.
    pub fn check(&self) -> Result<(), Error> {
        check((1..=10_000).contains(&self.floor), "admission.adaptive.floor", self.floor, "1 to 10000")?;
        let most = (self.floor..=100_000).contains(&self.most);
        check(most, "admission.adaptive.most", self.most, "floor to 100000")?;
        check((1.1..=10.0).contains(&self.tolerance), "admission.adaptive.tolerance", self.tolerance, "1.1 to 10")
    }
}

/// How often it is moved, ms, and by how many answers at least.
const STEP_MS: u64 = 100;
const STEP_ANSWERS: u32 = 10;
/// Share of the way to where it is drawn that a step goes, and what it grows by.
const PACE: f64 = 0.2;
const ROOM: f64 = 4.0;
/// It falls by no more than so much at a time.
const STEEPEST: f64 = 0.5;
/// Where it begins, within its bounds: an overload is seen within a second, while a limit that begins low sheds what is good.
const FIRST: f64 = 64.0;
/// Answers are forgotten over so long; a bin keeps no more than so many.
const MEMORY_MS: f64 = 60_000.0;
const MOST_A_BIN: f64 = 50.0;

/// One endpoint's limit, by one worker's answers.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimit {
    limit: f64,
    sums: Sums,
    /// Of the step: answers, their latencies together, the most that one found there.
    step: (u32, f64, u32),
    step_ms: u64,
    faded_ms: u64,
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        Self { limit: FIRST, sums: Sums::default(), step: (0, 0.0, 0), step_ms: 0, faded_ms: 0 }
    }
}

impl ConcurrencyLimit {
    /// Requests that may be there at a time.
    pub fn current(&self, config: &ConcurrencyConfig) -> u32 {
        (self.limit as u32).clamp(config.floor, config.most)
    }

    /// Takes in an answer that is no failure: how long it took, how many others were there when it was sent.
    pub fn observe(&mut self, config: &ConcurrencyConfig, latency_ms: f64, others: u32, now_ms: u64) {
        let bin = self.sums.bin_mut(others);
        (bin.n, bin.y, bin.present) = (bin.n + 1.0, bin.y + latency_ms, bin.present + f64::from(others) + 1.0);
        if bin.n > MOST_A_BIN {
            bin.scale(MOST_A_BIN / bin.n);
        }
        let (answers, sum, most) = self.step;
        self.step = (answers + 1, sum + latency_ms, most.max(others + 1));
        if now_ms >= self.step_ms + STEP_MS && self.step.0 >= STEP_ANSWERS {
            self.move_on(config, now_ms);
        }
    }

    fn move_on(&mut self, config: &ConcurrencyConfig, now_ms: u64) {
        let left = (-(now_ms.saturating_sub(self.faded_ms) as f64) / MEMORY_MS).exp();
        self.sums.bins.iter_mut().for_each(|bin| bin.scale(left));
        let (answers, sum, most) = std::mem::take(&mut self.step);
        (self.faded_ms, self.step_ms) = (now_ms, now_ms);
        let limit = self.limit.clamp(f64::from(config.floor), f64::from(config.most));
        // Where it is not what holds requests back, nothing is learned about it.
        if f64::from(most) >= limit / 2.0 {
            let idle_ms = service(&self.sums, Slots::of(&self.sums).count).0;
            let gradient = (config.tolerance * idle_ms * f64::from(answers) / sum.max(1e-9)).clamp(STEEPEST, 1.0);
            let drawn = limit * gradient + ROOM;
            self.limit = (limit + PACE * (drawn - limit)).clamp(f64::from(config.floor), f64::from(config.most));
        } else {
            self.limit = limit;
        }
    }
}

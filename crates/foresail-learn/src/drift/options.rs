//! What a drift detector is told.

use serde::{Deserialize, Serialize};

use super::effective;
use crate::Error;

/// Parameters of a [`DriftDetector`](super::DriftDetector). Shifts are in standard deviations of the residuals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftOptions {
    /// The shift that suspicion is tuned for, 0.1 to 10. Smaller ones take longer.
    pub shift: f64,
    /// Mean points between two suspicions while nothing changes, 50 to 10⁷.
    pub calm_run: f64,
    /// What a verdict waits for: this many points after the suspicion, in independent ones' worth, 4 to 10,000; up to twice as
    /// many where they leave it open.
    pub evidence: f64,
    /// The fewest points a verdict waits for, 8 to 10,000. A spike shorter than half of them is never learned.
    pub least_points: usize,
    /// The most points a verdict waits for, at least as many as the fewest, at most 10,000. They bound the memory.
    pub most_points: usize,
    /// Standard errors by which a median must have moved for a verdict of *permanent*, 1 to 20.
    pub confidence: f64,
    /// The shift from which on a change matters, 0 to 10.
    pub least_shift: f64,
    /// The ratio of spreads (or its inverse) from which on a change matters, 1.05 to 100.
    pub least_ratio: f64,
    /// Observed points that the first baseline is made of, 16 to 10,000.
    pub warm_up: usize,
    /// Points over which the baseline forgets, at least the warm-up, at most 10⁷.
    pub memory: f64,
}

impl Default for DriftOptions {
    fn default() -> Self {
        Self {
            shift: 1.5,
            calm_run: 2_000.0,
            evidence: 16.0,
            least_points: 60,
            most_points: 480,
            confidence: 2.75,
            least_shift: 0.5,
            least_ratio: 1.5,
            warm_up: 120,
            memory: 2_000.0,
        }
    }
}

impl DriftOptions {
    /// Points that a first verdict waits for, of residuals with autocorrelation `phi`.
    pub(super) fn wanted(&self, phi: f64) -> usize {
        ((self.evidence / effective(1.0, phi)).ceil() as usize).clamp(self.least_points, self.most_points)
    }

    /// Refuses what is out of range.
    pub(super) fn check(&self) -> Result<(), Error> {
        let within = |parameter, value: f64, least: f64, most: f64, range| {
            if (least..=most).contains(&value) {
                Ok(())
            } else {
                Err(Error::BadParameter { parameter, value: value.to_string(), range })
            }
        };
        within("shift", self.shift, 0.1, 10.0, "0.1 to 10")?;
        within("calm_run", self.calm_run, 50.0, 1e7, "50 to 10,000,000")?;
        within("evidence", self.evidence, 4.0, 1e4, "4 to 10,000")?;
        within("least_points", self.least_points as f64, 8.0, 1e4, "8 to 10,000")?;
        let least = self.least_points as f64;
        within("most_points", self.most_points as f64, least, 1e4, "least_points to 10,000")?;
        within("confidence", self.confidence, 1.0, 20.0, "1 to 20")?;
        within("least_shift", self.least_shift, 0.0, 10.0, "0 to 10")?;
        within("least_ratio", self.least_ratio, 1.05, 100.0, "1.05 to 100")?;
        within("warm_up", self.warm_up as f64, 16.0, 1e4, "16 to 10,000")?;
        within("memory", self.memory, self.warm_up as f64, 1e7, "warm_up to 10,000,000")
    }
}

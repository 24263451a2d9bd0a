//! Stage 1: cumulative sums that know of autocorrelation.

use foresail_core::online::Cusum;
use serde::{Deserialize, Serialize};

use super::baseline::MEAN_MAGNITUDE;
use super::options::DriftOptions;

/// Innovations count as this at most: no single point raises suspicion.
const CLIP: f64 = 4.0;
/// Slack of the chart of the spread: half of what a ratio of about 1.5 or 1/1.5 makes of it.
const SPREAD_SLACK: f64 = 0.3;
/// Standard deviation of the magnitude of a standard normal value.
const MAGNITUDE_DEVIATION: f64 = 0.602_810_274_989_087;
/// Magnitudes are skewed, so their chart alarms more often than the theory of normal ones says; it gets this many times
/// the run.
const SKEW: f64 = 20.0;
/// The excess of a discrete walk over a boundary (Siegmund 1985).
const OVERSHOOT: f64 = 1.166;

/// Page's charts of innovations rather than residuals: with the autocorrelation taken out, a chart has the run length it is
/// designed for (Alwan and Roberts 1988, "Time-Series Modeling for Statistical Process Control"). One pair for the level, one
/// for the spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Suspicion {
    level: Cusum,
    spread: Cusum,
    level_limit: f64,
    spread_limit: f64,
}

impl Suspicion {
    /// Empty charts for residuals of autocorrelation `phi`.
    pub(super) fn new(options: &DriftOptions, phi: f64) -> Self {
        // A shift of the level that lasts shows in innovations as this much after its first point.
        let lasting = options.shift * ((1.0 - phi) / (1.0 + phi)).sqrt();
        let slack = 0.5 * lasting;
        // Four one-sided charts share the false suspicions.
        let level_limit = limit(slack, 4.0 * options.calm_run);
        let spread_limit = limit(SPREAD_SLACK, 4.0 * SKEW * options.calm_run);
        // A chart that saturates at its limit need not tell by how much it passed it.
        Self {
            level: Cusum::new(slack, level_limit),
            spread: Cusum::new(SPREAD_SLACK, spread_limit),
            level_limit,
            spread_limit,
        }
    }

    /// Takes in an innovation; true where either chart is at its limit.
    pub(super) fn push(&mut self, innovation: f64) -> bool {
        let innovation = innovation.clamp(-CLIP, CLIP);
        self.level.push(Some(innovation));
        self.spread.push(Some((innovation.abs() - MEAN_MAGNITUDE) / MAGNITUDE_DEVIATION));
        self.level.up().max(self.level.down()) >= self.level_limit
            || self.spread.up().max(self.spread.down()) >= self.spread_limit
    }

    /// Whether next to nothing would be lost by beginning anew.
    pub(super) fn is_quiet(&self) -> bool {
        let most = self.level.up().max(self.level.down()).max(self.spread.up()).max(self.spread.down());
        most < 1.0
    }
}

/// The limit at which a one-sided chart of unit-variance normal values with `slack` alarms every `run` points in the mean
/// (Siegmund 1985, "Sequential Analysis", eq. 2.56): run = (e^x − x − 1) / (2·slack²), x = 2·slack·(limit + 1.166).
fn limit(slack: f64, run: f64) -> f64 {
    let slack = slack.max(0.01);
    let wanted = 2.0 * slack * slack * run;
    let (mut low, mut high) = (0.0_f64, 64.0_f64);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if middle.exp() - middle - 1.0 < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high) / (2.0 * slack) - OVERSHOOT).max(1.0)
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;

    use super::*;

    #[test]
    fn limits_are_those_of_the_tables() {
        // Montgomery, Introduction to Statistical Quality Control, table 9.4: both sides together run 370 points.
        for (slack, expected) in [(0.25, 8.01), (0.5, 4.77), (0.75, 3.34)] {
            let got = limit(slack, 741.0);
            assert!((got - expected).abs() < 0.03, "{slack}: {got}");
        }
    }

    /// Mean points between suspicions of innovations that are what they should be.
    #[test]
    fn suspicions_are_as_rare_as_asked_for() {
        let options = DriftOptions { calm_run: 500.0, ..DriftOptions::default() };
        for phi in [0.0, 0.7] {
            let mut rng = SeededRng::seed_from_u64(4);
            let mut suspicion = Suspicion::new(&options, phi);
            let mut raised = 0;
            for _ in 0..100_000 {
                if suspicion.push(rng.normal()) {
                    raised += 1;
                    suspicion = Suspicion::new(&options, phi);
                }
            }
            assert!((100..=260).contains(&raised), "{phi}: {raised} of 200 expected");
        }
    }
}

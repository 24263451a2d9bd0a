//! The way of the metrics from the plant to the policy: late, and sometimes lost.

use std::collections::VecDeque;

use foresail_core::{Sample, SeededRng, Timestamp};

use super::options::Metrics;

/// Holds samples back until they are old enough, and loses runs of them.
#[derive(Clone, Debug)]
pub(super) struct Sensor {
    metrics: Metrics,
    rng: SeededRng,
    silent: bool,
    underway: VecDeque<(Timestamp, Vec<Sample>)>,
}

impl Sensor {
    pub(super) fn new(metrics: Metrics, rng: SeededRng) -> Self {
        Self { metrics, rng, silent: false, underway: VecDeque::new() }
    }

    /// Takes in the samples of a tick that ended at `end`.
    pub(super) fn measure(&mut self, end: Timestamp, samples: Vec<Sample>) {
        // Two states: runs of `gap_ticks` on average, begun so often that `gap_share` of the ticks is lost.
        let leave = 1.0 / self.metrics.gap_ticks.max(1.0);
        let share = self.metrics.gap_share;
        let enter = (leave * share / (1.0 - share)).min(1.0);
        let draw = self.rng.uniform();
        self.silent = if self.silent { draw >= leave } else { draw < enter };
        if !self.silent {
            self.underway.push_back((end + self.metrics.lag, samples));
        }
    }

    /// What became visible since the last call, newest only; empty when nothing did.
    pub(super) fn read(&mut self, now: Timestamp) -> Vec<Sample> {
        let mut newest = Vec::new();
        while self.underway.front().is_some_and(|(visible, _)| *visible <= now) {
            if let Some((_, samples)) = self.underway.pop_front() {
                newest = samples;
            }
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_core::{Metric, Quality};

    use super::*;

    fn sample(value: f64) -> Vec<Sample> {
        let interval = Duration::from_secs(1);
        vec![Sample { metric: Metric::RequestRate, time: Timestamp::EPOCH, interval, value, quality: Quality::Good }]
    }

    #[test]
    fn samples_come_after_the_lag() {
        let metrics = Metrics { lag: Duration::from_secs(2), ..Metrics::default() };
        let mut sensor = Sensor::new(metrics, SeededRng::seed_from_u64(1));
        let read: Vec<Option<f64>> = (1..=5)
            .map(|second| {
                sensor.measure(Timestamp::from_secs(second), sample(second as f64));
                sensor.read(Timestamp::from_secs(second)).first().map(|s| s.value)
            })
            .collect();
        assert_eq!(read, [None, None, Some(1.0), Some(2.0), Some(3.0)]);
    }

    #[test]
    fn gaps_have_their_share_and_length() {
        let metrics = Metrics { gap_share: 0.2, gap_ticks: 5.0, ..Metrics::default() };
        let mut sensor = Sensor::new(metrics, SeededRng::seed_from_u64(2));
        let lost: Vec<bool> = (0..50_000)
            .map(|second| {
                sensor.measure(Timestamp::from_secs(second), sample(0.0));
                sensor.read(Timestamp::from_secs(second)).is_empty()
            })
            .collect();
        let total = lost.iter().filter(|l| **l).count() as f64;
        let runs = lost.windows(2).filter(|w| !w[0] && w[1]).count() as f64;
        assert!((total / 50_000.0 - 0.2).abs() < 0.02, "{total}");
        assert!((total / runs - 5.0).abs() < 0.5, "{total} {runs}");
    }
}

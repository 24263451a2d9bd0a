//! In virtual time: how often a healthy service raises anything, how soon what is wrong is found, and how it ends.

mod any_input;
mod fleet;
mod traffic;

use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};

use super::*;

pub(super) const TICK: Duration = Duration::from_secs(15);
pub(super) const HOUR: u32 = 240;
pub(super) const DAY: u32 = 24 * HOUR;

/// A service whose load has a daily cycle, forecast as well as its forecaster can.
pub(super) struct World {
    pub(super) rng: SeededRng,
    /// Standard deviation of the forecaster's errors, which last for about ten minutes, and of a tick's own.
    pub(super) lasting: f64,
    pub(super) fleeting: f64,
    /// Standard deviation of errors that last for half a day, of which the forecaster knows nothing.
    pub(super) unknown: f64,
    /// Width of the forecast over what it should be.
    pub(super) width: f64,
    /// Share of ticks with a burst of up to four times the usual error.
    pub(super) bursts: f64,
    error: f64,
    slow: f64,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let rng = SeededRng::seed_from_u64(seed);
        Self { rng, lasting: 0.03, fleeting: 0.03, unknown: 0.0, width: 1.0, bursts: 0.0, error: 0.0, slow: 0.0 }
    }

    /// What the load is on average.
    pub(super) fn profile(index: u32) -> f64 {
        let hour = f64::from(index) / f64::from(HOUR);
        300.0
            + 200.0 * ((hour - 9.0) / 24.0 * std::f64::consts::TAU).sin()
            + 40.0 * (hour / 8.0 * std::f64::consts::TAU).sin()
    }

    /// A tick with its load and what was forecast, on as many replicas as that needs.
    pub(super) fn reading(&mut self, index: u32) -> Reading {
        let profile = Self::profile(index);
        let mut wander = |error: f64, ticks: f64, sd: f64| {
            let remembers = (-1.0 / ticks).exp();
            remembers * error + (1.0 - remembers * remembers).sqrt() * sd * self.rng.normal()
        };
        self.error = wander(self.error, 40.0, self.lasting);
        self.slow = wander(self.slow, 12.0 * f64::from(HOUR), self.unknown);
        let burst = if self.rng.uniform() < self.bursts { 1.0 + 3.0 * self.rng.uniform() } else { 1.0 };
        let own = burst * self.fleeting * self.rng.normal();
        let sd = self.width * self.lasting.hypot(self.fleeting) * profile;
        let mut reading = Reading::new(Timestamp::from_secs(1_800_000_000) + TICK * index, TICK);
        reading.load_rps = Some(profile * (self.error + self.slow + own).exp());
        reading.forecast =
            Some(ForecastBand { low: profile - 1.645 * sd, median: profile, high: profile + 1.645 * sd });
        reading.ready = (profile / 35.0).ceil() as u32;
        reading.capacity_rps = 50.0;
        reading.served_rps = reading.load_rps;
        reading
    }
}

pub(super) fn watch() -> Discrepancies {
    Discrepancies::new(DiscrepancyOptions::default()).expect("defaults are good")
}

/// Kinds that began and that ended.
pub(super) fn kinds(changes: &[Change]) -> (Vec<DiscrepancyKind>, Vec<DiscrepancyKind>) {
    let mut kinds = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Began { discrepancy } => kinds.0.push(discrepancy.kind),
            Change::Ended { discrepancy } => kinds.1.push(discrepancy.kind),
        }
    }
    kinds
}

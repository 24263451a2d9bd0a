//! What is fed in once a tick: plain data, in the time and the rates of the service's own clock.

use std::time::Duration;

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Figures above this are taken for broken, not for large.
const MOST: f64 = 1e15;

/// What was measured, forecast and decided in one tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// End of the tick. One before that of the last reading counts as that one.
    pub time: Timestamp,
    /// Its length.
    pub tick: Duration,
    /// Load at arrival, requests a second; none where it was not measured, which is not the same as 0.
    pub load_rps: Option<f64>,
    /// What was forecast for this tick a start-up delay ago.
    pub forecast: Option<ForecastBand>,
    /// Replicas that served.
    pub ready: u32,
    /// Capacity of a replica by which replicas are counted, requests a second.
    pub capacity_rps: f64,
    /// Share of the time (of CPU or of workers) in which the ready replicas were busy, 0 to 1, where it is measured.
    pub busy: Option<f64>,
    /// Requests answered, a second.
    pub served_rps: Option<f64>,
    /// Mean latency of the replicas themselves (of a typical one), seconds, without what was waited before them.
    pub latency_s: Option<f64>,
    /// Memory of every copy for which it is known.
    pub memory: Vec<CopyMemory>,
    /// Memory a copy may use, bytes, where it is limited.
    pub memory_limit_bytes: Option<u64>,
    /// The decision of this tick, if it changed the number of replicas.
    pub action: Option<Action>,
}

/// Quantiles of a forecast load, requests a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastBand {
    /// 5 % quantile.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// 95 % quantile.
    pub high: f64,
}

/// Memory of one copy of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyMemory {
    /// Its id, which a copy that is restarted may keep.
    pub copy: u64,
    /// Resident memory, bytes.
    pub bytes: u64,
    /// How many times it was started again. A fall to less than half counts as one more, for sources that do not tell.
    pub restarts: u32,
}

/// A change of the number of replicas, and what was expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Journal id of the decision.
    pub decision: u64,
    /// Replicas decided on.
    pub replicas: u32,
    /// Utilisation expected when they are ready: the median forecast for that time over what these replicas can do (see
    /// [`utilisation`]).
    pub predicted: f64,
    /// When they should be ready: the decision's time and a start-up delay.
    pub due: Timestamp,
}

/// Share of what `replicas` can do that `load_rps` takes: 0 up, above 1 where more arrives than can be served. None where
/// that means nothing.
pub fn utilisation(load_rps: f64, replicas: u32, capacity_rps: f64) -> Option<f64> {
    let most = f64::from(replicas) * sane(Some(capacity_rps))?;
    let share = sane(Some(load_rps))? / most;
    (most > 0.0 && share.is_finite()).then_some(share)
}

impl Reading {
    /// A reading of nothing yet.
    pub fn new(time: Timestamp, tick: Duration) -> Self {
        Self {
            time,
            tick,
            load_rps: None,
            forecast: None,
            ready: 0,
            capacity_rps: 0.0,
            busy: None,
            served_rps: None,
            latency_s: None,
            memory: Vec::new(),
            memory_limit_bytes: None,
            action: None,
        }
    }

    /// Utilisation of the ready replicas. The measured busy share where there is one. Else the load at arrival over what
    /// the replicas can do: at arrival, because what is served never exceeds the capacity and so hides how much was
    /// missing; what is served counts only where arrivals are not known.
    pub fn utilisation(&self) -> Option<f64> {
        let busy = sane(self.busy).filter(|busy| *busy <= 1.0 && self.ready > 0);
        let rate = sane(self.load_rps).or_else(|| sane(self.served_rps));
        busy.or_else(|| utilisation(rate?, self.ready, self.capacity_rps))
    }

    /// Its length in seconds, never 0.
    pub(super) fn seconds(&self) -> f64 {
        self.tick.as_secs_f64().clamp(1e-3, 1e9)
    }

    /// Load of one ready replica, requests a second.
    pub(super) fn load_each(&self) -> Option<f64> {
        let rate = sane(self.load_rps).or_else(|| sane(self.served_rps))?;
        (self.ready > 0).then(|| rate / f64::from(self.ready))
    }
}

impl ForecastBand {
    /// In order and without negative rates; none if a quantile is no number.
    pub(super) fn sane(self) -> Option<Self> {
        let number = |v: f64| v.is_finite().then(|| v.clamp(0.0, MOST));
        let median = number(self.median)?;
        Some(Self { low: number(self.low)?.min(median), median, high: number(self.high)?.max(median) })
    }
}

/// A figure of at least 0 that can be true.
pub(super) fn sane(value: Option<f64>) -> Option<f64> {
    value.filter(|v| (0.0..=MOST).contains(v))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilisation_is_what_is_measured_or_what_arrives_over_what_can_be_served() {
        let mut reading = Reading::new(Timestamp::EPOCH, Duration::from_secs(15));
        assert_eq!(reading.utilisation(), None);
        (reading.ready, reading.capacity_rps, reading.served_rps) = (4, 50.0, Some(200.0));
        assert_eq!(reading.utilisation(), Some(1.0));
        reading.load_rps = Some(300.0);
        assert_eq!(reading.utilisation(), Some(1.5));
        reading.busy = Some(0.4);
        assert_eq!(reading.utilisation(), Some(0.4));
        for busy in [f64::NAN, -1.0, 40.0] {
            reading.busy = Some(busy);
            assert_eq!(reading.utilisation(), Some(1.5));
        }
        reading.busy = None;
        for (ready, capacity) in [(0, 50.0), (4, 0.0), (4, f64::NAN), (4, -1.0), (4, f64::MIN_POSITIVE)] {
            (reading.ready, reading.capacity_rps) = (ready, capacity);
            assert_eq!(reading.utilisation(), None, "{ready} {capacity}");
        }
    }
}

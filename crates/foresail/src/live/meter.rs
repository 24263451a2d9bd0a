//! From the proxy's totals to what happened in a window: the load at arrival, latencies, which endpoints do not pull
//! their weight.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use foresail_proxy::{EndpointState, EndpointStats, Histogram, ProxyStats};

/// What happened between two looks at the totals.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// Its length, seconds of the wall clock.
    pub(super) seconds: f64,
    /// Requests that arrived.
    pub(super) arrivals: u64,
    /// Answered without an error.
    pub(super) completed: u64,
    /// Failed or refused.
    pub(super) errors: u64,
    /// Late, failed or refused.
    pub(super) late: u64,
    /// More arrived than could be served: requests waited before the replicas, or were refused.
    pub(super) saturated: bool,
    /// Median latency, ms.
    pub(super) p50_ms: Option<f64>,
    /// 99th percentile of latency, ms.
    pub(super) p99_ms: Option<f64>,
    /// Mean latency of a typical endpoint (the median over those that answered), seconds.
    pub(super) typical_s: Option<f64>,
    /// Work that endpoints did for what they answered well, seconds of one request at a time.
    pub(super) busy_s: f64,
    /// Replicas' worth of work that endpoints do not do: those out of rotation count whole, slow ones by their slowness.
    pub(super) impaired: f64,
    /// Endpoints that were out of rotation for some of it.
    pub(super) out: usize,
    /// By endpoint.
    pub(super) endpoints: BTreeMap<String, EndpointWindow>,
}

/// What an endpoint did in a window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EndpointWindow {
    /// Share of the picks, 0 to 1.
    pub(super) share: f64,
    /// Mean latency, ms.
    pub(super) mean_ms: Option<f64>,
    /// 99th percentile of latency, ms.
    pub(super) p99_ms: Option<f64>,
}

impl Window {
    /// Requests a second that arrived, in real time.
    pub(super) fn arrivals_rps(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.arrivals as f64 / self.seconds)
    }

    /// Whether what was served says what a replica can do: not while endpoints come and go, for then nobody knows how many
    /// served, and not while many requests fail, which takes next to no time.
    pub(super) fn tells_of_capacity(&self) -> bool {
        let answered = (self.completed + self.errors) as f64;
        self.out == 0 && self.errors as f64 <= FEW_ERRORS * answered
    }
}

/// An endpoint is slow from this multiple of the typical latency on.
const SLOW: f64 = 2.0;
/// Answers in a window below which an endpoint's latency says nothing.
const LEAST_ANSWERS: u64 = 5;

/// Share of the answers up to which errors are few.
const FEW_ERRORS: f64 = 0.02;

/// The window between two looks, `seconds` of the wall clock apart.
pub(super) fn window(before: &ProxyStats, now: &ProxyStats, seconds: f64) -> Window {
    let latency = now.latency.since(&before.latency);
    let rejected = now.rejected.saturating_sub(before.rejected);
    let picks = |e: &EndpointStats| {
        let earlier = before.endpoints.iter().find(|b| b.id == e.id);
        let latency = earlier.map_or_else(|| e.latency.clone(), |b| e.latency.since(&b.latency));
        (e.picks.saturating_sub(earlier.map_or(0, |b| b.picks)), latency)
    };
    let seen: Vec<_> = now.endpoints.iter().map(|e| (e, picks(e))).collect();
    let all_picks: u64 = seen.iter().map(|(_, (picks, _))| picks).sum();
    let mut means: Vec<f64> =
        seen.iter().filter(|(_, (_, l))| l.count() >= LEAST_ANSWERS).filter_map(|(_, (_, l))| l.mean_ms()).collect();
    means.sort_by(f64::total_cmp);
    let typical_ms = means.get(means.len() / 2).copied();
    let worked = |latency: &Histogram| latency.mean_ms().unwrap_or(0.0) * latency.count() as f64 / 1_000.0;
    let busy_s = seen.iter().map(|(_, (_, latency))| worked(latency)).sum();
    let idle = |(endpoint, (_, latency)): &(&EndpointStats, (u64, Histogram))| {
        match endpoint.state {
            EndpointState::Ejected { .. } | EndpointState::Unhealthy => return 1.0,
            EndpointState::Draining => return 0.0,
            EndpointState::Healthy | EndpointState::SlowStart => {}
        }
        match (latency.mean_ms().filter(|_| latency.count() >= LEAST_ANSWERS), typical_ms) {
            (Some(mean), Some(typical)) if mean > SLOW * typical => 1.0 - typical / mean,
            _ => 0.0,
        }
    };
    let impaired = seen.iter().map(idle).sum();
    let is_out = |state| matches!(state, EndpointState::Ejected { .. } | EndpointState::Unhealthy);
    let was_out = |endpoint: &EndpointStats| {
        let earlier = before.endpoints.iter().find(|b| b.id == endpoint.id);
        earlier.is_some_and(|b| is_out(b.state) || b.ejections != endpoint.ejections)
    };
    let out = now.endpoints.iter().filter(|e| is_out(e.state) || was_out(e)).count();
    let share = |picks: u64| if all_picks > 0 { picks as f64 / all_picks as f64 } else { 0.0 };
    Window {
        seconds,
        arrivals: now.arrivals.saturating_sub(before.arrivals),
        completed: now.completed.saturating_sub(before.completed),
        errors: now.failed.saturating_sub(before.failed) + rejected,
        late: now.late.saturating_sub(before.late),
        saturated: rejected > 0 || (before.queued > 0 && now.queued > 0),
        p50_ms: latency.quantile(0.5),
        p99_ms: latency.quantile(0.99),
        typical_s: typical_ms.map(|ms| ms / 1_000.0),
        busy_s,
        impaired,
        out,
        endpoints: seen
            .iter()
            .map(|(e, (picks, latency))| {
                let (mean_ms, p99_ms) = (latency.mean_ms(), latency.quantile(0.99));
                (e.id.clone(), EndpointWindow { share: share(*picks), mean_ms, p99_ms })
            })
            .collect(),
    }
}

/// Arrivals of the last moments, for a load that must not wait for the next tick.
#[derive(Debug)]
pub(super) struct Pulse {
    looks: VecDeque<(Duration, u64)>,
    reach: Duration,
}

impl Pulse {
    /// Over the last `reach`.
    pub(super) fn over(reach: Duration) -> Self {
        Self { looks: VecDeque::new(), reach }
    }

    /// Takes in the total of arrivals at `time` since the start.
    pub(super) fn look(&mut self, time: Duration, arrivals: u64) {
        self.looks.push_back((time, arrivals));
        while self.looks.len() > 2 && self.looks.get(1).is_some_and(|l| l.0 + self.reach <= time) {
            self.looks.pop_front();
        }
    }

    /// Requests a second that surely arrive: two standard deviations of a Poisson count below what was counted, so that
    /// chance alone starts nothing.
    pub(super) fn sure_rps(&self) -> Option<f64> {
        let ((from, before), (to, after)) = (self.looks.front()?, self.looks.back()?);
        let seconds = to.saturating_sub(*from).as_secs_f64();
        let count = after.saturating_sub(*before) as f64;
        (seconds >= 0.5 * self.reach.as_secs_f64()).then(|| (count - 2.0 * count.sqrt()).max(0.0) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_sure_of_a_step_within_its_reach_and_not_of_noise() {
        let mut pulse = Pulse::over(Duration::from_millis(500));
        assert_eq!(pulse.sure_rps(), None);
        let mut total = 0;
        for look in 0..50_u64 {
            total += if look < 30 { 10 } else { 30 }; // 100 a second, then 300
            pulse.look(Duration::from_millis(100 * look), total);
            let sure = pulse.sure_rps();
            match look {
                0..3 => {}
                3..30 => assert!(sure.is_some_and(|rps| (60.0..100.0).contains(&rps)), "{look}: {sure:?}"),
                35.. => assert!(sure.is_some_and(|rps| (200.0..300.0).contains(&rps)), "{look}: {sure:?}"),
                _ => {}
            }
        }
    }

    /// Two endpoints; the second is out of rotation at the second look, or was in between.
    #[test]
    fn a_window_with_an_endpoint_out_or_with_many_errors_tells_nothing_of_capacity() {
        let endpoint = |id: &str, state, ejections| EndpointStats {
            id: id.to_owned(),
            address: ([127, 0, 0, 1], 80).into(),
            picks: 0,
            completed: 0,
            failed: 0,
            in_flight: 0,
            latency_ewma_ms: 0.0,
            latency: Histogram::default(),
            state,
            ejections,
            learned: None,
        };
        let stats = |completed, failed, second| ProxyStats {
            completed,
            failed,
            endpoints: vec![endpoint("1", EndpointState::Healthy, 0), second],
            ..ProxyStats::default()
        };
        let before = stats(0, 0, endpoint("2", EndpointState::Healthy, 0));
        for (failed, state, ejections, tells) in [
            (1, EndpointState::Healthy, 0, true),
            (10, EndpointState::Healthy, 0, false),
            (0, EndpointState::Unhealthy, 0, false),
            (0, EndpointState::Healthy, 1, false),
        ] {
            let window = window(&before, &stats(100, failed, endpoint("2", state, ejections)), 1.0);
            assert_eq!(window.tells_of_capacity(), tells, "{failed} {state:?} {ejections}");
        }
    }
}

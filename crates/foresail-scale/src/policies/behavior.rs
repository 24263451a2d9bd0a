//! What a horizontal pod autoscaler does with a recommendation: stabilisation windows, then limits on the rate of change.
//!
//! Follows `normalizeDesiredReplicasWithBehaviors` of Kubernetes' `horizontal.go` (autoscaling/v2). Comparisons with window
//! and period starts are strict, as there: with syncs exactly a period apart, a change no longer counts at the next sync.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Decision, Driver, Limit, Limits, Observation, Reason, Replicas, Timestamp};

/// One limit on the rate of change. Of several, the one that allows the largest change holds (select policy Max).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rate {
    /// So many pods a period.
    Pods(u32),
    /// So many percent, of the replicas at the start of the period, a period.
    Percent(u32),
}

/// Windows and rate limits of both directions.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Scaling up takes the lowest recommendation of this window.
    pub(super) up_window: Duration,
    /// Scaling down takes the highest recommendation of this window.
    pub(super) down_window: Duration,
    /// Limits on the way up.
    pub(super) up: &'static [Rate],
    /// Limits on the way down.
    pub(super) down: &'static [Rate],
    /// The period of every limit.
    pub(super) period: Duration,
}

impl Rules {
    /// Kubernetes' defaults: up at once by 4 pods or 100 % a period of 15 s, whichever is more; down to the highest
    /// recommendation of 300 s.
    pub(super) fn kubernetes() -> Self {
        Self {
            up_window: Duration::ZERO,
            down_window: Duration::from_secs(300),
            up: &[Rate::Pods(4), Rate::Percent(100)],
            down: &[Rate::Percent(100)],
            period: Duration::from_secs(15),
        }
    }
}

/// A recommendation for the loop below, before stabilisation and limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recommendation {
    /// What the metrics ask for.
    pub(super) replicas: u32,
    /// Load or metric that drove it.
    pub(super) load: f64,
    /// What the metric of now asks for.
    pub(super) reactive: u32,
    /// What a forecast asks for.
    pub(super) predicted: Option<u32>,
}

impl Recommendation {
    /// Of the metric of now alone.
    pub(super) fn reactive(replicas: u32, load: f64) -> Self {
        Self { replicas, load, reactive: replicas, predicted: None }
    }
}

/// The reconcile loop of an autoscaler: its sync period, its memory of recommendations and of changes.
#[derive(Clone, Debug)]
pub(super) struct ReconcileLoop {
    rules: Rules,
    limits: Limits,
    last_sync: Option<Timestamp>,
    recommendations: VecDeque<(Timestamp, u32)>,
    ups: VecDeque<(Timestamp, u32)>,
    downs: VecDeque<(Timestamp, u32)>,
}

/// Time between two syncs of the controller, unless the ticks are longer.
const SYNC: Duration = Duration::from_secs(15);

impl ReconcileLoop {
    /// A loop within `limits`. An autoscaler that is off at zero replicas is of no use here, so its minimum is at least 1.
    pub(super) fn new(rules: Rules, limits: Limits) -> Self {
        let min = limits.min.max(Replicas(1)).min(limits.max);
        Self {
            rules,
            limits: Limits { min, max: limits.max },
            last_sync: None,
            recommendations: VecDeque::new(),
            ups: VecDeque::new(),
            downs: VecDeque::new(),
        }
    }

    /// Whether the controller syncs at `now`. Asking does not count as syncing.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.last_sync.is_none_or(|last| now >= last + SYNC)
    }

    /// One sync, or none if it is not due yet. `note` is asked for only when the number of replicas changes.
    pub(super) fn decide(
        &mut self,
        observation: &Observation,
        recommendation: Option<Recommendation>,
        note: impl FnOnce() -> String,
    ) -> Decision {
        let now = observation.time;
        let current = observation.replicas.desired.0;
        let (min, max) = (self.limits.min.0, self.limits.max.0);
        if !self.is_due(now) {
            return held(self.limits.clamp(Replicas(current)), Driver::Held);
        }
        self.last_sync = Some(now);
        if current < min || current > max {
            let mut decision = held(self.limits.clamp(Replicas(current)), Driver::Minimum);
            if current > max {
                decision.reason.driver = Driver::Held;
                decision.reason.limits.push(Limit::Maximum);
            }
            self.remember_change(now, current, decision.desired.0);
            return decision;
        }
        let Some(recommendation) = recommendation else {
            return held(Replicas(current), Driver::Stale); // without metrics it neither scales nor remembers anything
        };
        let stabilised = self.stabilise(now, current, recommendation.replicas);
        let (desired, limit) = self.limit(now, current, stabilised);
        self.remember_change(now, current, desired);
        let mut reason = Reason::new(match recommendation.predicted {
            _ if desired > recommendation.replicas => Driver::Held,
            Some(predicted) if predicted > recommendation.reactive => Driver::Predicted,
            _ => Driver::Reactive,
        });
        reason.load = Some(recommendation.load);
        reason.reactive = Replicas(recommendation.reactive);
        reason.predicted = recommendation.predicted.map(Replicas);
        if stabilised > recommendation.replicas {
            reason.limits.push(Limit::DownHold);
        }
        reason.limits.extend(limit);
        if desired != current {
            reason.note = note();
        }
        Decision { desired: Replicas(desired), reason }
    }

    /// The current number, brought between the lowest recommendation of the window for scaling up and the highest of the one
    /// for scaling down; remembers the recommendation.
    fn stabilise(&mut self, now: Timestamp, current: u32, recommended: u32) -> u32 {
        let (up_start, down_start) = (now - self.rules.up_window, now - self.rules.down_window);
        let oldest = up_start.min(down_start);
        while self.recommendations.front().is_some_and(|(time, _)| *time <= oldest) {
            self.recommendations.pop_front();
        }
        let (mut up, mut down) = (recommended, recommended);
        for (time, earlier) in &self.recommendations {
            if *time > up_start {
                up = up.min(*earlier);
            }
            if *time > down_start {
                down = down.max(*earlier);
            }
        }
        self.recommendations.push_back((now, recommended));
        current.max(up).min(down)
    }

    /// `wanted`, within the rate limits and the limits; with what cut it.
    fn limit(&mut self, now: Timestamp, current: u32, wanted: u32) -> (u32, Option<Limit>) {
        let start = now - self.rules.period;
        for events in [&mut self.ups, &mut self.downs] {
            while events.front().is_some_and(|(time, _)| *time <= start) {
                events.pop_front();
            }
        }
        let added: u32 = self.ups.iter().map(|(_, change)| change).sum();
        let removed: u32 = self.downs.iter().map(|(_, change)| change).sum();
        let at_start = current.saturating_add(removed).saturating_sub(added); // replicas at the start of the period
        if wanted > current {
            let proposals = self.rules.up.iter().map(|rate| match rate {
                Rate::Pods(pods) => at_start.saturating_add(*pods),
                Rate::Percent(percent) => at_start.saturating_mul(100 + percent).div_ceil(100),
            });
            let most = proposals.max().unwrap_or(u32::MAX).max(current);
            let (max, limit) =
                if self.limits.max.0 > most { (most, Limit::Surge) } else { (self.limits.max.0, Limit::Maximum) };
            if wanted > max {
                return (max, Some(limit));
            }
        } else if wanted < current {
            let proposals = self.rules.down.iter().map(|rate| match rate {
                Rate::Pods(pods) => at_start.saturating_sub(*pods),
                Rate::Percent(percent) => at_start.saturating_mul(100 - (*percent).min(100)) / 100,
            });
            let fewest = proposals.min().unwrap_or(0).min(current);
            let (min, limit) = if self.limits.min.0 < fewest {
                (fewest, Limit::DownHold)
            } else {
                (self.limits.min.0, Limit::Minimum)
            };
            if wanted < min {
                return (min, Some(limit));
            }
        }
        (wanted, None)
    }

    fn remember_change(&mut self, now: Timestamp, current: u32, desired: u32) {
        if desired > current {
            self.ups.push_back((now, desired - current));
        } else if desired < current {
            self.downs.push_back((now, current - desired));
        }
    }
}

/// The decision to stay at `replicas` because of `driver`.
pub(super) fn held(replicas: Replicas, driver: Driver) -> Decision {
    Decision { desired: replicas, reason: Reason::new(driver) }
}

/// Kubernetes' tolerance: a ratio of metric over target this close to 1 changes nothing.
pub(super) const TOLERANCE: f64 = 0.1;

/// Whether `ratio` is within the tolerance, with the rounding of a division forgiven.
pub(super) fn within_tolerance(ratio: f64) -> bool {
    (ratio - 1.0).abs() <= TOLERANCE + 1e-9
}

#[cfg(test)]
mod tests {
    use foresail_core::ReplicaCounts;

    use super::*;

    /// Feeds recommendations at 15 s syncs from `start` replicas; gives what was decided at each.
    fn check(rules: Rules, start: u32, recommendations: &[u32]) -> Vec<u32> {
        let limits = Limits { min: Replicas(1), max: Replicas(100) };
        let mut sync_loop = ReconcileLoop::new(rules, limits);
        let mut current = start;
        let mut decided = Vec::new();
        for (index, recommended) in recommendations.iter().enumerate() {
            let observation = Observation {
                time: Timestamp::from_secs(15 * index as i64),
                tick: Duration::from_secs(15),
                samples: Vec::new(),
                replicas: ReplicaCounts { desired: Replicas(current), ready: Replicas(current), starting: Replicas(0) },
            };
            let recommendation = Some(Recommendation::reactive(*recommended, 0.0));
            current = sync_loop.decide(&observation, recommendation, String::new).desired.0;
            decided.push(current);
        }
        decided
    }

    #[test]
    fn up_goes_by_four_or_by_doubling_whichever_is_more() {
        assert_eq!(check(Rules::kubernetes(), 1, &[90; 6]), [5, 10, 20, 40, 80, 90]);
        assert_eq!(check(Rules::kubernetes(), 3, &[90]), [7]);
        assert_eq!(check(Rules::kubernetes(), 60, &[400]), [100]);
    }

    #[test]
    fn a_longer_period_counts_what_was_added_within_it() {
        let slow = Rules { period: Duration::from_secs(60), ..Rules::kubernetes() };
        // 10 at the start of the period, so 20 until that change is 60 s old; then 40 from the 20 there were.
        assert_eq!(check(slow, 10, &[90; 6]), [20, 20, 20, 20, 40, 40]);
    }

    #[test]
    fn down_waits_until_the_highest_recommendation_has_left_the_window() {
        let mut recommendations = vec![10];
        recommendations.extend([4; 21]);
        let decided = check(Rules::kubernetes(), 10, &recommendations);
        // The recommendation of second 0 counts up to second 285; at second 300 it is not younger than the window.
        assert!(decided[..20].iter().all(|d| *d == 10), "{decided:?}");
        assert_eq!(decided[20..], [4, 4]);
    }

    #[test]
    fn a_window_for_scaling_up_takes_the_lowest_recommendation() {
        let patient = Rules { up_window: Duration::from_secs(30), ..Rules::kubernetes() };
        assert_eq!(check(patient, 10, &[10, 18, 16, 20]), [10, 10, 16, 16]);
    }

    #[test]
    fn outside_the_limits_it_returns_to_them_whatever_the_metrics_say() {
        assert_eq!(check(Rules::kubernetes(), 150, &[400]), [100]);
        assert_eq!(check(Rules::kubernetes(), 0, &[400]), [1]);
    }

    #[test]
    fn tolerance_is_a_tenth_on_either_side() {
        for (ratio, expected) in [(0.9, true), (1.1, true), (0.77 / 0.7, true), (0.899, false), (1.101, false)] {
            assert_eq!(within_tolerance(ratio), expected, "{ratio}");
        }
    }
}

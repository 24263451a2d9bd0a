//! The resource metric of Kubernetes' autoscaler: utilisation of ready replicas against a target.
//!
//! Follows `GetResourceReplicas` and `groupPods` of Kubernetes' `replica_calculator.go`. The metric is modelled as the metrics
//! server gives it: a mean over 30 s that is 15 s old.

use std::collections::VecDeque;
use std::time::Duration;

use foresail_core::{Metric, Observation, Replicas, Timestamp};

use super::behavior::{Recommendation, within_tolerance};
use super::history::History;

/// Span of a sample of the metrics server.
const WINDOW: Duration = Duration::from_secs(30);
/// Its age when the controller reads it.
const AGE: Duration = Duration::from_secs(15);
/// How long after its start a pod's samples are looked at with suspicion.
const INITIALISATION: Duration = Duration::from_secs(300);

/// Utilisation as the controller sees it, and the replicas it asks for.
#[derive(Clone, Debug)]
pub(super) struct UtilisationMetric {
    target: f64,
    startup: Duration,
    samples: History,
    /// Replicas that became ready of late: since when, and how many. Youngest last.
    fresh: VecDeque<(Timestamp, u32)>,
    ready: Option<u32>,
}

impl UtilisationMetric {
    /// A metric held against `target` (0 to 1), of replicas that take `startup` to become ready.
    pub(super) fn new(target: f64, startup: Duration) -> Self {
        Self { target, startup, samples: History::new(WINDOW + AGE), fresh: VecDeque::new(), ready: None }
    }

    /// Takes in an observation, due or not, and says what the metric asks for; `None` without a metric.
    pub(super) fn recommend(&mut self, observation: &Observation) -> Option<Recommendation> {
        let now = observation.time;
        self.samples.push(observation.sample(Metric::Utilisation));
        self.follow_readiness(now, observation.replicas.ready.0);
        let utilisation = self.samples.mean(now - (WINDOW + AGE), now - AGE)?;
        let too_fresh: u32 = self.fresh.iter().map(|(_, count)| count).sum();
        let ready = observation.replicas.ready.0.saturating_sub(too_fresh);
        let unready = observation.replicas.starting.0 + too_fresh;
        let current = observation.replicas.desired.0;
        let replicas = replicas_for_utilisation(utilisation, self.target, ready, unready, current)?;
        Some(Recommendation::reactive(replicas, utilisation))
    }

    /// Keeps count of the replicas whose samples do not yet span a whole window since they became ready. Those removed
    /// are the youngest first, as a replica set removes them.
    fn follow_readiness(&mut self, now: Timestamp, ready: u32) {
        let before = self.ready.replace(ready).unwrap_or(ready);
        if ready > before {
            self.fresh.push_back((now, ready - before));
        }
        let mut removed = before.saturating_sub(ready);
        while removed > 0 {
            let Some((_, count)) = self.fresh.back_mut() else { break };
            let gone = removed.min(*count);
            *count -= gone;
            removed -= gone;
            if *count == 0 {
                self.fresh.pop_back();
            }
        }
        let trusted = |since: Timestamp| now - AGE >= since + WINDOW || (since - self.startup) + INITIALISATION <= now;
        while self.fresh.front().is_some_and(|(since, _)| trusted(*since)) {
            self.fresh.pop_front();
        }
    }
}

/// What a utilisation (0 to 1, over the `ready` replicas) against `target` asks for, with `unready` replicas beside them
/// and `current` wanted now. `None` if no replica has a metric.
fn replicas_for_utilisation(utilisation: f64, target: f64, ready: u32, unready: u32, current: u32) -> Option<u32> {
    if ready == 0 {
        return None;
    }
    let ratio = utilisation / target;
    if unready == 0 || ratio <= 1.0 {
        let asked = Replicas::holding(ratio * f64::from(ready)).0;
        return Some(if within_tolerance(ratio) { current } else { asked });
    }
    // On the way up, replicas that are not ready are taken to use nothing, which damps the step.
    let all = f64::from(ready + unready);
    let damped = ratio * f64::from(ready) / all;
    if within_tolerance(damped) || damped < 1.0 {
        return Some(current);
    }
    Some(Replicas::holding(damped * all).0.max(current))
}

#[cfg(test)]
mod tests {
    use foresail_core::{Quality, ReplicaCounts, Sample};

    use super::*;

    /// Golden values worked out by hand from the rules: utilisation, target, ready, unready, current, asked.
    #[test]
    fn the_calculator_follows_kubernetes_rules() {
        for (utilisation, target, ready, unready, current, expected) in [
            (0.70, 0.7, 10, 0, 10, Some(10)),
            (0.77, 0.7, 10, 0, 10, Some(10)),  // ratio 1.1: within the tolerance
            (0.771, 0.7, 10, 0, 10, Some(12)), // ceil(11.01)
            (0.63, 0.7, 10, 0, 10, Some(10)),  // ratio 0.9: within the tolerance
            (0.62, 0.7, 10, 0, 10, Some(9)),
            (1.00, 0.7, 10, 0, 10, Some(15)), // saturated: ceil(14.29)
            (0.00, 0.7, 10, 0, 10, Some(0)),
            (1.00, 0.7, 10, 3, 13, Some(13)), // 14.29 over 13 is within the tolerance
            (1.00, 0.7, 10, 2, 12, Some(15)), // 14.29 over 12 is not
            (0.90, 0.7, 10, 5, 15, Some(15)), // 12.86 over 15 turns the direction: keep
            (0.35, 0.7, 10, 5, 15, Some(5)),  // on the way down only the ready ones count
            (0.90, 0.7, 0, 5, 5, None),
        ] {
            let asked = replicas_for_utilisation(utilisation, target, ready, unready, current);
            assert_eq!(asked, expected, "{utilisation} {ready} {unready}");
        }
    }

    fn observation(second: i64, ready: u32, starting: u32, utilisation: Option<f64>) -> Observation {
        let time = Timestamp::from_secs(second);
        let interval = Duration::from_secs(15);
        let sample = |value| Sample { metric: Metric::Utilisation, time, interval, value, quality: Quality::Good };
        Observation {
            time,
            tick: interval,
            samples: utilisation.map(sample).into_iter().collect(),
            replicas: ReplicaCounts {
                desired: Replicas(ready + starting),
                ready: Replicas(ready),
                starting: Replicas(starting),
            },
        }
    }

    #[test]
    fn the_metric_is_the_mean_of_the_two_ticks_that_ended_fifteen_seconds_ago() {
        let mut metric = UtilisationMetric::new(0.7, Duration::from_secs(60));
        let seen: Vec<Option<f64>> = [(15, 0.2), (30, 0.4), (45, 0.8), (60, 1.0), (75, 1.0)]
            .into_iter()
            .map(|(second, value)| metric.recommend(&observation(second, 10, 0, Some(value))).map(|r| r.load))
            .collect();
        let rounded: Vec<Option<i64>> = seen.iter().map(|s| s.map(|v| (v * 1e6).round() as i64)).collect();
        assert_eq!(rounded, [None, Some(200_000), Some(300_000), Some(600_000), Some(900_000)]);
    }

    #[test]
    fn a_replica_counts_as_unready_until_a_whole_window_has_been_seen_of_it() {
        let mut metric = UtilisationMetric::new(0.7, Duration::from_secs(60));
        for second in [15, 30, 45] {
            metric.recommend(&observation(second, 10, 5, Some(0.9)));
        }
        let mut asked = |second| metric.recommend(&observation(second, 15, 0, Some(0.9))).map(|r| r.replicas);
        // The five are ready from second 60 on, and unready to the controller up to second 105.
        assert_eq!([asked(60), asked(75), asked(90)], [Some(15); 3]);
        assert_eq!(asked(105), Some(20));
        // After a start-up beyond the initialisation period a sample is trusted at once.
        let mut metric = UtilisationMetric::new(0.7, Duration::from_secs(400));
        for second in [15, 30, 45] {
            metric.recommend(&observation(second, 10, 5, Some(0.9)));
        }
        assert_eq!(metric.recommend(&observation(60, 15, 0, Some(0.9))).map(|r| r.replicas), Some(20));
    }

    #[test]
    fn removed_replicas_are_the_youngest() {
        let mut metric = UtilisationMetric::new(0.7, Duration::from_secs(60));
        for (second, ready) in [(15, 10), (30, 15), (45, 12)] {
            metric.recommend(&observation(second, ready, 0, Some(0.9)));
        }
        assert_eq!(metric.fresh, [(Timestamp::from_secs(30), 2)]);
    }
}

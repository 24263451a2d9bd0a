//! AWS target tracking on mean utilisation, in one-minute metrics.
//!
//! Out: after three consecutive minutes above the target, to `ceil(N · m / target)`, where `m` is the last minute's mean over
//! the `N` replicas that serve. Warming replicas (for as long as they start) are no part of the metric but count as
//! capacity: what is on its way is not ordered again. In: after fifteen consecutive minutes below 0.9 of the target, by at
//! most a tenth of the capacity (at least one replica), never below the proportional number, and not within the cooldown of
//! 300 s after any change. A minute without data breaks both counts: no action. AWS documents the alarms and the
//! proportional step and calls scale-in gradual without a number; the tenth is our reading. Metrics arrive as soon as their
//! minute has ended, which favours AWS.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limit, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};

use super::PolicyOptions;
use super::behavior::held;
use super::grid::Grid;

const OUT_AFTER: u32 = 3;
const IN_AFTER: u32 = 15;
const IN_BELOW: f64 = 0.9;
const COOLDOWN: Duration = Duration::from_secs(300);

/// Target tracking on utilisation.
#[derive(Clone, Debug)]
pub struct AwsTargetTracking {
    name: String,
    target: f64,
    limits: Limits,
    minutes: Grid,
    above: u32,
    below: u32,
    last_change: Option<Timestamp>,
}

impl AwsTargetTracking {
    /// Holds utilisation at `target`, above 0 and at most 1.
    pub(super) fn new(name: String, target: f64, options: &PolicyOptions) -> Self {
        Self {
            name,
            target,
            limits: options.limits,
            minutes: Grid::new(Duration::from_secs(60), 60),
            above: 0,
            below: 0,
            last_change: None,
        }
    }

    /// Looks at the minutes that have ended since the last time; the mean of the last one, if there is a new one with data.
    fn look_at_minutes(&mut self, observation: &Observation) -> Option<f64> {
        let closed = self.minutes.push(observation.sample(Metric::Utilisation));
        let mut newest = None;
        for mean in self.minutes.last(closed) {
            newest = mean;
            let count = |holds: bool, count: u32| if holds { count + 1 } else { 0 };
            self.above = count(mean.is_some_and(|m| m > self.target), self.above);
            self.below = count(mean.is_some_and(|m| m < IN_BELOW * self.target), self.below);
        }
        newest
    }

    /// What the alarms ask for: a new capacity and the limit on the step, if they ask for any.
    fn step(&self, observation: &Observation, mean: f64) -> Option<(u32, Option<Limit>)> {
        let replicas = observation.replicas;
        let capacity = replicas.ready.0 + replicas.starting.0;
        let proportional = Replicas::holding(replicas.ready.as_f64() * mean / self.target).0;
        if self.above >= OUT_AFTER && proportional > capacity {
            return Some((proportional, None));
        }
        let cooling = self.last_change.is_some_and(|last| observation.time < last + COOLDOWN);
        if self.below >= IN_AFTER && !cooling && replicas.starting == Replicas(0) && proportional < capacity {
            let fewest = capacity - (capacity / 10).max(1);
            let limit = (proportional < fewest).then_some(Limit::DownHold);
            return Some((proportional.max(fewest), limit));
        }
        None
    }

    /// A decision with `floor` replicas at the least, which counts as no change of this policy's own.
    pub(super) fn decide_above(&mut self, observation: &Observation, floor: Replicas) -> Decision {
        let current = observation.replicas.desired;
        let mean = self.look_at_minutes(observation);
        let floor = self.limits.clamp(floor);
        let step = mean.and_then(|mean| Some((mean, self.step(observation, mean)?)));
        let Some((mean, (wanted, limit))) = step else {
            return held(self.limits.clamp(current).max(floor), Driver::Held);
        };
        let desired = self.limits.clamp(Replicas(wanted)).max(floor);
        let mut reason = Reason::new(Driver::Reactive);
        reason.load = Some(mean);
        reason.reactive = Replicas(wanted);
        reason.limits.extend(limit);
        if desired != current {
            self.last_change = Some(observation.time);
            reason.note =
                format!("mean utilisation {mean:.2} of the last minute against a target of {:.2}", self.target);
        }
        Decision { desired, reason }
    }
}

impl Policy for AwsTargetTracking {
    fn name(&self) -> &str {
        &self.name
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        self.decide_above(observation, self.limits.min)
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Quality, ReplicaCounts, Sample};

    use super::*;

    /// One decision at each 15 s tick, `utilisation(second)` having held over the tick before; replicas start at once.
    fn check(seconds: i64, start: u32, utilisation: impl Fn(i64) -> Option<f64>) -> Vec<(i64, u32)> {
        let limits = Limits { min: Replicas(1), max: Replicas(100) };
        let mut policy = AwsTargetTracking::new("aws-tt".into(), 0.5, &PolicyOptions::new(limits));
        let mut current = start;
        let mut changes = Vec::new();
        for second in (0..=seconds).step_by(15) {
            let time = Timestamp::from_secs(second);
            let interval = Duration::from_secs(15);
            let sample = |value| Sample { metric: Metric::Utilisation, time, interval, value, quality: Quality::Good };
            let observation = Observation {
                time,
                tick: interval,
                samples: utilisation(second).filter(|_| second > 0).map(sample).into_iter().collect(),
                replicas: ReplicaCounts { desired: Replicas(current), ready: Replicas(current), starting: Replicas(0) },
            };
            let desired = policy.decide(&observation).desired.0;
            if desired != current {
                changes.push((second, desired));
            }
            current = desired;
        }
        changes
    }

    #[test]
    fn out_after_three_minutes_in_proportion() {
        assert_eq!(check(180, 10, |_| Some(0.8)), [(180, 16)]);
        assert_eq!(check(165, 10, |_| Some(0.8)), []);
        // A good minute between two bad ones starts the count again.
        assert_eq!(
            check(300, 10, |second| Some(if (60..120).contains(&(second - 15)) { 0.4 } else { 0.8 })),
            [(300, 16)]
        );
        assert_eq!(check(600, 10, |_| Some(0.5)), []);
    }

    #[test]
    fn in_after_fifteen_minutes_by_tenths_with_a_cooldown_between() {
        // Half the target: 10 are wanted of 20; a tenth at a time, every 300 s.
        assert_eq!(check(1_600, 20, |_| Some(0.25)), [(900, 18), (1_200, 17), (1_500, 16)]);
        assert_eq!(check(1_600, 20, |_| Some(0.46)), []); // less than a tenth below the target
    }

    #[test]
    fn without_data_nothing_happens() {
        assert_eq!(check(1_600, 10, |_| None), []);
        assert_eq!(check(300, 10, |second| (!(60..=120).contains(&second)).then_some(0.8)), [(300, 16)]);
    }
}

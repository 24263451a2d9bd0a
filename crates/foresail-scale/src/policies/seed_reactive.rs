//! The reactive rule of the founding exercise (document 000, exercise 3): the mean utilisation of the last five minutes above
//! 80 % multiplies the replicas by 1.5, below 40 % by 0.8, with 300 s of cooldown after either, between 1 and 100 replicas.
//!
//! The exercise leaves the rounding open: here steps up round up and steps down round down, since rounding up steps towards
//! zero would hold a single replica for ever.

use std::time::Duration;

use foresail_core::{Decision, Driver, Limit, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};

use super::PolicyOptions;
use super::behavior::held;
use super::history::History;

/// What the exercise looks back over, and how long it waits after a change.
const FIVE_MINUTES: Duration = Duration::from_secs(300);
const UP_ABOVE: f64 = 0.8;
const DOWN_BELOW: f64 = 0.4;

/// The exercise's thresholds and factors.
#[derive(Clone, Debug)]
pub struct SeedReactive {
    limits: Limits,
    utilisation: History,
    last_change: Option<Timestamp>,
}

impl SeedReactive {
    /// Within the options' limits and the exercise's own 1 to 100.
    pub(super) fn new(options: &PolicyOptions) -> Self {
        Self { limits: exercise_limits(options.limits), utilisation: History::new(FIVE_MINUTES), last_change: None }
    }

    /// Takes in the newest utilisation.
    pub(super) fn observe(&mut self, observation: &Observation) {
        self.utilisation.push(observation.sample(Metric::Utilisation));
    }

    /// The step the thresholds ask for, in a decision that starts the cooldown if it changes anything.
    pub(super) fn step(&mut self, observation: &Observation) -> Decision {
        let current = self.limits.clamp(observation.replicas.desired);
        if self.is_cooling(observation.time) {
            return cooling(current);
        }
        let Some(mean) = self.utilisation.mean(observation.time - FIVE_MINUTES, observation.time) else {
            return held(current, Driver::Stale);
        };
        let wanted = if mean > UP_ABOVE {
            Replicas::holding(current.as_f64() * 1.5)
        } else if mean < DOWN_BELOW {
            Replicas((current.as_f64() * 0.8) as u32)
        } else {
            current
        };
        let mut reason = Reason::new(Driver::Reactive);
        reason.load = Some(mean);
        reason.reactive = wanted;
        let desired = self.act(observation, wanted);
        if desired != observation.replicas.desired {
            reason.note = format!("mean utilisation {mean:.2} of the last five minutes");
        }
        Decision { desired, reason }
    }

    /// `replicas` within the limits it acts within.
    pub(super) fn within(&self, replicas: Replicas) -> Replicas {
        self.limits.clamp(replicas)
    }

    /// Whether a change is too recent to act again.
    pub(super) fn is_cooling(&self, now: Timestamp) -> bool {
        self.last_change.is_some_and(|last| now < last + FIVE_MINUTES)
    }

    /// `wanted` within the limits, with the cooldown started if that is a change.
    pub(super) fn act(&mut self, observation: &Observation, wanted: Replicas) -> Replicas {
        let desired = self.limits.clamp(wanted);
        if desired != observation.replicas.desired {
            self.last_change = Some(observation.time);
        }
        desired
    }
}

/// The decision to wait for the end of the cooldown.
pub(super) fn cooling(current: Replicas) -> Decision {
    let mut decision = held(current, Driver::Held);
    decision.reason.limits.push(Limit::Cooldown);
    decision
}

/// The exercise's 1 to 100, within `limits`.
fn exercise_limits(limits: Limits) -> Limits {
    Limits { min: limits.clamp(Replicas(1)), max: limits.clamp(Replicas(100)) }
}

impl Policy for SeedReactive {
    fn name(&self) -> &str {
        "seed-reactive"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        self.observe(observation);
        self.step(observation)
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::{Quality, ReplicaCounts, Sample};

    use super::*;

    /// Changes at 15 s ticks under a steady utilisation: second and new number.
    fn check(start: u32, utilisation: f64, seconds: i64) -> Vec<(i64, u32)> {
        let limits = Limits { min: Replicas(0), max: Replicas(500) };
        let mut policy = SeedReactive::new(&PolicyOptions::new(limits));
        let mut current = start;
        let mut changes = Vec::new();
        for second in (0..=seconds).step_by(15) {
            let time = Timestamp::from_secs(second);
            let interval = Duration::from_secs(15);
            let value = utilisation;
            let observation = Observation {
                time,
                tick: interval,
                samples: vec![Sample { metric: Metric::Utilisation, time, interval, value, quality: Quality::Good }],
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
    fn half_more_above_eighty_a_fifth_less_below_forty_once_in_five_minutes() {
        assert_eq!(check(10, 0.81, 600), [(0, 15), (300, 23), (600, 35)]);
        assert_eq!(check(10, 0.39, 600), [(0, 8), (300, 6), (600, 4)]);
        assert_eq!(check(10, 0.80, 600), []);
        assert_eq!(check(10, 0.40, 600), []);
        assert_eq!(check(1, 0.9, 300), [(0, 2), (300, 3)]);
        assert_eq!(check(90, 0.9, 300), [(0, 100)]);
        assert_eq!(check(1, 0.1, 600), []);
    }
}

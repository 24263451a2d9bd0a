//! Replays a load against a policy on the fluid plant.

use std::time::Duration;

use foresail_core::{Decision, Limits, Metric, Observation, Policy, Quality, Replicas, Sample, Timestamp};

use crate::plant::FluidPlant;
use crate::service::Service;
use crate::{Error, NeedTable};

/// A load on a service, cut into ticks. The policy decides at the start of every tick and knows only ticks that ended.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Start of the first tick.
    pub start: Timestamp,
    /// Length of a tick.
    pub tick: Duration,
    /// Requests a second in each tick; finite and non-negative.
    pub load: Vec<f64>,
    /// Ticks before this one train and are not scored.
    pub evaluate_from: usize,
    /// The service.
    pub service: Service,
    /// Limits that hold for every policy.
    pub limits: Limits,
}

impl Scenario {
    /// Refuses a scenario that cannot be replayed.
    ///
    /// # Errors
    /// [`Error::EmptyScenario`] or [`Error::BadParameter`].
    pub fn check(&self) -> Result<(), Error> {
        if self.load.len() < 2 || self.evaluate_from >= self.load.len() {
            return Err(Error::EmptyScenario(self.load.len().saturating_sub(self.evaluate_from)));
        }
        let bad = self.load.iter().find(|l| !l.is_finite() || **l < 0.0);
        crate::error::check(bad.is_none(), "load", bad.copied().unwrap_or(0.0), "finite and at least 0")
    }

    /// Start of tick `index`.
    pub fn time(&self, index: usize) -> Timestamp {
        Timestamp::from_micros(self.start.as_micros() + self.tick.as_micros() as i64 * index as i64)
    }

    /// Replicas at the start: the first load at 70 % utilisation, whatever the policy.
    pub fn initial_replicas(&self) -> Replicas {
        self.limits.clamp(Replicas::holding(self.load[0] / self.service.capacity_rps() / 0.7))
    }
}

/// What a policy did with a scenario, one entry a tick over the whole of it.
#[derive(Clone, Debug)]
pub struct Run {
    /// Name of the policy.
    pub policy: String,
    /// Index of the first scored tick.
    pub evaluate_from: usize,
    /// Length of a tick, seconds.
    pub tick_s: f64,
    /// Requests that arrived.
    pub requests: Vec<f64>,
    /// Requests that were late.
    pub late: Vec<f64>,
    /// Wanted replicas.
    pub desired: Vec<u32>,
    /// Replicas serving.
    pub ready: Vec<u32>,
    /// Replicas paid for.
    pub paid: Vec<u32>,
}

impl Run {
    /// Late share of the scored requests, 0 to 1; 0 without requests.
    pub fn late_share(&self) -> f64 {
        let requests: f64 = self.requests[self.evaluate_from..].iter().sum();
        let late: f64 = self.late[self.evaluate_from..].iter().sum();
        if requests > 0.0 { late / requests } else { 0.0 }
    }

    /// Replica-hours paid for in the scored ticks.
    pub fn replica_hours(&self) -> f64 {
        let paid: f64 = self.paid[self.evaluate_from..].iter().map(|p| f64::from(*p)).sum();
        paid * self.tick_s / 3_600.0
    }

    /// Changes of the wanted number an hour, in the scored ticks.
    pub fn actions_per_hour(&self) -> f64 {
        let scored = &self.desired[self.evaluate_from..];
        let changes = scored.windows(2).filter(|w| w[0] != w[1]).count();
        changes as f64 / (scored.len() as f64 * self.tick_s / 3_600.0)
    }
}

/// Replays `scenario` against `policy`; `watch` is shown every decision of the scored part with its observation.
///
/// # Errors
/// As [`Scenario::check`].
pub fn replay(
    scenario: &Scenario,
    policy: &mut dyn Policy,
    mut watch: impl FnMut(&Observation, &Decision),
) -> Result<Run, Error> {
    scenario.check()?;
    let ticks = scenario.load.len();
    let seconds = scenario.tick.as_secs_f64();
    let mut plant = FluidPlant::new(scenario.service, scenario.initial_replicas());
    let mut run = Run::empty(policy.name(), scenario);
    let mut samples = Vec::with_capacity(3);
    for index in 0..ticks {
        let now = scenario.time(index);
        plant.advance(now);
        let observation = Observation { time: now, tick: scenario.tick, samples, replicas: plant.replicas() };
        let decision = policy.decide(&observation);
        let desired = scenario.limits.clamp(decision.desired);
        if index >= scenario.evaluate_from {
            watch(&observation, &decision);
        }
        plant.scale_to(desired, now);
        let outcome = plant.tick(now, seconds, scenario.load[index]);
        run.requests.push(outcome.requests);
        run.late.push(outcome.late);
        run.desired.push(desired.0);
        run.ready.push(outcome.ready);
        run.paid.push(outcome.paid);
        samples = observation.samples;
        samples.clear();
        let sample = |metric, value, saturated: bool| Sample {
            metric,
            time: scenario.time(index + 1),
            interval: scenario.tick,
            value,
            quality: if saturated { Quality::Saturated } else { Quality::Good },
        };
        samples.push(sample(Metric::RequestRate, scenario.load[index], false)); // demand is counted at arrival
        samples.push(sample(Metric::Utilisation, outcome.utilisation, outcome.utilisation >= 1.0));
        samples.push(sample(Metric::QueueLength, outcome.backlog, false));
    }
    Ok(run)
}

/// The cheapest run there could be: in every tick the fewest replicas that keep within `late_fraction`, scaled without
/// delay. For a queue it serves what arrives in the tick.
///
/// # Errors
/// As [`Scenario::check`] and [`NeedTable::new`].
pub fn oracle(scenario: &Scenario, late_fraction: f64) -> Result<Run, Error> {
    scenario.check()?;
    let mut table = NeedTable::new(scenario.service, late_fraction)?;
    let seconds = scenario.tick.as_secs_f64();
    let mut run = Run::empty("oracle", scenario);
    for (index, load) in scenario.load.iter().enumerate() {
        let need = scenario.limits.clamp(table.need(*load, scenario.limits.max));
        let mut plant = FluidPlant::new(scenario.service, need);
        let outcome = plant.tick(scenario.time(index), seconds, *load);
        run.requests.push(outcome.requests);
        run.late.push(outcome.late);
        run.desired.push(need.0);
        run.ready.push(need.0);
        run.paid.push(need.0);
    }
    Ok(run)
}

impl Run {
    fn empty(policy: &str, scenario: &Scenario) -> Self {
        let ticks = scenario.load.len();
        Self {
            policy: policy.to_owned(),
            evaluate_from: scenario.evaluate_from,
            tick_s: scenario.tick.as_secs_f64(),
            requests: Vec::with_capacity(ticks),
            late: Vec::with_capacity(ticks),
            desired: Vec::with_capacity(ticks),
            ready: Vec::with_capacity(ticks),
            paid: Vec::with_capacity(ticks),
        }
    }
}

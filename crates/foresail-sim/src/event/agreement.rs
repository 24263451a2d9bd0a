//! How far the fluid plant agrees with the event-driven one.

use foresail_core::{Decision, Driver, Observation, Policy, Reason, Replicas};
use foresail_scale::{Error, Scenario, replay};

use super::{EventOptions, run};

/// Late share of the scored requests on both plants, under one scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// On the fluid plant, 0 to 1.
    pub fluid: f64,
    /// On the event-driven plant, 0 to 1: over all requests of all seeds.
    pub event: f64,
    /// Standard error of `event`, from the spread between seeds; 0 with one seed.
    pub event_error: f64,
    /// Events it took.
    pub events: u64,
}

impl Agreement {
    /// Whether the plants agree within a share of the event plant's figure or an absolute difference, whichever is wider,
    /// beside so many standard errors of that figure.
    pub fn holds(&self, relative: f64, absolute: f64, errors: f64) -> bool {
        (self.fluid - self.event).abs() <= (relative * self.event).max(absolute) + errors * self.event_error
    }
}

/// Runs a fresh policy on each plant: once on the fluid one, and once a seed on the event-driven one with default
/// options, where it sees the counts that came of chance and decides accordingly.
///
/// # Errors
/// As [`run`].
pub fn compare<P: Policy>(scenario: &Scenario, policy: impl Fn() -> P, seeds: &[u64]) -> Result<Agreement, Error> {
    let fluid = replay(scenario, &mut policy(), |_, _| {})?.late_share();
    against(scenario, fluid, policy, seeds)
}

/// Like [`compare`], with the decisions that the policy took on the fluid plant carried out on both, so that what differs
/// is the plants alone.
///
/// # Errors
/// As [`run`].
pub fn compare_plants(scenario: &Scenario, policy: &mut dyn Policy, seeds: &[u64]) -> Result<Agreement, Error> {
    let fluid = replay(scenario, policy, |_, _| {})?;
    against(scenario, fluid.late_share(), || Script { desired: fluid.desired.iter() }, seeds)
}

fn against<P: Policy>(
    scenario: &Scenario,
    fluid: f64,
    policy: impl Fn() -> P,
    seeds: &[u64],
) -> Result<Agreement, Error> {
    let mut shares = Vec::with_capacity(seeds.len());
    let (mut late, mut requests, mut events) = (0.0, 0.0, 0);
    for seed in seeds {
        let outcome = run(scenario, &EventOptions::default(), &mut policy(), *seed)?;
        late += outcome.run.late[scenario.evaluate_from..].iter().sum::<f64>();
        requests += outcome.run.requests[scenario.evaluate_from..].iter().sum::<f64>();
        events += outcome.totals.events;
        shares.push(outcome.run.late_share());
    }
    let event = if requests > 0.0 { late / requests } else { 0.0 };
    let count = shares.len() as f64;
    let spread = shares.iter().map(|share| (share - event).powi(2)).sum::<f64>();
    let event_error = if count > 1.0 { (spread / (count - 1.0) / count).sqrt() } else { 0.0 };
    Ok(Agreement { fluid, event, event_error, events })
}

/// Decisions taken elsewhere, one a tick.
struct Script<'a> {
    desired: std::slice::Iter<'a, u32>,
}

impl Policy for Script<'_> {
    fn name(&self) -> &str {
        "script"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let desired = self.desired.next().map_or(observation.replicas.desired, |desired| Replicas(*desired));
        Decision { desired, reason: Reason::new(Driver::Foresight) }
    }
}

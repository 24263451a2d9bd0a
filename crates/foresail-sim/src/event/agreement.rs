//! How far the fluid plant agrees with the event-driven one.

use foresail_core::Policy;
use foresail_scale::{Error, Scenario, replay};

use super::{EventOptions, run};

/// Late share of the scored requests on both plants, under one scenario and one policy.
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
    /// beside three standard errors of that figure.
    pub fn holds(&self, relative: f64, absolute: f64) -> bool {
        (self.fluid - self.event).abs() <= (relative * self.event).max(absolute) + 3.0 * self.event_error
    }
}

/// Runs a fresh policy on the fluid plant, and on the event-driven one with default options once a seed.
///
/// # Errors
/// As [`run`].
pub fn compare<P: Policy>(scenario: &Scenario, policy: impl Fn() -> P, seeds: &[u64]) -> Result<Agreement, Error> {
    let fluid = replay(scenario, &mut policy(), |_, _| {})?.late_share();
    let mut shares = Vec::with_capacity(seeds.len());
    let (mut late, mut requests, mut events) = (0.0, 0.0, 0);
    for seed in seeds {
        let outcome = run(scenario, &EventOptions::default(), &mut policy(), *seed)?;
        let scored = scenario.evaluate_from..;
        late += outcome.run.late[scored.clone()].iter().sum::<f64>();
        requests += outcome.run.requests[scored].iter().sum::<f64>();
        events += outcome.totals.events;
        shares.push(outcome.run.late_share());
    }
    let event = if requests > 0.0 { late / requests } else { 0.0 };
    let count = shares.len() as f64;
    let spread = shares.iter().map(|share| (share - event).powi(2)).sum::<f64>();
    let event_error = if count > 1.0 { (spread / (count - 1.0) / count).sqrt() } else { 0.0 };
    Ok(Agreement { fluid, event, event_error, events })
}

//! The planner: `target = clamp(max(reactive, predicted, event floor, minimum), maximum)`, with guardrails. Pure.
//!
//! Whatever a policy or a model says, the result is within the limits and no less than the reactive need (as far as the
//! maximum allows): surge limit, cooldowns, hysteresis and budget cut only what goes beyond it. Down needs more: the need
//! must have stayed lower for the hold, the data must be whole and the replicas ready, and it goes in steps.

mod history;
mod rails;
#[cfg(test)]
mod tests;

use foresail_core::{Decision, Driver, Limit, Reason, ReplicaCounts, Replicas, Timestamp};

pub use history::PlanHistory;
pub use rails::{Budget, DownRules, Guardrails, Surge};

/// What a policy or a model proposes. Not trusted.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// Replicas it wants; anything that is no finite number is no proposal.
    pub replicas: f64,
    /// Why, if it says so.
    pub reason: Option<&'a Reason>,
}

/// All that a decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct PlanInputs<'a> {
    /// The instant of the decision.
    pub now: Timestamp,
    /// The limits and brakes.
    pub rails: &'a Guardrails,
    /// The target as it stands.
    pub replicas: ReplicaCounts,
    /// Replicas needed for the load measured now.
    pub reactive: Replicas,
    /// That load.
    pub reactive_load: Option<f64>,
    /// Attack traffic was left out of it.
    pub attack_capped: bool,
    /// What is proposed for the load to come.
    pub proposal: Option<Proposal<'a>>,
    /// Replicas that announced events (or yesterday, without data) ask for.
    pub floor: Replicas,
    /// Every metric is fresh; without that, only up.
    pub complete: bool,
    /// What was needed and decided before.
    pub history: &'a PlanHistory,
}

impl PlanInputs<'_> {
    fn proposed(&self) -> Option<Replicas> {
        let replicas = self.proposal?.replicas;
        replicas.is_finite().then(|| Replicas::holding(replicas))
    }

    /// The most replicas that the budget and the maximum leave; never less than the reactive need and the minimum within
    /// the maximum. Spending is free until less than the next hour's share of the last 24 hours' budget is left.
    fn affordable(&self) -> Replicas {
        let limits = self.rails.limits;
        let unbroken = limits.clamp(self.reactive);
        let Some(budget) = self.rails.budget.hours_per_day() else { return limits.clamp(limits.max) };
        let left = (budget - self.history.replica_hours(self.now)).max(0.0);
        limits.clamp(Replicas((left + 1e-6) as u32)).max(unbroken)
    }

    /// The replicas that are needed before any brake, within limits and budget: what [`PlanHistory::record`] is told.
    pub fn need(&self) -> Replicas {
        let wanted = self.reactive.max(self.proposed().unwrap_or_default()).max(self.floor);
        self.rails.limits.clamp(wanted).min(self.affordable())
    }
}

/// Decides. Called twice at the same instant, the first decision having been carried out and recorded, it decides the
/// same.
pub fn plan(inputs: &PlanInputs<'_>) -> Decision {
    let limits = inputs.rails.limits;
    let current = inputs.replicas.desired;
    let wanted = inputs.need();
    let mut reason = driving(inputs);
    let asked = inputs.reactive.max(inputs.proposed().unwrap_or_default()).max(inputs.floor);
    if asked > limits.max {
        reason.limits.push(Limit::Maximum);
    }
    if wanted < limits.clamp(asked) {
        reason.limits.push(Limit::Budget);
    }
    if inputs.attack_capped {
        reason.limits.push(Limit::AttackCap);
    }
    let desired = if wanted > current {
        up(inputs, wanted, &mut reason)
    } else if wanted < current {
        down(inputs, wanted, &mut reason)
    } else {
        current
    };
    let within = limits.clamp(desired);
    if within < desired && !reason.limits.contains(&Limit::Maximum) {
        reason.limits.push(Limit::Maximum);
    }
    Decision { desired: within, reason }
}

/// Who asks for most; the earlier in the list where several do.
fn driving(inputs: &PlanInputs<'_>) -> Reason {
    let proposed = inputs.proposed();
    let said = inputs.proposal.and_then(|p| p.reason);
    let asks = [
        (Driver::Reactive, inputs.reactive),
        (Driver::Predicted, proposed.unwrap_or_default()),
        (Driver::Event, inputs.floor),
        (Driver::Minimum, inputs.rails.limits.min),
    ];
    let most = asks.iter().map(|(_, n)| *n).max().unwrap_or_default();
    let driver = asks.iter().find(|(_, n)| *n == most).map_or(Driver::Minimum, |(driver, _)| *driver);
    let mut reason = Reason::new(driver);
    reason.reactive = inputs.reactive;
    reason.predicted = said.and_then(|r| r.predicted).or(proposed);
    match driver {
        Driver::Reactive => reason.load = inputs.reactive_load,
        Driver::Predicted => {
            // The policy knows better what drove it: its own measurement, a hold, an event.
            reason.driver = said.map_or(Driver::Predicted, |r| r.driver);
            reason.load = said.and_then(|r| r.load);
        }
        _ => {}
    }
    if let Some(said) = said {
        reason.limits.clone_from(&said.limits);
        reason.note.clone_from(&said.note);
    }
    if inputs.proposal.is_some() && proposed.is_none() {
        note(&mut reason, "the proposal was no number and is left out");
    }
    reason
}

/// More than there is: what the reactive need asks for at once, the rest within surge limit, cooldown and hysteresis.
fn up(inputs: &PlanInputs<'_>, wanted: Replicas, reason: &mut Reason) -> Replicas {
    let (rails, now, current) = (inputs.rails, inputs.now, inputs.replicas.desired);
    let sure = inputs.reactive.min(wanted).max(rails.limits.min);
    let (brake, held) = if inputs.history.rose_within(now, rails.up_cooldown) {
        (Limit::Cooldown, true)
    } else {
        (Limit::Hysteresis, f64::from(wanted.0 - current.0) <= rails.hysteresis * current.as_f64())
    };
    if held {
        if sure <= current {
            return hold(current, brake, Driver::Held, reason);
        }
        push(reason, brake);
        return sure;
    }
    let before = inputs.history.before(now, rails.surge.period, current);
    let room = (before.as_f64() * rails.surge.share).min(f64::from(u32::MAX)).ceil() as u32;
    let most = Replicas(before.0.saturating_add(room.max(rails.surge.least))).max(sure).max(current);
    if wanted > most {
        push(reason, Limit::Surge);
    }
    wanted.min(most)
}

/// Fewer than there are: only on whole data, with the replicas ready, after the hold, and in steps.
fn down(inputs: &PlanInputs<'_>, wanted: Replicas, reason: &mut Reason) -> Replicas {
    let (rails, now, current) = (inputs.rails, inputs.now, inputs.replicas.desired);
    if !inputs.complete {
        note(reason, "data is missing: nothing is removed");
        reason.driver = Driver::Stale;
        return current;
    }
    let unready = current.0.saturating_sub(inputs.replicas.ready.0);
    if f64::from(unready) > rails.down.unready * current.as_f64() {
        note(reason, "nothing is removed while replicas are not ready");
        return hold(current, Limit::DownHold, Driver::Held, reason);
    }
    if inputs.history.changed_within(now, rails.down_cooldown) {
        return hold(current, Limit::Cooldown, Driver::Held, reason);
    }
    // The hold gives way to the budget.
    let Some(held) = inputs.history.most_needed(now, rails.down.hold) else {
        return hold(current, Limit::DownHold, Driver::Held, reason);
    };
    let mut lowest = wanted;
    if held > wanted {
        lowest = held.min(inputs.affordable()).max(wanted);
        if lowest > wanted {
            push(reason, Limit::DownHold);
            reason.driver = Driver::Held;
        }
    }
    if lowest >= current {
        return current;
    }
    if f64::from(current.0 - lowest.0) <= rails.hysteresis * current.as_f64() {
        return hold(current, Limit::Hysteresis, Driver::Held, reason);
    }
    let before = inputs.history.before(now, rails.down.period, current);
    let step = ((before.as_f64() * rails.down.share) as u32).max(rails.down.least);
    let fewest = Replicas(before.0.saturating_sub(step)).min(current);
    if fewest > lowest {
        note(reason, "removed in steps");
        push(reason, Limit::DownHold);
        reason.driver = Driver::Held;
    }
    lowest.max(fewest)
}

fn hold(current: Replicas, limit: Limit, driver: Driver, reason: &mut Reason) -> Replicas {
    push(reason, limit);
    reason.driver = driver;
    current
}

fn push(reason: &mut Reason, limit: Limit) {
    if !reason.limits.contains(&limit) {
        reason.limits.push(limit);
    }
}

/// Adds a clause to the note.
pub(crate) fn note(reason: &mut Reason, clause: &str) {
    if !reason.note.is_empty() {
        reason.note.push_str("; ");
    }
    reason.note.push_str(clause);
}

//! The decision of a tick: both policies asked, the guardrails around the one in charge, and what stands above them.

use foresail_core::{Decision, Direction, Driver, Observation, Reason, ReplicaCounts, Replicas, Timestamp};

use super::Controller;
use super::shadow::{Shadow, with_utilisation};
use super::verdict::Seat;
use crate::planner::{PlanHistory, PlanInputs, Proposal, note, plan};
use crate::reactive::{ReactiveNeed, Situation};
use crate::staleness::{Look, Rung};

impl Controller {
    /// Replicas that announced events ask for within the start-up delay and a tick; for one that brings a multiple of the
    /// load, that multiple of what is measured now, until it has begun.
    pub(super) fn event_floor(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        situation: &Situation<'_>,
        reactive: Replicas,
    ) -> Replicas {
        let until = now + self.state.startup.quantile(0.9) + observation.tick;
        let known = &self.state.known;
        let mut floor = Replicas(known.floor_within(now, until));
        let holds = known.factor_at(now);
        let ahead = known.events.iter().filter(|e| now < e.from && e.from < until);
        let factor = ahead.map(|e| known.factor_at(e.from)).fold(0.0, f64::max) / holds;
        if factor.is_finite() && factor > 1.0 {
            let most = Replicas::holding(self.options.rails.limits.max.as_f64() * self.options.size.most);
            let raised = self.reactive.need(&Situation { factor, ..*situation }, most);
            floor = floor.max(raised.replicas).max(reactive);
        }
        floor
    }

    /// Asks both policies, and plans around the one in charge: the decision, what the baseline wants, and the need.
    pub(super) fn decide(
        &mut self,
        now: Timestamp,
        observation: &Observation,
        look: &Look,
        reactive: ReactiveNeed,
        floor: Replicas,
    ) -> (Decision, Replicas, Replicas) {
        let Self { options, state, champion, baseline, shadows, .. } = self;
        let (champion_shadow, baseline_shadow) = shadows.as_mut().expect("made when settling");
        let rails = &options.rails;
        let real = Observation { time: now, samples: look.new.clone(), ..observation.clone() };
        let seen = |seat: Seat, shadow: &Shadow| {
            if state.acting && state.seat == seat {
                with_utilisation(real.clone(), &options.service)
            } else {
                shadow.see(&real)
            }
        };
        let champion_sees = seen(Seat::Champion, champion_shadow);
        let baseline_sees = seen(Seat::Baseline, baseline_shadow);
        let proposed = champion.decide(&champion_sees);
        let countered = baseline.decide(&baseline_sees);
        let yesterday = match look.rung {
            Rung::Yesterday => state.staleness.yesterday(now).unwrap_or_default(),
            _ => Replicas(0),
        };
        let paused = state.pause.filter(|_| state.acting).map(|(_, direction)| direction);
        let inputs = |said: &'_ Decision, sees: &Observation| Ask {
            replicas: sees.replicas,
            desired: said.desired,
            reason: said.reason.clone(),
        };
        let ruled = |ask: Ask, history: &mut PlanHistory, in_charge: bool| {
            let inputs = PlanInputs {
                now,
                rails,
                replicas: ask.replicas,
                reactive: reactive.replicas,
                reactive_load: reactive.load,
                attack_capped: reactive.attack_capped,
                proposal: Some(Proposal { replicas: ask.desired.as_f64(), reason: Some(&ask.reason) }),
                floor: floor.max(yesterday),
                complete: look.rung == Rung::Fresh && reactive.measured,
                history,
            };
            let (mut decision, need) = (plan(&inputs), inputs.need());
            if let Some(direction) = paused.filter(|_| in_charge) {
                pause(&mut decision, ask.replicas.desired, direction);
            }
            history.record(now, need, ask.replicas, decision.desired, rails);
            (decision, need)
        };
        let champion_leads = state.seat == Seat::Champion;
        let guarded = ruled(inputs(&proposed, &champion_sees), &mut state.champion_plan, champion_leads);
        champion_shadow.scale_to(guarded.0.desired, now);
        let wanted = rails.limits.clamp(countered.desired);
        baseline_shadow.scale_to(wanted, now);
        let (decision, need) = match state.seat {
            Seat::Champion => guarded,
            Seat::Baseline => ruled(inputs(&countered, &baseline_sees), &mut state.baseline_plan, true),
        };
        (decision, wanted, need)
    }

    /// What stands above any plan: a target handed back, an operator.
    pub(super) fn overrule(&self, now: Timestamp, rung: Rung, observation: &Observation, decision: &mut Decision) {
        let state = &self.state;
        if let Some((until, replicas)) = state.manual {
            let reason = Reason { driver: Driver::Manual, load: None, limits: Vec::new(), ..decision.reason.clone() };
            let desired = self.options.rails.limits.clamp(replicas);
            *decision = Decision { desired, reason };
            decision.reason.note = format!("overridden until {until}");
        } else if rung == Rung::HandBack {
            let mut reason = Reason::new(Driver::Stale);
            reason.note = "handed back until there is data".to_owned();
            *decision = Decision { desired: observation.replicas.desired, reason };
        }
        if state.killed {
            note(&mut decision.reason, "kill switch: not ordered");
        } else if let Some((until, Direction::Both)) = state.pause.filter(|(until, _)| now < *until) {
            note(&mut decision.reason, &format!("paused until {until}: not ordered"));
        }
    }
}

/// What a policy asks for, and where.
struct Ask {
    replicas: ReplicaCounts,
    desired: Replicas,
    reason: Reason,
}

/// Keeps a decision from going the way that is paused.
fn pause(decision: &mut Decision, current: Replicas, direction: Direction) {
    let kept = match direction {
        Direction::Up => decision.desired.min(current),
        Direction::Down => decision.desired.max(current),
        Direction::Both => decision.desired,
    };
    if kept != decision.desired {
        decision.desired = kept;
        decision.reason.driver = Driver::Manual;
        note(&mut decision.reason, "this direction is paused");
    }
}

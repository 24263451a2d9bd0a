//! The pure loop: observations in, orders out, for one target.
//!
//! [`Controller::tick`] asks the policy in charge, puts the planner's guardrails around what it says, and turns the
//! decision into orders, a recommendation or nothing, as the mode has it; every decision becomes a [`JournalRecord`].
//! Beside it a baseline runs in shadow on the same load; the champion acts only while it beats that baseline.
//!
//! While the controller acts, the policy in charge sees the real target. Everyone else (and everyone, while it does not
//! act) sees the replicas it asked for itself, on a virtual plant: so a counterfactual never leans on the real fleet.

mod alert;
mod command;
mod decide;
mod evidence;
mod goals;
mod journal;
mod operate;
mod options;
mod scorecard;
mod shadow;
mod state;
#[cfg(test)]
mod tests;
mod verdict;

use std::mem::discriminant;

use foresail_core::{
    Decision, Direction, Driver, Goal, JournalRecord, Limit, Mode, Observation, Order, Policy, Reason, ReplicaCounts,
    Replicas, Timestamp,
};

use crate::Error;
use crate::error::check;
use crate::reactive::{Reactive, Situation};
use crate::staleness::Rung;
use crate::startup::StartupDelays;

pub use alert::Alert;
pub use command::{Command, Pending, Refused};
pub use journal::{Divergence, Entry, replay_journal};
pub use options::{ControllerOptions, SizeOptions, TrialOptions, WarmOptions};
pub use scorecard::{Comparison, Score, Scorecard};
pub use shadow::with_utilisation;
pub use state::ControllerState;
pub use verdict::Seat;

use alert::News;
use shadow::Shadow;

/// The need is counted up to this multiple of the maximum, so that people learn how much is missing.
const BEYOND: f64 = 4.0;

/// What a tick gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticked {
    /// To be carried out now; empty unless the mode is [`Mode::Act`] or an operator has overridden.
    pub orders: Vec<Order>,
    /// To be appended to the journal.
    pub record: JournalRecord,
    /// What has begun, to be told.
    pub alerts: Vec<Alert>,
    /// Kinds ([`Alert::kind`]) of what has ended.
    pub ended: Vec<&'static str>,
}

/// The control loop of one target.
pub struct Controller {
    options: ControllerOptions,
    version: String,
    reactive: Reactive,
    champion: Box<dyn Policy>,
    baseline: Box<dyn Policy>,
    shadows: Option<(Shadow, Shadow)>,
    state: ControllerState,
}

impl Controller {
    /// A loop of `champion` against `baseline` (`hpa@0.7` by custom).
    ///
    /// # Errors
    /// [`Error::BadParameter`] for options out of range.
    pub fn new(
        options: ControllerOptions,
        champion: Box<dyn Policy>,
        baseline: Box<dyn Policy>,
    ) -> Result<Self, Error> {
        let state = ControllerState::new(&options);
        Self::restore(options, champion, baseline, state)
    }

    /// Goes on from a saved state. Policies come with what they have learned; virtual plants start from the target as it
    /// stands.
    ///
    /// # Errors
    /// [`Error::BadParameter`] for options out of range or a state of another version.
    pub fn restore(
        options: ControllerOptions,
        champion: Box<dyn Policy>,
        baseline: Box<dyn Policy>,
        state: ControllerState,
    ) -> Result<Self, Error> {
        options.check()?;
        check(state.is_readable(), "state", state.version, "a state of this version")?;
        let (metrics, cap) = (options.metrics.clone(), options.attack_cap);
        let mut reactive = Reactive::new(options.service, options.late_fraction, metrics, options.drain, cap)?;
        reactive.restore_usual(&state.usual);
        let version = options.version();
        let capacity = state.capacity_rps;
        let mut controller = Self { options, version, reactive, champion, baseline, shadows: None, state };
        if let Some(rps) = capacity {
            let unreadable =
                |_| check(false, "state.capacity_rps", rps, "a number above 0").expect_err("it is refused");
            controller.set_capacity(rps).map_err(unreadable)?;
        }
        Ok(controller)
    }

    /// What it remembers, to be saved.
    pub fn state(&self) -> &ControllerState {
        &self.state
    }

    /// The champion and the baseline compared.
    pub fn scorecard(&self) -> &Scorecard {
        &self.state.card
    }

    /// Who decides.
    pub fn seat(&self) -> Seat {
        self.state.seat
    }

    /// The mode in force.
    pub fn mode(&self) -> Mode {
        self.state.mode
    }

    /// The recommendation that waits for an answer.
    pub fn pending(&self) -> Option<&Pending> {
        self.state.pending.as_ref()
    }

    /// Start-up delays measured.
    pub fn startup(&self) -> &StartupDelays {
        &self.state.startup
    }

    /// One turn of the loop. A `now` before the last one counts as the last one.
    pub fn tick(&mut self, now: Timestamp, observation: &Observation) -> Ticked {
        let now = self.state.last_tick.map_or(now, |last| now.max(last));
        let mut news = News::default();
        self.state.expire(now);
        let look = self.look(now, observation, &mut news);
        self.settle(now, &look, observation);
        self.judge(now, &mut news);
        let found = observation.replicas.desired;
        let is_foreign = self.state.acting && self.state.second_writer(now, found);
        if is_foreign {
            self.state.mode = Mode::Recommend;
        }
        // It lasts until an operator has the loop act again.
        let lasts = is_foreign || (self.state.told.other_writer && self.state.mode != Mode::Act);
        news.follow(&mut self.state.told.other_writer, lasts, Alert::OtherWriter { found });
        let acting = self.is_acting(look.rung);
        if acting != self.state.acting {
            self.state.champion_plan.forget_changes();
            self.state.baseline_plan.forget_changes();
            self.state.expected = None;
            self.state.acting = acting;
        }
        let situation =
            Situation { samples: &look.held, replicas: observation.replicas, size: self.state.size, factor: 1.0 };
        let most = self.options.rails.limits.max.as_f64() * self.options.size.most.max(BEYOND);
        let reactive = self.reactive.need(&situation, Replicas::holding(most));
        let floor = self.event_floor(now, observation, &situation, reactive.replicas);
        let (mut decision, baseline, need) = self.decide(now, observation, &look, reactive, floor);
        if reactive.measured {
            self.state.staleness.record_need(now, reactive.replicas);
        }
        self.overrule(now, look.rung, observation, &mut decision);

        let complete = look.rung == Rung::Fresh && reactive.measured;
        let short = reactive.replicas.max(floor);
        let mut goals = Vec::new();
        if decision.desired != observation.replicas.desired {
            goals.push(Goal::Replicas { replicas: decision.desired });
        }
        goals.extend(goals::size(&mut self.state, &self.options, now, short, complete));
        goals.extend(goals::warm(&mut self.state, self.options.warm.surge, need, observation.replicas.ready));
        let told = &mut self.state.told;
        let is_short = short > self.options.rails.limits.max;
        news.follow(&mut told.at_maximum, is_short, Alert::AtMaximum { needed: short });
        news.follow(&mut told.over_budget, decision.reason.limits.contains(&Limit::Budget), Alert::OverBudget);
        let share = self.state.startup.failed_share();
        news.follow(&mut told.starts_fail, share > 0.2, Alert::StartsFail { share });

        let id = self.state.next_id;
        self.state.next_id += 1;
        self.state.last_tick = Some(now);
        let orders = self.dispatch(now, id, look.rung, observation, &decision, goals);
        let record = self.record(now, id, observation, decision, baseline);
        Ticked { orders, record, alerts: news.began, ended: news.ended }
    }

    /// Between two ticks: what the load measured at this moment needs beyond what the target was asked for, ordered at
    /// once, within limits. Nothing else is decided, no policy is asked, nothing is removed; `None` where nothing is
    /// missing or the controller does not act.
    pub fn urge(&mut self, now: Timestamp, observation: &Observation) -> Option<Ticked> {
        let now = self.state.last_tick.map_or(now, |last| now.max(last));
        if !self.state.acting || !self.is_acting(Rung::Fresh) {
            return None;
        }
        let rails = &self.options.rails;
        let samples = &observation.samples;
        let situation = Situation { samples, replicas: observation.replicas, size: self.state.size, factor: 1.0 };
        let need = self.reactive.need(&situation, rails.limits.max);
        let desired = rails.limits.clamp(need.replicas);
        if !need.measured || desired <= observation.replicas.desired {
            return None;
        }
        let mut reason = Reason::new(Driver::Reactive);
        reason.load = need.load;
        reason.reactive = need.replicas;
        reason.note = "between two ticks: the load rose beyond what was asked for".to_owned();
        let history = match self.state.seat {
            Seat::Champion => &mut self.state.champion_plan,
            Seat::Baseline => &mut self.state.baseline_plan,
        };
        history.record(now, desired, observation.replicas, desired, rails);
        if let (Seat::Champion, Some((champion, _))) = (self.state.seat, &mut self.shadows) {
            champion.scale_to(desired.max(champion.replicas().desired), now);
        }
        let id = self.state.next_id;
        self.state.next_id += 1;
        let decision = Decision { desired, reason };
        let goals = vec![Goal::Replicas { replicas: desired }];
        let orders = self.dispatch(now, id, Rung::Fresh, observation, &decision, goals);
        let baseline = self.shadows.as_ref().map_or(desired, |(_, baseline)| baseline.replicas().desired);
        let record = self.record(now, id, observation, decision, baseline);
        Some(Ticked { orders, record, alerts: Vec::new(), ended: Vec::new() })
    }

    /// Numbers decisions from `id` on: where the journal stands, whatever the saved state remembers of it.
    pub fn number_from(&mut self, id: u64) {
        self.state.next_id = id.max(1);
    }

    /// Whether the last tick left the target in the hands of the policy in charge.
    pub fn acts(&self) -> bool {
        self.state.acting
    }

    /// Bytes of what the champion has learned and remembers.
    pub fn memory_bytes(&self) -> usize {
        self.champion.memory_bytes()
    }

    /// Name of the policy that decides, and of the baseline.
    pub fn policies(&self) -> (&str, &str) {
        (self.champion.name(), self.baseline.name())
    }

    /// Capacity of a replica by which replicas are counted, requests a second.
    pub fn capacity_rps(&self) -> f64 {
        self.options.service.capacity_rps()
    }

    /// Replicas the baseline has ready on the same load, and those the champion would have: on their virtual plants.
    pub fn virtual_replicas(&self) -> Option<(ReplicaCounts, ReplicaCounts)> {
        self.shadows.as_ref().map(|(champion, baseline)| (champion.replicas(), baseline.replicas()))
    }

    /// Until when and which way orders are paused.
    pub fn paused(&self) -> Option<(Timestamp, Direction)> {
        self.state.pause
    }

    /// Whether the kill switch is on.
    pub fn is_killed(&self) -> bool {
        self.state.killed
    }

    /// Replicas set by hand, until when.
    pub fn overridden(&self) -> Option<(Timestamp, Replicas)> {
        self.state.manual
    }

    /// Whether the policy in charge has the target in its hands.
    fn is_acting(&self, rung: Rung) -> bool {
        let state = &self.state;
        let paused = matches!(state.pause, Some((_, Direction::Both)));
        state.mode == Mode::Act && !state.killed && !paused && state.manual.is_none() && rung != Rung::HandBack
    }

    /// Whether orders may go out: while acting, or by an operator's override outside observe mode.
    fn may_order(&self, rung: Rung) -> bool {
        let state = &self.state;
        self.is_acting(rung) || (state.manual.is_some() && state.mode != Mode::Observe && !state.killed)
    }

    /// Turns a decision into orders or a recommendation, as the mode has it.
    fn dispatch(
        &mut self,
        now: Timestamp,
        id: u64,
        rung: Rung,
        observation: &Observation,
        decision: &Decision,
        goals: Vec<Goal>,
    ) -> Vec<Order> {
        let found = observation.replicas.desired;
        let (mode, may_order) = (self.state.mode, self.may_order(rung));
        let state = &mut self.state;
        if may_order {
            state.pending = None;
            state.expected = state.acting.then_some((decision.desired, found));
            goals.iter().for_each(|goal| goals::ordered(state, goal));
            return goals.into_iter().map(|goal| Order { decision: id, time: now, goal }).collect();
        }
        let paused = matches!(state.pause, Some((_, Direction::Both)));
        let answered = state.answered.is_some_and(|a| a.desired == decision.desired);
        let offers = mode == Mode::Recommend && !state.killed && !paused && !answered && rung != Rung::HandBack;
        if !offers || goals.is_empty() {
            state.pending = None;
            return Vec::new();
        }
        // The same recommendation keeps its id and its time to answer.
        let same = |p: &Pending| {
            let offered = |g: &Goal| p.goals.iter().any(|o| discriminant(o) == discriminant(g));
            p.desired == decision.desired && goals.iter().all(offered)
        };
        if !state.pending.as_ref().is_some_and(same) {
            state.pending = Some(Pending {
                id,
                time: now,
                expires: now + self.options.answer_within,
                desired: decision.desired,
                goals,
                reason: decision.reason.to_string(),
            });
        }
        Vec::new()
    }

    /// The record of a decision. Samples that are no numbers are left out: they played no part, and JSON has no word for
    /// them.
    fn record(
        &self,
        time: Timestamp,
        id: u64,
        observation: &Observation,
        decision: Decision,
        baseline: Replicas,
    ) -> JournalRecord {
        let mut observation = observation.clone();
        observation.samples.retain(|s| s.value.is_finite());
        let policy = match self.state.seat {
            Seat::Champion => self.champion.name(),
            Seat::Baseline => self.baseline.name(),
        };
        JournalRecord {
            id,
            time,
            policy: policy.to_owned(),
            mode: self.state.mode,
            observation,
            decision,
            baseline,
            version: self.version.clone(),
        }
    }
}

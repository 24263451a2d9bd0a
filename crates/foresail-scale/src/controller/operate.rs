//! Operators' commands carried out.

use foresail_core::{Event, Order, Timestamp};

use super::command::{Answered, Command, Refused};
use super::state::ControllerState;
use super::{Controller, goals};

/// Announced events taken at most.
const EVENTS: usize = 1_024;

impl ControllerState {
    /// Of the events of a calendar those that are ahead, the nearest first, as many as there is room for.
    fn of_calendar(&self, now: Timestamp, events: &[Event]) -> Vec<Event> {
        let mut ahead: Vec<Event> = events.iter().filter(|event| event.to > now).cloned().collect();
        ahead.sort_by_key(|event| event.from);
        ahead.truncate((EVENTS + self.calendar.len()).saturating_sub(self.known.events.len()));
        ahead
    }
}

impl Controller {
    /// Carries the pending recommendation `id` out: the orders to give.
    ///
    /// # Errors
    /// [`Refused`] if it is not pending, or the kill switch is on.
    pub fn approve(&mut self, now: Timestamp, id: u64) -> Result<Vec<Order>, Refused> {
        self.command(now, &Command::Approve { id })
    }

    /// Drops the pending recommendation `id`.
    ///
    /// # Errors
    /// [`Refused`] if it is not pending.
    pub fn reject(&mut self, now: Timestamp, id: u64) -> Result<(), Refused> {
        self.command(now, &Command::Reject { id }).map(|_| ())
    }

    /// Takes an operator's word; the orders that follow from it at once. To be journalled as [`Entry::Commanded`](super::Entry::Commanded).
    ///
    /// # Errors
    /// [`Refused`], nothing having changed.
    pub fn command(&mut self, now: Timestamp, command: &Command) -> Result<Vec<Order>, Refused> {
        let state = &mut self.state;
        state.expire(now);
        let ahead = |what, until: Timestamp| if until > now { Ok(()) } else { Err(Refused::Over { what, until }) };
        match command {
            Command::SetMode { mode } => {
                state.mode = *mode;
                state.pending = None;
            }
            Command::Pause { until, direction } => {
                ahead("the pause", *until)?;
                state.pause = Some((*until, *direction));
            }
            Command::Resume => state.pause = None,
            Command::Kill => {
                state.killed = true;
                state.pending = None;
            }
            Command::Revive => state.killed = false,
            Command::Override { replicas, until } => {
                ahead("the override", *until)?;
                state.manual = Some((*until, *replicas));
            }
            Command::ClearOverride => state.manual = None,
            Command::Approve { id } | Command::Reject { id } => {
                if state.killed {
                    return Err(Refused::Killed);
                }
                let pending = state.pending.take_if(|p| p.id == *id).ok_or(Refused::NotPending(*id))?;
                let until = now + self.options.answer_within;
                state.answered = Some(Answered { desired: pending.desired, until });
                if matches!(command, Command::Approve { .. }) {
                    pending.goals.iter().for_each(|goal| goals::ordered(state, goal));
                    let order = |goal| Order { decision: pending.id, time: now, goal };
                    return Ok(pending.goals.into_iter().map(order).collect());
                }
            }
            Command::Announce { event } => {
                ahead("the event", event.to)?;
                if !event.factor.is_finite() || event.factor < 0.0 {
                    return Err(Refused::BadFactor(event.factor));
                }
                if state.known.events.len() >= EVENTS {
                    return Err(Refused::TooManyEvents(EVENTS));
                }
                state.known.events.push(event.clone());
            }
            Command::Calendar { events } => {
                if let Some(wrong) = events.iter().find(|e| !e.factor.is_finite() || e.factor < 0.0) {
                    return Err(Refused::BadFactor(wrong.factor));
                }
                let told = state.of_calendar(now, events);
                let before = std::mem::replace(&mut state.calendar, told);
                state.known.events.retain(|event| !before.contains(event));
                state.known.events.extend(state.calendar.iter().cloned());
            }
            Command::SetCapacity { rps } => self.set_capacity(*rps)?,
            Command::Withdraw { label } => state.known.events.retain(|e| e.label != *label),
        }
        Ok(Vec::new())
    }

    /// Whether the calendars have announced just these events, as far as they are ahead of `now`.
    pub fn knows_calendar(&self, now: Timestamp, events: &[Event]) -> bool {
        self.state.calendar == self.state.of_calendar(now, events)
    }

    pub(super) fn set_capacity(&mut self, rps: f64) -> Result<(), Refused> {
        let service = self.options.service.with_capacity_rps(rps).map_err(|_| Refused::BadCapacity(rps))?;
        self.reactive.set_service(service).map_err(|_| Refused::BadCapacity(rps))?;
        self.options.service = service;
        self.state.capacity_rps = Some(rps);
        self.champion.set_capacity(rps);
        self.baseline.set_capacity(rps);
        if let Some((champion, baseline)) = &mut self.shadows {
            champion.set_service(service);
            baseline.set_service(service);
        }
        Ok(())
    }
}

//! Ways to follow a need, and what each would have done.
//!
//! A [`Plan`] is a margin, an envelope, a hold and a rule for moving. Load does not depend on what we do, so every plan can
//! be followed on paper through all that was observed: its late requests, replica-hours and actions are known without ever
//! letting it act.

use std::collections::VecDeque;

use foresail_core::Replicas;
use foresail_learn::trial::{Entry, Ledger};

use crate::service::{Service, ServiceKind};

/// Minutes for which a load that was not covered stays the least to be ready for: surprises come in clusters.
pub(super) const SURPRISE_HOLD_MIN: f64 = 120.0;

/// When to move, once a need is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rule {
    /// On a move, go this much above the need, as a share of it.
    pub(super) spare: f64,
    /// Move down only by at least this share.
    pub(super) dead_band: f64,
    /// Move down only when this much has been wasted since the need fell, in fleet-minutes (ski rental; with what is wasted
    /// equal to the price of moving, it never costs more than twice the best in hindsight).
    pub(super) patience_min: f64,
}

/// A plan followed on paper.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) rule: Rule,
    wanted: u32,
    wasted: f64,
    backlog: f64,
    /// Smallest number wanted within the start-up delay: what serves now.
    serving: Lowest,
    /// Replicas that a surprise asked for, and ticks for which they are kept.
    bitten: (u32, usize),
    moved: bool,
    pub(super) ledger: Ledger,
}

impl Plan {
    pub(super) fn new(rule: Rule, replicas: Replicas, tick_s: f64) -> Self {
        Self {
            rule,
            wanted: replicas.0,
            wasted: 0.0,
            backlog: 0.0,
            serving: Lowest::default(),
            bitten: (0, 0),
            moved: false,
            ledger: Ledger::new(tick_s),
        }
    }

    /// Replicas it wants.
    pub(super) fn wanted(&self) -> u32 {
        self.wanted
    }

    /// Requests (events) that would be waiting.
    pub(super) fn backlog(&self) -> f64 {
        self.backlog
    }

    /// Books the tick that ended with `load` requests a second.
    pub(super) fn score(
        &mut self,
        service: &Service,
        load: f64,
        tick_s: f64,
        tick: usize,
        startup_ticks: usize,
        surprise_ticks: usize,
    ) -> Entry {
        let ready = self.serving.push(tick, self.wanted, startup_ticks);
        let entry = self.serve(service, load, tick_s, ready);
        self.moved = false;
        if load > f64::from(ready) * service.capacity_rps() {
            let needed = (load / service.capacity_rps()).ceil() as u32;
            let kept = if self.bitten.1 > 0 { self.bitten.0 } else { 0 };
            self.bitten = (needed.max(kept), surprise_ticks);
        } else {
            self.bitten.1 = self.bitten.1.saturating_sub(1);
        }
        self.ledger.book(entry);
        entry
    }

    fn serve(&mut self, service: &Service, load: f64, tick_s: f64, ready: u32) -> Entry {
        let capacity = f64::from(ready) * service.capacity_rps();
        let wait = service.wait_slo().as_secs_f64();
        let (requests, limit, slope) = (load * tick_s, capacity * wait, load - capacity);
        let late = if slope > 0.0 {
            1.0 - ((limit - self.backlog) / slope / tick_s).clamp(0.0, 1.0)
        } else if self.backlog > limit {
            ((self.backlog - limit) / (-slope).max(1e-9) / tick_s).clamp(0.0, 1.0)
        } else if service.kind() == ServiceKind::Request && -slope * wait < 8.0 {
            service.late_share(load, Replicas(ready), wait)
        } else {
            0.0
        };
        let patience = service.client_timeout().as_secs_f64().min(1e9);
        self.backlog = (self.backlog + slope * tick_s).clamp(0.0, capacity * patience);
        Entry {
            requests,
            late: late * requests,
            cost: f64::from(self.wanted),
            actions: f64::from(u8::from(self.moved)),
        }
    }

    /// Takes an order as it is.
    pub(super) fn order(&mut self, wanted: u32) {
        self.moved = wanted != self.wanted;
        self.wanted = wanted;
    }

    /// Follows the need: `now` replicas from here on, `held` being the highest need within the hold.
    pub(super) fn follow(&mut self, now: u32, held: u32, tick_s: f64) {
        let with_spare = |need: u32| ((f64::from(need) * (1.0 + self.rule.spare)).floor() as u32).max(need);
        let floor = if self.bitten.1 > 0 { self.bitten.0 } else { 0 };
        let (now, held) = (now.max(floor), held.max(floor));
        let before = self.wanted;
        if now > before {
            self.wanted = with_spare(now);
        } else {
            let lower = with_spare(held);
            if lower >= before {
                self.wasted = 0.0;
                return;
            }
            let share = f64::from(before - held) / f64::from(before);
            self.wasted += share * tick_s / 60.0;
            let enough = f64::from(lower) <= f64::from(before) * (1.0 - self.rule.dead_band);
            if !enough || self.wasted < self.rule.patience_min {
                return;
            }
            self.wanted = lower;
        }
        self.wasted = 0.0;
        self.moved = self.wanted != before;
    }
}

/// Smallest of the last values (a monotonic queue; Lemire 2006).
#[derive(Clone, Debug, Default)]
struct Lowest(VecDeque<(usize, u32)>);

impl Lowest {
    fn push(&mut self, tick: usize, value: u32, reach: usize) -> u32 {
        while self.0.back().is_some_and(|last| last.1 >= value) {
            self.0.pop_back();
        }
        self.0.push_back((tick, value));
        while self.0.front().is_some_and(|first| first.0 + reach < tick) {
            self.0.pop_front();
        }
        self.0.front().map_or(value, |first| first.1)
    }
}

/// Largest of the last values: a need that is held.
#[derive(Clone, Debug, Default)]
pub(super) struct Highest(VecDeque<(usize, u32)>);

impl Highest {
    pub(super) fn push(&mut self, tick: usize, value: u32, reach: usize) -> u32 {
        while self.0.back().is_some_and(|last| last.1 <= value) {
            self.0.pop_back();
        }
        self.0.push_back((tick, value));
        while self.0.front().is_some_and(|first| first.0 + reach < tick) {
            self.0.pop_front();
        }
        self.0.front().map_or(value, |first| first.1)
    }
}

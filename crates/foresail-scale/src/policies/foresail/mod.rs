//! Foresail's own policy: forecast the peak until an order takes effect, and let the plan act that has proved itself on
//! this very series.
//!
//! 1. [`peak`] learns, online, how high the load may go over the start-up delay, and how uncertain that is.
//! 2. [`plan`] follows some hundreds of plans on paper: margins over that forecast, envelopes of recurring peaks, holds and
//!    rules for moving; and the baseline, Kubernetes' HPA at 70 %, beside them. Load does not depend on what we do, so each is
//!    scored on all that was observed.
//! 3. [`choice`] lets the cheapest act that stayed within the error budget (`late_fraction`, over a week, with burn-rate
//!    alarms over a day and three; Beyer et al., The Site Reliability Workbook, ch. 5), the baseline until another has proved
//!    cheaper, and again whenever none is.
//!
//! Whatever acts, the need of the load measured now is a floor that no model can undercut.

mod choice;
mod demand;
mod peak;
mod plan;
#[cfg(test)]
mod tests;

use std::time::Duration;

use foresail_core::{
    Decision, Driver, Known, Limits, Metric, Observation, Policy, Quality, Reason, Replicas, Timestamp,
};
use foresail_learn::trial::{Account, Entry, Ledger};

use self::choice::Weighing;
use self::demand::Demand;
use self::peak::{Envelope, Peak, PeakModel};
use self::plan::{Highest, Plan, Rule, SURPRISE_HOLD_MIN};
use super::{Hpa, PolicyOptions};
use crate::plant::FluidPlant;
use crate::service::{NeedTable, Service, ServiceKind};
use crate::{Error, error::check};

/// Envelopes of recurring peaks, `None` for none.
const ENVELOPES: [Option<Envelope>; 3] =
    [None, Some(Envelope { days: 7, jitter_min: 5.0, rank: 2 }), Some(Envelope { days: 7, jitter_min: 2.0, rank: 0 })];
/// Minutes for which a need is held.
const HOLDS_MIN: [f64; 4] = [1.0, 5.0, 15.0, 60.0];
const RULES: [Rule; 6] = [
    Rule { spare: 0.0, dead_band: 0.0, patience_min: 0.5 },
    Rule { spare: 0.04, dead_band: 0.05, patience_min: 0.0 },
    Rule { spare: 0.08, dead_band: 0.1, patience_min: 0.0 },
    Rule { spare: 0.04, dead_band: 0.0, patience_min: 2.0 },
    Rule { spare: 0.0, dead_band: 0.0, patience_min: 6.0 },
    Rule { spare: 0.04, dead_band: 0.0, patience_min: 20.0 },
];
/// Margins, in spreads: `0.8 · 1.25^k`.
const MARGINS: usize = 18;

/// What acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Actor {
    Baseline,
    Plan(usize),
}

/// What learning was worth so far, against the baseline on the same load.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scorecard {
    /// Of the fleet this policy asked for.
    pub ours: Account,
    /// Of the fleet the baseline would have had.
    pub baseline: Account,
}

/// The policy `foresail`.
#[derive(Debug)]
pub struct Foresail {
    table: NeedTable,
    limits: Limits,
    late_fraction: f64,
    known: Known,
    resolution: Option<Duration>,
    /// Length of the cycle of the load, seconds.
    day_s: f64,
    started: Option<Started>,
}

/// What exists once the length of a tick is known.
#[derive(Debug)]
struct Started {
    tick_s: f64,
    /// Length of a tick where a day has 86,400 seconds; another than `tick_s` only in a demonstration.
    paced_s: f64,
    startup_ticks: usize,
    /// Ticks in a step of the series.
    step_ticks: usize,
    /// Ticks seen.
    ticks: usize,
    /// Load of the newest step: sum over the ticks seen of it.
    step_sum: f64,
    step_trusted: bool,
    last_load: f64,
    demand: Demand,
    /// One a lead, and what each says now.
    models: Vec<(PeakModel, Peak, [f64; ENVELOPES.len()])>,
    margins: Vec<f64>,
    /// Holds by envelope, margin and hold; plans by those and rule.
    held: Vec<Highest>,
    holds: [usize; HOLDS_MIN.len()],
    plans: Vec<Plan>,
    baseline: Hpa,
    baseline_fleet: FluidPlant,
    baseline_ledger: Ledger,
    baseline_wanted: u32,
    actor: Actor,
    described: String,
    /// The fleet this policy asks for.
    own: Plan,
    score: Scorecard,
    /// Late requests by which it leads the baseline, decaying; and the tick until which it is demoted.
    lead: f64,
    demoted_until: usize,
}

impl Foresail {
    /// For `service`, to keep `late_fraction` of requests from being late.
    ///
    /// # Errors
    /// [`Error::BadParameter`] if the late fraction is outside (0, 1).
    pub fn new(service: &Service, options: &PolicyOptions) -> Result<Self, Error> {
        check(options.limits.min <= options.limits.max, "min", options.limits.min, "at most max")?;
        check(!options.day.is_zero(), "day", format!("{:?}", options.day), "a duration above 0")?;
        Ok(Self {
            table: NeedTable::new(*service, options.late_fraction)?,
            limits: options.limits,
            late_fraction: options.late_fraction,
            known: options.known.clone(),
            resolution: options.resolution,
            day_s: options.day.as_secs_f64(),
            started: None,
        })
    }

    /// What learning was worth so far; nothing before the first observation.
    pub fn scorecard(&self) -> Scorecard {
        self.started.as_ref().map(|s| s.score).unwrap_or_default()
    }

    fn start(&self, observation: &Observation) -> Started {
        let tick_s = observation.tick.as_secs_f64().max(1e-3);
        let service = self.table.service();
        let paced_s = tick_s * 86_400.0 / self.day_s;
        let step_s = self.resolution.map_or(tick_s, |r| r.as_secs_f64()).max(tick_s);
        let step_ticks = ((step_s / tick_s).round() as usize).max(1);
        let startup_ticks = (service.startup().as_secs_f64() / tick_s).ceil() as usize;
        let margins: Vec<f64> = (0..MARGINS).map(|k| 0.8 * 1.25_f64.powi(k as i32)).collect();
        let mut leads: Vec<usize> = (1..=step_ticks).map(|phase| (phase + startup_ticks) / step_ticks).collect();
        leads.dedup();
        let replicas = self.limits.clamp(observation.replicas.desired);
        let groups = ENVELOPES.len() * margins.len() * HOLDS_MIN.len();
        let plans = (0..groups * RULES.len()).map(|i| Plan::new(RULES[i % RULES.len()], replicas, paced_s)).collect();
        let options = PolicyOptions::new(self.limits);
        Started {
            tick_s,
            paced_s,
            startup_ticks,
            step_ticks,
            ticks: 0,
            step_sum: 0.0,
            step_trusted: true,
            last_load: 0.0,
            demand: Demand::new(step_ticks as f64 * paced_s),
            models: leads.iter().map(|l| (PeakModel::new(*l), Peak::default(), [0.0; ENVELOPES.len()])).collect(),
            margins,
            held: vec![Highest::default(); groups],
            holds: HOLDS_MIN.map(|minutes| (minutes * 60.0 / paced_s).round() as usize),
            plans,
            baseline: Hpa::new("hpa@0.7".to_owned(), 0.7, service, &options),
            baseline_fleet: FluidPlant::new(*service, replicas),
            baseline_ledger: Ledger::new(paced_s),
            baseline_wanted: replicas.0,
            actor: Actor::Baseline,
            described: BASELINE.to_owned(),
            own: Plan::new(RULES[0], replicas, paced_s),
            score: Scorecard::default(),
            lead: 0.0,
            demoted_until: 0,
        }
    }
}

const BASELINE: &str = "the baseline acts (hpa at 70 %): nothing has proved cheaper yet";

const DEMOTED: &str = "demoted: later than the baseline of late, so no fewer than the baseline (hpa at 70 %) wants";
/// Share of a week's error budget by which it may be later than the baseline at a time before it is demoted.
const DEMOTE_AT: f64 = 0.1;
const DEMOTED_HOURS: f64 = 3.0;

impl Policy for Foresail {
    fn name(&self) -> &str {
        "foresail"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let mut started = match self.started.take() {
            Some(started) => started,
            None => self.start(observation),
        };
        let decision = self.decide_with(&mut started, observation);
        self.started = Some(started);
        decision
    }

    fn memory_bytes(&self) -> usize {
        self.started.as_ref().map_or(0, |s| {
            let models: usize = s.models.iter().map(|m| m.0.bytes()).sum();
            s.demand.bytes() + models + s.plans.len() * size_of::<Plan>() + s.held.len() * size_of::<Highest>()
        })
    }

    fn set_capacity(&mut self, capacity_rps: f64) {
        let Ok(service) = self.table.service().with_capacity_rps(capacity_rps) else { return };
        let Ok(table) = NeedTable::new(service, self.late_fraction) else { return };
        self.table = table;
        if let Some(started) = &mut self.started {
            started.baseline_fleet.set_service(service);
        }
    }
}

impl Foresail {
    fn decide_with(&mut self, s: &mut Started, observation: &Observation) -> Decision {
        let sample = observation.sample(Metric::RequestRate).filter(|s| s.value.is_finite() && s.value >= 0.0).copied();
        let current = observation.replicas.desired;
        let Some(sample) = sample else {
            // Never down on missing data; and time goes on for those who count it.
            if s.ticks > 0 {
                self.observe(s, s.last_load, false, observation);
            }
            let mut reason = Reason::new(Driver::Stale);
            reason.note = "no sample of the load".to_owned();
            return Decision { desired: self.limits.clamp(current), reason };
        };
        let (load, trusted, capped) = match sample.quality {
            Quality::Good | Quality::Saturated => (sample.value, true, false),
            Quality::Suspect => (sample.value, false, false),
            Quality::Attack => (sample.value.min(s.demand.week_peak().max(s.last_load)), false, true),
        };
        self.observe(s, load, trusted, observation);
        self.choose(s);
        self.answer(s, load, capped, observation)
    }

    /// Books the tick that ended with `load`, learns from it, and lets every plan follow.
    fn observe(&mut self, s: &mut Started, load: f64, trusted: bool, observation: &Observation) {
        let service = *self.table.service();
        s.last_load = load;
        let tick = s.ticks;
        let surprise = s.surprise_ticks();
        for plan in &mut s.plans {
            plan.score(&service, load, s.tick_s, tick, s.startup_ticks, surprise);
        }
        let own = s.own.score(&service, load, s.tick_s, tick, s.startup_ticks, surprise);
        let baseline = self.score_baseline(s, load, observation.time, observation.tick);
        s.compare(own, baseline, self.late_fraction);
        // Steps of the series.
        let phase = tick % s.step_ticks;
        s.step_sum = if phase == 0 { load } else { s.step_sum + load };
        s.step_trusted = trusted && (phase == 0 || s.step_trusted);
        if phase == 0 {
            s.demand.push(load);
            for (model, peak, envelopes) in &mut s.models {
                *peak = model.step(&s.demand, s.step_trusted);
                for (load, envelope) in envelopes.iter_mut().zip(&ENVELOPES) {
                    *load = envelope.map_or(0.0, |e| e.load(&s.demand, model.lead()));
                }
            }
        } else {
            s.demand.amend(s.step_sum / (phase + 1) as f64);
        }
        s.ticks += 1;
        let (peak, envelopes) = s.ahead();
        let announced = self.announced(observation);
        let most = s.demand.week_peak() * 1.3;
        let bound = most.max(1.2 * load);
        for (e, envelope) in envelopes.iter().enumerate() {
            for (m, margin) in s.margins.iter().enumerate() {
                let wanted = peak.with_margin(*margin).min(bound).max(*envelope).max(load) * announced;
                let group = (e * s.margins.len() + m) * HOLDS_MIN.len();
                let plain = self.table.need(wanted, self.limits.max).max(self.limits.min).0;
                for (h, hold) in s.holds.iter().enumerate() {
                    let highest = s.held[group + h].push(tick, plain, *hold);
                    for plan in &mut s.plans[(group + h) * RULES.len()..(group + h + 1) * RULES.len()] {
                        match service.kind() {
                            ServiceKind::Request => plan.follow(plain, highest, s.paced_s),
                            ServiceKind::Queue => {
                                let extra = plan.backlog() / service.wait_slo().as_secs_f64() / service.capacity_rps();
                                let drain =
                                    |need: u32| (f64::from(need) + extra).ceil().min(self.limits.max.as_f64()) as u32;
                                plan.follow(drain(plain), drain(highest), s.paced_s);
                            }
                        }
                    }
                }
            }
        }
    }

    /// The greatest announced factor until an order takes effect.
    fn announced(&self, observation: &Observation) -> f64 {
        if self.known.events.is_empty() {
            return 1.0;
        }
        let until = observation.time + self.table.service().startup() + observation.tick;
        let starts = self.known.events.iter().map(|e| e.from).filter(|from| *from > observation.time && *from < until);
        let factors = starts.chain([observation.time]).map(|at| self.known.factor_at(at));
        // The load measured now holds the factor of now already.
        factors.fold(0.0, f64::max) / self.known.factor_at(observation.time).max(1e-9)
    }

    fn score_baseline(&mut self, s: &mut Started, load: f64, now: Timestamp, tick: Duration) -> Entry {
        let ended = now - tick;
        let before = s.baseline_wanted;
        let outcome = s.baseline_fleet.tick(ended, s.tick_s, load);
        s.baseline_fleet.advance(now);
        let sample =
            |metric, value| foresail_core::Sample { metric, time: now, interval: tick, value, quality: Quality::Good };
        let seen = Observation {
            time: now,
            tick,
            samples: vec![sample(Metric::RequestRate, load), sample(Metric::Utilisation, outcome.utilisation)],
            replicas: s.baseline_fleet.replicas(),
        };
        let wanted = self.limits.clamp(s.baseline.decide(&seen).desired);
        s.baseline_fleet.scale_to(wanted, now);
        s.baseline_wanted = wanted.0;
        let moved = f64::from(u8::from(wanted.0 != before));
        let entry =
            Entry { requests: outcome.requests, late: outcome.late, cost: f64::from(outcome.paid), actions: moved };
        s.baseline_ledger.book(entry);
        entry
    }

    /// Every hour, once there is half a day to judge by. After the first day the accounts start anew, since what the plans
    /// did while the forecast knew nothing yet says little about them.
    fn choose(&mut self, s: &mut Started) {
        let hour = ((3_600.0 / s.paced_s).round() as usize).max(1);
        if s.ticks == 24 * hour {
            s.plans.iter_mut().for_each(|plan| plan.ledger = Ledger::new(s.paced_s));
            s.baseline_ledger = Ledger::new(s.paced_s);
            s.own.ledger = Ledger::new(s.paced_s);
        }
        let judged = if s.ticks < 24 * hour { s.ticks } else { s.ticks - 24 * hour };
        if !judged.is_multiple_of(hour) || judged < 12 * hour {
            return;
        }
        let days = judged as f64 * s.paced_s / 86_400.0;
        let full_use = self.table.service().capacity_rps() * s.tick_s;
        let price = |ledger: &Ledger| {
            let accounts = [ledger.last_days(7), ledger.last_days(3), ledger.last_days(1)];
            Weighing::DEFAULT.price(&accounts, self.late_fraction, full_use, days)
        };
        let mut best = (price(&s.baseline_ledger), Actor::Baseline);
        for (i, plan) in s.plans.iter().enumerate() {
            let actor = Actor::Plan(i);
            // Who acts stays unless another is cheaper by a hundredth: changing costs something too.
            let price = price(&plan.ledger) - if actor == s.actor { 0.01 } else { 0.0 };
            if price < best.0 {
                best = (price, actor);
            }
        }
        if best.1 != s.actor {
            s.actor = best.1;
            s.described = match s.actor {
                Actor::Baseline => BASELINE.to_owned(),
                Actor::Plan(i) => s.describe(i),
            };
        }
    }

    fn answer(&mut self, s: &mut Started, load: f64, capped: bool, observation: &Observation) -> Decision {
        let service = *self.table.service();
        let mut reactive = self.table.need(load, self.limits.max);
        if service.kind() == ServiceKind::Queue
            && let Some(backlog) = observation.value(Metric::QueueLength).filter(|b| b.is_finite() && *b > 0.0)
        {
            let rate = load + backlog / service.wait_slo().as_secs_f64();
            reactive = Replicas::holding(rate / service.capacity_rps()).min(self.limits.max);
        }
        let demoted = s.actor != Actor::Baseline && s.ticks < s.demoted_until;
        let predicted = match s.actor {
            Actor::Baseline => Replicas(s.baseline_wanted),
            Actor::Plan(i) if demoted => Replicas(s.plans[i].wanted().max(s.baseline_wanted)),
            Actor::Plan(i) => Replicas(s.plans[i].wanted()),
        };
        let until = observation.time + service.startup() + observation.tick;
        let event = Replicas(self.known.floor_within(observation.time, until));
        let need = predicted.max(reactive).max(event);
        let desired = self.limits.clamp(need);
        let driver = if need < self.limits.min {
            Driver::Minimum
        } else if need == event && event > reactive.max(predicted) {
            Driver::Event
        } else if reactive >= predicted {
            Driver::Reactive
        } else {
            Driver::Predicted
        };
        let mut limits = Vec::new();
        if desired < need {
            limits.push(foresail_core::Limit::Maximum);
        }
        if capped {
            limits.push(foresail_core::Limit::AttackCap);
        }
        s.own.order(desired.0);
        s.score = Scorecard { ours: s.own.ledger.last_days(7), baseline: s.baseline_ledger.last_days(7) };
        let note = if demoted { DEMOTED.to_owned() } else { s.described.clone() };
        Decision {
            desired,
            reason: Reason { driver, load: Some(load), reactive, predicted: Some(predicted), limits, note },
        }
    }
}

impl Started {
    /// Ticks for which a surprise is remembered.
    fn surprise_ticks(&self) -> usize {
        (SURPRISE_HOLD_MIN * 60.0 / self.paced_s) as usize
    }

    /// The peak until an order given now takes effect, and the envelopes over the same window.
    fn ahead(&self) -> (Peak, [f64; ENVELOPES.len()]) {
        let phase = (self.ticks - 1) % self.step_ticks + 1;
        let lead = (phase + self.startup_ticks) / self.step_ticks;
        let model = self.models.iter().find(|m| m.0.lead() == lead).expect("a model for every lead there is");
        (model.1, model.2)
    }

    /// Keeps an eye on how much later the fleet asked for is than the baseline's. The lead decays by half in an hour; one of a
    /// tenth of the week's error budget demotes for three hours.
    fn compare(&mut self, own: Entry, baseline: Entry, late_fraction: f64) {
        self.lead = self.lead * 0.5_f64.powf(self.paced_s / 3_600.0) + own.late - baseline.late;
        let week = self.own.ledger.last_days(7);
        let days = (self.ticks as f64 * self.paced_s / 86_400.0).clamp(0.5, 7.0);
        if self.lead > DEMOTE_AT * late_fraction * week.requests * 7.0 / days {
            self.demoted_until = self.ticks + (DEMOTED_HOURS * 3_600.0 / self.paced_s) as usize;
        }
    }

    fn describe(&self, plan: usize) -> String {
        let (group, rule) = (plan / RULES.len(), RULES[plan % RULES.len()]);
        let hold = HOLDS_MIN[group % HOLDS_MIN.len()];
        let margin = self.margins[group / HOLDS_MIN.len() % self.margins.len()];
        let envelope = match ENVELOPES[group / HOLDS_MIN.len() / self.margins.len()] {
            Some(e) => format!("no lower than number {} of the last {} days' peaks at this time, ", e.rank + 1, e.days),
            None => String::new(),
        };
        format!(
            "{margin:.1} spreads over the forecast peak, {envelope}held {hold:.0} min, {:.0} % spare, down by at least \
             {:.0} % after {:.1} fleet-minutes wasted: cheapest of {} plans on the last week's load",
            100.0 * rule.spare,
            100.0 * rule.dead_band,
            rule.patience_min,
            self.plans.len(),
        )
    }
}

//! One proxy: its balancer, what it has in flight, and how it judges endpoints by their answers.

use std::time::Duration;

use foresail_route::{
    Endpoints, FailureRate, Feedback, LatencyEwma, LoggedPick, OutlierConfig, Outliers, Pick, Sample, SharedStatistics,
    Sight, SlowStart, Standing, View, is_panic,
};

use super::oracle::Truth;
use super::plant::Plant;
use super::policy::{Chooser, Policy};

pub(super) struct Proxy {
    pub(super) chooser: Chooser,
    decay: Duration,
    slots: Vec<Slot>,
    outliers: Outliers,
    panic: bool,
    names: Vec<String>,
}

#[derive(Clone, Default)]
struct Slot {
    in_flight: u32,
    latency: LatencyEwma,
    failure_rate: FailureRate,
    successes: u64,
    failures: u64,
    consecutive_failures: u64,
    is_ejected: bool,
    is_on_probation: bool,
}

/// The members as the balancer sees them.
struct Looks<'a> {
    proxy: &'a [Slot],
    members: &'a [usize],
    generation: u64,
    panic: bool,
    now_ms: u64,
    decay: Duration,
}

impl<'a> Looks<'a> {
    fn of(proxy: &'a [Slot], plant: &'a Plant, panic: bool, now_ms: u64, decay: Duration) -> Self {
        Self { proxy, members: &plant.members, generation: plant.generation, panic, now_ms, decay }
    }
}

impl Endpoints for Looks<'_> {
    fn count(&self) -> usize {
        self.members.len()
    }

    fn view(&self, index: usize) -> View {
        let slot = &self.proxy[self.members[index]];
        View {
            in_flight: slot.in_flight,
            latency_ms: slot.latency.read(self.now_ms, self.decay),
            failure_rate: slot.failure_rate.read(),
            weight: if slot.is_on_probation { SlowStart::default().floor } else { 1.0 },
            available: self.is_available(index),
        }
    }

    fn is_available(&self, index: usize) -> bool {
        self.panic || !self.proxy[self.members[index]].is_ejected
    }

    fn key(&self, index: usize) -> u64 {
        self.members[index] as u64
    }

    fn generation(&self) -> u64 {
        self.generation
    }
}

impl Proxy {
    pub(super) fn new(policy: &Policy, number: u64, endpoints: usize) -> Self {
        let chooser = policy.chooser(number);
        let decay = match &chooser {
            Chooser::Balancer(balancer) => balancer.latency_decay(),
            Chooser::Oracle(_) => Duration::from_secs(10),
        };
        Self {
            chooser,
            decay,
            slots: vec![Slot::default(); endpoints],
            outliers: Outliers::new(),
            panic: false,
            names: (0..endpoints).map(|index| index.to_string()).collect(),
        }
    }

    /// The endpoint for a request, with how many others this proxy has there; and a record of the pick, if asked for.
    pub(super) fn pick(
        &mut self,
        plant: &Plant,
        truths: &[Truth],
        pick: Pick,
        now_ms: f64,
        is_logged: bool,
    ) -> Option<(usize, u32, Option<LoggedPick>)> {
        let mut logged = None;
        let looks = Looks::of(&self.slots, plant, self.panic, now_ms as u64, self.decay);
        let index = match &mut self.chooser {
            Chooser::Balancer(balancer) => {
                let place = balancer.pick(&looks, pick)?;
                if is_logged {
                    logged = LoggedPick::of(balancer.as_mut(), &looks, pick, place);
                }
                plant.members[place]
            }
            Chooser::Oracle(_) => plant.members.iter().copied().min_by(|&a, &b| {
                let cost = |index: usize| truths[index].cost(plant.present(index), plant.pause_left_ms(index, now_ms));
                cost(a).total_cmp(&cost(b))
            })?,
        };
        let slot = &mut self.slots[index];
        slot.in_flight += 1;
        Some((index, slot.in_flight - 1, logged))
    }

    /// What its balancer tells others.
    pub(super) fn share(&mut self, number: u64, plant: &Plant, now_ms: f64) -> Option<SharedStatistics> {
        let looks = Looks::of(&self.slots, plant, self.panic, now_ms as u64, self.decay);
        match &mut self.chooser {
            Chooser::Balancer(balancer) => balancer.share(number, &looks),
            Chooser::Oracle(_) => None,
        }
    }

    /// Hears another's.
    pub(super) fn hear(&mut self, statistics: SharedStatistics) {
        if let Chooser::Balancer(balancer) = &mut self.chooser {
            let is_news = balancer.merge(statistics, Sight::Own);
            debug_assert!(is_news.is_ok(), "they come from the same code");
        }
    }

    /// The answer to a request: its latency if it is no failure. Tells whether the endpoint should be judged now.
    pub(super) fn settle(&mut self, index: usize, feedback: &Feedback) -> bool {
        let slot = &mut self.slots[index];
        slot.in_flight -= 1;
        slot.failure_rate = slot.failure_rate.observe(feedback.latency_ms.is_none());
        match feedback.latency_ms {
            Some(latency_ms) => {
                slot.latency = slot.latency.observe(latency_ms, feedback.at_ms, self.decay);
                slot.successes += 1;
                slot.consecutive_failures = 0;
            }
            None => {
                slot.failures += 1;
                slot.consecutive_failures += 1;
            }
        }
        let run = u64::from(OutlierConfig::default().consecutive_failures);
        let is_alarm = slot.consecutive_failures > 0 && slot.consecutive_failures.is_multiple_of(run);
        if let Chooser::Balancer(balancer) = &mut self.chooser {
            balancer.observe(feedback);
        }
        is_alarm
    }

    /// Ejects, and lets back.
    pub(super) fn judge(&mut self, members: &[usize], now_ms: u64) {
        let config = OutlierConfig::default();
        let sample = |&index: &usize| {
            let Slot { successes, failures, consecutive_failures, .. } = self.slots[index];
            Sample { id: &self.names[index], successes, failures, consecutive_failures }
        };
        let samples: Vec<Sample<'_>> = members.iter().map(sample).collect();
        let standings = self.outliers.tick(&config, now_ms, &samples);
        for (&index, standing) in members.iter().zip(&standings) {
            self.slots[index].is_ejected = matches!(standing, Standing::Ejected { .. });
            self.slots[index].is_on_probation = *standing == Standing::Probation;
        }
        let usable = members.iter().filter(|&&index| !self.slots[index].is_ejected).count();
        self.panic = is_panic(usable, members.len(), config.panic_floor);
    }
}

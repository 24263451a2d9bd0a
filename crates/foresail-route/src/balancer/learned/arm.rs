//! One endpoint's curve, and what one more request costs there beside the fleet.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sums::Sums;
use crate::View;
use crate::balancer::feedback::{CostCurve, Feedback};

/// An endpoint of which less is known has nothing of its own to say.
const LEAST: f64 = 1.0;
/// Within so many standard errors an endpoint is one of the fleet.
const SIGNIFICANT: f64 = 2.0;
/// Slots that an endpoint may turn out to have.
const SLOTS: [f64; 18] =
    [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0, 20.0, 24.0, 32.0, 48.0, 64.0, 96.0];
/// So many answers lie between two looks for the number of slots.
const REFIT: u32 = 8;
/// No endpoint counts as busier than this: the price of a place in a line stays finite.
const BUSIEST: f64 = 0.9;
/// A place in the line costs so many times what theory says of Poisson arrivals parted by chance: where all are looked at,
/// other endpoints are free when one has a line. Chosen in the simulator (`balance_regret`, development seeds and fleets).
const STEEP: f64 = 2.5;
/// What a filled set of slots costs besides, as a share of the level: of endpoints alike the emptier is taken.
const TILT: f64 = 0.02;

/// Answers that take more than so many times as long as is usual are far, and count as if they had not, as long as only a few
/// of the latest are; and until so many answers are known, none is.
const FAR: f64 = 4.0;
const FEW: f64 = 0.06;
const RECENT: f64 = 64.0;
const ENOUGH: f64 = 20.0;
/// An endpoint that says it has more in flight from elsewhere is taken at this.
const MOST_UNSEEN: f64 = 10_000.0;

/// How many requests an endpoint serves at a time, as far as its answers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slots {
    /// 0 if nothing is known.
    pub(super) count: f64,
    /// Squared relative deviations from the curve with so many.
    deviations: f64,
}

/// The service time with so many slots, by the least squares of relative deviations, and the sum of their squares.
pub(super) fn service(sums: &Sums, slots: f64) -> (f64, f64) {
    let (mut n, mut y, mut yy) = (0.0, 0.0, 0.0);
    for bin in sums.bins.iter().filter(|bin| bin.n > 1e-3) {
        let there = bin.y / (bin.present / slots).max(bin.n);
        n += bin.n;
        y += bin.n * there;
        yy += bin.n * there * there;
    }
    let mean = (y / n.max(1e-12)).max(1e-6);
    (mean, (yy / (mean * mean) - n).max(0.0))
}

impl Slots {
    pub(super) fn of(sums: &Sums) -> Self {
        let mut best = Self { count: 0.0, deviations: f64::INFINITY };
        let reach = sums.bins.iter().filter(|bin| bin.n > 0.5).map(|bin| bin.present / bin.n).fold(1.0, f64::max);
        for count in SLOTS {
            let (_, deviations) = service(sums, count);
            // Of equals the least: more is not known.
            if deviations < best.deviations - 1e-9 {
                best = Self { count, deviations };
            }
            if count > reach {
                break;
            }
        }
        best
    }
}

/// What the endpoints have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fleet {
    /// The median of the service times, ms.
    pub(super) level_ms: f64,
    /// The median of the slots.
    slots: f64,
    /// Standard deviation of latency over its mean.
    variation: f64,
    /// Share of all answers that are failures.
    failure_rate: f64,
    /// Share of all slots that are taken.
    load: f64,
}

/// Nothing is known: all cost alike, and more with each in flight.
impl Default for Fleet {
    fn default() -> Self {
        Self { level_ms: 1.0, slots: 4.0, variation: 0.5, failure_rate: 0.0, load: 0.5 }
    }
}

impl Fleet {
    pub(super) fn of<'a>(arms: &(impl Iterator<Item = &'a Arm> + Clone)) -> Self {
        let (mut tries, mut failures, mut known, mut varied) = (0.0, 0.0, 0.0, 0.0);
        for Arm { sums, .. } in arms.clone() {
            (tries, failures) = (tries + sums.tries, failures + sums.failures);
            known += sums.n;
            varied += sums.n * sums.variation();
        }
        let failure_rate = if tries > 0.0 { failures / tries } else { 0.0 };
        let told = || arms.clone().filter(|arm| arm.is_known());
        if told().next().is_none() {
            return Self { failure_rate, ..Self::default() };
        }
        let mut fleet = Self {
            slots: median(told().map(|arm| arm.slots.count)).max(1.0),
            variation: (varied / known).sqrt().clamp(0.05, 2.0),
            failure_rate,
            ..Self::default()
        };
        let (mut busy, mut slots) = (0.0, 0.0);
        let levels = told().map(|arm| {
            let count = fleet.slots(arm);
            let level = service(&arm.sums, count).0;
            (busy, slots) = (busy + arm.sums.rate() * level, slots + count);
            level
        });
        fleet.level_ms = median(levels).max(1e-3);
        fleet.load = (busy / slots).clamp(0.01, BUSIEST);
        fleet
    }

    /// An endpoint's slots, the fleet's unless they are plainly others.
    fn slots(&self, arm: &Arm) -> f64 {
        let (_, with_common) = service(&arm.sums, self.slots);
        let gain = (with_common - arm.slots.deviations) / (self.variation * self.variation);
        let own = if gain > SIGNIFICANT * SIGNIFICANT { 1.0 - SIGNIFICANT * SIGNIFICANT / gain } else { 0.0 };
        if own > 0.0 { self.slots * (arm.slots.count / self.slots).powf(own) } else { self.slots }
    }

    pub(super) fn cost(&self, arm: &Arm) -> Cost {
        let failures = self.failure_odds(&arm.sums);
        let (level_ms, error_ms, own_ms, slots) = if arm.is_known() {
            let slots = self.slots(arm);
            let level = service(&arm.sums, slots).0;
            let error = self.variation * level / arm.sums.n.sqrt();
            let own = kept(level - self.level_ms, error);
            (self.level_ms + own * (level - self.level_ms), own * error, level, slots)
        } else {
            (self.level_ms, 0.0, self.level_ms, self.slots)
        };
        Cost { own_ms, ..Cost::new(level_ms, error_ms, slots, self.load, failures) }
    }

    /// Failures expected before a success, as far as they are plainly more than the fleet's.
    fn failure_odds(&self, sums: &Sums) -> f64 {
        let usual = sums.tries * self.failure_rate;
        let error = (usual * (1.0 - self.failure_rate) + 0.25).sqrt();
        let excess = (sums.failures - usual - SIGNIFICANT * error).max(0.0) / sums.tries.max(1e-9);
        let rate = (self.failure_rate + excess).min(0.99);
        rate / (1.0 - rate)
    }
}

/// The share of a difference that is kept: none within the error, nearly all far beyond it.
fn kept(difference: f64, error: f64) -> f64 {
    let ratio = SIGNIFICANT * error / difference.abs();
    if ratio < 1.0 { 1.0 - ratio * ratio } else { 0.0 }
}

/// 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// What a pick reckons with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    /// Latency with a slot free, ms.
    pub(super) level_ms: f64,
    /// Standard error of the level, ms.
    pub(super) error_ms: f64,
    /// The level as its own answers have it, unshrunk.
    own_ms: f64,
    slots: f64,
    /// What a request adds to the latencies of all, those to come included, as a multiple of the level: where none is there,
    /// how much more where it takes the last slot, and for each full set of slots that wait.
    first: f64,
    rise: f64,
    line: f64,
    /// Failures expected before a success.
    failures: f64,
}

impl Cost {
    /// The relative values of an M/M/c queue under this load, by Sakasegawa's approximation (1977) of its length.
    fn new(level_ms: f64, error_ms: f64, slots: f64, load: f64, failures: f64) -> Self {
        let spare = slots * (1.0 - load);
        let offered = slots * load;
        let waiting = load.powf((2.0 * (slots + 1.0)).sqrt()) / (1.0 - load);
        let first = 1.0 + waiting / offered;
        let last = (slots + (offered / spare - offered - waiting)) / spare;
        Self {
            level_ms,
            error_ms,
            own_ms: level_ms,
            slots,
            first,
            rise: (last - first).max(0.0),
            line: STEEP * slots / spare,
            failures,
        }
    }

    /// What one more request adds in ms beside so many of others' that the view does not show, with `draw` standard errors
    /// of doubt.
    pub(super) fn of(&self, view: &View, unseen: f64, failure_cost_ms: f64, draw: f64) -> f64 {
        self.beside(f64::from(view.in_flight) + unseen, failure_cost_ms, draw)
    }

    /// The same over what may be in flight, without doubt.
    pub(super) fn curve(&self, failure_cost_ms: f64) -> CostCurve {
        let price = |quarters: usize| self.beside(self.slots * quarters as f64 / 4.0, failure_cost_ms, 0.0);
        CostCurve { slots: self.slots, price_ms: std::array::from_fn(price) }
    }

    fn beside(&self, in_flight: f64, failure_cost_ms: f64, draw: f64) -> f64 {
        let service = (self.level_ms + self.error_ms * draw).max(0.1 * self.level_ms);
        let share = (in_flight + 1.0) / self.slots;
        let (latency, added) = if share <= 1.0 {
            (service, self.first + self.rise * share * share * share)
        } else {
            (service * share, self.first + self.rise + self.line * (share - 1.0))
        };
        service * (added + TILT * share) + self.failures * (latency + failure_cost_ms)
    }
}

/// One endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Arm {
    /// From this balancer's answers alone.
    pub(super) own: Sums,
    /// From other balancers'.
    heard: Heard,
    /// From all.
    pub(super) sums: Sums,
    slots: Slots,
    /// Answers since the slots were looked for.
    fresh: u32,
    /// Share of far ones among the latest answers.
    far: f64,
    /// What the endpoint said last of requests that views do not show, and when.
    hinted: Option<(u64, f64)>,
    /// Requests there that views do not show, as far as the endpoint or other balancers tell.
    unseen: f64,
    pub(super) cost: Cost,
}

/// What other balancers told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Heard {
    pub(super) sums: Sums,
    /// Of what they have in flight, as far as views do not show it: when that was, how many, and how many now.
    pub(super) told_ms: u64,
    pub(super) told: Option<f64>,
    pub(super) in_flight: f64,
}

impl Heard {
    /// Others' requests come and go as answers take: what was told fades into what is usual (an M/M/∞ queue).
    fn reckon(&mut self, now_ms: u64, memory: Duration) {
        self.sums.fade(now_ms, memory);
        if let Some(told) = self.told {
            let (usual, latency_ms) = self.sums.usual();
            let age_ms = now_ms.saturating_sub(self.told_ms) as f64;
            self.in_flight = usual + (told - usual) * (-age_ms / latency_ms.max(0.1)).exp();
        }
    }
}

impl Arm {
    /// Takes in an answer that weighs so much, up to 1.
    pub(super) fn observe(&mut self, feedback: &Feedback, weight: f64, memory: Duration, now_ms: u64) {
        self.own.fade(now_ms, memory);
        let in_flight = feedback.in_flight.saturating_add(self.unseen().round() as u32);
        let latency_ms = feedback.success_ms().map(|latency_ms| self.within_reason(latency_ms, in_flight));
        self.own.push(&Feedback { in_flight, latency_ms, ..*feedback }, weight);
        self.join(now_ms, memory);
        self.fresh += 1;
        if self.fresh >= REFIT || !self.is_known() {
            (self.slots, self.fresh) = (Slots::of(&self.sums), 0);
        }
    }

    /// The latency, or what is usual if it is far from it: a few far ones tell of a client's slowness, many of the endpoint's.
    fn within_reason(&mut self, latency_ms: f64, in_flight: u32) -> f64 {
        if self.sums.n < ENOUGH {
            return latency_ms;
        }
        let Cost { own_ms, slots, .. } = self.cost;
        let usual_ms = own_ms * ((f64::from(in_flight) + 1.0) / slots).max(1.0);
        let is_far = latency_ms > FAR * usual_ms;
        self.far += (if is_far { 1.0 } else { 0.0 } - self.far) / RECENT;
        if is_far && self.far < FEW { usual_ms } else { latency_ms }
    }

    pub(super) fn fade(&mut self, now_ms: u64, memory: Duration) {
        self.own.fade(now_ms, memory);
        self.join(now_ms, memory);
    }

    /// Others' statistics of now in the place of those heard before.
    pub(super) fn hear(&mut self, heard: Heard, now_ms: u64, memory: Duration) {
        self.heard = heard;
        self.fade(now_ms, memory);
        self.slots = Slots::of(&self.sums);
    }

    fn join(&mut self, now_ms: u64, memory: Duration) {
        if self.heard.sums.tries > 0.0 {
            self.heard.reckon(now_ms, memory);
            self.sums = self.own.plus(&self.heard.sums);
        } else {
            self.sums = self.own;
        }
        self.unseen = self.heard.in_flight;
        if let Some((at_ms, unseen)) = self.hinted {
            // The endpoint knows it best, for as long as its answers take.
            let (age_ms, latency_ms) = (now_ms.saturating_sub(at_ms) as f64, self.sums.usual().1);
            self.unseen += (unseen - self.unseen) * (-age_ms / latency_ms.max(0.1)).exp();
        }
    }

    /// The endpoint's own word on requests that views do not show.
    pub(super) fn hint(&mut self, unseen: f64, at_ms: u64) {
        let unseen = if unseen.is_finite() { unseen.clamp(0.0, MOST_UNSEEN) } else { 0.0 };
        (self.hinted, self.unseen) = (Some((at_ms, unseen)), unseen);
    }

    /// Others' requests there that views do not show.
    pub(super) fn unseen(&self) -> f64 {
        self.unseen
    }

    fn is_known(&self) -> bool {
        self.sums.n >= LEAST && self.slots.count > 0.0
    }
}

/// What is saved of an endpoint: nothing that others told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedArm {
    own: Sums,
    slots: Slots,
    fresh: u32,
    far: f64,
}

impl SavedArm {
    pub(super) fn at_ms(&self) -> u64 {
        self.own.at_ms()
    }
}

impl From<&Arm> for SavedArm {
    fn from(arm: &Arm) -> Self {
        Self { own: arm.own, slots: arm.slots, fresh: arm.fresh, far: arm.far }
    }
}

impl From<SavedArm> for Arm {
    fn from(saved: SavedArm) -> Self {
        let SavedArm { own, slots, fresh, far } = saved;
        let cost = Cost::new(1.0, 0.0, 4.0, 0.5, 0.0);
        let (heard, hinted, unseen) = (Heard::default(), None, 0.0);
        let mut arm = Self { own, heard, sums: own, slots, fresh, far, hinted, unseen, cost };
        arm.cost = Fleet::default().cost(&arm);
        arm
    }
}

impl Default for Arm {
    fn default() -> Self {
        Self::from(SavedArm::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(latency: impl Fn(u32) -> f64, most: u32, count: u32) -> Arm {
        let mut arm = Arm::default();
        for i in 0..count {
            let in_flight = i % most;
            tell(&mut arm, &Feedback { latency_ms: Some(latency(in_flight)), in_flight, ..FAIL });
        }
        arm
    }

    /// An answer to an endpoint that is alone.
    fn tell(arm: &mut Arm, feedback: &Feedback) {
        arm.observe(feedback, 1.0, MEMORY, 0);
        arm.cost = Fleet::of(&[*arm].iter()).cost(arm);
    }

    const MEMORY: Duration = Duration::from_secs(10);
    const FAIL: Feedback = Feedback { key: 0, context: None, client: None, latency_ms: None, in_flight: 0, at_ms: 0 };

    fn price(cost: &Cost, in_flight: u32) -> f64 {
        cost.of(&View { in_flight, ..View::default() }, 0.0, 1000.0, 0.0)
    }

    #[test]
    fn slots_and_service_times_are_found() {
        // Bins beyond eight hold several counts, so what lies there is known roughly.
        for (slots, most, exact) in [(1.0, 8, true), (4.0, 8, true), (6.0, 8, true), (16.0, 40, false)] {
            let arm = answers(|r| 10.0 * (f64::from(r + 1) / slots).max(1.0), most, 400);
            assert!((arm.slots.count / slots).ln().abs() < if exact { 1e-9 } else { 0.3 }, "{slots}: {:?}", arm.slots);
            let level = service(&arm.sums, arm.slots.count).0;
            assert!((level - 10.0).abs() < if exact { 1e-6 } else { 2.5 }, "{slots}: {level}");
        }
    }

    #[test]
    fn a_request_costs_more_the_more_are_there_and_most_in_a_line() {
        let arm = answers(|r| 10.0 * (f64::from(r + 1) / 4.0).max(1.0), 8, 400);
        let cost = Fleet::of(&[arm].iter()).cost(&arm);
        let prices: Vec<f64> = (0..12).map(|r| price(&cost, r)).collect();
        assert!((10.0..20.0).contains(&prices[0]), "{prices:?}");
        assert!(prices.windows(2).all(|pair| pair[1] > pair[0]), "{prices:?}");
        let steps: Vec<f64> = prices.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps[3] > 2.0 * steps[0] && (steps[10] - steps[5]).abs() < 1e-6, "{steps:?}");
    }

    /// The price of a place is that of the exact relative values of M/M/8 at 80 %: 1.29 when empty, 2.36 for the last slot.
    #[test]
    fn prices_are_near_the_exact_ones() {
        let cost = Cost::new(1.0, 0.0, 8.0, 0.8, 0.0);
        assert!((cost.first - 1.29).abs() < 0.05 && (cost.first + cost.rise - 2.36).abs() < 0.1, "{cost:?}");
        assert!((cost.line - STEEP / 0.2).abs() < 1e-9);
    }

    #[test]
    fn even_endpoints_are_one_fleet_and_uneven_ones_are_not() {
        let noisy = |mean: f64, phase: u32| {
            let turn = std::cell::Cell::new(phase);
            answers(move |_| mean * (0.7 + 0.6 * f64::from(turn.replace(turn.get() + 5) % 7) / 6.0), 4, 60)
        };
        let even: Vec<Arm> = (0..6).map(|i| noisy(20.0, i)).collect();
        let fleet = Fleet::of(&even.iter());
        assert!(even.iter().all(|arm| fleet.cost(arm).level_ms == fleet.level_ms));
        let slow = noisy(100.0, 3);
        let mixed: Vec<Arm> = even.iter().copied().chain([slow]).collect();
        let fleet = Fleet::of(&mixed.iter());
        let cost = fleet.cost(&slow);
        assert!(cost.level_ms > 60.0 && cost.error_ms > 0.0, "{cost:?}");
        assert!(fleet.cost(&even[0]).level_ms < 30.0);
    }

    #[test]
    fn failures_cost_once_they_are_no_accident_and_are_forgotten() {
        let mut arm = answers(|_| 20.0, 8, 100);
        let fine = answers(|_| 20.0, 8, 200);
        let odds = |arm: &Arm| Fleet::of(&[fine, fine, fine, fine, *arm].iter()).cost(arm).failures;
        tell(&mut arm, &FAIL);
        assert!(odds(&arm) < 0.01, "{}", odds(&arm));
        (0..30).for_each(|_| tell(&mut arm, &FAIL));
        assert!(odds(&arm) > 0.15, "{}", odds(&arm));
        arm.fade(60_000, MEMORY);
        assert!(odds(&arm) < 0.05, "{}", odds(&arm));
        assert!(arm.sums.tries < 1.0 && arm.sums.at_ms() == 60_000);
    }

    #[test]
    fn a_few_that_take_their_time_are_not_believed_and_many_are() {
        let late = Feedback { latency_ms: Some(800.0), in_flight: 1, ..FAIL };
        let fine = Feedback { latency_ms: Some(10.0), in_flight: 1, ..FAIL };
        let after = |every: u32| {
            let mut arm = answers(|_| 10.0, 4, 100);
            for i in 0..400 {
                tell(&mut arm, if i % every == 0 { &late } else { &fine });
            }
            arm.cost.own_ms
        };
        assert!(after(50) < 11.0, "{}", after(50));
        assert!(after(1) > 300.0 && after(2) > 150.0, "{} {}", after(1), after(2));
    }

    #[test]
    fn the_past_does_not_outweigh_the_present() {
        let mut arm = answers(|_| 10.0, 8, 10_000);
        assert!(arm.sums.n <= 200.0 + 1e-9);
        for _ in 0..400 {
            let late = Feedback { latency_ms: Some(50.0), in_flight: 3, ..FAIL };
            tell(&mut arm, &late);
        }
        assert!(service(&arm.sums, 8.0).0 > 40.0);
    }
}

//! What is known at one moment, as those who route see it: it never changes, so nobody waits for anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use foresail_learn::forest::{Belief, OnlineForest};

use super::cell::{Correction, Estimate};
use super::config::RouterConfig;
use super::features::{self, Profile, WIDTH};
use super::request::{RouteRequest, ServiceView};
use super::{Phase, Reason};
use crate::balancer::{below, uniform};

/// Services that a request may choose between at most; further ones are not looked at.
pub(super) const MOST_SERVICES: usize = 64;
/// Trees are taken to differ by at least this, as a logarithm: few answers may agree by chance.
const LEAST_SPREAD: f64 = 0.2;

/// A class at a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) estimate: Estimate,
    pub(super) correction: Correction,
    /// What of the spread counts: 1 with nothing known, falling as the root of the answers.
    pub(super) doubt: f64,
}

/// How latency at a service grows with what is in flight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// What one more adds, as a share of the latency at the usual load.
    pub(super) steepness: f64,
    /// Requests in flight that are usual.
    pub(super) usual: f64,
}

impl Line {
    /// Latency with `in_flight` others, as a multiple of that at the usual load.
    pub(super) fn factor(&self, in_flight: f64) -> f64 {
        (1.0 + self.steepness * (in_flight - self.usual)).max(0.2)
    }
}

/// A service as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ServiceKnown {
    pub(super) key: u64,
    pub(super) estimate: Estimate,
    pub(super) line: Line,
}

/// What a router has learned so far. Cheap to share, never changed.
#[derive(Clone, Debug)]
pub struct RouterModel {
    pub(super) config: Arc<RouterConfig>,
    pub(super) phase: Phase,
    pub(super) forest: Option<Arc<OnlineForest<3>>>,
    pub(super) classes: BTreeMap<u64, u16>,
    pub(super) contexts: BTreeMap<u64, u16>,
    /// The last one stands for services that are not known.
    pub(super) services: Vec<ServiceKnown>,
    /// `classes × services`, the unknown ones included: what is known, and its features but for the context.
    pub(super) pairs: Vec<(Known, Profile)>,
    /// `contexts × services`.
    pub(super) context_latency: Vec<f32>,
}

/// Where a request goes, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Index of the service.
    pub index: usize,
    /// The probability with which it was chosen, over the random bits: for estimates of what other choices would have brought.
    pub propensity: f64,
    /// Why.
    pub reason: Reason,
}

/// What is expected of a request at a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expected {
    /// Latency in ms with what is in flight there.
    pub latency_ms: f64,
    /// Probability of success.
    pub success: f64,
    /// Resource used.
    pub resource: f64,
    /// All of that as a cost, with what others would wait for it.
    pub cost: f64,
    /// The same with hope for as much as is not known.
    pub hoped_cost: f64,
}

/// Space that choices use again.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    candidates: Vec<usize>,
    rows: Vec<f32>,
    beliefs: Vec<Belief<3>>,
    expected: Vec<Expected>,
}

impl RouterModel {
    /// Chooses a service for `request`, by 64 uniform bits where there is a choice; `None` if none is available.
    ///
    /// A share of the requests goes anywhere, another to the service with the least in flight; the others where the cost is
    /// expected to be least. While too little is known, or the router does worse than least-request, the others go by the
    /// least in flight too.
    pub fn decide(
        &self,
        request: &RouteRequest,
        services: &[ServiceView],
        random: u64,
        scratch: &mut Scratch,
    ) -> Option<Choice> {
        let mut candidates = std::mem::take(&mut scratch.candidates);
        candidates.clear();
        let available = services.iter().enumerate().filter(|(_, service)| service.available);
        candidates.extend(available.map(|(index, _)| index).take(MOST_SERVICES));
        let choice = self.choose(request, services, &candidates, random, scratch);
        scratch.candidates = candidates;
        choice
    }

    fn choose(
        &self,
        request: &RouteRequest,
        services: &[ServiceView],
        candidates: &[usize],
        random: u64,
        scratch: &mut Scratch,
    ) -> Option<Choice> {
        let load = |index: usize| (f64::from(services[index].in_flight) + 1.0) / services[index].weight.max(1e-3);
        let least = candidates.iter().map(|index| load(*index)).reduce(f64::min)?;
        let is_least = |index: usize| load(index) <= least;
        let ties = candidates.iter().filter(|index| is_least(**index)).count();
        let cheapest = match self.phase {
            Phase::Learned => {
                self.expect(request, services, candidates, scratch);
                let costs = scratch.expected.iter().map(|expected| expected.hoped_cost);
                candidates.iter().copied().zip(costs).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
            }
            Phase::ColdStart | Phase::Baseline => None,
        };
        let (any, held_out) = (self.config.exploration, self.config.hold_out);
        let mut state = random;
        let roll = uniform(&mut state);
        let (index, reason) = if roll < any {
            (candidates[below(&mut state, candidates.len())], Reason::Exploration)
        } else if let Some(cheapest) = cheapest.filter(|_| roll >= any + held_out) {
            (cheapest, Reason::Learned)
        } else {
            let nth = below(&mut state, ties);
            let index = candidates.iter().copied().filter(|index| is_least(*index)).nth(nth)?;
            let reason = match self.phase {
                Phase::Learned => Reason::HoldOut,
                Phase::ColdStart => Reason::ColdStart,
                Phase::Baseline => Reason::Baseline,
            };
            (index, reason)
        };
        let least_share = if cheapest.is_some() { held_out } else { 1.0 - any };
        let mut propensity = any / candidates.len() as f64;
        if is_least(index) {
            propensity += least_share / ties as f64;
        }
        if cheapest == Some(index) {
            propensity += 1.0 - any - held_out;
        }
        Some(Choice { index, propensity, reason })
    }

    /// What is expected of `request` at each of `services`, whether available or not.
    pub fn predict(&self, request: &RouteRequest, services: &[ServiceView]) -> Vec<Expected> {
        let mut scratch = Scratch::default();
        let all: Vec<usize> = (0..services.len()).collect();
        self.expect(request, services, &all, &mut scratch);
        scratch.expected
    }

    fn expect(&self, request: &RouteRequest, services: &[ServiceView], candidates: &[usize], scratch: &mut Scratch) {
        let of_request = features::of_request(request);
        let known = self.services.len();
        let class = known * self.classes.get(&request.class).map_or(0, |at| usize::from(*at));
        let context = request.context.and_then(|context| self.contexts.get(&context));
        let context = known * context.map_or(0, |at| usize::from(*at));
        let place = |index: usize| {
            let is_it =
                |place: usize| self.services[..known - 1].get(place).is_some_and(|s| s.key == services[index].key);
            if is_it(index) { index } else { (0..known - 1).find(|place| is_it(*place)).unwrap_or(known - 1) }
        };
        let Scratch { rows, beliefs, expected, .. } = scratch;
        rows.clear();
        for &index in candidates {
            let at = place(index);
            let mut profile = self.pairs[class + at].1;
            profile[4] = self.context_latency[context + at];
            let view = &services[index];
            rows.extend(features::row(&of_request, &profile, f64::from(view.in_flight) / view.weight.max(1e-3)));
        }
        match &self.forest {
            Some(forest) => forest.predict_many(rows, beliefs),
            None => {
                beliefs.clear();
                beliefs.extend(candidates.iter().map(|index| plain(&self.pairs[class + place(*index)].0.estimate)));
            }
        }
        expected.clear();
        for (&index, belief) in candidates.iter().zip(beliefs) {
            let at = place(index);
            let (known, service) = (&self.pairs[class + at].0, &self.services[at]);
            expected.push(self.price(belief, known, service, f64::from(services[index].in_flight)));
        }
    }

    fn price(&self, belief: &Belief<3>, known: &Known, service: &ServiceKnown, in_flight: f64) -> Expected {
        let config = &*self.config;
        let correction = &known.correction;
        let latency_ms = belief.mean[0].exp() * service.line.factor(in_flight) * correction.latency;
        let failure = (1.0 - belief.mean[1] + correction.failures).clamp(0.0, 1.0);
        let resource = belief.mean[2].exp_m1().max(0.0) * correction.resource;
        // One more makes each of those there wait a little longer: the derivative of in_flight · latency(in_flight).
        let others_ms = service.line.steepness * service.estimate.latency.exp() * in_flight;
        let failure_ms = config.failure_cost.as_secs_f64() * 1000.0;
        let rest = config.latency_weight * config.queue_weight * others_ms
            + config.failure_weight * failure * failure_ms
            + config.resource_weight * resource;
        let hope = (-config.optimism * known.doubt * belief.spread.max(LEAST_SPREAD)).exp();
        let cost = |latency_ms: f64| config.latency_weight * latency_ms + rest;
        Expected {
            latency_ms,
            success: 1.0 - failure,
            resource,
            cost: cost(latency_ms),
            hoped_cost: cost(latency_ms * hope),
        }
    }

    /// Who decides.
    pub fn phase(&self) -> Phase {
        self.phase
    }
}

/// What is believed where there is no forest yet.
pub(super) fn plain(estimate: &Estimate) -> Belief<3> {
    Belief { mean: [estimate.latency, estimate.ok, estimate.resource], spread: 2.0 * LEAST_SPREAD }
}

/// A row for one service.
pub(super) fn row_of(request: &RouteRequest, profile: &Profile, context: f32, load: f64) -> [f32; WIDTH] {
    let mut profile = *profile;
    profile[4] = context;
    features::row(&features::of_request(request), &profile, load)
}

//! What is known at one moment, as those who route see it: it never changes, so nobody waits for anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use foresail_learn::forest::{Belief, OnlineForest, Ranks};

use super::cell::{Correction, Estimate};
use super::config::RouterConfig;
use super::features::{self, CONTEXT, LOAD, PROFILE};
use super::line::Line;
use super::request::{RouteRequest, ServiceView};
use super::{Phase, Reason};
use crate::balancer::{below, uniform};

/// Services that a request may choose between at most; further ones are not looked at.
pub(super) const MOST_SERVICES: usize = 64;
/// The forest is asked for so many services, those that are best by their profiles: what it answers in one go.
const SHORTLIST: usize = 8;
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

/// The same with what can be worked out before there is a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PairKnown {
    pub(super) known: Known,
    /// The forest's ranks of the profile.
    pub(super) ranks: [u8; CONTEXT - PROFILE],
    /// The hoped cost of latency at the usual load, and the other costs, by the profile alone.
    pub(super) rough: (f64, f64),
}

/// A service as a whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ServiceKnown {
    pub(super) key: u64,
    /// Its usual latency, of all that it does.
    pub(super) usual_ms: f64,
    pub(super) line: Line,
}

impl ServiceKnown {
    /// What one more makes those there wait in all, ms: the derivative of in_flight · latency(in_flight), less its own latency.
    fn others_ms(&self, in_flight: f64) -> f64 {
        self.line.steepness * self.usual_ms * in_flight
    }
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
    /// `classes × services`, the unknown ones included.
    pub(super) pairs: Vec<PairKnown>,
    /// `contexts × services`: the forest's ranks.
    pub(super) context_ranks: Vec<u8>,
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
    rows: Vec<Ranks>,
    rough: Vec<(f64, usize)>,
    shortlist: Vec<usize>,
    places: Vec<usize>,
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
                let shortlist = self.shortlist(request, services, candidates, scratch);
                self.expect(request, services, &shortlist, scratch);
                let costs = scratch.expected.iter().map(|expected| expected.hoped_cost);
                let best = shortlist.iter().zip(costs).min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| *index);
                scratch.shortlist = shortlist;
                best
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

    /// The place of the first pair of the request's class.
    fn class_of(&self, request: &RouteRequest) -> usize {
        self.services.len() * self.classes.get(&request.class).map_or(0, |at| usize::from(*at))
    }

    /// The place of a service; the last one if it is not known. Most often it is that of its index.
    fn place(&self, services: &[ServiceView], index: usize) -> usize {
        let known = &self.services[..self.services.len() - 1];
        let key = services[index].key;
        if known.get(index).is_some_and(|service| service.key == key) {
            return index;
        }
        known.iter().position(|service| service.key == key).unwrap_or(known.len())
    }

    /// The candidates that are worth asking the forest about.
    fn shortlist(
        &self,
        request: &RouteRequest,
        services: &[ServiceView],
        candidates: &[usize],
        scratch: &mut Scratch,
    ) -> Vec<usize> {
        let mut shortlist = std::mem::take(&mut scratch.shortlist);
        shortlist.clear();
        if candidates.len() <= SHORTLIST {
            shortlist.extend(candidates);
            return shortlist;
        }
        let class = self.class_of(request);
        let others_weight = self.config.latency_weight * self.config.queue_weight;
        scratch.rough.clear();
        scratch.rough.extend(candidates.iter().map(|&index| {
            let at = self.place(services, index);
            let (service, (latency, rest)) = (&self.services[at], self.pairs[class + at].rough);
            let in_flight = f64::from(services[index].in_flight);
            let cost = latency * service.line.factor(in_flight) + rest + others_weight * service.others_ms(in_flight);
            (cost, index)
        }));
        scratch.rough.select_nth_unstable_by(SHORTLIST - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        shortlist.extend(scratch.rough[..SHORTLIST].iter().map(|(_, index)| *index));
        shortlist.sort_unstable();
        shortlist
    }

    /// Fills `scratch.expected` in the order of `candidates`.
    fn expect(&self, request: &RouteRequest, services: &[ServiceView], candidates: &[usize], scratch: &mut Scratch) {
        let class = self.class_of(request);
        let context = request.context.and_then(|context| self.contexts.get(&context));
        let context = self.services.len() * context.map_or(0, |at| usize::from(*at));
        let Scratch { places, rows, beliefs, expected, .. } = scratch;
        places.clear();
        places.extend(candidates.iter().map(|index| self.place(services, *index)));
        beliefs.clear();
        match &self.forest {
            None => beliefs.extend(places.iter().map(|at| plain(&self.pairs[class + at].known.estimate))),
            Some(forest) => {
                let mut row = [0; 16];
                for (feature, value) in features::of_request(request).into_iter().enumerate() {
                    row[feature] = forest.rank(feature, value);
                }
                rows.clear();
                for (&index, at) in candidates.iter().zip(&*places) {
                    let load = f64::from(services[index].in_flight) / services[index].weight.max(1e-3);
                    row[PROFILE..CONTEXT].copy_from_slice(&self.pairs[class + at].ranks);
                    row[CONTEXT] = self.context_ranks[context + at];
                    row[LOAD] = forest.rank(LOAD, features::of_load(load));
                    rows.push(row);
                }
                forest.predict_ranked(rows, beliefs);
            }
        }
        expected.clear();
        for ((&index, &at), belief) in candidates.iter().zip(&*places).zip(&*beliefs) {
            let known = &self.pairs[class + at].known;
            expected.push(self.price(belief, known, &self.services[at], f64::from(services[index].in_flight)));
        }
    }

    fn price(&self, belief: &Belief<3>, known: &Known, service: &ServiceKnown, in_flight: f64) -> Expected {
        let config = &*self.config;
        let mut expected = expected(config, belief, known);
        let (factor, latency) = (service.line.factor(in_flight), config.latency_weight * expected.latency_ms);
        let others = config.latency_weight * config.queue_weight * service.others_ms(in_flight);
        let hoped = expected.hoped_cost - expected.cost + latency;
        let rest = expected.cost - latency + others;
        expected.latency_ms *= factor;
        (expected.cost, expected.hoped_cost) = (latency * factor + rest, hoped * factor + rest);
        expected
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

/// What is expected at the usual load, nobody else's wait included.
pub(super) fn expected(config: &RouterConfig, belief: &Belief<3>, known: &Known) -> Expected {
    let correction = &known.correction;
    let latency_ms = belief.mean[0].exp() * correction.latency;
    let failure = (1.0 - belief.mean[1] + correction.failures).clamp(0.0, 1.0);
    let resource = belief.mean[2].exp_m1().max(0.0) * correction.resource;
    let rest = config.failure_weight * failure * config.failure_cost.as_secs_f64() * 1000.0
        + config.resource_weight * resource;
    let hope = (-config.optimism * known.doubt * belief.spread.max(LEAST_SPREAD)).exp();
    let cost = |latency_ms: f64| config.latency_weight * latency_ms + rest;
    let (cost, hoped_cost) = (cost(latency_ms), cost(latency_ms * hope));
    Expected { latency_ms, success: 1.0 - failure, resource, cost, hoped_cost }
}

/// The hoped cost of latency, and the other costs, as far as the profile tells.
pub(super) fn rough(config: &RouterConfig, known: &Known) -> (f64, f64) {
    let expected = expected(config, &plain(&known.estimate), known);
    let rest = expected.cost - config.latency_weight * expected.latency_ms;
    (expected.hoped_cost - rest, rest)
}

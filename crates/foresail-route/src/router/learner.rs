//! The router's learner: told how each request went, it knows what to expect of the next.

use std::sync::Arc;

use foresail_core::SeededRng;
use foresail_learn::forest::{Belief, ForestParams, OnlineForest};
use serde::{Deserialize, Serialize};

use super::Phase;
use super::cell::{Cell, Correction, Estimate, NONE, Pair, Predicted, Residual, UNKNOWN};
use super::config::RouterConfig;
use super::features::{self, CONTEXT, PROFILE, Profile};
use super::hold_out::HoldOut;
use super::kinds::Kinds;
use super::line::{self, Line, LineSums};
use super::model::{Known, MOST_SERVICES, PairKnown, RouterModel, ServiceKnown, plain, rough};
use super::report::SpecialityChange;
use super::request::RouteOutcome;
use super::reservoir::Reservoir;
use crate::balancer::{Acting, Contest, Side};
use crate::{Error, Reason};

/// Latencies in ms and resources are taken to lie between these.
const LEAST_MS: f64 = 1e-3;
const MOST_AMOUNT: f64 = 1e9;
/// Answers that corrections remember, of a class at a service and of a service.
const PAIR_MEMORY: f64 = 25.0;
const SERVICE_MEMORY: f64 = 60.0;
/// Rows that a leaf remembers.
const LEAF_MEMORY: f64 = 100.0;
/// Answers of a class at a service that halve the doubt about it, squared.
const DOUBT: f64 = 4.0;
/// What is left of the evidence on a class where it has changed, and elsewhere.
const KEPT_HERE: f64 = 0.05;
const KEPT_ELSEWHERE: f64 = 0.2;
/// The forest's leaves are shown to those who route after so many answers or ms.
const SHOW_ANSWERS: u64 = 100;
const SHOW_MS: u64 = 250;
/// A fit takes at least so many new rows, and so long after a change.
const NEW_ROWS: u64 = 50;
const CHANGE_ROWS: u64 = 200;
const CHANGE_MS: u64 = 5_000;
/// Up to so many answers the forest is fitted each time there are twice as many.
const YOUNG: u64 = 4_096;

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) key: u64,
    pub(super) all: Cell,
    pub(super) sums: LineSums,
    pub(super) residual: Residual,
}

/// Spread of the logarithm of latency over what was predicted: running mean and variance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noise {
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Noise {
    /// The error in standard deviations, by what was known before.
    fn push(&mut self, error: f64) -> f64 {
        let deviation = self.variance.sqrt();
        let standard = (error - self.mean) / deviation;
        let clipped = standard.clamp(-3.0, 3.0) * deviation;
        self.mean += 0.005 * clipped;
        self.variance = (self.variance + 0.005 * (clipped * clipped - self.variance)).clamp(1e-3, 4.0);
        standard
    }
}

/// When the forest was fitted last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LastFit {
    at_ms: u64,
    outcomes: u64,
    /// A change was found since.
    has_changed: bool,
}

impl LastFit {
    pub(super) fn is_sound(&self, outcomes: u64, now_ms: u64) -> bool {
        self.outcomes <= outcomes && self.at_ms <= now_ms
    }
}

/// All that is learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) services: Vec<Service>,
    pub(super) classes: Kinds<Pair>,
    pub(super) contexts: Kinds<Cell>,
    pub(super) all: Cell,
    pub(super) noise: Noise,
    pub(super) forest: Option<OnlineForest<3>>,
    pub(super) reservoir: Reservoir,
    pub(super) outcomes: u64,
    pub(super) now_ms: u64,
    pub(super) last_fit: LastFit,
    pub(super) changes: u64,
    #[serde(default)]
    pub(super) last_change: Option<SpecialityChange>,
    pub(super) hold_out: HoldOut,
    pub(super) contest: Contest,
}

/// Learns what requests cost at services, and hands out what it knows as [`RouterModel`]s. It belongs to one thread; telling it
/// of an answer takes microseconds, [`fit`](Self::fit) tens of milliseconds, so both stay off the path of requests.
#[derive(Clone, Debug)]
pub struct Router {
    pub(super) config: Arc<RouterConfig>,
    rng: SeededRng,
    pub(super) state: State,
    /// One a service, and one for the unknown.
    pub(super) lines: Vec<Line>,
    shown: Option<Arc<OnlineForest<3>>>,
    shown_at: (u64, u64),
}

impl Router {
    /// A router that knows nothing. The same `seed` and answers make the same router.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a setting out of its range.
    pub fn new(config: RouterConfig, seed: u64) -> Result<Self, Error> {
        config.check()?;
        let state = State {
            services: Vec::new(),
            classes: Kinds::new(config.classes),
            contexts: Kinds::new(config.contexts),
            all: Cell::default(),
            noise: Noise { mean: 0.0, variance: 0.25 },
            forest: None,
            reservoir: Reservoir::default(),
            outcomes: 0,
            now_ms: 0,
            last_fit: LastFit::default(),
            changes: 0,
            last_change: None,
            hold_out: HoldOut::default(),
            contest: Contest::reigning(),
        };
        Ok(Self::with(Arc::new(config), SeededRng::seed_from_u64(seed), state))
    }

    pub(super) fn with(config: Arc<RouterConfig>, rng: SeededRng, state: State) -> Self {
        let mut router = Self { config, rng, state, lines: Vec::new(), shown: None, shown_at: (0, 0) };
        router.draw_lines();
        router
    }

    /// Goes on from what was saved; see [`save`](Self::save).
    pub(super) fn resume(&mut self, state: State) {
        *self = Self::with(Arc::clone(&self.config), self.rng.clone(), state);
    }

    /// Follows the set of services, by their keys: new ones are taken in, and those that are gone are remembered as long as
    /// there are no more than 64 in all. The first 64 keys count.
    pub fn follow(&mut self, keys: &[u64]) {
        let keys = &keys[..keys.len().min(MOST_SERVICES)];
        for &key in keys {
            if self.place_of(key).is_some() {
                continue;
            }
            if self.state.services.len() == MOST_SERVICES
                && let Some(gone) = self.state.services.iter().position(|service| !keys.contains(&service.key))
            {
                self.state.services.remove(gone);
                self.state.classes.remove_service(gone);
                self.state.contexts.remove_service(gone);
            }
            let service =
                Service { key, all: Cell::default(), sums: LineSums::default(), residual: Residual::default() };
            self.state.services.push(service);
            self.state.classes.add_service();
            self.state.contexts.add_service();
        }
        self.draw_lines();
    }

    fn place_of(&self, key: u64) -> Option<usize> {
        self.state.services.iter().position(|service| service.key == key)
    }

    /// Learns how a request went, whoever chose the service. One to a service that is not known changes nothing.
    pub fn observe(&mut self, outcome: &RouteOutcome) {
        let Some(at) = self.place_of(outcome.service) else { return };
        self.state.now_ms = self.state.now_ms.max(outcome.at_ms);
        self.state.outcomes += 1;
        let (now_ms, memory_ms) = (self.state.now_ms, self.memory_ms());
        let class = self.state.classes.admit(outcome.request.class, now_ms, memory_ms);
        let context = outcome.request.context.map_or(0, |key| self.state.contexts.admit(key, now_ms, memory_ms));
        self.fade(at, class, context);

        let known = self.known(class, at);
        let of_request = features::of_request(&outcome.request);
        let row =
            features::row(&of_request, &self.profile(class, at), self.context_latency(context, at), outcome.load());
        let belief = self.believe(&row, &known.estimate);
        let factor = self.lines[at].factor(f64::from(outcome.in_flight));
        let predicted = Predicted {
            latency_ms: belief.mean[0].exp() * factor,
            ok: belief.mean[1].clamp(0.0, 1.0),
            resource: belief.mean[2].exp_m1().max(0.0),
        };
        let success_ms = outcome.success_ms();
        let resource = outcome.resource(success_ms.unwrap_or(0.0)).min(MOST_AMOUNT);
        let answer = success_ms.map(|ms| (ms.clamp(LEAST_MS, MOST_AMOUNT), resource));
        self.judge(class, at, answer.map(|(ms, _)| (ms / (predicted.latency_ms * known.correction.latency)).ln()));

        let logged = answer.map(|(ms, resource)| ((ms / factor).ln(), resource.ln_1p()));
        let state = &mut self.state;
        state.classes.places_mut()[class].here[at].residual.push(&predicted, answer, PAIR_MEMORY);
        state.services[at].residual.push(&predicted, answer, SERVICE_MEMORY);
        state.all.push(logged);
        state.services[at].all.push(logged);
        state.classes.places_mut()[class].all.push(logged);
        state.classes.places_mut()[class].here[at].cell.push(logged);
        let beside = logged.map(|(latency, _)| (latency - known.estimate.latency, 0.0));
        state.contexts.places_mut()[context].all.push(beside);
        state.contexts.places_mut()[context].here[at].push(beside);
        // Latency in hundredths of what is usual for the class, so that a line is the load's and not the mix's.
        let relative = answer.map(|(ms, _)| 100.0 * ms / known.estimate.latency.exp());
        if let Some(relative) = relative {
            state.services[at].sums.push(outcome.in_flight, relative);
        }

        let target = match logged {
            Some((latency, resource)) => [latency, 1.0, resource],
            // Of what failed only that is known; for the rest it must not count.
            None => [belief.mean[0], 0.0, belief.mean[2]],
        };
        let mut rng = self.rng.fork(state.outcomes);
        if let Some(forest) = &mut state.forest {
            forest.update(&row, &target, &mut rng);
        }
        state.reservoir.push(&row, target, &mut rng);
        let cost = self.config.cost(success_ms, resource);
        self.contend(outcome.reason, cost);
    }

    /// The latest time of an answer, in ms of the clock that answers are told by. Whoever restores a router and has a clock that
    /// begins anew adds this to its times: earlier ones count as this one, so that nothing would be forgotten and no contest
    /// end until the clock has caught up.
    pub fn now_ms(&self) -> u64 {
        self.state.now_ms
    }

    fn memory_ms(&self) -> f64 {
        self.config.memory.as_secs_f64() * 1000.0
    }

    fn fade(&mut self, at: usize, class: usize, context: usize) {
        let (now_ms, memory_ms) = (self.state.now_ms, self.memory_ms());
        let state = &mut self.state;
        let (class, context) = (&mut state.classes.places_mut()[class], &mut state.contexts.places_mut()[context]);
        class.here.iter_mut().for_each(|pair| pair.cell.fade(now_ms, memory_ms));
        let cells =
            [&mut state.all, &mut state.services[at].all, &mut class.all, &mut context.all, &mut context.here[at]];
        cells.into_iter().for_each(|cell| cell.fade(now_ms, memory_ms));
        state.services[at].sums.fade(now_ms, self.config.memory);
    }

    /// Looks for a change of what a service is good at. Where there is one, what was known of the class counts for little
    /// from now on, here as elsewhere: whoever has won or lost may not be alone (the restarts of Liu, Lee and Shroff, "A
    /// change-detection based framework for piecewise-stationary multi-armed bandit problem", AAAI 2018).
    fn judge(&mut self, class: usize, at: usize, error: Option<f64>) {
        let Some(error) = error else { return };
        let standard = self.state.noise.push(error);
        let kind = &mut self.state.classes.places_mut()[class];
        if kind.here[at].has_changed(standard) {
            for (place, pair) in kind.here.iter_mut().enumerate() {
                pair.cell.keep(if place == at { KEPT_HERE } else { KEPT_ELSEWHERE });
            }
            self.state.changes += 1;
            let service = self.state.services[at].key;
            self.state.last_change = Some(SpecialityChange { class: kind.key(), service, is_slower: standard > 0.0 });
            self.state.last_fit.has_changed = true;
        }
    }

    /// Keeps the account of who is cheaper.
    fn contend(&mut self, reason: Reason, cost: f64) {
        let state = &mut self.state;
        if state.contest.acting() != Acting::Learner {
            state.contest.observe(state.now_ms, cost);
        } else if matches!(reason, Reason::Learned | Reason::HoldOut)
            && state.hold_out.observe(reason == Reason::HoldOut, cost)
        {
            state.contest.call(state.now_ms);
        }
    }

    fn believe(&self, row: &[f32], estimate: &Estimate) -> Belief<3> {
        self.state.forest.as_ref().map_or_else(|| plain(estimate), |forest| forest.predict(row))
    }

    fn overall(&self) -> Estimate {
        self.state.all.estimate(&UNKNOWN)
    }

    /// Of a service; of one that is not known beyond the last.
    pub(super) fn of_service(&self, at: usize) -> Estimate {
        let overall = self.overall();
        self.state.services.get(at).map_or(overall, |service| service.all.estimate(&overall))
    }

    fn of_class(&self, class: usize) -> Estimate {
        self.state.classes.places()[class].all.estimate(&self.overall())
    }

    /// Of a class at a service. As long as little is known, the class is as much faster or slower there than others as it is
    /// everywhere.
    pub(super) fn known(&self, class: usize, at: usize) -> Known {
        let (overall, service, of_class) = (self.overall(), self.of_service(at), self.of_class(class));
        let prior = Estimate {
            latency: service.latency + of_class.latency - overall.latency,
            ok: (service.ok + of_class.ok - overall.ok).clamp(0.0, 1.0),
            resource: (service.resource + of_class.resource - overall.resource).max(0.0),
        };
        let Some(pair) = self.state.classes.places()[class].here.get(at) else {
            return Known { estimate: prior, correction: NONE, doubt: 1.0 };
        };
        let of_service: Correction = self.state.services[at].residual.correction(&NONE);
        Known {
            estimate: pair.cell.estimate(&prior),
            correction: pair.residual.correction(&of_service),
            doubt: (DOUBT / (DOUBT + pair.cell.tries())).sqrt(),
        }
    }

    /// The features of a class at a service.
    fn profile(&self, class: usize, at: usize) -> Profile {
        let (here, of_class, service) = (self.known(class, at).estimate, self.of_class(class), self.of_service(at));
        [of_class.latency, here.latency, here.ok, here.resource, service.latency, service.ok].map(|f| f as f32)
    }

    /// How much slower than its class a context is at a service, as a logarithm.
    fn context_latency(&self, context: usize, at: usize) -> f32 {
        let kind = &self.state.contexts.places()[context];
        let nothing = Estimate { latency: 0.0, ok: 1.0, resource: 0.0 };
        let prior = kind.all.estimate(&nothing);
        kind.here.get(at).map_or(prior, |cell| cell.estimate(&prior)).latency as f32
    }

    fn draw_lines(&mut self) {
        self.lines = line::lines(self.state.services.iter().map(|service| &service.sums));
    }

    /// Whether the forest should be fitted anew: it is young, its time is over, or a service has changed.
    pub fn is_fit_due(&self) -> bool {
        let (state, last) = (&self.state, &self.state.last_fit);
        let (rows, passed_ms) = (state.outcomes - last.outcomes, state.now_ms.saturating_sub(last.at_ms));
        if state.forest.is_none() {
            return state.outcomes >= self.config.cold_start;
        }
        (last.outcomes < YOUNG && rows >= last.outcomes)
            || (rows >= NEW_ROWS && u128::from(passed_ms) >= self.config.refit.as_millis())
            || (last.has_changed && rows >= CHANGE_ROWS && passed_ms >= CHANGE_MS)
    }

    /// Fits the forest anew, in some tens of milliseconds.
    pub fn fit(&mut self) {
        let state = &mut self.state;
        let Some((rows, targets)) = state.reservoir.table() else { return };
        let params = ForestParams { min_leaf: 10, feature_share: 0.8, max_bins: 64, ..ForestParams::default() };
        let rng = self.rng.fork(!state.outcomes);
        let fitted = OnlineForest::fit(rows, targets, &params, LEAF_MEMORY, &rng);
        // Rows and targets are finite, so there is nothing that it could refuse.
        debug_assert!(fitted.is_ok());
        if let Ok(forest) = fitted {
            state.forest = Some(forest);
            self.shown = None;
        }
        state.last_fit = LastFit { at_ms: state.now_ms, outcomes: state.outcomes, has_changed: false };
    }

    /// What is known now, for those who route. Costs tens of microseconds.
    pub fn model(&mut self) -> RouterModel {
        self.draw_lines();
        let (outcomes, now_ms) = (self.state.outcomes, self.state.now_ms);
        let is_old = outcomes >= self.shown_at.0 + SHOW_ANSWERS || now_ms >= self.shown_at.1 + SHOW_MS;
        if self.shown.is_none() || (is_old && outcomes > self.shown_at.0) {
            self.shown = self.state.forest.clone().map(Arc::new);
            self.shown_at = (outcomes, now_ms);
        }
        let state = &self.state;
        let places = 0..=state.services.len();
        let classes = 0..state.classes.places().len();
        let contexts = 0..state.contexts.places().len();
        let service = |at: usize| ServiceKnown {
            key: state.services.get(at).map_or(0, |service| service.key),
            usual_ms: self.of_service(at).latency.exp(),
            line: self.lines[at],
        };
        let rank = |feature, value| self.shown.as_ref().map_or(0, |forest| forest.rank(feature, value));
        let pair = |class: usize, at: usize| {
            let (profile, known) = (self.profile(class, at), self.known(class, at));
            let ranks = std::array::from_fn(|i| rank(PROFILE + i, profile[i]));
            PairKnown { known, ranks, rough: rough(&self.config, &known) }
        };
        let context = |context: usize, at: usize| rank(CONTEXT, self.context_latency(context, at));
        RouterModel {
            config: Arc::clone(&self.config),
            phase: self.phase(),
            forest: self.shown.clone(),
            classes: state.classes.index(),
            contexts: state.contexts.index(),
            services: places.clone().map(service).collect(),
            pairs: classes.flat_map(|c| places.clone().map(move |at| (c, at))).map(|(c, at)| pair(c, at)).collect(),
            context_ranks: contexts
                .flat_map(|c| places.clone().map(move |at| (c, at)))
                .map(|(c, at)| context(c, at))
                .collect(),
        }
    }

    /// Who decides now.
    pub fn phase(&self) -> Phase {
        if self.state.outcomes < self.config.cold_start {
            return Phase::ColdStart;
        }
        match self.state.contest.side() {
            Side::Learner => Phase::Learned,
            Side::Baseline => Phase::Baseline,
        }
    }
}

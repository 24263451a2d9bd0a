//! The request router at work: workers ask a model that never changes, and tell one learner, beside them, what came of it.

mod learning;
mod names;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use foresail_core::fingerprint::{path_pattern, pattern_name};
use foresail_route::{ClassKey, LoadReport, Reason, RouteOutcome, RouteRequest, RouterModel, Scratch, ServiceView};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;

use self::learning::keys;
use self::names::Names;
use crate::config::RouterSettings;
use crate::fleet::fnv1a;
use crate::record::content_length;
use crate::stats::RouterStats;
use crate::worker::LocalFleet;
use crate::{ProxyConfig, clock};

pub(crate) use self::learning::{Learning, learn};

const X_FORESAIL_LOAD: HeaderName = HeaderName::from_static("x-foresail-load");

/// How often workers hand over and the learner looks.
const TICK: Duration = Duration::from_millis(20);
/// Answers that may wait for the learner, a worker; further ones are not learned from.
const MOST_WAITING: usize = 4_096;

/// What workers and learner share: one publishes models, the others leave outcomes, none waits.
#[derive(Debug)]
pub(crate) struct SharedRouter {
    model: ArcSwap<RouterModel>,
    generation: AtomicU64,
    /// One a worker.
    outcomes: Vec<ArcSwapOption<Vec<RouteOutcome>>>,
    lost: AtomicU64,
    report: ArcSwapOption<RouterStats>,
    names: Names,
}

impl SharedRouter {
    /// With a router that knows what was saved, or nothing, for the learner to take.
    ///
    /// # Errors
    /// For settings out of range.
    pub(crate) fn new(settings: &RouterSettings, workers: usize) -> Result<(Self, Learning), crate::Error> {
        let (mut learning, names) = Learning::start(settings)?;
        let shared = Self {
            model: ArcSwap::from_pointee(learning.model()),
            generation: AtomicU64::new(1),
            outcomes: (0..workers).map(|_| ArcSwapOption::empty()).collect(),
            lost: AtomicU64::new(0),
            report: ArcSwapOption::empty(),
            names: Names::new(names),
        };
        Ok((shared, learning))
    }

    fn publish(&self, model: RouterModel) {
        self.model.store(Arc::new(model));
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// How the learner stands.
    pub(crate) fn stats(&self) -> Option<RouterStats> {
        let stats = self.report.load().as_deref().cloned()?;
        Some(RouterStats { classes: self.names.all(), lost: self.lost.load(Ordering::Relaxed), ..stats })
    }
}

/// A request that the router has sent somewhere, until it is known how it went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Routed {
    request: RouteRequest,
    pub(crate) service: usize,
    key: u64,
    in_flight: u32,
    weight: f64,
    reason: Reason,
}

/// Where the endpoints of one set belong, by one worker's copy of it.
#[derive(Default)]
struct Groups {
    /// Of the set and of the settings.
    generations: (u64, u64),
    /// Each endpoint's service.
    service_of: Vec<usize>,
    /// Each service's key and its endpoints.
    services: Vec<(u64, Vec<usize>)>,
}

/// One worker's side.
pub(crate) struct Desk {
    index: usize,
    shared: Arc<SharedRouter>,
    model: RefCell<(u64, Arc<RouterModel>)>,
    groups: RefCell<Groups>,
    views: RefCell<Vec<ServiceView>>,
    scratch: RefCell<Scratch>,
    outcomes: RefCell<Vec<RouteOutcome>>,
    next: Cell<Instant>,
}

impl Desk {
    pub(crate) fn new(index: usize, shared: Arc<SharedRouter>) -> Self {
        let model = (shared.generation.load(Ordering::Acquire), shared.model.load_full());
        Self {
            index,
            shared,
            model: RefCell::new(model),
            groups: RefCell::default(),
            views: RefCell::default(),
            scratch: RefCell::default(),
            outcomes: RefCell::default(),
            next: Cell::new(clock::now() + TICK),
        }
    }

    /// What the router is to know of a request.
    pub(crate) fn request(&self, settings: &RouterSettings, parts: &Parts) -> RouteRequest {
        let value = |name: &str| parts.headers.get(name).map(HeaderValue::as_bytes);
        let header = |name: &str| value(name).map(fnv1a);
        let class = match &settings.learn.class {
            ClassKey::Header(name) => header(name).unwrap_or_default(),
            _ => path_pattern(parts.method.as_str(), parts.uri.path()),
        };
        self.shared.names.offer(class, || match &settings.learn.class {
            ClassKey::Header(name) => value(name)
                .map_or_else(|| format!("without {name}"), |value| String::from_utf8_lossy(value).into_owned()),
            _ => pattern_name(parts.method.as_str(), parts.uri.path()),
        });
        let context = Some(settings.learn.context.as_str()).filter(|name| !name.is_empty()).and_then(header);
        let parameters = parts.uri.query().map_or(0, |query| query.bytes().filter(|byte| *byte == b'&').count() + 1);
        const DAY_US: i64 = 86_400_000_000;
        RouteRequest {
            class,
            context,
            size: content_length(&parts.headers) as f64,
            complexity: parameters as f64,
            day_share: clock::wall().as_micros().rem_euclid(DAY_US) as f64 / DAY_US as f64,
        }
    }

    /// The service for a request; none if none has an endpoint that may be picked. `is_available` tells that of an endpoint.
    pub(crate) fn route(
        &self,
        config: (&ProxyConfig, u64),
        fleet: &Rc<LocalFleet>,
        request: &RouteRequest,
        random: u64,
        is_available: impl Fn(usize) -> bool,
    ) -> Option<Routed> {
        self.align(config, fleet);
        let groups = self.groups.borrow();
        let mut views = self.views.borrow_mut();
        views.clear();
        views.extend(groups.services.iter().map(|(key, endpoints)| {
            let mut view = ServiceView { key: *key, in_flight: 0, weight: 0.0, available: false };
            for &index in endpoints {
                let slot = &fleet.endpoints[index].slot;
                view.in_flight = view.in_flight.saturating_add(slot.in_flight.taken());
                if is_available(index) {
                    view.weight += slot.weight();
                    view.available = true;
                }
            }
            view
        }));
        let model = self.model();
        let choice = model.decide(request, &views, random, &mut self.scratch.borrow_mut())?;
        let ServiceView { key, in_flight, weight, .. } = views[choice.index];
        Some(Routed { request: *request, service: choice.index, key, in_flight, weight, reason: choice.reason })
    }

    /// Whether an endpoint belongs to a service; only right after [`route`](Self::route), with the same set.
    pub(crate) fn is_of(&self, endpoint: usize, service: usize) -> bool {
        self.groups.borrow().service_of.get(endpoint) == Some(&service)
    }

    fn model(&self) -> Arc<RouterModel> {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if self.model.borrow().0 != generation {
            *self.model.borrow_mut() = (generation, self.shared.model.load_full());
        }
        Arc::clone(&self.model.borrow().1)
    }

    fn align(&self, (config, generation): (&ProxyConfig, u64), fleet: &LocalFleet) {
        let generations = (fleet.generation, generation);
        if self.groups.borrow().generations == generations {
            return;
        }
        let Some(settings) = &config.router else { return };
        let names: Vec<&str> = settings.names().collect();
        let mut services: Vec<(u64, Vec<usize>)> = keys(settings).into_iter().map(|key| (key, Vec::new())).collect();
        let mut service_of = Vec::with_capacity(fleet.endpoints.len());
        for (index, endpoint) in fleet.endpoints.iter().enumerate() {
            let name = settings.service_of(&endpoint.slot.id, &endpoint.slot.address.to_string());
            let service = names.iter().position(|other| *other == name).unwrap_or(names.len() - 1);
            services[service].1.push(index);
            service_of.push(service);
        }
        *self.groups.borrow_mut() = Groups { generations, service_of, services };
    }

    /// An answer has come, or will not: `latency_ms` is none for a failure.
    pub(crate) fn tell(
        &self,
        routed: &Routed,
        latency_ms: Option<f64>,
        resource: Option<f64>,
        at_ms: u64,
        now: Instant,
    ) {
        let Routed { request, key: service, in_flight, weight, reason, service: _ } = *routed;
        let outcome = RouteOutcome { request, service, in_flight, weight, reason, latency_ms, resource, at_ms };
        let mut outcomes = self.outcomes.borrow_mut();
        if outcomes.len() < MOST_WAITING {
            outcomes.push(outcome);
        } else {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        drop(outcomes);
        self.hand_over(now);
    }

    /// Leaves what was told where the learner finds it, if it is time. As long as the learner has not taken what was left
    /// before, it is kept here.
    pub(crate) fn hand_over(&self, now: Instant) {
        let place = &self.shared.outcomes[self.index];
        if now < self.next.get() || self.outcomes.borrow().is_empty() || place.load().is_some() {
            return;
        }
        self.next.set(now + TICK);
        place.store(Some(Arc::new(self.outcomes.take())));
    }
}

/// Takes a service's word on its load out of an answer, if it says so in due form.
pub(crate) fn take_report(headers: &mut HeaderMap) -> Option<LoadReport> {
    let value = headers.remove(X_FORESAIL_LOAD)?;
    LoadReport::parse(value.as_bytes())
}

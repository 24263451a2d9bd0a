//! The router, its peers, and an oracle.

use std::time::Duration;

use foresail_route::{
    Balancer, Feedback, Pick, Reason, RouteOutcome, Router, RouterConfig, RouterModel, Scratch, ServiceView, View,
};

use super::run::{Answer, Chooser};
use super::world::{SERVICES, SLOTS, World};

/// How often the router's learner shows what it knows, ms.
const SHOW_MS: f64 = 20.0;

/// Our router.
pub struct Routed {
    router: Router,
    model: RouterModel,
    shown_ms: f64,
    /// Why each arrival went where it went.
    pub reasons: Vec<Reason>,
    scratch: Scratch,
    has_forest: bool,
}

impl Routed {
    /// With the world's prices.
    pub fn new(world: &World, config: RouterConfig, seed: u64) -> Result<Self, foresail_route::Error> {
        let config = RouterConfig {
            resource_weight: world.prices.resource,
            failure_cost: Duration::from_secs_f64(world.prices.failure_ms / 1000.0),
            ..config
        };
        let mut router = Router::new(config, seed)?;
        let keys: [u64; SERVICES] = std::array::from_fn(|service| service as u64);
        router.follow(&keys);
        let model = router.model();
        Ok(Self { router, model, shown_ms: 0.0, reasons: Vec::new(), scratch: Scratch::default(), has_forest: true })
    }

    /// The same without a forest, to see what that is good for: profiles and what corrects them decide.
    #[must_use]
    pub fn by_profiles_alone(self) -> Self {
        Self { has_forest: false, ..self }
    }

    /// The learner, to be looked at.
    pub fn router(&self) -> &Router {
        &self.router
    }
}

impl Chooser for Routed {
    fn choose(&mut self, world: &World, number: usize, in_flight: &[u32; SERVICES], random: u64) -> usize {
        let arrival = &world.arrivals[number];
        if arrival.at_ms >= self.shown_ms + SHOW_MS {
            self.shown_ms = arrival.at_ms;
            if self.has_forest && self.router.is_fit_due() {
                self.router.fit();
            }
            self.model = self.router.model();
        }
        let views: [ServiceView; SERVICES] = std::array::from_fn(|service| ServiceView {
            key: service as u64,
            in_flight: in_flight[service],
            weight: 1.0,
            available: true,
        });
        let choice = self.model.decide(&arrival.request(), &views, random, &mut self.scratch);
        let choice = choice.expect("every service is available");
        self.reasons.push(choice.reason);
        choice.index
    }

    fn answered(&mut self, world: &World, answer: &Answer) {
        self.router.observe(&RouteOutcome {
            request: world.arrivals[answer.number].request(),
            service: answer.service as u64,
            in_flight: answer.in_flight,
            weight: 1.0,
            reason: self.reasons[answer.number],
            latency_ms: answer.latency_ms,
            resource: Some(answer.resource),
            at_ms: answer.at_ms as u64,
        });
    }
}

/// A balancer that takes each service for an endpoint, and the class for the context.
pub struct Balanced(pub Box<dyn Balancer>);

impl Chooser for Balanced {
    fn choose(&mut self, world: &World, number: usize, in_flight: &[u32; SERVICES], random: u64) -> usize {
        let views = in_flight.map(|in_flight| View { in_flight, ..View::default() });
        let hash = Some(world.arrivals[number].class as u64);
        self.0.pick(&views.as_slice(), Pick { random, hash }).expect("every service is available")
    }

    fn answered(&mut self, world: &World, answer: &Answer) {
        self.0.observe(&Feedback {
            key: answer.service as u64,
            client: None,
            context: Some(world.arrivals[answer.number].class as u64),
            latency_ms: answer.latency_ms,
            in_flight: answer.in_flight,
            at_ms: answer.at_ms as u64,
        });
    }
}

/// Knows what is true of every service and how much work is there, but not a request's luck: the least expected cost, with so
/// much of what others will wait.
pub struct Oracle {
    /// Mean work of what is in flight at each service, ms.
    work_ms: [f64; SERVICES],
    /// Weight of the wait of others.
    queue_weight: f64,
}

impl Oracle {
    /// Of a weight for the wait of others.
    pub fn new(queue_weight: f64) -> Self {
        Self { work_ms: [0.0; SERVICES], queue_weight }
    }
}

impl Chooser for Oracle {
    fn choose(&mut self, world: &World, number: usize, in_flight: &[u32; SERVICES], _random: u64) -> usize {
        let slots = f64::from(SLOTS);
        let cost = |service: usize| {
            let nature = world.nature(number, service);
            let beyond = f64::from((in_flight[service] + 1).saturating_sub(SLOTS));
            // Each slot comes free after its share of the mean work.
            let per_slot = self.work_ms[service] / f64::from(in_flight[service].max(1)) / slots;
            let latency = nature.mean_ms + beyond * per_slot;
            // What comes later waits for this one too, the more the fuller the service is.
            let busy = (f64::from(in_flight[service]) / slots).min(1.0);
            let others = self.queue_weight * busy * nature.mean_ms;
            let ok = 1.0 - nature.failing;
            ok * latency
                + nature.failing * world.prices.failure_ms
                + ok * world.prices.resource * nature.resource
                + others
        };
        let best = (0..SERVICES).min_by(|a, b| cost(*a).total_cmp(&cost(*b))).expect("there are services");
        self.work_ms[best] += world.nature(number, best).mean_ms;
        best
    }

    fn answered(&mut self, world: &World, answer: &Answer) {
        let work = &mut self.work_ms[answer.service];
        *work = (*work - world.nature(answer.number, answer.service).mean_ms).max(0.0);
    }
}

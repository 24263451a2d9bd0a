//! What is true of services and requests, drawn from a seed.

use foresail_core::SeededRng;
use foresail_route::RouteRequest;

/// Classes and services.
pub const CLASSES: usize = 4;
/// See [`CLASSES`].
pub const SERVICES: usize = 3;
/// Requests that each service works on at a time.
pub const SLOTS: u32 = 8;
/// Standard deviation of the logarithm of a service time.
const SIGMA: f64 = 0.5;

/// What a class is at a service.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    /// Mean service time of a request of usual size, ms.
    pub mean_ms: f64,
    /// Probability of failure.
    pub failing: f64,
    /// Resource used for a request of usual size.
    pub resource: f64,
    /// The power of a request's size with which its service time grows.
    pub size_power: f64,
}

/// What a service can be good at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speciality {
    /// Classes: the best service for one of its requests is the best for all.
    Classes,
    /// Small requests of classes: it chokes on large ones, which the others take nearly in their stride.
    SmallRequests,
}

/// One arrival, with its luck, which is the same wherever it goes.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// When, in ms.
    pub at_ms: f64,
    /// Class, below [`CLASSES`].
    pub class: usize,
    /// Size relative to what is usual.
    pub size: f64,
    /// Whether the user is of the demanding kind.
    pub is_demanding: bool,
    /// Service time over its mean.
    luck: f64,
    /// Fails if the probability of failure is above.
    fate: f64,
}

impl Arrival {
    /// What a router may know of it.
    pub fn request(&self) -> RouteRequest {
        RouteRequest {
            class: 100 + self.class as u64,
            context: Some(u64::from(self.is_demanding)),
            size: 1000.0 * self.size,
            complexity: 0.0,
            day_share: self.at_ms / 86_400_000.0,
        }
    }
}

/// What a request costs: ms of latency, or the price of a failure, and resource.
#[derive(Clone, Copy, Debug)]
pub struct Prices {
    /// Of a failure, ms.
    pub failure_ms: f64,
    /// Of a unit of the resource, ms.
    pub resource: f64,
}

/// Services whose specialities change at one arrival.
#[derive(Clone, Debug)]
pub struct World {
    before: [[Nature; SERVICES]; CLASSES],
    after: [[Nature; SERVICES]; CLASSES],
    /// Requests in order.
    pub arrivals: Vec<Arrival>,
    /// The first arrival after the change.
    pub change: usize,
    /// What requests cost.
    pub prices: Prices,
}

impl World {
    /// `requests` arrivals, the change in the middle; `load` is the utilisation if every class were spread evenly over the
    /// services, some three times what it takes where each is at home. Each class has one service that is good at it; elsewhere it takes two to
    /// five times as long and as much, and fails more. After the change another service is good at it.
    pub fn generate(seed: u64, requests: usize, load: f64, speciality: Speciality) -> Self {
        let mut rng = SeededRng::seed_from_u64(seed).fork(1);
        let specialists: [usize; CLASSES] = std::array::from_fn(|class| class % SERVICES);
        let moved = specialists.map(|service| (service + 1) % SERVICES);
        let base: [f64; CLASSES] = std::array::from_fn(|_| 20.0 * (1.2 * rng.uniform()).exp());
        let before = draw(&base, &specialists, speciality, &mut rng);
        let after = draw(&base, &moved, speciality, &mut rng);
        let mean_ms = before.iter().flatten().map(|nature| nature.mean_ms).sum::<f64>() / (CLASSES * SERVICES) as f64;
        let rate_per_ms = load * f64::from(SLOTS) * SERVICES as f64 / mean_ms;
        let mut rng = SeededRng::seed_from_u64(seed).fork(2);
        let spread = if speciality == Speciality::Classes { 0.4 } else { 1.0 };
        let mut at_ms = 0.0;
        let mut arrive = || {
            at_ms += rng.exponential() / rate_per_ms;
            Arrival {
                at_ms,
                class: rng.below(CLASSES),
                size: (spread * rng.normal() - spread * spread / 2.0).exp(),
                is_demanding: rng.uniform() < 0.3,
                luck: (SIGMA * rng.normal() - SIGMA * SIGMA / 2.0).exp(),
                fate: rng.uniform(),
            }
        };
        let arrivals = (0..requests).map(|_| arrive()).collect();
        Self { before, after, arrivals, change: requests / 2, prices: Prices { failure_ms: 500.0, resource: 0.5 } }
    }

    /// What is true of arrival `number` at a service: its mean service time, not the usual one.
    pub fn nature(&self, number: usize, service: usize) -> Nature {
        let arrival = &self.arrivals[number];
        let natures = if number < self.change { &self.before } else { &self.after };
        let nature = natures[arrival.class][service];
        let demand = if arrival.is_demanding { 1.5 } else { 0.8 };
        let size = arrival.size.powf(nature.size_power);
        Nature { mean_ms: nature.mean_ms * demand * size, resource: nature.resource * size, ..nature }
    }

    /// How long arrival `number` takes at a service in ms, and whether it succeeds.
    pub fn service(&self, number: usize, service: usize) -> (f64, bool) {
        let (arrival, nature) = (&self.arrivals[number], self.nature(number, service));
        let is_ok = arrival.fate >= nature.failing;
        (if is_ok { nature.mean_ms * arrival.luck } else { 2.0 }, is_ok)
    }

    /// What an answer has cost.
    pub fn cost(&self, latency_ms: Option<f64>, resource: f64) -> f64 {
        latency_ms.map_or(self.prices.failure_ms, |latency_ms| latency_ms + self.prices.resource * resource)
    }
}

fn draw(
    base: &[f64; CLASSES],
    specialists: &[usize; CLASSES],
    speciality: Speciality,
    rng: &mut SeededRng,
) -> [[Nature; SERVICES]; CLASSES] {
    std::array::from_fn(|class| {
        std::array::from_fn(|service| {
            let is_good = specialists[class] == service;
            let worse = if is_good { 1.0 } else { 2.0 + 3.0 * rng.uniform() };
            let size_power = match speciality {
                // Large requests tell more at some classes than at others.
                Speciality::Classes => 0.3 + 0.2 * class as f64,
                Speciality::SmallRequests if is_good => 1.2,
                Speciality::SmallRequests => 0.1,
            };
            Nature {
                mean_ms: base[class] * worse,
                failing: if is_good { 0.002 } else { 0.005 + 0.04 * rng.uniform() },
                resource: 10.0 * if is_good { 1.0 } else { 1.0 + 2.0 * rng.uniform() },
                size_power,
            }
        })
    })
}

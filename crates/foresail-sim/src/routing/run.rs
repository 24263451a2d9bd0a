//! A run of requests through services with queues, in virtual time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use foresail_core::SeededRng;

use super::world::{SERVICES, SLOTS, World};

/// Who decides where requests go.
pub trait Chooser {
    /// The service for arrival `number`, given what is in flight at each; below [`SERVICES`].
    fn choose(&mut self, world: &World, number: usize, in_flight: &[u32; SERVICES], random: u64) -> usize;

    /// Told of every answer.
    fn answered(&mut self, _world: &World, _answer: &Answer) {}
}

/// How a request went.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The arrival.
    pub number: usize,
    /// Where it went.
    pub service: usize,
    /// What was in flight there when it came.
    pub in_flight: u32,
    /// When it was answered, ms.
    pub at_ms: f64,
    /// From its arrival; none if it failed.
    pub latency_ms: Option<f64>,
    /// Resource used.
    pub resource: f64,
}

#[derive(Default)]
struct Service {
    in_flight: u32,
    waiting: VecDeque<(usize, u32)>,
}

/// The cost of each request, in the order of their arrival.
pub fn run(world: &World, chooser: &mut dyn Chooser, seed: u64) -> Vec<f64> {
    let mut random = SeededRng::seed_from_u64(seed).fork(3);
    let mut fleet = Fleet { world, services: Default::default(), departures: BinaryHeap::new() };
    let mut costs = vec![0.0; world.arrivals.len()];
    for number in 0..world.arrivals.len() {
        let now_ms = world.arrivals[number].at_ms;
        while fleet.departures.peek().is_some_and(|Reverse((at, ..))| *at as f64 / 1e6 <= now_ms) {
            fleet.depart(chooser, &mut costs);
        }
        let in_flight = std::array::from_fn(|service| fleet.services[service].in_flight);
        let service = chooser.choose(world, number, &in_flight, random.next_u64());
        fleet.enter(service, number);
    }
    while !fleet.departures.is_empty() {
        fleet.depart(chooser, &mut costs);
    }
    costs
}

struct Fleet<'a> {
    world: &'a World,
    services: [Service; SERVICES],
    /// When in ns, whom, where, and what was in flight there when it came.
    departures: BinaryHeap<Reverse<(u64, usize, usize, u32)>>,
}

impl Fleet<'_> {
    fn enter(&mut self, at: usize, number: usize) {
        let service = &mut self.services[at];
        let others = service.in_flight;
        service.in_flight += 1;
        if others >= SLOTS {
            service.waiting.push_back((number, others));
        } else {
            self.serve(at, number, others, self.world.arrivals[number].at_ms);
        }
    }

    fn serve(&mut self, at: usize, number: usize, others: u32, now_ms: f64) {
        let (takes_ms, _) = self.world.service(number, at);
        self.departures.push(Reverse((((now_ms + takes_ms) * 1e6) as u64, number, at, others)));
    }

    fn depart(&mut self, chooser: &mut dyn Chooser, costs: &mut [f64]) {
        let Some(Reverse((at_ns, number, at, in_flight))) = self.departures.pop() else { return };
        let at_ms = at_ns as f64 / 1e6;
        self.services[at].in_flight -= 1;
        if let Some((next, others)) = self.services[at].waiting.pop_front() {
            self.serve(at, next, others, at_ms);
        }
        let (_, is_ok) = self.world.service(number, at);
        let latency_ms = is_ok.then_some(at_ms - self.world.arrivals[number].at_ms);
        let resource = self.world.nature(number, at).resource;
        costs[number] = self.world.cost(latency_ms, resource);
        chooser.answered(self.world, &Answer { number, service: at, in_flight, at_ms, latency_ms, resource });
    }
}

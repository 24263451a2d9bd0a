//! A small fleet with queues in virtual time: an open loop of Poisson arrivals, endpoints of a few slots, lognormal service.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use foresail_core::SeededRng;
use foresail_route::{Balancer, BalancerKind, Endpoints, FailureRate, Feedback, LatencyEwma, Pick, View};

/// One endpoint's nature.
#[derive(Clone, Copy)]
pub(crate) struct Nature {
    /// Mean service time in ms.
    pub(crate) mean_ms: f64,
    pub(crate) slots: usize,
    /// Share of its answers that fail, in 1 ms.
    pub(crate) failing: f64,
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) fleet: Vec<Nature>,
    pub(crate) rate_rps: f64,
    /// From the middle of the run on, service at this endpoint takes ten times as long.
    pub(crate) slowing: Option<usize>,
}

pub(crate) struct Outcome {
    pub(crate) mean_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) error_rate: f64,
    pub(crate) picks: Vec<u64>,
}

const SECONDS: f64 = 60.0;
const WARM_UP_MS: f64 = 10_000.0;

struct Server {
    nature: Nature,
    in_flight: u32,
    waiting: VecDeque<Request>,
    latency: LatencyEwma,
    failure_rate: FailureRate,
}

#[derive(Clone, Copy)]
struct Request {
    arrived_ms: f64,
    context: Option<u64>,
    /// Others there when it came.
    in_flight: u32,
}

struct Looks<'a> {
    servers: &'a [Server],
    now_ms: u64,
    decay: std::time::Duration,
}

impl Endpoints for Looks<'_> {
    fn count(&self) -> usize {
        self.servers.len()
    }

    fn view(&self, index: usize) -> View {
        let server = &self.servers[index];
        View {
            in_flight: server.in_flight,
            latency_ms: server.latency.read(self.now_ms, self.decay),
            failure_rate: server.failure_rate.read(),
            ..View::default()
        }
    }
}

/// Departures by time in ns, then by number, so that a run is one sequence.
type Departure = Reverse<(u64, u64, usize)>;

/// Runs the policy through the scenario; the same seed meets every policy with the same arrivals.
pub(crate) fn run(kind: &BalancerKind, scenario: &Scenario, seed: u64) -> Outcome {
    play(kind.build(0).as_mut(), scenario, seed, SECONDS)
}

/// The same for so many seconds, with a balancer that can be looked at afterwards.
pub(crate) fn play(balancer: &mut dyn Balancer, scenario: &Scenario, seed: u64, seconds: f64) -> Outcome {
    let mut arrivals = SeededRng::seed_from_u64(seed).fork(1);
    let mut service = SeededRng::seed_from_u64(seed).fork(2);
    let mut picks = SeededRng::seed_from_u64(seed).fork(3);
    let server = |nature: &Nature| Server {
        nature: *nature,
        in_flight: 0,
        waiting: VecDeque::new(),
        latency: LatencyEwma::default(),
        failure_rate: FailureRate::default(),
    };
    let mut fleet = Fleet {
        servers: scenario.fleet.iter().map(server).collect(),
        departures: BinaryHeap::new(),
        serving: Vec::new(),
        slowing: scenario.slowing,
    };
    let mut outcome =
        Outcome { mean_ms: 0.0, p50_ms: 0.0, p99_ms: 0.0, error_rate: 0.0, picks: vec![0; scenario.fleet.len()] };
    let (mut latencies, mut failures, mut answers) = (Vec::new(), 0_u64, 0_u64);
    let decay = balancer.latency_decay();
    let mut next_arrival = 0.0;
    loop {
        next_arrival += arrivals.exponential() * 1000.0 / scenario.rate_rps;
        while let Some(&Reverse((at, number, index))) = fleet.departures.peek() {
            let now = at as f64 / 1e6;
            if now > next_arrival && next_arrival < seconds * 1000.0 {
                break;
            }
            fleet.departures.pop();
            let (request, ok) = fleet.serving[number as usize];
            let latency_ms = now - request.arrived_ms;
            fleet.leave(index, now, ok.then_some(latency_ms), decay, &mut service);
            let latency_ms_if_ok = ok.then_some(latency_ms);
            let feedback = Feedback {
                key: index as u64,
                context: request.context,
                client: None,
                latency_ms: latency_ms_if_ok,
                in_flight: request.in_flight,
                at_ms: now as u64,
            };
            balancer.observe(&feedback);
            if request.arrived_ms >= WARM_UP_MS {
                answers += 1;
                match latency_ms_if_ok {
                    Some(latency) => latencies.push(latency),
                    None => failures += 1,
                }
            }
        }
        if next_arrival >= seconds * 1000.0 {
            break;
        }
        let context = Some(picks.next_u64() % 3);
        let looks = Looks { servers: &fleet.servers, now_ms: next_arrival as u64, decay };
        let pick = Pick { random: picks.next_u64(), hash: context };
        let index = balancer.pick(&looks, pick).unwrap();
        outcome.picks[index] += 1;
        let in_flight = fleet.servers[index].in_flight;
        fleet.enter(index, Request { arrived_ms: next_arrival, context, in_flight }, &mut service);
    }
    latencies.sort_by(f64::total_cmp);
    outcome.mean_ms = latencies.iter().sum::<f64>() / latencies.len() as f64;
    outcome.p50_ms = latencies[latencies.len() / 2];
    outcome.p99_ms = latencies[latencies.len() * 99 / 100];
    outcome.error_rate = failures as f64 / answers as f64;
    outcome
}

struct Fleet {
    servers: Vec<Server>,
    departures: BinaryHeap<Departure>,
    serving: Vec<(Request, bool)>,
    slowing: Option<usize>,
}

impl Fleet {
    fn enter(&mut self, index: usize, request: Request, service: &mut SeededRng) {
        let server = &mut self.servers[index];
        server.in_flight += 1;
        if server.in_flight as usize > server.nature.slots {
            server.waiting.push_back(request);
        } else {
            self.serve(index, request, request.arrived_ms, service);
        }
    }

    fn serve(&mut self, index: usize, request: Request, now_ms: f64, service: &mut SeededRng) {
        let nature = self.servers[index].nature;
        let ok = service.uniform() >= nature.failing;
        // Lognormal of mean 1 and sigma 0.5.
        let spread = (0.5 * service.normal() - 0.125).exp();
        let is_slow = self.slowing == Some(index) && now_ms >= SECONDS * 500.0;
        let factor = if is_slow { 10.0 } else { 1.0 };
        let takes_ms = if ok { nature.mean_ms * spread * factor } else { 1.0 };
        let number = self.serving.len() as u64;
        self.serving.push((request, ok));
        self.departures.push(Reverse((((now_ms + takes_ms) * 1e6) as u64, number, index)));
    }

    fn leave(
        &mut self,
        index: usize,
        now_ms: f64,
        success_ms: Option<f64>,
        decay: std::time::Duration,
        service: &mut SeededRng,
    ) {
        let server = &mut self.servers[index];
        server.in_flight -= 1;
        server.failure_rate = server.failure_rate.observe(success_ms.is_none());
        if let Some(latency) = success_ms {
            server.latency = server.latency.observe(latency, now_ms as u64, decay);
        }
        if let Some(next) = server.waiting.pop_front() {
            self.serve(index, next, now_ms, service);
        }
    }
}

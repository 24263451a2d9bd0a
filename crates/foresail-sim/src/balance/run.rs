//! A run: arrivals, choices, answers.

use std::collections::{BTreeMap, VecDeque};

use foresail_core::SeededRng;
use foresail_route::{Feedback, LoggedPick, Pick, PickLog};

use super::fleet::Nature;
use super::oracle::Truth;
use super::outcome::Outcome;
use super::plant::{Plant, Request};
use super::policy::{Chooser, Policy};
use super::proxy::Proxy;
use super::story::Story;

/// A request not answered by then has failed, ms.
const DEADLINE_MS: f64 = 1_000.0;
/// How often endpoints are judged without a cause, ms.
const TICK_MS: f64 = 100.0;
/// Clients that mean no harm, each with a share like any other's.
const CLIENTS: usize = 1_000;
/// The first of the attackers' identities.
const ATTACKERS: u64 = 1 << 32;
/// How long slow attackers take, ms.
const LINGER_MS: f64 = 800.0;
/// Of the logarithm of the work: lognormal of mean 1.
const SIGMA: f64 = 0.5;

/// What is played.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The endpoints.
    pub fleet: Vec<Nature>,
    /// What goes wrong.
    pub story: Story,
    /// Offered, as a share of what the fleet can serve once the story has gone wrong; above 0.
    pub load: f64,
    /// Length of the run.
    pub seconds: f64,
    /// What arrives in these first seconds is not measured.
    pub warm_up: f64,
    /// How often proxies tell one another what they learned, ms; infinite for never.
    pub exchange_ms: f64,
    /// Clients that mean harm, if any.
    pub attack: Option<Attack>,
}

/// Clients that make their own requests to one endpoint look bad, so that others' are sent elsewhere. They use no slot there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attack {
    /// Their share of the requests.
    pub share: f64,
    /// The endpoint.
    pub target: usize,
    /// What they do.
    pub deed: Deed,
    /// How many clients they pose as.
    pub identities: u64,
}

/// What attackers do to their own requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// They take 800 ms over each.
    Slow,
    /// They make each fail at once.
    Fail,
}

impl Scenario {
    /// Twenty seconds, the first four not measured.
    pub fn new(fleet: Vec<Nature>, story: Story, load: f64) -> Self {
        Self { fleet, story, load, seconds: 20.0, warm_up: 4.0, exchange_ms: f64::INFINITY, attack: None }
    }
}

impl Scenario {
    fn client(&self, rng: &mut SeededRng) -> u64 {
        match &self.attack {
            Some(attack) if rng.uniform() < attack.share => ATTACKERS + rng.next_u64() % attack.identities.max(1),
            _ => rng.below(CLIENTS) as u64,
        }
    }
}

/// What stands for a client's identity: the finaliser of SplitMix64.
fn hash(client: u64) -> u64 {
    let z = (client ^ (client >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Run<'a> {
    scenario: &'a Scenario,
    plant: Plant,
    proxies: Vec<Proxy>,
    truths: Vec<Truth>,
    /// Requests in the order they were sent: the order of their deadlines.
    sent: VecDeque<usize>,
    outcome: Outcome,
    /// Where picks are logged, and those whose answer is still out, by request.
    log: Option<&'a mut PickLog>,
    open: BTreeMap<usize, LoggedPick>,
}

/// Plays the scenario with a policy. Costs a microsecond or so a request.
pub fn run(policy: &Policy, scenario: &Scenario, seed: u64) -> Outcome {
    play(policy, scenario, seed, None)
}

/// Plays it, and logs every pick after the warm-up whose propensity the policy can tell. A failure earns what 1 s does.
pub fn run_logged(policy: &Policy, scenario: &Scenario, seed: u64, log: &mut PickLog) -> Outcome {
    play(policy, scenario, seed, Some(log))
}

fn play(policy: &Policy, scenario: &Scenario, seed: u64, log: Option<&mut PickLog>) -> Outcome {
    let root = SeededRng::seed_from_u64(seed);
    let (mut arrivals, mut work, mut picks, mut clients) = (root.fork(1), root.fork(2), root.fork(3), root.fork(4));
    let Scenario { fleet, story, load, seconds, .. } = scenario;
    let rate_rps = load * story.capacity_rps(fleet);
    let count = fleet.len();
    let mut run = Run {
        scenario,
        plant: Plant::new(fleet, *story, *seconds),
        proxies: (0..story.proxies()).map(|number| Proxy::new(policy, number as u64, count)).collect(),
        truths: Vec::new(),
        sent: VecDeque::new(),
        outcome: Outcome { picks: vec![0; count], late_picks: vec![0; count], ..Outcome::default() },
        log,
        open: BTreeMap::new(),
    };
    let (end_ms, mut arrival_ms, mut tick_ms) = (1_000.0 * seconds, 0.0_f64, 0.0_f64);
    let mut exchange_ms = scenario.exchange_ms;
    loop {
        let (ending_ms, deadline_ms) = (run.plant.next_ms(), run.deadline_ms());
        let now_ms = arrival_ms.min(tick_ms).min(ending_ms).min(deadline_ms).min(exchange_ms);
        if now_ms >= end_ms {
            break;
        }
        if now_ms == tick_ms {
            run.tick(now_ms, rate_rps);
            tick_ms += TICK_MS;
        } else if now_ms == exchange_ms {
            run.exchange(now_ms);
            exchange_ms += scenario.exchange_ms.max(1.0);
        } else if now_ms == ending_ms {
            if let Some((id, is_success)) = run.plant.next() {
                run.settle(id, is_success, now_ms);
            }
        } else if now_ms == deadline_ms {
            if let Some(id) = run.sent.pop_front() {
                run.settle(id, false, now_ms);
            }
        } else {
            let size = (SIGMA * work.normal() - 0.5 * SIGMA * SIGMA).exp();
            let proxy = picks.below(run.proxies.len());
            let client = scenario.client(&mut clients);
            run.arrive(Request::new(now_ms, size, work.uniform(), client, proxy), picks.next_u64());
            let rate = rate_rps * story.share_of_load(now_ms, *seconds);
            arrival_ms = now_ms + arrivals.exponential() * 1_000.0 / rate;
        }
    }
    run.outcome.latencies_ms.sort_by(f32::total_cmp);
    run.outcome
}

impl Run<'_> {
    fn deadline_ms(&self) -> f64 {
        self.sent.front().map_or(f64::INFINITY, |&id| self.plant.requests[id].sent_ms + DEADLINE_MS)
    }

    fn arrive(&mut self, mut request: Request, random: u64) {
        let now_ms = request.sent_ms;
        let is_logged = self.log.is_some() && self.is_measured(&request);
        let pick = Pick { random, hash: None };
        let picked = self.proxies[request.proxy].pick(&self.plant, &self.truths, pick, now_ms, is_logged);
        let Some((index, others, logged)) = picked else {
            self.outcome.failures += u64::from(self.is_measured(&request));
            return;
        };
        self.outcome.picks[index] += 1;
        if now_ms >= 800.0 * self.scenario.seconds {
            self.outcome.late_picks[index] += 1;
        }
        (request.endpoint, request.others) = (index, others);
        let id = self.plant.requests.len();
        self.plant.requests.push(request);
        self.sent.push_back(id);
        match self.scenario.attack {
            Some(attack) if request.client >= ATTACKERS && index == attack.target => {
                let takes_ms = if attack.deed == Deed::Slow { LINGER_MS } else { 1.0 };
                self.plant.pretend(id, now_ms, takes_ms, attack.deed == Deed::Slow);
            }
            _ => self.plant.send(id, now_ms),
        }
        self.open.extend(logged.map(|logged| (id, logged)));
    }

    fn settle(&mut self, id: usize, is_success: bool, now_ms: f64) {
        if !self.plant.leave(id, now_ms) {
            return;
        }
        let request = self.plant.requests[id];
        let latency_ms = is_success.then_some(now_ms - request.sent_ms);
        if self.is_measured(&request) {
            match latency_ms {
                Some(latency_ms) => self.outcome.latencies_ms.push(latency_ms as f32),
                None => self.outcome.failures += 1,
            }
        }
        if let (Some(log), Some(logged)) = (&mut self.log, self.open.remove(&id)) {
            log.push(LoggedPick { reward: -latency_ms.unwrap_or(DEADLINE_MS), ..logged });
        }
        let feedback = Feedback {
            key: request.endpoint as u64,
            context: None,
            client: Some(hash(request.client)),
            latency_ms,
            in_flight: request.others,
            at_ms: now_ms as u64,
        };
        let proxy = &mut self.proxies[request.proxy];
        if proxy.settle(request.endpoint, &feedback) {
            proxy.judge(&self.plant.members, now_ms as u64);
        }
    }

    fn exchange(&mut self, now_ms: f64) {
        for from in 0..self.proxies.len() {
            let Some(shared) = self.proxies[from].share(from as u64, &self.plant, now_ms) else { continue };
            let others = self.proxies.iter_mut().enumerate().filter(|(to, _)| *to != from);
            others.for_each(|(_, proxy)| proxy.hear(shared.clone()));
        }
    }

    fn is_measured(&self, request: &Request) -> bool {
        request.sent_ms >= 1_000.0 * self.scenario.warm_up && request.client < ATTACKERS
    }

    fn tick(&mut self, now_ms: f64, rate_rps: f64) {
        let (changed, lost) = self.plant.turn(now_ms);
        for id in lost {
            self.settle(id, false, now_ms);
        }
        let (story, seconds) = (self.scenario.story, self.scenario.seconds);
        if let Some(Chooser::Oracle(oracle)) = self.proxies.first().map(|proxy| &proxy.chooser) {
            let share = story.share_of_load(now_ms, seconds);
            let is_step = share != story.share_of_load(now_ms - TICK_MS, seconds);
            if changed || is_step || self.truths.is_empty() {
                self.truths = oracle.truths(&self.scenario.fleet, &self.plant.conditions(), rate_rps * share);
            }
        }
        for proxy in &mut self.proxies {
            proxy.judge(&self.plant.members, now_ms as u64);
        }
    }
}

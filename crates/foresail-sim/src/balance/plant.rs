//! The endpoints and their lines, request by request.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::fleet::Nature;
use super::story::{Condition, Story};

/// Until a connection is refused, and until a fast failure, ms.
const REFUSED_MS: f64 = 0.5;
const FAILED_MS: f64 = 1.0;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    pub(super) sent_ms: f64,
    /// Its work as a multiple of the endpoint's mean.
    pub(super) work: f64,
    /// Uniform: whether it fails where some do.
    pub(super) fate: f64,
    pub(super) client: u64,
    pub(super) proxy: usize,
    pub(super) endpoint: usize,
    /// Others that its proxy had there when it was sent.
    pub(super) others: u32,
    /// Ends in success without having been served: an attacker's that takes its time.
    is_idle: bool,
    is_served: bool,
    is_done: bool,
}

impl Request {
    pub(super) fn new(sent_ms: f64, work: f64, fate: f64, client: u64, proxy: usize) -> Self {
        Self {
            sent_ms,
            work,
            fate,
            client,
            proxy,
            endpoint: 0,
            others: 0,
            is_idle: false,
            is_served: false,
            is_done: false,
        }
    }
}

struct Server {
    nature: Nature,
    condition: Condition,
    present: usize,
    busy: usize,
    waiting: VecDeque<usize>,
}

/// Endings by time in ns, then by the request's number, so that a run is one sequence.
type Ending = Reverse<(u64, usize)>;

pub(super) struct Plant {
    story: Story,
    seconds: f64,
    servers: Vec<Server>,
    endings: BinaryHeap<Ending>,
    pub(super) requests: Vec<Request>,
    /// Endpoints of the set.
    pub(super) members: Vec<usize>,
    pub(super) generation: u64,
}

impl Plant {
    pub(super) fn new(fleet: &[Nature], story: Story, seconds: f64) -> Self {
        let server = |(index, nature): (usize, &Nature)| Server {
            nature: *nature,
            condition: story.condition(index, 0.0, seconds),
            present: 0,
            busy: 0,
            waiting: VecDeque::new(),
        };
        let mut plant = Self {
            story,
            seconds,
            servers: fleet.iter().enumerate().map(server).collect(),
            endings: BinaryHeap::new(),
            requests: Vec::new(),
            members: Vec::new(),
            generation: 0,
        };
        plant.gather();
        plant
    }

    /// Requests at an endpoint, of all proxies.
    pub(super) fn present(&self, index: usize) -> usize {
        self.servers[index].present
    }

    pub(super) fn pause_left_ms(&self, index: usize, now_ms: f64) -> f64 {
        self.story.pause_left_ms(index, self.servers.len(), now_ms)
    }

    pub(super) fn conditions(&self) -> Vec<Condition> {
        self.servers.iter().map(|server| server.condition).collect()
    }

    /// Lets conditions be those of `now_ms`. Tells whether any changed, and which requests are lost with an endpoint.
    pub(super) fn turn(&mut self, now_ms: f64) -> (bool, Vec<usize>) {
        let (mut changed, mut lost) = (false, Vec::new());
        for index in 0..self.servers.len() {
            let next = self.story.condition(index, now_ms, self.seconds);
            let before = std::mem::replace(&mut self.servers[index].condition, next);
            changed |= next != before;
            if next.is_down && !before.is_down {
                let is_there = |request: &Request| request.endpoint == index && !request.is_done;
                lost.extend((0..self.requests.len()).filter(|&id| is_there(&self.requests[id])));
            }
        }
        if changed {
            self.gather();
        }
        (changed, lost)
    }

    fn gather(&mut self) {
        let members: Vec<usize> =
            (0..self.servers.len()).filter(|&index| self.servers[index].condition.is_member).collect();
        if members != self.members {
            self.members = members;
            self.generation += 1;
        }
    }

    /// Sends the request to where its `endpoint` says.
    pub(super) fn send(&mut self, id: usize, now_ms: f64) {
        let Request { endpoint, fate, .. } = self.requests[id];
        let server = &mut self.servers[endpoint];
        server.present += 1;
        let now = server.condition;
        if now.is_down || fate < now.failing {
            let after_ms = if now.is_down { REFUSED_MS } else { FAILED_MS };
            self.end_at(id, now_ms + after_ms);
        } else if server.busy < server.nature.slots && !now.is_frozen {
            self.serve(id, now_ms);
        } else {
            server.waiting.push_back(id);
        }
    }

    /// Takes the request to an endpoint that it keeps nothing of but the connection, and ends it after a while.
    pub(super) fn pretend(&mut self, id: usize, now_ms: f64, takes_ms: f64, is_success: bool) {
        self.servers[self.requests[id].endpoint].present += 1;
        self.requests[id].is_idle = is_success;
        self.end_at(id, now_ms + takes_ms);
    }

    /// Ends the request then, whatever becomes of it.
    pub(super) fn end_at(&mut self, id: usize, at_ms: f64) {
        self.endings.push(Reverse(((at_ms * 1e6) as u64, id)));
    }

    fn serve(&mut self, id: usize, now_ms: f64) {
        let Request { endpoint, work, .. } = self.requests[id];
        let count = self.servers.len();
        let server = &mut self.servers[endpoint];
        server.busy += 1;
        self.requests[id].is_served = true;
        let work_ms = server.nature.mean_ms * work * server.condition.factor;
        let done_ms = self.story.done_ms(endpoint, count, now_ms, work_ms);
        self.end_at(id, done_ms);
    }

    /// When the next request ends.
    pub(super) fn next_ms(&self) -> f64 {
        self.endings.peek().map_or(f64::INFINITY, |Reverse((at, _))| *at as f64 / 1e6)
    }

    /// The next request that ends, and whether it is a success; `None` if it has been given up, or its endpoint froze.
    pub(super) fn next(&mut self) -> Option<(usize, bool)> {
        let Reverse((_, id)) = self.endings.pop()?;
        let request = self.requests[id];
        let is_stuck = self.servers[request.endpoint].condition.is_frozen && request.is_served;
        if request.is_done || is_stuck { None } else { Some((id, request.is_served || request.is_idle)) }
    }

    /// The request leaves its endpoint, which takes the next. False if it had left before.
    pub(super) fn leave(&mut self, id: usize, now_ms: f64) -> bool {
        let Request { endpoint, is_served, is_done, .. } = self.requests[id];
        if is_done {
            return false;
        }
        self.requests[id].is_done = true;
        let server = &mut self.servers[endpoint];
        server.present -= 1;
        server.busy -= usize::from(is_served);
        while !server.condition.is_frozen && server.busy < server.nature.slots {
            let Some(next) = server.waiting.pop_front() else { break };
            if !self.requests[next].is_done {
                self.serve(next, now_ms);
                break;
            }
        }
        true
    }
}

//! A policy like Prequal (Wydrowski, Kleinberg, Rumble and Archer 2024, "Load is not what you should balance: Introducing
//! Prequal", NSDI), with the proxy's own signals in the place of answers to probes.
//!
//! A pool of probes is kept, three more for every request. A probe holds the requests in flight at an endpoint and the
//! latency of its latest answers that met about as many there; it is used a few times, each use counting one more in flight, and is dropped when it is old.
//! Endpoints with more in flight than most (the 84 % quantile) are hot. Of the cold the one of least latency is taken; if
//! all are hot, the one with least in flight.

use std::collections::{BTreeMap, VecDeque};

use foresail_route::{Balancer, Endpoints, Feedback, Pick};

const POOL: usize = 16;
const PROBES_A_REQUEST: usize = 3;
const USES: u32 = 3;
const HOT: f64 = 0.84;
const OLDEST_MS: u64 = 1_000;
/// Probes that the quantile is taken of.
const REMEMBERED: usize = 128;
/// Answers kept of an endpoint, and how many of them, nearest by requests in flight, tell its latency.
const ANSWERS: usize = 32;
const NEAREST: usize = 8;

struct Probe {
    key: u64,
    index: usize,
    in_flight: u32,
    latency_ms: f64,
    made_ms: u64,
    uses: u32,
}

/// See the module.
#[derive(Default)]
pub struct Prequal {
    pool: VecDeque<Probe>,
    in_flight_seen: VecDeque<u32>,
    /// Requests in flight and latency in ms of the latest successes, by endpoint.
    answers: BTreeMap<u64, VecDeque<(u32, f64)>>,
    generation: Option<u64>,
    now_ms: u64,
}

impl Prequal {
    /// The median latency of the answers that met about `in_flight` others; 0 if there are none.
    fn latency_ms(&self, key: u64, in_flight: u32) -> f64 {
        let mut near = [(0, 0.0); ANSWERS];
        let answers = self.answers.get(&key).into_iter().flatten();
        let count = near.iter_mut().zip(answers).map(|(near, answer)| *near = *answer).count();
        let near = &mut near[..count];
        if near.len() > NEAREST {
            near.select_nth_unstable_by_key(NEAREST - 1, |(others, _)| others.abs_diff(in_flight));
        }
        let nearest = count.min(NEAREST);
        let near = &mut near[..nearest];
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        near.get(nearest / 2).map_or(0.0, |(_, latency_ms)| *latency_ms)
    }

    fn probe(&mut self, endpoints: &dyn Endpoints, state: &mut u64) {
        let index = below(state, endpoints.count());
        let view = endpoints.view(index);
        if !view.available {
            return;
        }
        self.in_flight_seen.push_back(view.in_flight);
        if self.in_flight_seen.len() > REMEMBERED {
            self.in_flight_seen.pop_front();
        }
        if self.pool.len() == POOL {
            self.pool.pop_front();
        }
        self.pool.push_back(Probe {
            key: endpoints.key(index),
            index,
            in_flight: view.in_flight,
            latency_ms: self.latency_ms(endpoints.key(index), view.in_flight),
            made_ms: self.now_ms,
            uses: 0,
        });
    }

    fn hot_above(&self) -> u32 {
        let mut seen: Vec<u32> = self.in_flight_seen.iter().copied().collect();
        if seen.is_empty() {
            return u32::MAX;
        }
        let at = ((seen.len() - 1) as f64 * HOT).round() as usize;
        *seen.select_nth_unstable(at).1
    }
}

/// One step of SplitMix64 (Steele, Lea and Flood 2014).
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((u128::from(z ^ (z >> 31)) * bound as u128) >> 64) as usize
}

impl Balancer for Prequal {
    fn pick(&mut self, endpoints: &dyn Endpoints, pick: Pick) -> Option<usize> {
        if self.generation != Some(endpoints.generation()) {
            self.pool.clear();
            self.generation = Some(endpoints.generation());
        }
        let count = endpoints.count();
        if count == 0 {
            return None;
        }
        let (mut state, now_ms) = (pick.random, self.now_ms);
        self.pool.retain(|probe| {
            let is_fresh = now_ms.saturating_sub(probe.made_ms) <= OLDEST_MS && probe.uses < USES;
            is_fresh && endpoints.is_available(probe.index)
        });
        for _ in 0..PROBES_A_REQUEST {
            self.probe(endpoints, &mut state);
        }
        let hot_above = self.hot_above();
        let rank = |probe: &Probe| {
            let is_hot = probe.in_flight > hot_above;
            let by = if is_hot { f64::from(probe.in_flight) } else { probe.latency_ms };
            (is_hot, by)
        };
        let best = (0..self.pool.len()).min_by(|&a, &b| {
            let (a, b) = (rank(&self.pool[a]), rank(&self.pool[b]));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        let Some(best) = best else {
            let start = below(&mut state, count);
            return (0..count).map(|step| (start + step) % count).find(|&index| endpoints.is_available(index));
        };
        let (key, index) = (self.pool[best].key, self.pool[best].index);
        self.pool[best].uses += 1;
        for probe in self.pool.iter_mut().filter(|probe| probe.key == key) {
            probe.in_flight += 1;
        }
        Some(index)
    }

    fn observe(&mut self, feedback: &Feedback) {
        self.now_ms = self.now_ms.max(feedback.at_ms);
        let Some(latency_ms) = feedback.latency_ms else { return };
        let answers = self.answers.entry(feedback.key).or_default();
        if answers.len() == ANSWERS {
            answers.pop_front();
        }
        answers.push_back((feedback.in_flight, latency_ms));
    }
}

#[cfg(test)]
mod tests {
    use foresail_route::View;

    use super::*;

    #[test]
    fn the_fast_are_taken_until_they_are_hot() {
        let counts = |in_flight: [u32; 7]| {
            let mut prequal = Prequal::default();
            let views = in_flight.map(|in_flight| View { in_flight, ..View::default() });
            let mut counts = [0_u32; 7];
            for i in 0..400_u64 {
                let pick = Pick { random: i.wrapping_mul(0x9e37_79b9_7f4a_7c15), hash: None };
                let index = prequal.pick(&views.as_slice(), pick).unwrap();
                counts[index] += 1;
                let (key, latency_ms) = (index as u64, Some(if index == 1 { 5.0 } else { 50.0 }));
                prequal.observe(&Feedback {
                    key,
                    context: None,
                    client: None,
                    latency_ms,
                    in_flight: 2,
                    at_ms: i * 10,
                });
            }
            counts
        };
        let fast = counts([2, 2, 5, 5, 2, 2, 2]);
        assert!(fast[1] > 2 * fast.iter().sum::<u32>() / 7, "{fast:?}");
        let hot = counts([2, 40, 2, 2, 2, 2, 2]);
        assert!(hot[1] < fast[1], "{hot:?}");
        let gone = View { available: false, ..View::default() };
        let pick = Pick { random: 1, hash: None };
        assert_eq!(Prequal::default().pick(&[gone, gone, gone].as_slice(), pick), None);
    }
}

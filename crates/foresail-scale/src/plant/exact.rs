//! The M/M/c queue with impatient clients, solved exactly: what the fluid plant has to agree with.

use foresail_core::{Replicas, SeededRng, Timestamp};

use super::FluidPlant;
use crate::service::Service;

/// Probabilities of the number of requests in the service, by the forward equations of its birth-death process.
struct Exact {
    mass: Vec<f64>,
}

/// Longest implicit step, seconds; halving it changes no late share below by 1 %.
const STEP: f64 = 0.1;

impl Exact {
    /// One tick; the mean probability that an arrival waits longer than the limit.
    fn tick(&mut self, service: &Service, replicas: u32, seconds: f64, load: f64) -> f64 {
        let servers = (replicas * service.workers()) as usize;
        let capacity = f64::from(replicas) * service.capacity_rps();
        let rate = service.capacity_rps() / f64::from(service.workers());
        let most = servers + (capacity * service.client_timeout().as_secs_f64()) as usize;
        let above: f64 = self.mass.drain((most + 1).min(self.mass.len())..).sum();
        self.mass.resize(most + 1, 0.0);
        self.mass[most] += above;
        // Who finds `q` waiting and all busy is late if no more than `q` services end within the limit.
        let ended = capacity * service.wait_slo().as_secs_f64();
        let (mut term, mut sum) = ((-ended).exp(), 0.0);
        let late: Vec<f64> = (1..=most + 1 - servers)
            .map(|q| {
                sum += term;
                term *= ended / q as f64;
                sum
            })
            .collect();
        let steps = (seconds / STEP).ceil();
        let step = seconds / steps;
        let mut share = 0.0;
        let mut upper = vec![0.0; most + 1];
        for _ in 0..steps as usize {
            let used = (self.mass.iter().rposition(|p| *p > 1e-14).unwrap_or(0) + 400).min(most + 1);
            let fall = |i: usize| step * i.min(servers) as f64 * rate;
            let rise = |i: usize| if i < most { step * load } else { 0.0 };
            let (mut below, mut carried) = (0.0, 0.0);
            for (i, upper) in upper.iter_mut().enumerate().take(used) {
                let pivot = 1.0 / (1.0 + rise(i) + fall(i) - if i > 0 { rise(i - 1) * carried } else { 0.0 });
                below = (self.mass[i] + if i > 0 { rise(i - 1) * below } else { 0.0 }) * pivot;
                carried = fall(i + 1) * pivot;
                *upper = carried;
                self.mass[i] = below;
            }
            for i in (0..used - 1).rev() {
                self.mass[i] += upper[i] * self.mass[i + 1];
            }
            share += self.mass[servers..used].iter().zip(&late).map(|(p, late)| p * late).sum::<f64>();
        }
        share / steps
    }
}

/// Late shares of both over `ticks` ticks, the load of each being `load(tick)` times capacity.
fn late_shares(replicas: u32, ticks: usize, seconds: f64, mut load: impl FnMut(usize) -> f64) -> (f64, f64) {
    let service = Service::request(100.0, std::time::Duration::ZERO).expect("valid");
    let mut exact = Exact { mass: vec![1.0] };
    let mut plant = FluidPlant::new(service, Replicas(replicas));
    let (mut expected, mut found, mut requests) = (0.0, 0.0, 0.0);
    for tick in 0..ticks {
        let load = load(tick) * f64::from(replicas) * 100.0;
        expected += exact.tick(&service, replicas, seconds, load) * load * seconds;
        found += plant.tick(Timestamp::EPOCH, seconds, load).late;
        requests += load * seconds;
    }
    (expected / requests, found / requests)
}

fn check(what: &str, relative: f64, (expected, found): (f64, f64)) {
    assert!((found - expected).abs() <= (relative * expected).max(5e-5), "{what}: exact {expected}, plant {found}");
}

#[test]
fn a_constant_load_is_as_late_as_in_the_exact_queue_on_either_side_of_capacity() {
    for load in [0.6, 0.8, 0.95, 0.98, 1.0, 1.02, 1.05, 1.2] {
        check(&format!("1 replica, load {load}"), 0.02, late_shares(1, 120, 15.0, |_| load));
        check(&format!("4 replicas, load {load}"), 0.02, late_shares(4, 20, 15.0, |_| load));
    }
}

#[test]
fn a_load_that_plays_about_capacity_is_as_late_as_in_the_exact_queue() {
    for (mean, noise) in [(0.9, 0.03), (0.95, 0.03), (0.98, 0.01), (0.9, 0.1)] {
        let mut rng = SeededRng::seed_from_u64(7);
        let load = |_| (mean + noise * rng.normal()).max(0.05);
        check(&format!("load {mean} ± {noise}"), 0.05, late_shares(2, 60, 15.0, load));
    }
}

#[test]
fn short_ticks_compose_to_long_ones() {
    let load = |tick: usize| 0.97 + 0.04 * (tick as f64 / 40.0).sin();
    check("1 s ticks", 0.05, late_shares(2, 300, 1.0, load));
}

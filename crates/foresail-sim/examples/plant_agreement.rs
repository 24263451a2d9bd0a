//! Prints how far the two plants agree on late requests, and how fast the event-driven one runs.
//!
//! `cargo run --release -p foresail-sim --example plant_agreement`
use std::time::{Duration, Instant};

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas, Timestamp};
use foresail_scale::{Scenario, Service, ServiceKind};
use foresail_sim::event::agreement::compare;

struct Fixed(Replicas);
impl Policy for Fixed {
    fn name(&self) -> &str { "fixed" }
    fn decide(&mut self, _: &Observation) -> Decision {
        Decision { desired: self.0, reason: Reason::new(Driver::Minimum) }
    }
}
/// utilisation target, down hold 5 min; by a script (same on both plants) or by measured rate
struct Track { target: f64, capacity: f64, recent: Vec<u32> }
impl Policy for Track {
    fn name(&self) -> &str { "track" }
    fn decide(&mut self, seen: &Observation) -> Decision {
        let desired = seen.value(Metric::RequestRate).map_or(seen.replicas.desired, |r| Replicas::holding(r / self.capacity / self.target));
        self.recent.push(desired.0);
        if self.recent.len() > 8 { self.recent.remove(0); }
        Decision { desired: Replicas(*self.recent.iter().max().unwrap()), reason: Reason::new(Driver::Reactive) }
    }
}
struct Script { plan: Vec<u32>, at: usize }
impl Policy for Script {
    fn name(&self) -> &str { "script" }
    fn decide(&mut self, _: &Observation) -> Decision {
        let d = self.plan[self.at.min(self.plan.len()-1)]; self.at += 1;
        Decision { desired: Replicas(d), reason: Reason::new(Driver::Reactive) }
    }
}

fn scenario(service: Service, tick: f64, load: Vec<f64>, min: u32, max: u32) -> Scenario {
    Scenario { start: Timestamp::EPOCH, tick: Duration::from_secs_f64(tick), load, evaluate_from: 0, service, limits: Limits { min: Replicas(min), max: Replicas(max) } }
}

fn show(what: &str, a: foresail_sim::event::agreement::Agreement, t: Instant) {
    println!("{what:44} fluid {:9.4}% event {:9.4}% ±{:.4} rel {:+7.2}% diff {:+.4} {} {:.1} M events/s", a.fluid*100., a.event*100., a.event_error*100., (a.fluid/a.event-1.)*100., (a.fluid-a.event)*100., if (a.fluid-a.event).abs() <= (0.1*a.event).max(0.0005) {"ok"} else {"MISS"}, a.events as f64/1e6/t.elapsed().as_secs_f64());
}

fn main() {
    let arg = std::env::args().nth(1).unwrap_or_default();
    let seeds: Vec<u64> = (1..=std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(4)).collect();
    if arg.contains('s') {
        for n in [1u32, 5, 10, 50] { for tick in [15.0, 1.0] { for rho in [0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0, 1.01, 1.02, 1.05, 1.2] {
            let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
            let rate = rho * 100.0 * n as f64;
            let secs = 1800.0;
            let t = Instant::now();
            let a = compare(&scenario(service, tick, vec![rate; (secs / tick) as usize], n, n), || Fixed(Replicas(n)), &seeds).unwrap();
            show(&format!("static n={n} tick={tick} rho={rho}"), a, t);
        }}}
    }
    if arg.contains('1') {
        for (n, rho) in [(1u32, 0.7), (1, 0.8), (5, 0.9), (5, 0.95), (5, 0.97), (10, 0.97)] {
            let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
            let t = Instant::now();
            let a = compare(&scenario(service, 15.0, vec![rho * 100.0 * n as f64; 960], n, n), || Fixed(Replicas(n)), &seeds).unwrap();
            show(&format!("static n={n} rho={rho}"), a, t);
        }
    }
    if arg.contains('2') {
        for (n, rate1, target, rho) in [(10u32, 1.0, 30.0, 0.99), (10, 1.0, 30.0, 1.0), (5, 10.0, 60.0, 1.02)] {
            let service = Service::queue(rate1, Duration::from_secs_f64(target), Duration::from_secs(60)).unwrap();
            let t = Instant::now();
            let a = compare(&scenario(service, 15.0, vec![rho * rate1 * n as f64; 240], n, n), || Fixed(Replicas(n)), &(1..400).collect::<Vec<u64>>()).unwrap();
            show(&format!("queue n={n} rate={rate1} rho={rho}"), a, t);
        }
    }
    if arg.contains('q') {
        for (n, rate1, target) in [(5u32, 10.0, 60.0), (50, 2.0, 120.0), (10, 1.0, 30.0)] { for rho in [0.8, 0.95, 0.99, 1.0, 1.02, 1.05, 1.2] {
            let service = Service::queue(rate1, Duration::from_secs_f64(target), Duration::from_secs(60)).unwrap();
            assert!(service.kind() == ServiceKind::Queue);
            let rate = rho * rate1 * n as f64;
            let t = Instant::now();
            let a = compare(&scenario(service, 15.0, vec![rate; 240], n, n), || Fixed(Replicas(n)), &seeds).unwrap();
            show(&format!("queue n={n} rate={rate1} rho={rho}"), a, t);
        }
        for peak in [1.1, 1.3] {
            let service = Service::queue(rate1, Duration::from_secs_f64(target), Duration::from_secs(60)).unwrap();
            let load: Vec<f64> = (0..480).map(|i| n as f64*rate1*peak*(0.6+0.4*(i as f64/480.*6.28*3.).sin())).collect();
            let t = Instant::now();
            let a = compare(&scenario(service, 15.0, load, n, n), || Fixed(Replicas(n)), &seeds).unwrap();
            show(&format!("queue waves n={n} rate={rate1} peak={peak}"), a, t);
        }}
    }
    if arg.contains('a') {
        for tick in [15.0] { for scale in [500.0, 1000.0, 5000.0] { for target in [0.8, 0.9, 1.0] { for noise in [0.0, 0.05] {
            let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
            let ticks = (7200.0 / tick) as usize;
            let mut rng = foresail_core::SeededRng::seed_from_u64(9);
            let load: Vec<f64> = (0..ticks).map(|i| scale*(0.6+0.4*(i as f64*tick/2400.0*6.28).sin())*(1.0+noise*rng.normal()).max(0.1)).collect();
            let t = Instant::now();
            let a = compare(&scenario(service, tick, load.clone(), 1, 200), || Track { target, capacity: 100.0, recent: vec![] }, &seeds).unwrap();
            show(&format!("track tick={tick} scale={scale} t={target} noise={noise}"), a, t);
            let sc = scenario(service, tick, load, 1, 200);
            let plan = foresail_scale::replay(&sc, &mut Track { target, capacity: 100.0, recent: vec![] }, |_, _| {}).unwrap().desired;
            let t = Instant::now();
            let a = compare(&sc, || Script { plan: plan.clone(), at: 0 }, &seeds).unwrap();
            show("   script", a, t);
        }}}}
    }
    if arg.contains('h') {
        // hovering: static replicas, load noise around capacity
        for tick in [15.0, 1.0] { for n in [5u32, 50] { for mean in [0.9, 0.95, 0.98, 1.0] { for noise in [0.01, 0.03, 0.1] {
            let service = Service::request(100.0, Duration::from_secs(60)).unwrap();
            let ticks = (7200.0 / tick) as usize;
            let mut rng = foresail_core::SeededRng::seed_from_u64(9);
            let load: Vec<f64> = (0..ticks).map(|_| f64::from(n)*100.0*(mean+noise*rng.normal()).max(0.1)).collect();
            let t = Instant::now();
            let a = compare(&scenario(service, tick, load.clone(), n, n), || Fixed(Replicas(n)), &seeds).unwrap();
            show(&format!("hover tick={tick} n={n} mean={mean} noise={noise}"), a, t);
        }}}}
    }
}

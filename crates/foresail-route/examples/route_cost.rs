//! Prints what a decision of the request router, learning from an answer, a fit of the forest and a model for those who route
//! cost: medians over batches of a hundred, so that being interrupted counts for little.
//!
//! `cargo run --release -p foresail-route --example route_cost`
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints a table, and measures how long that took

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use foresail_core::SeededRng;
use foresail_route::{Reason, RouteOutcome, RouteRequest, Router, RouterConfig, Scratch, ServiceView};

const CLASSES: u64 = 12;

fn request(rng: &mut SeededRng) -> RouteRequest {
    RouteRequest {
        class: rng.next_u64() % CLASSES,
        context: Some(rng.next_u64() % 5),
        size: (6.0 + 2.0 * rng.normal()).exp(),
        complexity: rng.below(8) as f64,
        day_share: rng.uniform(),
    }
}

/// Median and least, µs.
fn summary(mut batches: Vec<u128>) -> String {
    batches.sort_unstable();
    let us = |batch: u128| batch as f64 / 100_000.0;
    format!("{:.2} ({:.2})", us(batches[batches.len() / 2]), us(batches[0]))
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("medians (least)");
    println!("{:>8} {:>16} {:>16} {:>8} {:>18}", "services", "decide µs", "learn µs", "fit ms", "model µs");
    for services in [3, 5, 10, 20, 40] {
        let mut rng = SeededRng::seed_from_u64(1);
        let mut router = Router::new(RouterConfig::default(), 1)?;
        let keys: Vec<u64> = (0..services).collect();
        router.follow(&keys);
        // What a class takes at a service grows with its size, and a little with what is in flight.
        let speed: Vec<f64> = (0..services * CLASSES).map(|_| (2.0 + 1.5 * rng.uniform()).exp()).collect();
        let mut learning = Vec::new();
        let mut at_ms = 0;
        for _ in 0..60 {
            let outcomes: Vec<RouteOutcome> = (0..100)
                .map(|_| {
                    at_ms += 2;
                    let request = request(&mut rng);
                    let (service, in_flight) = (rng.next_u64() % services, rng.below(12) as u32);
                    let speed = speed[(service * CLASSES + request.class) as usize];
                    let takes = speed * request.size.powf(0.2) * (1.0 + 0.05 * f64::from(in_flight));
                    let is_ok = rng.uniform() > 0.02;
                    RouteOutcome {
                        request,
                        service,
                        in_flight,
                        weight: 1.0,
                        reason: Reason::Learned,
                        latency_ms: is_ok.then(|| takes * (0.4 * rng.normal()).exp()),
                        resource: None,
                        at_ms,
                    }
                })
                .collect();
            let start = Instant::now();
            outcomes.iter().for_each(|outcome| router.observe(black_box(outcome)));
            learning.push(start.elapsed().as_nanos());
            if router.is_fit_due() {
                router.fit();
            }
        }
        let start = Instant::now();
        router.fit();
        let fit_ms = start.elapsed().as_secs_f64() * 1000.0;
        let models: Vec<u128> = (0..99)
            .map(|_| {
                let start = Instant::now();
                black_box(router.model());
                start.elapsed().as_nanos() * 100
            })
            .collect();
        let model = router.model();
        let views: Vec<ServiceView> = keys
            .iter()
            .map(|key| ServiceView { key: *key, in_flight: rng.below(12) as u32, weight: 1.0, available: true })
            .collect();
        let mut scratch = Scratch::default();
        let mut deciding = Vec::new();
        for _ in 0..500 {
            let asked: Vec<(RouteRequest, u64)> = (0..100).map(|_| (request(&mut rng), rng.next_u64())).collect();
            let start = Instant::now();
            for (request, random) in &asked {
                black_box(model.decide(request, &views, *random, &mut scratch));
            }
            deciding.push(start.elapsed().as_nanos());
        }
        let (decide, learn, model) = (summary(deciding), summary(learning), summary(models));
        println!("{services:>8} {decide:>16} {learn:>16} {fit_ms:>8.1} {model:>18}");
    }
    Ok(())
}

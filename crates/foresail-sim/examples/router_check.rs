//! Prints mean costs of requests relative to the oracle's, in windows of 2,000 requests: the router beside balancers, four
//! classes over three services whose specialities change after 6,000 of 12,000 requests. Seeds 1 to 3 are for tuning, 4 to 13
//! for judging.
//!
//! `cargo run --release -p foresail-sim --example router_check [FIRST LAST]` (4 and 13 unless said)
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints a table for the seeds it is told

use std::error::Error;

use foresail_route::{BalancerKind, RouterConfig};
use foresail_sim::routing::{Balanced, Chooser, Routed, Speciality, World, oracle, run};

const REQUESTS: usize = 12_000;
const WINDOW: usize = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<u64> = std::env::args().skip(1).map(|arg| arg.parse()).collect::<Result<_, _>>()?;
    let (first, last) = (args.first().copied().unwrap_or(4), args.get(1).copied().unwrap_or(13));
    // At the higher loads the services cannot hold what balancers that know nothing of classes make of it.
    for (load, speciality) in [
        (0.6, Speciality::Classes),
        (1.0, Speciality::Classes),
        (1.4, Speciality::Classes),
        (0.6, Speciality::SmallRequests),
    ] {
        table(load, speciality, first, last)?;
    }
    Ok(())
}

fn table(load: f64, speciality: Speciality, first: u64, last: u64) -> Result<(), Box<dyn Error>> {
    let peers = [
        ("least_request", r#"{"policy":"least_request","choices":64}"#),
        ("learned", r#"{"policy":"learned"}"#),
        ("contextual by class", r#"{"policy":"contextual","key":"path"}"#),
    ];
    println!(
        "load {load}, {speciality:?}: mean cost over the oracle's, by windows of {WINDOW} requests, seeds {first} to {last}: mean ± 95 %, worst"
    );
    let worlds: Vec<(u64, World)> =
        (first..=last).map(|seed| (seed, World::generate(seed, REQUESTS, load, speciality))).collect();
    let oracles: Vec<Vec<f64>> = worlds.iter().map(|(seed, world)| oracle(world, *seed)).collect();
    let mut lines = Vec::new();
    for (name, text) in peers {
        let kind: BalancerKind = serde_json::from_str(text)?;
        lines.push((name, of_all(&worlds, |_, _| Ok(Box::new(Balanced(kind.build(0)))))?));
    }
    let routed = |world: &World, seed| -> Result<Routed, Box<dyn Error>> {
        Ok(Routed::new(world, RouterConfig::default(), seed)?)
    };
    let alone = |world: &World, seed| -> Made { Ok(Box::new(routed(world, seed)?.by_profiles_alone())) };
    lines.push(("router, no forest", of_all(&worlds, alone)?));
    lines.push(("router", of_all(&worlds, |world, seed| Ok(Box::new(routed(world, seed)?)))?));
    for (name, costs) in &lines {
        print!("{name:20}");
        for window in 0..REQUESTS / WINDOW {
            let span = window * WINDOW..(window + 1) * WINDOW;
            print!("  {}", ratio(costs, &oracles, span));
        }
        println!();
    }
    let (_, least_request) = &lines[0];
    let (_, router) = &lines[4];
    println!("after 2,000 requests, and again after 2,000 from the change:");
    for span in [2_000..6_000, 8_000..12_000] {
        println!(
            "  router over oracle {}   router over least_request {}",
            ratio(router, &oracles, span.clone()),
            ratio(router, least_request, span)
        );
    }
    Ok(())
}

type Made = Result<Box<dyn Chooser>, Box<dyn Error>>;

fn of_all(worlds: &[(u64, World)], make: impl Fn(&World, u64) -> Made) -> Result<Vec<Vec<f64>>, Box<dyn Error>> {
    worlds.iter().map(|(seed, world)| Ok(run(world, make(world, *seed)?.as_mut(), *seed))).collect()
}

/// Mean over the seeds of the ratio of mean costs, with its interval by Student's t and the greatest.
fn ratio(costs: &[Vec<f64>], base: &[Vec<f64>], span: std::ops::Range<usize>) -> String {
    let sum = |costs: &Vec<f64>| costs[span.clone()].iter().sum::<f64>();
    let ratios: Vec<f64> = costs.iter().zip(base).map(|(own, base)| sum(own) / sum(base)).collect();
    let n = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / n;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    // Two-sided 95 % of t with n - 1 degrees of freedom, for two to ten seeds.
    let t = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];
    let t = t[ratios.len().clamp(2, 10) - 2];
    let worst = ratios.iter().fold(0.0_f64, |worst, ratio| worst.max(*ratio));
    format!("{mean:.3} ± {:.3} ({worst:.2})", t * (variance / n).sqrt())
}

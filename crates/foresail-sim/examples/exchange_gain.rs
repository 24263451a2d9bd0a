//! Two proxies that tell one another what they learned, beside one that has all the traffic and two that do not.
//!
//! `cargo run --release -p foresail-sim --example exchange_gain`

#![expect(clippy::print_stdout, reason = "an example that prints a table")]

use foresail_core::SeededRng;
use foresail_sim::balance::{Nature, Policy, Scenario, Story, bootstrap_interval, even, mixed, random, run, ten};
use rayon::prelude::*;

const EVERY_MS: [f64; 6] = [f64::INFINITY, 1_000.0, 200.0, 100.0, 20.0, 5.0];

fn main() {
    let fleets: [(&str, Vec<Nature>); 4] = [
        ("eight endpoints", mixed()),
        ("ten endpoints", ten()),
        ("random fleet 31", random(31)),
        ("even fleet", even()),
    ];
    let seeds: Vec<u64> = (11..=20).collect();
    let mut rng = SeededRng::seed_from_u64(97);
    println!("of one proxy with all traffic: mean (95 %), p99 (95 %); exchanging every so many ms");
    for (name, fleet) in fleets {
        for load in [0.3, 0.6, 0.8] {
            print!("{name:16} {:>3.0} %", load * 100.0);
            for exchange_ms in EVERY_MS {
                let ratios: Vec<[f64; 2]> = seeds
                    .par_iter()
                    .map(|&seed| {
                        let one = Scenario::new(fleet.clone(), Story::Steady, load);
                        let two = Scenario { story: Story::TwoProxies, exchange_ms, ..one.clone() };
                        let (one, two) = (run(&Policy::Learned, &one, seed), run(&Policy::Learned, &two, seed));
                        [two.mean_ms() / one.mean_ms(), two.quantile_ms(0.99) / one.quantile_ms(0.99)]
                    })
                    .collect();
                print!("  {exchange_ms:>5}:");
                for figure in 0..2 {
                    let values: Vec<f64> = ratios.iter().map(|ratio| ratio[figure]).collect();
                    let mean = values.iter().sum::<f64>() / values.len() as f64;
                    let (low, high) = bootstrap_interval(&values, 1_000, &mut rng);
                    print!(" {mean:.3} ({low:.3} to {high:.3})");
                }
            }
            println!();
        }
    }
}

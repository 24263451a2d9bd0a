//! Prints what a pick and the feedback to it cost, for every policy and a few sizes of fleet: medians over batches of a
//! hundred, so that being interrupted counts for little.
//!
//! `cargo run --release -p foresail-route --example pick_cost`
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints a table, and measures how long that took

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use foresail_core::SeededRng;
use foresail_route::{BalancerKind, Feedback, Pick, View};

const POLICIES: [&str; 10] = [
    r#"{"policy":"least_request"}"#,
    r#"{"policy":"peak_ewma"}"#,
    r#"{"policy":"learned"}"#,
    r#"{"policy":"epsilon_greedy","mode":"faithful"}"#,
    r#"{"policy":"epsilon_greedy"}"#,
    r#"{"policy":"thompson","mode":"faithful"}"#,
    r#"{"policy":"thompson"}"#,
    r#"{"policy":"ucb","mode":"faithful"}"#,
    r#"{"policy":"ucb"}"#,
    r#"{"policy":"contextual","key":"path"}"#,
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:52} {:>10} {:>8} {:>10}", "ns", "endpoints", "pick", "feedback");
    for text in POLICIES {
        let kind: BalancerKind = serde_json::from_str(text)?;
        for count in [10, 100, 1000] {
            let mut rng = SeededRng::seed_from_u64(1);
            let views: Vec<View> = (0..count)
                .map(|_| View {
                    in_flight: rng.below(8) as u32,
                    latency_ms: 5.0 + 90.0 * rng.uniform(),
                    ..View::default()
                })
                .collect();
            let mut balancer = kind.build(0);
            let mut at_us = 0_u64;
            let mut round = |balancer: &mut Box<dyn foresail_route::Balancer>, times: usize| {
                let (mut picking, mut telling) = (Vec::new(), Vec::new());
                let mut picked = Vec::with_capacity(100);
                for _ in 0..times / 100 {
                    let words: Vec<u64> = (0..100).map(|_| rng.next_u64()).collect();
                    picked.clear();
                    let start = Instant::now();
                    for &random in &words {
                        picked.extend(black_box(balancer.pick(&views.as_slice(), Pick { random, hash: Some(1) })));
                    }
                    picking.push(start.elapsed().as_nanos());
                    let start = Instant::now();
                    for &index in &picked {
                        at_us += 500;
                        let latency_ms = Some(views[index].latency_ms + (at_us % 7) as f64);
                        let feedback = Feedback {
                            key: index as u64,
                            context: Some(1),
                            client: None,
                            latency_ms,
                            in_flight: views[index].in_flight,
                            at_ms: at_us / 1000,
                        };
                        balancer.observe(black_box(&feedback));
                    }
                    telling.push(start.elapsed().as_nanos());
                }
                picking.sort_unstable();
                telling.sort_unstable();
                (picking[picking.len() / 2] / 100, telling[telling.len() / 2] / 100)
            };
            round(&mut balancer, 20_000);
            let (pick, feedback) = round(&mut balancer, 200_000);
            println!("{text:52} {count:>10} {pick:>8} {feedback:>10}");
        }
    }
    Ok(())
}

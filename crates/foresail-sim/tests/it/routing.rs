//! The request router in virtual time. `cargo run --release -p foresail-sim --example router_check` prints the whole table.

use foresail_route::{BalancerKind, RouterConfig};
use foresail_sim::routing::{Balanced, Routed, Speciality, World, oracle, run};

fn mean(costs: &[f64]) -> f64 {
    costs.iter().sum::<f64>() / costs.len() as f64
}

/// Wider bounds than those of the example, for there are two seeds here.
#[test]
fn the_router_comes_near_the_oracle_and_finds_back_to_it() {
    for seed in [21, 22] {
        let world = World::generate(seed, 8_000, 0.6, Speciality::Classes);
        let oracle = oracle(&world, seed);
        let baseline = BalancerKind::LeastRequest { choices: 64 };
        let baseline = run(&world, &mut Balanced(baseline.build(0)), seed);
        let mut routed = Routed::new(&world, RouterConfig::default(), seed).unwrap();
        let router = run(&world, &mut routed, seed);
        for span in [2_000..4_000, 6_000..8_000] {
            let [router, oracle, baseline] = [&router, &oracle, &baseline].map(|costs| mean(&costs[span.clone()]));
            println!("{seed} {span:?}: router {router:.1}, oracle {oracle:.1}, least_request {baseline:.1}");
            assert!(router < 1.15 * oracle && router < 0.6 * baseline, "{seed} {span:?}");
        }
        assert!(routed.router().report().changes > 0);
    }
}

#[test]
fn a_seed_gives_one_run() {
    let world = World::generate(3, 1_500, 0.6, Speciality::SmallRequests);
    let [a, b] = [(); 2].map(|()| run(&world, &mut Routed::new(&world, RouterConfig::default(), 3).unwrap(), 3));
    assert_eq!(a, b);
}

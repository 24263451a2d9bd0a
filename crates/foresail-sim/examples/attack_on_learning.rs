//! One client in a hundred makes its own requests to one endpoint slow, or fail, to drive the others away from it: what that
//! does to the others' p99 and mean, as ratios to the same run without.
//!
//! `cargo run --release -p foresail-sim --example attack_on_learning [-- dev]`

#![expect(clippy::print_stdout, reason = "an example that prints a table")]

use foresail_core::SeededRng;
use foresail_sim::balance::{Attack, BAD, Deed, Policy, Scenario, Story, bootstrap_interval, mixed, run, ten};
use rayon::prelude::*;

fn main() {
    let is_dev = std::env::args().any(|word| word == "dev");
    let seeds: Vec<u64> = if is_dev { (1..=3).collect() } else { (11..=20).collect() };
    let mut rng = SeededRng::seed_from_u64(96);
    println!(
        "others' figures of those without the attack: p99 (95 %), mean; and the attacked endpoint's share of the picks"
    );
    for (name, fleet) in [("eight endpoints", mixed()), ("ten endpoints", ten())] {
        for (attack, share, deed, identities) in [
            ("slow, 10 clients", 0.01, Deed::Slow, 10),
            ("slow, ever new ones", 0.01, Deed::Slow, u64::MAX),
            ("failing, 10 clients", 0.01, Deed::Fail, 10),
            ("failing, ever new ones", 0.01, Deed::Fail, u64::MAX),
            ("slow, one of a fifth of all", 0.2, Deed::Slow, 1),
            ("failing, one of a fifth of all", 0.2, Deed::Fail, 1),
        ] {
            for load in [0.6, 0.8] {
                for policy in [Policy::Learned, Policy::PeakEwma] {
                    let ratios: Vec<[f64; 4]> = seeds
                        .par_iter()
                        .map(|&seed| {
                            let calm = Scenario::new(fleet.clone(), Story::Steady, load);
                            let told = Attack { share, target: BAD, deed, identities };
                            let attacked = Scenario { attack: Some(told), ..calm.clone() };
                            let (calm, attacked) = (run(&policy, &calm, seed), run(&policy, &attacked, seed));
                            let p99 = attacked.quantile_ms(0.99) / calm.quantile_ms(0.99);
                            let mean = attacked.mean_ms() / calm.mean_ms();
                            [p99, mean, calm.late_share_of_bad(), attacked.late_share_of_bad()]
                        })
                        .collect();
                    let of = |figure: usize| -> Vec<f64> { ratios.iter().map(|ratio| ratio[figure]).collect() };
                    let mean = |figure: usize| of(figure).iter().sum::<f64>() / seeds.len() as f64;
                    let (low, high) = bootstrap_interval(&of(0), 1_000, &mut rng);
                    println!(
                        "{name:16} {:>3.0} %  {attack:30} {:10} p99 {:.3} ({low:.3} to {high:.3})  mean {:.3}  share {:.3} -> {:.3}",
                        load * 100.0,
                        policy.name(),
                        mean(0),
                        mean(1),
                        mean(2),
                        mean(3)
                    );
                }
            }
        }
    }
}

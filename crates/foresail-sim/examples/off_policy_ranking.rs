//! Ranks five balancers by the log of one that explores, and by running them: off-policy estimates beside the truth.
//! The share explored and the policies were chosen on seeds 1 to 5.
//!
//! `cargo run --release -p foresail-sim --example off_policy_ranking [-- LOG.jsonl]`; with a path it writes the first seed's
//! log there, a line a pick, and estimates from what it reads back.

#![expect(clippy::print_stdout, reason = "an example that prints a table")]

use std::error::Error;
use std::fs;

use foresail_route::{BalancerKind, LoggedPick, PickLog, PolicyEstimate};
use foresail_sim::balance::{Policy, Scenario, Story, run, run_logged, ten};
use rayon::prelude::*;

const SEEDS: std::ops::RangeInclusive<u64> = 11..=20;
const CLIP: f64 = 20.0;
/// Every so many-th pick is evaluated.
const EVERY: usize = 4;
/// The first so many policies are ranked.
const RANKED: usize = 5;

fn policies() -> Result<Vec<(&'static str, BalancerKind)>, serde_json::Error> {
    [
        ("random", r#"{"policy":"random"}"#),
        ("least_request of 2", r#"{"policy":"least_request"}"#),
        ("peak_ewma of 2", r#"{"policy":"peak_ewma"}"#),
        ("peak_ewma of 3", r#"{"policy":"peak_ewma","choices":3}"#),
        ("peak_ewma of 5", r#"{"policy":"peak_ewma","choices":5}"#),
        // Not ranked: it profits from queues that another policy left uneven, which no off-policy estimate can foresee.
        ("least_request of all", r#"{"policy":"least_request","choices":64}"#),
    ]
    .into_iter()
    .map(|(name, text)| Ok((name, serde_json::from_str(text)?)))
    .collect()
}

/// The indices of the greatest values first.
fn order(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

fn main() -> Result<(), Box<dyn Error>> {
    let policies = policies()?;
    let path = std::env::args().nth(1);
    let scenario = Scenario { seconds: 30.0, warm_up: 5.0, ..Scenario::new(ten(), Story::Steady, 0.3) };
    let explorer = Policy::Exploring(BalancerKind::LeastRequest { choices: 2 }, 0.1);
    let one = |seed: u64| -> Result<_, String> {
        let mut log = PickLog::new(200_000);
        let explored = run_logged(&explorer, &scenario, seed, &mut log);
        let mut picks = log.take();
        if let Some(path) = path.as_ref().filter(|_| seed == *SEEDS.start()) {
            let lines: Result<Vec<String>, _> = picks.iter().map(serde_json::to_string).collect();
            fs::write(path, lines.map_err(|e| e.to_string())?.join("\n")).map_err(|e| e.to_string())?;
            let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
            let read: Result<Vec<LoggedPick>, _> = text.lines().map(serde_json::from_str).collect();
            picks = read.map_err(|e| e.to_string())?;
        }
        let picks: Vec<LoggedPick> = picks.into_iter().step_by(EVERY).collect();
        let estimates: Result<Vec<PolicyEstimate>, _> =
            policies.iter().map(|(_, kind)| PolicyEstimate::of(kind, &picks, CLIP)).collect();
        // The truth is what five other seeds earn on the mean.
        let truth = |kind: &BalancerKind| {
            let runs = (0..5).map(|more| run(&Policy::Kind(kind.clone()), &scenario, 1_000 + 10 * seed + more));
            let earned = runs.map(|o| o.mean_ms() * (1.0 - o.error_rate()) + 1_000.0 * o.error_rate());
            -earned.sum::<f64>() / 5.0
        };
        let truths: Vec<f64> = policies.iter().map(|(_, kind)| truth(kind)).collect();
        Ok((explored.mean_ms(), picks.len(), estimates.map_err(|e| e.to_string())?, truths))
    };
    let seeds: Vec<u64> = SEEDS.collect();
    let results: Result<Vec<_>, String> = seeds.par_iter().map(|seed| one(*seed)).collect();
    let results = results?;
    println!(
        "mean reward (latency in ms, its sign changed); seed {}, the logging policy {:.2}",
        seeds[0], -results[0].0
    );
    println!(
        "{:22} {:>8} {:>16} {:>16} {:>26} {:>8}",
        "policy", "truth", "ips", "self-normalised", "doubly robust (95 %)", "ESS"
    );
    for ((name, _), (truth, PolicyEstimate { ips, self_normalised: normal, doubly_robust: robust })) in
        policies.iter().zip(results[0].3.iter().zip(&results[0].2))
    {
        println!(
            "{name:22} {truth:>8.2} {:>16.2} {:>16.2} {:>10.2} ({:.2} to {:.2}) {:>8.0}",
            ips.value, normal.value, robust.value, robust.interval.0, robust.interval.1, robust.effective_samples
        );
    }
    for estimator in ["ips", "self-normalised", "doubly robust"] {
        let value = |of: &PolicyEstimate| match estimator {
            "ips" => of.ips.value,
            "self-normalised" => of.self_normalised.value,
            _ => of.doubly_robust.value,
        };
        let right = results.iter().filter(|(_, _, estimates, truths)| {
            let values: Vec<f64> = estimates.iter().take(RANKED).map(value).collect();
            order(&values) == order(&truths[..RANKED])
        });
        println!(
            "{estimator} ranks the first five rightly on {} of {} seeds, {} picks each",
            right.count(),
            seeds.len(),
            results[0].1
        );
    }
    Ok(())
}

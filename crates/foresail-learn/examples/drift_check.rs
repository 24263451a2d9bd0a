//! The drift detector on the suite of the design notes: streams of unit variance, first-order autocorrelation 0 and 0.7, a
//! lasting shift of 1.5 standard deviations, a spike of 20 points and 6 standard deviations, and other changes of known
//! truth.
//!
//! `cargo run --release -p foresail-learn --example drift_check [-- dev]`: with `dev`, on the seeds the parameters were chosen
//! on, else on others.

#![expect(clippy::print_stdout, reason = "an example that measures and says so")]

use foresail_core::SeededRng;
use foresail_learn::drift::{DriftDetector, DriftEvent, DriftOptions};

const SEEDS: u64 = 60;
/// Points of a quiet stream, and where a change begins, and how long a changed stream is.
const QUIET: usize = 10_000;
const CHANGE: usize = 1_000;
const LENGTH: usize = 3_000;
const PHIS: [f64; 3] = [0.0, 0.7, 0.9];

fn main() {
    let first = if std::env::args().any(|a| a == "dev") { 1 } else { 10_001 };
    let seeds: Vec<u64> = (first..first + SEEDS).collect();
    println!("seeds {first} to {}", first + SEEDS - 1);
    println!("\n{QUIET} quiet points a seed, per 10,000 points: mean [95 % bootstrap interval]");
    for phi in PHIS {
        let runs: Vec<Vec<(usize, DriftEvent)>> =
            seeds.iter().map(|s| run(*s, phi, QUIET, |_, v, _| Some(v))).collect();
        let per = |is: fn(&DriftEvent) -> bool| {
            let counts: Vec<f64> = runs.iter().map(|r| r.iter().filter(|(_, e)| is(e)).count() as f64).collect();
            interval(&counts)
        };
        println!(
            "phi {phi}: suspicions {}, permanent {}, spread {}",
            per(|e| *e == DriftEvent::Suspected),
            per(|e| matches!(e, DriftEvent::Permanent { .. })),
            per(|e| matches!(e, DriftEvent::Spread { .. })),
        );
    }
    type Law = (&'static str, fn(usize, f64, &mut SeededRng) -> Option<f64>);
    let laws: [Law; 14] = [
        ("shift +1.5", |_, v, _| Some(v + 1.5)),
        ("shift -1.5", |_, v, _| Some(v - 1.5)),
        ("shift +1.0", |_, v, _| Some(v + 1.0)),
        ("shift +4.0", |_, v, _| Some(v + 4.0)),
        ("spike of 20 points, 6 sd", |i, v, _| Some(v + if i < 20 { 6.0 } else { 0.0 })),
        ("spike of 5 points, 20 sd", |i, v, _| Some(v + if i < 5 { 20.0 } else { 0.0 })),
        ("spike of 40 points, 4 sd", |i, v, _| Some(v + if i < 40 { 4.0 } else { 0.0 })),
        ("spread x 2", |_, v, _| Some(2.0 * v)),
        ("spread / 3", |_, v, _| Some(v / 3.0)),
        ("season of 24 points, 2 sd, begins", |i, v, _| {
            Some(v + 2.0 * (i as f64 * std::f64::consts::TAU / 24.0).sin())
        }),
        ("season of 200 points, 2 sd, begins", |i, v, _| {
            Some(v + 2.0 * (i as f64 * std::f64::consts::TAU / 200.0).sin())
        }),
        ("ramp, 0.005 sd a point", |i, v, _| Some(v + 0.005 * i as f64)),
        ("flat line", |_, _, _| Some(0.0)),
        ("60 % missing", |_, v, rng| (rng.uniform() > 0.6).then_some(v)),
    ];
    println!(
        "\nof {SEEDS} streams, a change at point {CHANGE} of {LENGTH}: how many were called what, and after how many points"
    );
    println!(
        "{:>36} {:>4} {:>10} {:>8} {:>10} {:>22} {:>8} {:>10} {:>8}",
        "", "phi", "suspected", "median", "permanent", "median [quartiles]", "spread", "median", "events"
    );
    for (name, law) in laws {
        for phi in PHIS {
            let runs: Vec<Vec<(usize, DriftEvent)>> = seeds
                .iter()
                .map(|seed| {
                    let bend = |i: usize, v: f64, rng: &mut SeededRng| match i.checked_sub(CHANGE) {
                        Some(since) => law(since, v, rng),
                        None => Some(v),
                    };
                    run(*seed, phi, LENGTH, bend)
                })
                .collect();
            let first = |is: fn(&DriftEvent) -> bool| -> Vec<f64> {
                let at = |r: &Vec<(usize, DriftEvent)>| {
                    r.iter().find(|(at, e)| *at >= CHANGE && is(e)).map(|(at, _)| at - CHANGE)
                };
                let mut delays: Vec<f64> = runs.iter().filter_map(at).map(|d| d as f64).collect();
                delays.sort_by(f64::total_cmp);
                delays
            };
            let suspected = first(|e| *e == DriftEvent::Suspected);
            let permanent = first(|e| matches!(e, DriftEvent::Permanent { .. }));
            let spread = first(|e| matches!(e, DriftEvent::Spread { .. }));
            let missed = runs.iter().zip(&seeds).filter(|(r, _)| {
                name.starts_with("shift")
                    && !r.iter().any(|(at, e)| *at >= CHANGE && matches!(e, DriftEvent::Permanent { .. }))
            });
            if phi < 0.9 {
                missed.for_each(|(events, seed)| println!("    not confirmed, seed {seed}: {events:?}"));
            }
            let after: usize = runs.iter().map(|r| r.iter().filter(|(at, _)| *at >= CHANGE).count()).sum();
            println!(
                "{name:>36} {phi:>4} {:>10} {:>8} {:>10} {:>22} {:>8} {:>10} {:>8.1}",
                suspected.len(),
                at(&suspected, 0.5),
                permanent.len(),
                format!("{} [{} {}]", at(&permanent, 0.5), at(&permanent, 0.25), at(&permanent, 0.75)),
                spread.len(),
                at(&spread, 0.5),
                after as f64 / runs.len() as f64
            );
        }
    }
}

fn at(sorted: &[f64], share: f64) -> String {
    let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or_else(|| "-".to_owned(), f64::to_string)
}

/// Events, with their points, of a stream of AR(1) noise bent by `law`.
fn run(
    seed: u64,
    phi: f64,
    points: usize,
    law: impl Fn(usize, f64, &mut SeededRng) -> Option<f64>,
) -> Vec<(usize, DriftEvent)> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut other = rng.fork(1);
    let mut detector = DriftDetector::new(DriftOptions::default()).expect("the defaults are within range");
    let mut state = rng.normal();
    (0..points)
        .filter_map(|i| {
            state = phi * state + (1.0 - phi * phi).sqrt() * rng.normal();
            Some((i, detector.push(law(i, state, &mut other))?))
        })
        .collect()
}

/// Mean and its 95 % bootstrap interval.
fn interval(values: &[f64]) -> String {
    let mut rng = SeededRng::seed_from_u64(1);
    let count = values.len();
    let mean = |draw: &mut dyn FnMut() -> f64| (0..count).map(|_| draw()).sum::<f64>() / count as f64;
    let mut means: Vec<f64> = (0..2_000).map(|_| mean(&mut || values[rng.below(count)])).collect();
    means.sort_by(f64::total_cmp);
    let all = values.iter().sum::<f64>() / count as f64;
    format!("{all:.2} [{:.2} {:.2}]", means[50], means[1_949])
}

//! Fingerprints on generated mixes of six types of work: are past states of the same kind found, is a change of the mix at a
//! constant total rate told, does the fingerprint help to foretell resource use, and what does a request cost.
//!
//! `cargo run --release -p foresail-sim --example fingerprint_check [-- dev]`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures and says so")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use foresail_core::fingerprint::{Collector, Fingerprint, FingerprintOptions, Fingerprinter, Request, path_pattern};
use foresail_core::{SeededRng, Timestamp};
use foresail_learn::resource::ResourceForecaster;
use foresail_sim::requests::{GeneratedInterval, METRICS, Mix, PARAMETERS, ScheduleOptions, WorkloadType, schedule};

const SEEDS: u64 = 10;
const SPAN: Duration = Duration::from_secs(10);
const RATE: f64 = 100.0;
/// Intervals ahead at which resource use is foretold: five minutes.
const AHEAD: usize = 30;
/// A neighbour must be this far in the past, lest it be of the same episode.
const APART: Duration = Duration::from_secs(30 * 60);

fn main() {
    let first = if std::env::args().any(|a| a == "dev") { 1 } else { 30_001 };
    let seeds: Vec<u64> = (first..first + SEEDS).collect();
    println!("{SEEDS} seeds from {first}, intervals of {} s, {RATE} requests/s", SPAN.as_secs());
    let runs: Vec<Run> = seeds.iter().map(|seed| run(*seed)).collect();
    let list = |of: fn(&Run) -> f64| {
        let each: Vec<f64> = runs.iter().map(of).collect();
        interval(&each)
    };
    println!(
        "\nnearest past state of the same dominant type, six hours a seed, at least {} min before",
        APART.as_secs() / 60
    );
    println!("  of settled mixes, of each other or of any: {} %", list(|r| 100.0 * r.settled));
    println!("  of all intervals, mixes giving way included: {} %", list(|r| 100.0 * r.all));
    println!(
        "\nresource use {} s ahead, mean absolute error in cores over the second half",
        AHEAD as u64 * SPAN.as_secs()
    );
    println!("  as it is now {}", list(|r| r.errors[0]));
    println!("  without fingerprints {}", list(|r| r.errors[1]));
    println!("  with fingerprints {}", list(|r| r.errors[2]));
    println!("  with over without {}", list(|r| r.errors[2] / r.errors[1]));
    changes(&seeds);
    quiet(&seeds);
    cost();
}

fn options() -> FingerprintOptions {
    FingerprintOptions {
        parameters: PARAMETERS.map(str::to_owned).to_vec(),
        metrics: METRICS.map(str::to_owned).to_vec(),
        ..FingerprintOptions::default()
    }
}

fn close(fingerprinter: &mut Fingerprinter, interval: &GeneratedInterval) -> Fingerprint {
    for r in &interval.requests {
        fingerprinter.record(&request(r.time, r.pattern, r.latency_ms, r.is_error, r.cost_ms, &r.parameters));
    }
    fingerprinter.close(interval.start, SPAN, &interval.metrics.map(Some), Some(interval.cores))
}

fn request(
    time: Timestamp,
    pattern: u64,
    latency_ms: f64,
    is_error: bool,
    cost: f64,
    parameters: &[f64],
) -> Request<'_> {
    Request { time, pattern, latency_ms, is_error, cost: Some(cost), parameters }
}

/// What one seed gave.
struct Run {
    settled: f64,
    all: f64,
    /// Of holding the last value, without and with fingerprints.
    errors: [f64; 3],
}

fn run(seed: u64) -> Run {
    let mut rng = SeededRng::seed_from_u64(seed);
    let (mixes, _) = schedule(&ScheduleOptions::default(), &mut rng);
    let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
    let components = fingerprinter.options().components;
    let mut models =
        [None, Some(components)].map(|components| ResourceForecaster::new(AHEAD, components).expect("within range"));
    let (mut settled, mut all) = ((0, 0), (0, 0));
    let mut due: VecDeque<[f64; 3]> = VecDeque::new();
    let (mut errors, mut scored) = ([0.0; 3], 0);
    for (i, mix) in mixes.iter().enumerate() {
        // The rate goes up and down by a fifth in two hours.
        let rate = RATE * (1.0 + 0.2 * (i as f64 * std::f64::consts::TAU / 720.0).sin());
        let interval = mix.interval(Timestamp::from_secs(10 * i as i64), SPAN, rate, &mut rng);
        let print = close(&mut fingerprinter, &interval);
        let said = models.each_mut().map(|m| m.push(&fingerprinter, &print, Some(interval.cores)));
        if due.len() == AHEAD {
            let then = due.pop_front().expect("not empty");
            if i > mixes.len() / 2 {
                errors.iter_mut().zip(then).for_each(|(sum, said)| *sum += (said - interval.cores).abs());
                scored += 1;
            }
        }
        due.push_back([interval.cores, said[0].expect("measured"), said[1].expect("measured")]);
        // Once every type has had its turn.
        if i > mixes.len() / 2
            && let Some(nearest) = fingerprinter.nearest(1, APART, 0).first()
        {
            let found = &mixes[nearest.index];
            let is_right = found.dominant() == mix.dominant();
            all = (all.0 + usize::from(is_right), all.1 + 1);
            if mix.shares()[mix.dominant() as usize] >= 0.6 {
                settled = (settled.0 + usize::from(is_right), settled.1 + 1);
            }
        }
    }
    let share = |(right, of): (usize, usize)| right as f64 / of as f64;
    Run { settled: share(settled), all: share(all), errors: errors.map(|sum| sum / f64::from(scored)) }
}

/// How long until a change of mix at a constant rate is told.
fn changes(seeds: &[u64]) {
    println!("\na change of mix at a constant rate after an hour: seconds until a change of regime is told");
    for moved in [1.0, 0.5, 0.25] {
        let mut delays = Vec::new();
        let (mut missed, mut before) = (0, 0);
        for seed in seeds {
            for (number, from) in WorkloadType::ALL.into_iter().enumerate() {
                let mut rng = SeededRng::seed_from_u64(*seed).fork(number as u64);
                let to = WorkloadType::ALL[(number + 1 + rng.below(5)) % 6];
                let old = Mix::dominated_by(from, &mut rng);
                let new = old.towards(&Mix::dominated_by(to, &mut rng), moved);
                let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
                let mut delay = None;
                for i in 0..420_i64 {
                    let mix = if i < 360 { &old } else { &new };
                    let interval = mix.interval(Timestamp::from_secs(10 * i), SPAN, RATE, &mut rng);
                    let changed = close(&mut fingerprinter, &interval).change.is_some();
                    before += i64::from(changed && i < 360);
                    if changed && i >= 360 && delay.is_none() {
                        // The interval has ended by then.
                        delay = Some(10 * (i - 360 + 1));
                    }
                }
                match delay {
                    Some(delay) => delays.push(delay),
                    None => missed += 1,
                }
            }
        }
        delays.sort_unstable();
        let at = |share: f64| {
            let index = ((delays.len() as f64 * share) as usize).min(delays.len().max(1) - 1);
            delays.get(index).map_or_else(|| "-".to_owned(), i64::to_string)
        };
        println!(
            "  {:3.0} % of the way to another mix: median {}, 90 % within {}, latest {}; missed {missed} of {}; false alarms before {before} in {} h",
            100.0 * moved,
            at(0.5),
            at(0.9),
            at(1.0),
            delays.len() + missed,
            delays.len() + missed
        );
    }
}

/// How often a change is told where there is none.
fn quiet(seeds: &[u64]) {
    let mut counts = Vec::new();
    for seed in seeds {
        let mut rng = SeededRng::seed_from_u64(*seed);
        let mix = Mix::dominated_by(WorkloadType::ALL[*seed as usize % 6], &mut rng);
        let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
        let mut told = 0.0;
        for i in 0..6 * 360_i64 {
            let interval = mix.interval(Timestamp::from_secs(10 * i), SPAN, RATE, &mut rng);
            told += f64::from(u8::from(close(&mut fingerprinter, &interval).change.is_some()));
        }
        counts.push(told / 6.0);
    }
    println!("\nchanges told an hour while the mix stays, six hours a seed: {}", interval(&counts));
}

/// What taking in a request costs.
fn cost() {
    let mut rng = SeededRng::seed_from_u64(1);
    println!("\ncost of a request, ns, median of nine rounds of 200,000");
    for (name, mix) in [
        ("even mix", Mix::new([1.0; 6])),
        ("browse only", Mix::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])),
        ("crawl only, 3,000 patterns", Mix::new([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])),
    ] {
        let requests = mix.interval(Timestamp::EPOCH, Duration::from_secs(2_000), 100.0, &mut rng).requests;
        let mut collector = Collector::new(&options());
        let mut rounds: Vec<f64> = (0..9)
            .map(|_| {
                let started = Instant::now();
                for r in &requests {
                    collector.record(&request(r.time, r.pattern, r.latency_ms, r.is_error, r.cost_ms, &r.parameters));
                }
                let ns = started.elapsed().as_nanos() as f64 / requests.len() as f64;
                collector.close(Duration::from_secs(2_000), &[], &options());
                ns
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("  {name}: {:.0}", rounds[4]);
    }
    let paths = ["/", "/products/123456/reviews", "/users/550e8400-e29b-41d4-a716-446655440000/orders?page=2&size=50"];
    for path in paths {
        let started = Instant::now();
        let mut mixed = 0_u64;
        for _ in 0..200_000 {
            mixed = mixed.wrapping_add(path_pattern("GET", std::hint::black_box(path)));
        }
        let ns = started.elapsed().as_nanos() as f64 / 200_000.0;
        println!("  key of {path}: {ns:.0} ({:x})", mixed & 0xf);
    }
    let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
    let mut spent = Duration::ZERO;
    let mix = Mix::new([1.0; 6]);
    for i in 0..500_i64 {
        let interval = mix.interval(Timestamp::from_secs(10 * i), SPAN, 20.0, &mut rng);
        let started = Instant::now();
        close(&mut fingerprinter, &interval);
        spent += started.elapsed();
    }
    let started = Instant::now();
    let found = fingerprinter.nearest(5, SPAN, 0).len();
    println!(
        "  an interval of 200 requests, closed: {:.0} us; the {found} nearest of {} states: {:.0} us",
        spent.as_secs_f64() * 1e6 / 500.0,
        fingerprinter.memory().len(),
        started.elapsed().as_secs_f64() * 1e6
    );
}

/// Mean and its 95 % bootstrap interval.
fn interval(values: &[f64]) -> String {
    let mut rng = SeededRng::seed_from_u64(1);
    let count = values.len();
    let mut means: Vec<f64> =
        (0..2_000).map(|_| (0..count).map(|_| values[rng.below(count)]).sum::<f64>() / count as f64).collect();
    means.sort_by(f64::total_cmp);
    let all = values.iter().sum::<f64>() / count as f64;
    format!("{all:.3} [{:.3} {:.3}]", means[50], means[1_949])
}

//! Fingerprints on generated mixes of six types of work: are past states of the same kind found, is a change of the mix at a
//! constant total rate told, does the fingerprint help to foretell resource use, and what does a request cost.
//!
//! `cargo run --release -p foresail-sim --example fingerprint_check [-- [dev] [retrieval|resource|changes|quiet|cost]]`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that measures and says so")]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use foresail_core::fingerprint::{
    Collector, Fingerprint, FingerprintOptions, Fingerprinter, Request, Wanted, path_pattern,
};
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
const ONE: Wanted = Wanted { count: 1, lag: 0, between: 0 };

/// A part of the check, and its name.
type Part = (&'static str, fn(&[u64]));

fn main() {
    let (first, count) = if std::env::args().any(|a| a == "dev") { (1, 3) } else { (30_001, SEEDS) };
    let seeds: Vec<u64> = (first..first + count).collect();
    println!("{count} seeds from {first}, intervals of {} s, {RATE} requests/s", SPAN.as_secs());
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| a != "dev").collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|a| a == part);
    let parts: [Part; 5] = [
        ("retrieval", retrieved),
        ("resource", resource),
        ("changes", changes),
        ("quiet", quiet),
        ("cost", |_| cost()),
    ];
    parts.into_iter().filter(|(name, _)| wants(name)).for_each(|(_, measure)| measure(&seeds));
}

fn retrieved(seeds: &[u64]) {
    let shares: Vec<[f64; 2]> = seeds.iter().map(|seed| retrieval(*seed)).collect();
    let list = |of: usize| interval(&shares.iter().map(|share| 100.0 * share[of]).collect::<Vec<f64>>());
    println!(
        "\nnearest past state of the same dominant type, six hours a seed, at least {} min before",
        APART.as_secs() / 60
    );
    println!("  of intervals in which a type has 60 % or more: {} %", list(0));
    println!("  of all intervals, mixes giving way included: {} %", list(1));
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

/// Share of the intervals whose nearest past state is of the same type: of settled mixes, and of all.
fn retrieval(seed: u64) -> [f64; 2] {
    let mut rng = SeededRng::seed_from_u64(seed);
    let (mixes, _) = schedule(&ScheduleOptions::default(), &mut rng);
    let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
    let (mut settled, mut all) = ((0, 0), (0, 0));
    for (i, mix) in mixes.iter().enumerate() {
        close(&mut fingerprinter, &draw(mix, i, RATE, &mut rng));
        // Once every type has had its turn.
        if i > mixes.len() / 2
            && let Some(nearest) = fingerprinter.nearest(APART, &ONE).first()
        {
            let is_right = mixes[nearest.index].dominant() == mix.dominant();
            all = (all.0 + usize::from(is_right), all.1 + 1);
            if mix.shares()[mix.dominant() as usize] >= 0.6 {
                settled = (settled.0 + usize::from(is_right), settled.1 + 1);
            }
        }
    }
    [settled, all].map(|(right, of)| right as f64 / of as f64)
}

/// An interval of a mix; the rate goes up and down by a fifth in two hours.
fn draw(mix: &Mix, number: usize, rate: f64, rng: &mut SeededRng) -> GeneratedInterval {
    let rate = rate * (1.0 + 0.2 * (number as f64 * std::f64::consts::TAU / 720.0).sin());
    mix.interval(Timestamp::from_secs(10 * number as i64), SPAN, rate, rng)
}

/// Errors of foretelling resource use, without fingerprints and with them.
fn resource(seeds: &[u64]) {
    let options = ScheduleOptions { intervals: 16 * 360, ..ScheduleOptions::default() };
    let each: Vec<[f64; 3]> = seeds.iter().map(|seed| resource_errors(*seed, &options)).collect();
    let list = |of: fn(&[f64; 3]) -> f64| interval(&each.iter().map(of).collect::<Vec<f64>>());
    println!(
        "\nresource use {} s ahead, 16 hours a seed at 30 requests/s, mean absolute error in cores over the second half",
        AHEAD as u64 * SPAN.as_secs()
    );
    println!("  as it is now {}", list(|e| e[0]));
    println!("  without fingerprints {}", list(|e| e[1]));
    println!("  with fingerprints {}", list(|e| e[2]));
    println!("  with over without {}", list(|e| e[2] / e[1]));
}

/// Mean absolute errors of holding the last value, and of regressions without and with fingerprints.
fn resource_errors(seed: u64, options_of_schedule: &ScheduleOptions) -> [f64; 3] {
    let mut rng = SeededRng::seed_from_u64(seed);
    let (mixes, _) = schedule(options_of_schedule, &mut rng);
    let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
    let components = fingerprinter.options().components;
    let mut models =
        [None, Some(components)].map(|components| ResourceForecaster::new(AHEAD, components).expect("within range"));
    let mut due: VecDeque<[f64; 3]> = VecDeque::new();
    let (mut errors, mut scored) = ([0.0; 3], 0);
    for (i, mix) in mixes.iter().enumerate() {
        let interval = draw(mix, i, 30.0, &mut rng);
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
    }
    errors.map(|sum| sum / f64::from(scored))
}

/// How long until a change of mix at a constant rate is told.
fn changes(seeds: &[u64]) {
    println!("\na change of mix at a constant rate after half an hour: seconds until a change of regime is told");
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
                for i in 0..240_i64 {
                    let mix = if i < 180 { &old } else { &new };
                    let interval = mix.interval(Timestamp::from_secs(10 * i), SPAN, RATE, &mut rng);
                    let changed = close(&mut fingerprinter, &interval).change.is_some();
                    before += i64::from(changed && i < 180);
                    if changed && i >= 180 && delay.is_none() {
                        // The interval has ended by then.
                        delay = Some(10 * (i - 180 + 1));
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
            (delays.len() + missed) / 2
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

/// CPU time of this thread, or where the system does not tell it the time since `begun`.
fn cpu_time(begun: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let ns = told.and_then(|told| told.split(' ').next()?.parse().ok());
    ns.map_or_else(|| begun.elapsed(), Duration::from_nanos)
}

/// What taking in a request costs.
fn cost() {
    let mut rng = SeededRng::seed_from_u64(1);
    let begun = Instant::now();
    println!("\ncost of a request, ns of CPU, median of nine rounds of 200,000, and the slowest");
    for (name, mix) in [
        ("even mix", Mix::new([1.0; 6])),
        ("browse only", Mix::new([1.0, 0.0, 0.0, 0.0, 0.0, 0.0])),
        ("crawl only, 3,000 patterns", Mix::new([0.0, 0.0, 0.0, 0.0, 0.0, 1.0])),
    ] {
        let requests = mix.interval(Timestamp::EPOCH, Duration::from_secs(2_000), 100.0, &mut rng).requests;
        let mut collector = Collector::new(&options());
        let mut rounds: Vec<f64> = (0..9)
            .map(|_| {
                let started = cpu_time(begun);
                for r in &requests {
                    collector.record(&request(r.time, r.pattern, r.latency_ms, r.is_error, r.cost_ms, &r.parameters));
                }
                let ns = (cpu_time(begun) - started).as_nanos() as f64 / requests.len() as f64;
                collector.close(Duration::from_secs(2_000), &[], &options());
                ns
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("  {name}: {:.0}, {:.0}", rounds[4], rounds[8]);
    }
    let paths = ["/", "/products/123456/reviews", "/users/550e8400-e29b-41d4-a716-446655440000/orders?page=2&size=50"];
    for path in paths {
        let started = cpu_time(begun);
        let mut mixed = 0_u64;
        for _ in 0..200_000 {
            mixed = mixed.wrapping_add(path_pattern("GET", std::hint::black_box(path)));
        }
        let ns = (cpu_time(begun) - started).as_nanos() as f64 / 200_000.0;
        println!("  key of {path}: {ns:.0} ({:x})", mixed & 0xf);
    }
    let mut fingerprinter = Fingerprinter::new(options()).expect("within range");
    let mut spent = Duration::ZERO;
    let mix = Mix::new([1.0; 6]);
    for i in 0..500_i64 {
        let interval = mix.interval(Timestamp::from_secs(10 * i), SPAN, 20.0, &mut rng);
        let started = cpu_time(begun);
        close(&mut fingerprinter, &interval);
        spent += cpu_time(begun) - started;
    }
    let started = cpu_time(begun);
    let found = fingerprinter.nearest(SPAN, &Wanted { count: 5, ..ONE }).len();
    println!(
        "  an interval of 200 requests, closed: {:.0} us; the {found} nearest of {} states: {:.0} us",
        spent.as_secs_f64() * 1e6 / 500.0,
        fingerprinter.memory().len(),
        (cpu_time(begun) - started).as_secs_f64() * 1e6
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

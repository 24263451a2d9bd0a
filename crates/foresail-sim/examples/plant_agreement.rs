//! Prints how far the two plants agree on late requests, and how fast the event-driven one runs.
//!
//! `cargo run --release -p foresail-sim --example plant_agreement [SEEDS]` (8 unless said: a few minutes on one core)
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // it prints a table, and measures how long that took

use std::error::Error;
use std::time::{Duration, Instant};

use foresail_core::{Decision, Driver, Limits, Metric, Observation, Policy, Reason, Replicas, SeededRng, Timestamp};
use foresail_scale::{Scenario, Service};
use foresail_sim::event::agreement::{Agreement, compare, compare_plants};

/// Replicas for the greatest load of the last five minutes at a target utilisation.
struct Track {
    capacity_rps: f64,
    target: f64,
    recent: Vec<f64>,
}

impl Policy for Track {
    fn name(&self) -> &str {
        "track"
    }

    fn decide(&mut self, observation: &Observation) -> Decision {
        let hold = (300.0 / observation.tick.as_secs_f64()) as usize;
        self.recent.extend(observation.value(Metric::RequestRate));
        self.recent.drain(..self.recent.len().saturating_sub(hold));
        let highest = self.recent.iter().fold(0.0_f64, |highest, rate| highest.max(*rate));
        let desired = if self.recent.is_empty() {
            observation.replicas.desired
        } else {
            Replicas::holding(highest / self.capacity_rps / self.target)
        };
        Decision { desired, reason: Reason::new(Driver::Reactive) }
    }
}

struct Table {
    events: u64,
    missed: u32,
    start: Instant,
}

impl Table {
    fn row(&mut self, what: &str, found: &Agreement) {
        self.events += found.events;
        let verdict = if found.holds(0.1, 0.0005, 0.0) {
            "agree"
        } else if found.holds(0.1, 0.0005, 2.0) {
            "agree within two standard errors"
        } else {
            self.missed += 1;
            "DIFFER"
        };
        let (fluid, event, error) = (100.0 * found.fluid, 100.0 * found.event, 100.0 * found.event_error);
        println!("{what:54} {fluid:9.4} {event:9.4} ± {error:.4}  {verdict}");
    }
}

fn scenario(service: Service, load: Vec<f64>, limits: (u32, u32)) -> Scenario {
    let limits = Limits { min: Replicas(limits.0), max: Replicas(limits.1) };
    Scenario { start: Timestamp::EPOCH, tick: Duration::from_secs(15), load, evaluate_from: 0, service, limits }
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(8), |text| text.parse())?;
    // The fewer requests, the more seeds it takes to see through chance.
    let seeds = |rate: f64| (1..=count * (4_000.0 / rate).clamp(1.0, 64.0) as u64).collect::<Vec<u64>>();
    let mut table = Table { events: 0, missed: 0, start: Instant::now() };
    println!("{:54} {:>9} {:>9}", "late requests, %", "fluid", "event");
    let track = |capacity_rps, target| Track { capacity_rps, target, recent: Vec::new() };

    let service = Service::request(100.0, Duration::from_secs(60))?;
    for replicas in [5_u32, 10, 50] {
        for load in [0.6, 0.8, 0.95, 0.98, 1.0, 1.02, 1.05, 1.2] {
            let rate = load * 100.0 * f64::from(replicas);
            let static_load = scenario(service, vec![rate; 120], (replicas, replicas));
            let found = compare(&static_load, || track(100.0, 1.0), &seeds(rate))?;
            table.row(&format!("static, {replicas} replicas, load {load} of capacity"), &found);
        }
        let mut rng = SeededRng::seed_from_u64(u64::from(replicas));
        let around: Vec<f64> =
            (0..120).map(|_| f64::from(replicas) * 100.0 * (0.97 + 0.03 * rng.normal()).max(0.0)).collect();
        let found = compare(
            &scenario(service, around, (replicas, replicas)),
            || track(100.0, 1.0),
            &seeds(100.0 * f64::from(replicas)),
        )?;
        table.row(&format!("static, {replicas} replicas, load 0.97 ± 0.03 of capacity"), &found);
    }
    for peak in [500.0, 1_000.0, 5_000.0] {
        for target in [0.7, 0.85, 0.95] {
            // A day in forty minutes, with noise, so that starts come too late.
            let mut rng = SeededRng::seed_from_u64(peak as u64);
            let day = |tick: f64| 0.6 - 0.4 * (std::f64::consts::TAU * tick / 160.0).cos();
            let load: Vec<f64> =
                (0..320).map(|tick| peak * day(f64::from(tick)) * (1.0 + 0.03 * rng.normal()).max(0.0)).collect();
            let days = scenario(service, load, (1, 200));
            let what = format!("two days to {peak} rps, tracked at {target}");
            table.row(
                &format!("{what}, same decisions"),
                &compare_plants(&days, &mut track(100.0, target), &seeds(peak))?,
            );
            table.row(&format!("{what}, own decisions"), &compare(&days, || track(100.0, target), &seeds(peak))?);
        }
    }
    for (workers, rate, target) in [(5_u32, 10.0, 60_u64), (50, 2.0, 120), (10, 1.0, 30)] {
        let queue = Service::queue(rate, Duration::from_secs(target), Duration::from_secs(60))?;
        let capacity = f64::from(workers) * rate;
        for load in [0.8, 0.95, 1.0, 1.05, 1.2] {
            let steady = scenario(queue, vec![load * capacity; 240], (workers, workers));
            let found = compare(&steady, || track(rate, 1.0), &seeds(capacity))?;
            table.row(&format!("queue, {workers} workers of {rate}, {target} s, load {load}"), &found);
        }
        let waves = |tick: f64| capacity * (0.8 + 0.5 * (std::f64::consts::TAU * tick / 160.0).sin());
        let load = (0..320).map(|tick| waves(f64::from(tick))).collect();
        let found = compare(&scenario(queue, load, (workers, workers)), || track(rate, 1.0), &seeds(capacity))?;
        table.row(&format!("queue, {workers} workers of {rate}, {target} s, waves to 1.3"), &found);
    }
    let (events, seconds) = (table.events as f64 / 1e6, table.start.elapsed().as_secs_f64());
    println!(
        "{} rows differ; {events:.0} million events in {seconds:.0} s: {:.1} million a second",
        table.missed,
        events / seconds
    );
    Ok(())
}

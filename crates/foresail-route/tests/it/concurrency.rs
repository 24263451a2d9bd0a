//! The learned limit of one endpoint, in virtual time: Poisson arrivals in an open loop, a few slots, lognormal service, and
//! requests turned away at the limit.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use foresail_core::SeededRng;
use foresail_route::{ConcurrencyConfig, ConcurrencyLimit};

/// What came of a phase: the limit on the mean of its last half, the share that was let in, the share of the slots in use, and
/// the mean latency over that with nobody in line.
struct Phase {
    limit: f64,
    let_in: f64,
    used: f64,
    stretch: f64,
}

/// Phases of 60 s of a load in shares of what the slots can do, each with its mean service time.
fn play(slots: usize, phases: &[(f64, f64)], seed: u64) -> Vec<Phase> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let config = ConcurrencyConfig::default();
    let mut limit = ConcurrencyLimit::default();
    // Departures by time in µs, with the request's arrival and the others that it met.
    let mut serving: BinaryHeap<Reverse<(u64, u64, u32)>> = BinaryHeap::new();
    let mut waiting: VecDeque<(u64, u32)> = VecDeque::new();
    let (mut now, mut told) = (0.0_f64, Vec::new());
    for (phase, &(load, service_ms)) in phases.iter().enumerate() {
        let end = 60_000.0 * (phase + 1) as f64;
        let rate_per_ms = load * slots as f64 / service_ms;
        let (mut came, mut entered, mut busy_ms, mut limits, mut latency_ms, mut answers) = (0, 0, 0.0, 0.0, 0.0, 0);
        let draw = |rng: &mut SeededRng| service_ms * (0.5 * rng.normal() - 0.125).exp();
        while now < end {
            now += rng.exponential() / rate_per_ms;
            while let Some(&Reverse((at, arrived, others))) = serving.peek() {
                if at as f64 / 1e3 > now {
                    break;
                }
                serving.pop();
                let taken_ms = (at - arrived) as f64 / 1e3;
                limit.observe(&config, taken_ms, others, at / 1_000);
                (latency_ms, answers) = (latency_ms + taken_ms, answers + 1);
                if let Some((arrived, others)) = waiting.pop_front() {
                    let takes = draw(&mut rng);
                    busy_ms += takes;
                    serving.push(Reverse((at + (takes * 1e3) as u64, arrived, others)));
                }
            }
            came += 1;
            limits += f64::from(limit.current(&config));
            let there = (serving.len() + waiting.len()) as u32;
            if there >= limit.current(&config) {
                continue;
            }
            entered += 1;
            if serving.len() < slots {
                let takes = draw(&mut rng);
                busy_ms += takes;
                serving.push(Reverse((((now + takes) * 1e3) as u64, (now * 1e3) as u64, there)));
            } else {
                waiting.push_back(((now * 1e3) as u64, there));
            }
        }
        told.push(Phase {
            limit: limits / f64::from(came),
            let_in: f64::from(entered) / f64::from(came),
            used: busy_ms / (slots as f64 * 60_000.0),
            stretch: latency_ms / f64::from(answers) / service_ms,
        });
    }
    told
}

/// A load below the limit is never held back; an overload fills the slots and waits a few service times at most; and an endpoint
/// that becomes four times as slow, and quick again, is followed both ways. There is no window in which good traffic is shed.
#[test]
fn the_limit_follows_what_the_endpoint_can_do() {
    for slots in [4, 16, 64] {
        for seed in 1..=3 {
            let phases = [(0.6, 20.0), (1.5, 20.0), (1.5, 80.0), (0.6, 20.0), (1.5, 20.0)];
            let told = play(slots, &phases, seed);
            for (phase, (load, _)) in told.iter().zip(phases) {
                println!(
                    "{slots} slots, seed {seed}, load {load}: limit {:.0}, let in {:.3}, slots used {:.3}, {:.2} times the service",
                    phase.limit, phase.let_in, phase.used, phase.stretch
                );
            }
            for (phase, (load, _)) in told.iter().zip(phases) {
                if load < 1.0 {
                    assert!(phase.let_in > 0.998, "good traffic is held back: {}", phase.let_in);
                } else {
                    assert!(phase.used > 0.92, "slots are idle: {}", phase.used);
                    assert!(phase.stretch < 4.0, "answers take {} times the service", phase.stretch);
                }
            }
        }
    }
}

//! What the policy promises whatever the load, and what it gains on a load it can learn.

use std::time::Duration;

use foresail_core::{
    Limits, Metric, Observation, Policy, Quality, ReplicaCounts, Replicas, Sample, SeededRng, Timestamp,
};
use proptest::prelude::*;

use super::Foresail;
use crate::policies::{PolicyOptions, build};
use crate::{NeedTable, Scenario, Service, replay};

const LIMITS: Limits = Limits { min: Replicas(1), max: Replicas(400) };

fn service() -> Service {
    Service::request(100.0, Duration::from_secs(60)).expect("valid")
}

fn observation(tick: usize, load: Option<f64>, quality: Quality, desired: u32) -> Observation {
    let time = Timestamp::from_secs(15 * tick as i64);
    let interval = Duration::from_secs(15);
    let sample = |value| Sample { metric: Metric::RequestRate, time, interval, value, quality };
    let replicas = Replicas(desired);
    let replicas = ReplicaCounts { desired: replicas, ready: replicas, starting: Replicas(0) };
    Observation { time, tick: interval, samples: load.map(sample).into_iter().collect(), replicas }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever the load does, with gaps and doubtful samples, the need of the load measured now is a floor, the limits hold,
    /// and missing data never scales down.
    #[test]
    fn the_reactive_need_is_a_floor(
        ticks in prop::collection::vec((prop::option::weighted(0.9, 0.0..60_000.0_f64), 0..10_u8), 1..120),
        resolution in prop::option::of(1_u64..5),
    ) {
        let mut options = PolicyOptions::new(LIMITS);
        options.resolution = resolution.map(|r| Duration::from_secs(15 * r));
        let mut policy = Foresail::new(&service(), &options).expect("valid");
        let mut table = NeedTable::new(service(), 0.001).expect("valid");
        let mut desired = Replicas(3);
        for (tick, (load, kind)) in ticks.into_iter().enumerate() {
            let quality = if kind == 0 { Quality::Suspect } else { Quality::Good };
            let before = desired;
            desired = policy.decide(&observation(tick, load, quality, desired.0)).desired;
            prop_assert!(desired >= LIMITS.min && desired <= LIMITS.max);
            match load {
                Some(load) => prop_assert!(desired >= table.need(load, LIMITS.max)),
                None => prop_assert!(desired >= before),
            }
        }
    }
}

/// A daily cycle under noise, in one-minute steps over ticks of 15 s.
fn cycle(days: usize, seed: u64) -> Vec<f64> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut load = Vec::with_capacity(days * 5_760);
    for minute in 0..days * 1_440 {
        let phase = minute as f64 / 1_440.0 * std::f64::consts::TAU;
        let value: f64 = 2_000.0 * (1.2 - phase.cos()) * (1.0 + 0.03 * rng.normal());
        load.extend([value.max(0.0); 4]);
    }
    load
}

/// Over several seeds of a load with a daily cycle: no more late than allowed, and dearer than the baseline on none.
#[test]
fn a_daily_cycle_costs_less_than_the_baseline_and_keeps_the_objective() {
    for seed in 0..3 {
        let scenario = Scenario {
            start: Timestamp::EPOCH,
            tick: Duration::from_secs(15),
            load: cycle(3, seed),
            evaluate_from: 5_760,
            service: service(),
            limits: LIMITS,
        };
        let mut options = PolicyOptions::new(LIMITS);
        options.resolution = Some(Duration::from_secs(60));
        let run = |name: &str| {
            let mut policy = build(name, &scenario.service, &options).expect("known");
            replay(&scenario, policy.as_mut(), |_, _| {}).expect("valid")
        };
        let (ours, hpa) = (run("foresail"), run("hpa@0.7"));
        assert!(ours.late_share() <= 0.001, "seed {seed}: {} late", ours.late_share());
        let ratio = ours.replica_hours() / hpa.replica_hours();
        assert!(ratio < 0.87, "seed {seed}: {ratio} of the baseline's replica-hours");
    }
}

/// An attack is served up to what the series is known for, and no further.
#[test]
fn attack_traffic_is_capped_and_not_learned() {
    let mut policy = Foresail::new(&service(), &PolicyOptions::new(LIMITS)).expect("valid");
    let mut desired = 20;
    for tick in 0..400 {
        desired = policy.decide(&observation(tick, Some(1_000.0), Quality::Good, desired)).desired.0;
    }
    let decision = policy.decide(&observation(400, Some(30_000.0), Quality::Attack, desired));
    assert!(decision.desired.0 <= desired.max(11), "{decision:?}");
    assert!(decision.reason.to_string().contains("attack traffic left out"), "{}", decision.reason);
}

/// An announced event is prepared for while an order can still take effect, in full and by its floor.
#[test]
fn an_announced_event_is_ready_when_it_starts() {
    let mut options = PolicyOptions::new(LIMITS);
    let from = Timestamp::from_secs(15 * 300);
    let to = from + Duration::from_secs(600);
    options.known.events.push(foresail_core::Event {
        from,
        to,
        factor: 1.0,
        floor: 90,
        kind: String::new(),
        label: "sale".to_owned(),
    });
    let mut policy = Foresail::new(&service(), &options).expect("valid");
    let mut desired = 15;
    for tick in 0..300 {
        let decision = policy.decide(&observation(tick, Some(1_000.0), Quality::Good, desired));
        desired = decision.desired.0;
        let seconds_before = 15 * (300 - tick as i64);
        assert_eq!(desired >= 90, seconds_before < 75, "{seconds_before} s before: {desired}");
    }
}

#[test]
fn says_why_and_what_it_was_worth() {
    let mut policy = Foresail::new(&service(), &PolicyOptions::new(LIMITS)).expect("valid");
    let mut desired = 20;
    let mut reason = String::new();
    for (tick, load) in cycle(2, 5).into_iter().enumerate() {
        let decision = policy.decide(&observation(tick, Some(load), Quality::Good, desired));
        (desired, reason) = (decision.desired.0, decision.reason.to_string());
    }
    assert!(reason.contains("spreads over the forecast peak"), "{reason}");
    let score = policy.scorecard();
    assert!(score.ours.cost < score.baseline.cost && score.ours.cost > 0.0, "{score:?}");
    assert!(policy.memory_bytes() > 0);
}

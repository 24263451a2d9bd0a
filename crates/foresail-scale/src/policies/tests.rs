//! What every policy promises.

use std::time::Duration;

use foresail_core::{Limits, Metric, Observation, Policy, Quality, Replicas, Sample, Timestamp};
use proptest::prelude::*;

use super::{PolicyOptions, build, names};
use crate::plant::FluidPlant;
use crate::service::Service;
use crate::sweep::sweep_settings;
use crate::{Error, ServiceKind};

fn services() -> [Service; 2] {
    let startup = Duration::from_secs(60);
    [
        Service::request(100.0, startup).expect("valid"),
        Service::queue(100.0, Duration::from_secs(120), startup).expect("valid"),
    ]
}

/// What a policy decides on a plant under `load` (one entry a tick), seeing only the metrics that `shown` lets through.
fn decisions(policy: &mut dyn Policy, service: Service, tick: Duration, load: &[f64], shown: &[u8]) -> Vec<u32> {
    let start = Timestamp::from_secs(1_704_067_200);
    let mut plant = FluidPlant::new(service, Replicas(3));
    let mut samples = Vec::new();
    let mut decided = Vec::new();
    for (index, load) in load.iter().enumerate() {
        let time = start + tick * index as u32;
        plant.advance(time);
        let observation = Observation { time, tick, samples, replicas: plant.replicas() };
        let decision = policy.decide(&observation);
        decided.push(decision.desired.0);
        plant.scale_to(decision.desired, time);
        let outcome = plant.tick(time, tick.as_secs_f64(), *load);
        let seen = shown.get(index % shown.len().max(1)).copied().unwrap_or(7);
        let metrics = [
            (Metric::RequestRate, *load),
            (Metric::Utilisation, outcome.utilisation),
            (Metric::QueueLength, outcome.backlog),
        ];
        let sample =
            |(metric, value)| Sample { metric, time: time + tick, interval: tick, value, quality: Quality::Good };
        samples = metrics.into_iter().enumerate().filter(|(i, _)| seen >> i & 1 == 1).map(|(_, m)| sample(m)).collect();
    }
    decided
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever the load, the gaps and the ticks: no policy leaves the limits, and none panics.
    #[test]
    fn no_policy_leaves_the_limits(
        blocks in prop::collection::vec((prop_oneof![Just(0.0), 0.0..300.0_f64, 0.0..50_000.0_f64], 1..60_usize), 1..6),
        shown in prop::collection::vec(0..8_u8, 1..6),
        tick_s in prop_oneof![Just(15_u64), Just(5), Just(60), Just(300), Just(1_800)],
        min in 0..5_u32,
        span in 0..60_u32,
    ) {
        let load: Vec<f64> = blocks.into_iter().flat_map(|(level, ticks)| vec![level; ticks]).collect();
        let limits = Limits { min: Replicas(min), max: Replicas(min + span) };
        let options = PolicyOptions { scale_to_zero: shown.len() > 2, ..PolicyOptions::new(limits) };
        for service in services() {
            for name in names() {
                let mut policy = build(name, &service, &options).expect("listed");
                for desired in decisions(policy.as_mut(), service, Duration::from_secs(tick_s), &load, &shown) {
                    prop_assert!((min..=min + span).contains(&desired), "{name}: {desired} outside {limits:?}");
                }
            }
        }
    }
}

/// Two days of waves, then half of them again: long enough for every forecaster to have spoken.
fn waves() -> Vec<f64> {
    let turn = |i: usize| std::f64::consts::TAU * i as f64 / 1_440.0;
    (0..3_600).map(|i| 1_000.0 + 800.0 * turn(i).sin() + 100.0 * turn(11 * i).cos()).collect()
}

#[test]
fn a_policy_decides_the_same_twice_and_the_future_changes_nothing() {
    let service = services()[0];
    let options = PolicyOptions::new(Limits { min: Replicas(1), max: Replicas(100) });
    let minute = Duration::from_secs(60);
    let load = waves();
    for name in names() {
        let run = |load: &[f64]| {
            let mut policy = build(name, &service, &options).expect("listed");
            decisions(policy.as_mut(), service, minute, load, &[7])
        };
        let whole = run(&load);
        assert_eq!(run(&load[..3_200]), whole[..3_200], "{name}");
        assert!(whole.iter().max() > whole.iter().min(), "{name} never scaled");
    }
}

#[test]
fn ids_carry_settings_within_their_range() {
    let options = PolicyOptions::new(Limits { min: Replicas(1), max: Replicas(100) });
    let [request, queue] = services();
    for (service, kind) in [(request, ServiceKind::Request), (queue, ServiceKind::Queue)] {
        for id in names().iter().flat_map(|name| sweep_settings(name, kind)) {
            assert_eq!(build(&id, &service, &options).expect("swept").name(), id);
        }
    }
    for (id, message) in [
        ("hpa@1.2", "target is 1.2, accepted is above 0 and at most 1"),
        ("keda@", "target is , accepted is above 0 and at most 1"),
        ("seed-reactive@0.5", "target is 0.5, accepted is no setting for this policy"),
    ] {
        assert_eq!(build(id, &request, &options).err().map(|e| e.to_string()).as_deref(), Some(message));
    }
    assert!(matches!(build("hpa-v3", &request, &options), Err(Error::NoSuchPolicy { .. })));
}

#[test]
fn a_static_peak_never_shrinks() {
    let service = services()[0];
    let options = PolicyOptions::new(Limits { min: Replicas(1), max: Replicas(100) });
    let mut policy = build("static", &service, &options).expect("listed");
    let decided =
        decisions(policy.as_mut(), service, Duration::from_secs(15), &[100.0, 801.0, 10.0, 0.0, 900.0, 0.0], &[7]);
    assert_eq!(decided, [3, 2, 11, 11, 11, 12]);
}

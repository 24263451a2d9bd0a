//! The two stages on streams whose truth is known.

use foresail_core::SeededRng;
use proptest::prelude::*;

use super::{DriftDetector, DriftEvent, DriftOptions};

/// Pushes unit-variance AR(1) noise bent by `law` (step, noise), and gives the events with their steps.
fn events(seed: u64, phi: f64, steps: usize, law: impl Fn(usize, f64) -> Option<f64>) -> Vec<(usize, DriftEvent)> {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut detector = DriftDetector::new(DriftOptions::default()).unwrap();
    let mut state = rng.normal();
    (0..steps)
        .filter_map(|step| {
            state = phi * state + (1.0 - phi * phi).sqrt() * rng.normal();
            Some((step, detector.push(law(step, state))?))
        })
        .collect()
}

fn permanents(events: &[(usize, DriftEvent)]) -> Vec<usize> {
    events.iter().filter(|(_, e)| matches!(e, DriftEvent::Permanent { .. })).map(|(step, _)| *step).collect()
}

#[test]
fn shifts_are_confirmed_and_spikes_are_not() {
    for phi in [0.0, 0.7] {
        for seed in 0..10 {
            let shifted = events(seed, phi, 2_000, |i, v| Some(v + if i < 1_000 { 0.0 } else { 1.5 }));
            let found = permanents(&shifted);
            assert!(found.len() == 1 && (1_060..1_500).contains(&found[0]), "phi {phi}, seed {seed}: {shifted:?}");
            let spiked = events(seed, phi, 2_000, |i, v| Some(v + if (1_000..1_020).contains(&i) { 6.0 } else { 0.0 }));
            assert!(permanents(&spiked).is_empty(), "phi {phi}, seed {seed}: {spiked:?}");
            assert!(spiked.iter().any(|(step, e)| (1_000..1_010).contains(step) && *e == DriftEvent::Suspected));
        }
    }
}

#[test]
fn a_gap_says_nothing_and_a_suspicion_without_points_ends() {
    let found = events(3, 0.0, 2_000, |i, v| (i % 3 > 0).then_some(v));
    assert!(permanents(&found).is_empty(), "{found:?}");
    // The feed breaks off right after the suspicion.
    let found =
        events(3, 0.0, 2_000, |i, v| if i < 1_010 { Some(v + if i < 1_000 { 0.0 } else { 6.0 }) } else { None });
    assert!(matches!(found.last(), Some((_, DriftEvent::Spike { points })) if *points < 20), "{found:?}");
}

#[test]
fn a_flat_line_is_one_change_and_so_is_its_end() {
    let found = events(3, 0.0, 4_000, |i, v| Some(if (1_000..3_000).contains(&i) { 2.0 } else { v }));
    let places: Vec<usize> = found.iter().map(|(step, _)| *step).collect();
    assert!((2..=8).contains(&found.len()), "{found:?}");
    assert!(places.iter().all(|at| (1_000..1_400).contains(at) || *at >= 3_000), "{found:?}");
    assert!(places.iter().any(|at| (1_000..1_030).contains(at)) && places.iter().any(|at| (3_000..3_010).contains(at)));
}

#[test]
fn what_is_reacted_to_follows_the_displacement() {
    let mut detector = DriftDetector::new(DriftOptions::default()).unwrap();
    let mut rng = SeededRng::seed_from_u64(6);
    (0..1_000).for_each(|_| assert_eq!(detector.push(Some(10.0 * rng.normal())), None));
    assert_eq!((detector.interval_factor(), detector.headroom()), (1.0, 0.0));
    let found: Vec<DriftEvent> = (0..30).filter_map(|_| detector.push(Some(50.0 + 10.0 * rng.normal()))).collect();
    assert_eq!(found, [DriftEvent::Suspected]);
    assert!(detector.is_suspect());
    assert!((30.0..70.0).contains(&detector.headroom()), "{}", detector.headroom());
    assert!((2.5..6.0).contains(&detector.interval_factor()), "{}", detector.interval_factor());
    let found: Vec<DriftEvent> = (0..200).filter_map(|_| detector.push(Some(50.0 + 10.0 * rng.normal()))).collect();
    assert!(matches!(found[..], [DriftEvent::Permanent { .. }]), "{found:?}");
    assert_eq!((detector.confirmed(), detector.headroom()), ((1, 0), 0.0));
}

#[test]
fn after_a_refit_residuals_around_zero_are_no_second_change() {
    let mut detector = DriftDetector::new(DriftOptions::default()).unwrap();
    let mut rng = SeededRng::seed_from_u64(6);
    for step in 0..3_000 {
        let stale = step >= 1_000 && detector.confirmed().0 == 0;
        let event = detector.push(Some(rng.normal() + if stale { 2.0 } else { 0.0 }));
        if matches!(event, Some(DriftEvent::Permanent { .. })) {
            detector.model_refitted();
        }
    }
    assert_eq!(detector.confirmed(), (1, 0));
}

#[test]
fn bad_options_are_named() {
    let error = DriftDetector::new(DriftOptions { shift: f64::NAN, ..DriftOptions::default() }).err().unwrap();
    assert_eq!(error.to_string(), "shift is NaN, accepted is 0.1 to 10");
    let bad = DriftOptions { most_points: 20, ..DriftOptions::default() };
    assert!(DriftDetector::new(bad).is_err());
}

proptest! {
    /// Whatever comes, numbers stay finite, memory bounded, and what is saved goes on alike.
    #[test]
    fn stays_sound(
        points in prop::collection::vec(prop::option::of(prop_oneof![prop::num::f64::ANY, -3.0..3.0_f64, Just(0.0)]), 0..400),
        save_at in 0..400_usize,
    ) {
        let options = DriftOptions { warm_up: 16, least_points: 8, most_points: 32, memory: 64.0, ..DriftOptions::default() };
        let mut detector = DriftDetector::new(options).unwrap();
        let mut twin = detector.clone();
        for (i, point) in points.into_iter().enumerate() {
            if i == save_at {
                twin = serde_json::from_str(&serde_json::to_string(&detector).unwrap()).unwrap();
            }
            let event = detector.push(point);
            prop_assert_eq!(event, twin.push(point));
            if let Some(DriftEvent::Permanent { shift, size, ratio, .. }) = event {
                prop_assert!(shift.is_finite() && size.is_finite() && ratio.is_finite() && ratio > 0.0);
            }
            prop_assert!(detector.interval_factor() >= 1.0 && detector.interval_factor().is_finite());
            prop_assert!(detector.headroom() >= 0.0 && detector.headroom().is_finite());
        }
    }

    /// Neither the unit nor the sign of the residuals matters.
    #[test]
    fn units_do_not_matter(seed in 0..50_u64, power in -20..20_i32) {
        let unit = 2.0_f64.powi(power);
        let law = |i: usize, v: f64| v + if i < 500 { 0.0 } else { 2.0 };
        let plain: Vec<usize> = events(seed, 0.3, 800, |i, v| Some(law(i, v))).iter().map(|(step, _)| *step).collect();
        let other: Vec<usize> = events(seed, 0.3, 800, |i, v| Some(-unit * law(i, v))).iter().map(|(step, _)| *step).collect();
        prop_assert_eq!(plain, other);
    }
}

//! How often seasons are found, and how often where there are none.

use std::f64::consts::TAU;

use foresail_core::{Known, SeededRng};
use proptest::prelude::*;

use super::*;
use crate::registry::{ModelOptions, build};

const SEEDS: u64 = 200;

/// The share of seeds for which `law` gives just the lengths of `expected` (in rows of a minute, each to 3 %).
fn share(rows: usize, expected: &[f64], law: impl Fn(&mut SeededRng, usize) -> Vec<f64>) -> f64 {
    let right = (0..SEEDS).filter(|seed| {
        let mut rng = SeededRng::seed_from_u64(1000 + seed);
        let found = detect(&Frame::from_values(law(&mut rng, rows)));
        found.len() == expected.len()
            && found.iter().zip(expected).all(|(a, b)| (a.as_secs_f64() / 60.0 / b - 1.0).abs() < 0.03)
    });
    right.count() as f64 / SEEDS as f64
}

fn check(name: &str, least: f64, got: f64) {
    println!("{name}: {:.1} %", 100.0 * got);
    assert!(got >= least, "{name}: {got}");
}

fn noise(rng: &mut SeededRng, rows: usize, phi: f64) -> Vec<f64> {
    let mut value = 0.0;
    (0..rows)
        .map(|_| {
            value = phi * value + rng.normal();
            value
        })
        .collect()
}

fn plus(mut values: Vec<f64>, law: impl Fn(f64) -> f64) -> Vec<f64> {
    values.iter_mut().enumerate().for_each(|(i, value)| *value += law(i as f64));
    values
}

#[test]
fn nothing_is_found_where_nothing_is() {
    check("white noise, 1000", 0.97, share(1000, &[], |rng, n| noise(rng, n, 0.0)));
    check("white noise, 150", 0.95, share(150, &[], |rng, n| noise(rng, n, 0.0)));
    check("AR(1) 0.8, 1000", 0.97, share(1000, &[], |rng, n| noise(rng, n, 0.8)));
    check("random walk, 1000", 0.95, share(1000, &[], |rng, n| noise(rng, n, 1.0)));
    check("random walk, 150", 0.9, share(150, &[], |rng, n| noise(rng, n, 1.0)));
    check("random walk, 5000", 0.95, share(5000, &[], |rng, n| noise(rng, n, 1.0)));
    check("noise and trend", 0.97, share(500, &[], |rng, n| plus(noise(rng, n, 0.0), |t| 0.3 * t)));
}

#[test]
fn seasons_are_found_in_noise_and_beside_trends() {
    let wave = |period: f64, size: f64| move |t: f64| size * (t * TAU / period).sin();
    check("sine as strong as noise", 0.97, share(480, &[24.0], |rng, n| plus(noise(rng, n, 0.0), wave(24.0, 1.4))));
    check("sine half as strong", 0.95, share(1000, &[48.0], |rng, n| plus(noise(rng, n, 0.0), wave(48.0, 0.7))));
    let ramp = |t: f64| (t % 50.0) / 10.0 + 0.02 * t;
    check("sawtooth and trend", 0.9, share(1000, &[50.0], |rng, n| plus(noise(rng, n, 0.0), ramp)));
    check("on a random walk", 0.9, share(1000, &[20.0], |rng, n| plus(noise(rng, n, 1.0), wave(20.0, 4.0))));
    let spikes = |t: f64| if t % 60.0 < 3.0 { 10.0 } else { 0.0 };
    check("spikes", 0.9, share(1200, &[60.0], |rng, n| plus(noise(rng, n, 0.0), spikes)));
}

#[test]
fn a_season_without_noise_is_found_alone() {
    for period in [7.0, 24.0, 48.0] {
        let law = |i: i32| 100.0 + 0.01 * f64::from(i) + 20.0 * (f64::from(i) * TAU / period).sin();
        let found = detect(&Frame::from_values((0..480).map(law)));
        assert_eq!(found, [Duration::from_secs(60 * period as u64)]);
    }
}

#[test]
fn nested_seasons_are_told_apart() {
    let both = |t: f64| 5.0 * (t * TAU / 24.0).sin() + if t % 168.0 < 120.0 { 3.0 } else { 0.0 };
    check("day and week", 0.9, share(168 * 6, &[24.0, 168.0], |rng, n| plus(noise(rng, n, 0.0), both)));
}

#[test]
fn an_empty_list_of_seasons_means_those_there_are() {
    let mut rng = SeededRng::seed_from_u64(4);
    let values = plus(noise(&mut rng, 500, 0.0), |t| 50.0 + 20.0 * (t * TAU / 25.0).sin());
    let history = Frame::from_values(values);
    let snapshot = |seasons: Vec<Duration>| {
        let model = build("pattern", &ModelOptions { seasons, ..ModelOptions::default() }).unwrap();
        assert_eq!(model.name(), "pattern");
        model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap().snapshot()
    };
    assert_eq!(snapshot(vec![]), snapshot(vec![Duration::from_secs(25 * 60)]));
    let empty = ModelOptions { seasons: vec![], ..ModelOptions::default() };
    assert!(matches!(build("oracle", &empty), Err(crate::Error::NoSuchModel { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the series, what is found fits into it three times, is at most three, and ascends.
    #[test]
    fn what_is_found_is_sound(
        values in prop::collection::vec(
            prop_oneof![4 => (-1e3..1e3_f64).boxed(), 1 => Just(f64::NAN).boxed(), 1 => Just(f64::MAX).boxed(),
                        1 => Just(-f64::MAX).boxed(), 2 => Just(0.0).boxed()], 0..300),
        times in 1_usize..6,
    ) {
        let history = Frame::from_values(values.repeat(times));
        let found = detect(&history);
        prop_assert!(found.len() <= 3 && found.is_sorted());
        prop_assert!(found.iter().all(|season| history.steps_in(*season) * 3 <= history.len()));
    }
}

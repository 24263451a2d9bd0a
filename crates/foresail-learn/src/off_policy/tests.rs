use foresail_core::SeededRng;
use proptest::prelude::*;

use super::*;

const ARMS: usize = 3;

/// Rewards are linear in a context with a slope for each arm; the logging policy prefers the first arm.
fn world(seed: u64, count: usize) -> (Vec<Logged>, Vec<f64>, Vec<f64>) {
    let mut rng = SeededRng::seed_from_u64(seed);
    let (mut log, mut features) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let x = rng.normal();
        let shares = [0.6, 0.3, 0.1];
        let draw = rng.uniform();
        let arm = if draw < 0.6 {
            0
        } else if draw < 0.9 {
            1
        } else {
            2
        };
        log.push(Logged { arm, propensity: shares[arm], reward: expected(x, arm) + rng.normal() });
        features.extend([x; ARMS]);
    }
    let contexts = features.chunks_exact(ARMS).map(|row| row[0]).collect();
    (log, features, contexts)
}

fn expected(x: f64, arm: usize) -> f64 {
    [1.0, 2.0 + x, 3.0 - x][arm]
}

/// The second arm where the context is above 0, else the third.
fn target(contexts: &[f64]) -> Vec<f64> {
    contexts.iter().flat_map(|x| if *x > 0.0 { [0.0, 1.0, 0.0] } else { [0.0, 0.0, 1.0] }).collect()
}

#[test]
fn estimates_find_the_truth_and_the_doubly_robust_is_the_surest() {
    // E[2 + x; x > 0] + E[3 - x; x < 0], with E|x| = sqrt(2 / pi).
    let truth = 2.5 + (2.0 / std::f64::consts::PI).sqrt();
    let (mut covered, mut errors) = ([0; 3], [0.0; 3]);
    for seed in 0..20 {
        let (log, features, contexts) = world(seed, 3_000);
        let target = target(&contexts);
        let predicted = cross_fit(&log, &features, ARMS, 5).unwrap();
        let of = [
            ips(&log, &target, ARMS, f64::INFINITY).unwrap(),
            self_normalised(&log, &target, ARMS, f64::INFINITY).unwrap(),
            doubly_robust(&log, &target, &predicted, ARMS, f64::INFINITY).unwrap(),
        ];
        for (estimate, covered) in of.iter().zip(&mut covered) {
            assert!((estimate.value - truth).abs() < 0.6, "{seed}: {estimate:?}");
            *covered += usize::from(estimate.interval.0 < truth && truth < estimate.interval.1);
            assert!(estimate.effective_samples > 300.0 && estimate.effective_samples < 1_500.0);
        }
        of.iter().zip(&mut errors).for_each(|(estimate, sum)| *sum += estimate.standard_error);
    }
    assert!(errors[2] < errors[1] && errors[1] < errors[0], "{errors:?}");
    assert!(covered.iter().all(|covered| *covered >= 17), "{covered:?}");
}

#[test]
fn a_wrong_model_does_no_harm_where_propensities_are_right_nor_wrong_propensities_where_the_model_is() {
    let truth = 2.5 + (2.0 / std::f64::consts::PI).sqrt();
    let (mut log, _, contexts) = world(5, 20_000);
    let target = target(&contexts);
    let wrong = vec![7.0; log.len() * ARMS];
    let estimate = doubly_robust(&log, &target, &wrong, ARMS, f64::INFINITY).unwrap();
    assert!((estimate.value - truth).abs() < 0.3, "{estimate:?}");
    let right: Vec<f64> = contexts.iter().flat_map(|x| (0..ARMS).map(|arm| expected(*x, arm))).collect();
    log.iter_mut().for_each(|decision| decision.propensity = 1.0 / 3.0);
    let estimate = doubly_robust(&log, &target, &right, ARMS, f64::INFINITY).unwrap();
    assert!((estimate.value - truth).abs() < 0.05, "{estimate:?}");
}

#[test]
fn weights_are_clipped_and_bad_logs_refused() {
    let sound = Logged { arm: 0, propensity: 0.01, reward: 5.0 };
    let estimate = ips(&[sound], &[1.0, 0.0], 2, 10.0).unwrap();
    assert_eq!((estimate.value, estimate.clipped, estimate.effective_samples), (50.0, 1.0, 1.0));
    assert_eq!(self_normalised(&[sound], &[1.0, 0.0], 2, 10.0).unwrap().value, 5.0);
    let never = self_normalised(&[sound], &[0.0, 1.0], 2, 10.0).unwrap();
    assert_eq!((never.value, never.effective_samples), (0.0, 0.0));
    for bad in [
        Logged { propensity: 0.0, ..sound },
        Logged { propensity: f64::NAN, ..sound },
        Logged { propensity: 1.5, ..sound },
        Logged { reward: f64::INFINITY, ..sound },
        Logged { arm: 2, ..sound },
    ] {
        assert!(ips(&[bad], &[1.0, 0.0], 2, 10.0).is_err(), "{bad:?}");
    }
    assert!(ips(&[], &[], 2, 10.0).is_err() && ips(&[sound], &[1.0], 2, 10.0).is_err());
    assert!(ips(&[sound], &[1.0, 0.0], 2, 0.0).is_err() && ips(&[sound], &[f64::NAN, 0.0], 2, 1.0).is_err());
    assert!(doubly_robust(&[sound], &[1.0, 0.0], &[f64::NAN, 0.0], 2, 1.0).is_err());
    assert!(cross_fit(&[sound], &[1.0], 2, 2).is_err() && cross_fit(&[sound], &[1.0, 2.0], 2, 1).is_err());
    assert_eq!(cross_fit(&[sound, sound], &[0.0; 4], 2, 2).unwrap(), [5.0; 4]);
}

proptest! {
    /// Evaluated by itself a policy has the mean of its rewards, whatever the model says of them on the mean.
    #[test]
    fn a_policy_is_worth_its_own_log(draws in prop::collection::vec((0..ARMS, -1e3..1e3_f64), 2..60)) {
        let log: Vec<Logged> = draws.iter().map(|&(arm, reward)| Logged { arm, propensity: 1.0 / 3.0, reward }).collect();
        let own = vec![1.0 / 3.0; log.len() * ARMS];
        let mean = log.iter().map(|decision| decision.reward).sum::<f64>() / log.len() as f64;
        prop_assert!((ips(&log, &own, ARMS, 10.0).unwrap().value - mean).abs() < 1e-9);
        prop_assert!((self_normalised(&log, &own, ARMS, 10.0).unwrap().value - mean).abs() < 1e-9);
        let constant = vec![3.0; log.len() * ARMS];
        prop_assert!((doubly_robust(&log, &own, &constant, ARMS, 10.0).unwrap().value - mean).abs() < 1e-9);
    }
}

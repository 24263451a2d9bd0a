//! What boosting promises.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::tree::friedman;

fn small() -> BoostingParams {
    BoostingParams { rounds: 12, max_leaves: 6, min_leaf: 1, ..BoostingParams::default() }
}

fn fit(x: &[f32], y: &[f64], width: usize, objective: &Objective, params: &BoostingParams) -> Boosting {
    let rng = SeededRng::seed_from_u64(1);
    Boosting::fit(Matrix::new(x, width).unwrap(), y, objective, params, &rng).unwrap()
}

#[test]
fn friedman_is_learned_and_the_idle_features_are_seen_through() {
    let mut rng = SeededRng::seed_from_u64(5);
    let (x, y) = friedman(1500, &mut rng);
    let model = fit(&x, &y, 10, &Objective::SquaredError, &BoostingParams::default());
    let (test_x, test_y) = friedman(500, &mut rng);
    let mean = test_y.iter().sum::<f64>() / 500.0;
    let (mut error, mut spread) = (0.0, 0.0);
    for (row, y) in test_x.chunks(10).zip(&test_y) {
        error += (model.predict(row)[0] - y).powi(2);
        spread += (y - mean).powi(2);
    }
    assert!(1.0 - error / spread > 0.9, "R² {}", 1.0 - error / spread);
    let idle: f64 = model.importance()[5..].iter().sum();
    assert!(idle < 0.05, "idle features hold {idle}");
    assert!((model.importance().iter().sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn levels_hold_what_they_say_where_the_spread_changes() {
    // The spread grows with x: a quantile is a line through the origin's mean, steeper the further out.
    let mut rng = SeededRng::seed_from_u64(9);
    let x: Vec<f32> = (0..4000).map(|_| rng.uniform() as f32).collect();
    let y: Vec<f64> = x.iter().map(|x| 5.0 + f64::from(*x) * rng.normal()).collect();
    let levels = vec![0.1, 0.5, 0.9];
    let params = BoostingParams { rounds: 60, max_leaves: 8, min_leaf: 100, ..BoostingParams::default() };
    let model = fit(&x, &y, 1, &Objective::Quantiles(levels), &params);
    for x in [0.2, 0.5, 0.8] {
        let answer = model.predict(&[x as f32]);
        for (value, normal) in answer.iter().zip([-1.2816, 0.0, 1.2816]) {
            assert!((value - (5.0 + x * normal)).abs() < 0.3, "at {x}: {answer:?}");
        }
    }
}

#[test]
fn learning_stops_when_the_tail_says_so() {
    let mut rng = SeededRng::seed_from_u64(2);
    let (x, _) = friedman(600, &mut rng);
    let noise: Vec<f64> = (0..600).map(|_| rng.normal()).collect();
    let params =
        BoostingParams { rounds: 300, tail_share: 0.25, patience: 5, min_leaf: 5, ..BoostingParams::default() };
    for objective in [Objective::SquaredError, Objective::Quantiles(vec![0.2, 0.5, 0.8])] {
        let rounds = fit(&x, &noise, 10, &objective, &params).rounds();
        assert!(rounds < 40, "{rounds} rounds of {objective:?} to learn noise");
    }
}

#[test]
fn bad_parameters_and_data_are_named() {
    let rows = Matrix::new(&[1.0, 2.0], 1).unwrap();
    let rng = SeededRng::seed_from_u64(1);
    let refuse = |objective: Objective, params: BoostingParams, y: &[f64]| {
        Boosting::fit(rows, y, &objective, &params, &rng).unwrap_err().to_string()
    };
    let mean = || Objective::SquaredError;
    let message = refuse(mean(), BoostingParams { learning_rate: 0.0, ..small() }, &[1.0, 2.0]);
    assert_eq!(message, "learning_rate is 0, accepted is above 0, up to 1");
    let message = refuse(mean(), BoostingParams { tail_share: f64::NAN, ..small() }, &[1.0, 2.0]);
    assert_eq!(message, "tail_share is NaN, accepted is 0 to 0.9");
    let message = refuse(Objective::Quantiles(vec![0.5, 0.1]), small(), &[1.0, 2.0]);
    assert_eq!(message, "levels is [0.5, 0.1], accepted is ascending, within 0 and 1");
    assert_eq!(refuse(mean(), small(), &[1.0]), "2 rows of features, 1 targets");
    assert_eq!(refuse(mean(), small(), &[1.0, f64::NAN]), "target 1 is not finite");
}

#[test]
fn a_saved_ensemble_whose_parts_do_not_fit_is_refused() {
    let model = fit(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0], 1, &Objective::SquaredError, &small());
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<Boosting>(&text).unwrap(), model);
    let broken = text.replace("\"start\":[", "\"start\":[0.0,");
    assert!(serde_json::from_str::<Boosting>(&broken).is_err());
}

fn table() -> impl Strategy<Value = (Vec<f32>, Vec<f64>, usize)> {
    (1_usize..60, 1_usize..4).prop_flat_map(|(rows, width)| {
        let cell = prop_oneof![4 => -1e3_f32..1e3, 1 => Just(f32::NAN), 1 => Just(0.0_f32)];
        let target = prop_oneof![4 => -1e3..1e3_f64, 1 => -1e300..1e300_f64, 1 => Just(0.0)];
        (vec(cell, rows * width), vec(target, rows), Just(width))
    })
}

proptest! {
    /// Whatever the table and whatever row is asked about, answers are within the targets and do not cross.
    #[test]
    fn answers_stay_within_the_targets_and_in_order((x, y, width) in table(), asked in vec(-2e3_f32..2e3, 3)) {
        for objective in [Objective::SquaredError, Objective::Quantiles(vec![0.05, 0.5, 0.7, 0.95])] {
            let model = fit(&x, &y, width, &objective, &small());
            let low = y.iter().copied().fold(f64::INFINITY, f64::min);
            let high = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for row in [&asked[..width], &x[..width], &[f32::NAN; 3][..width], &[f32::INFINITY; 3][..width]] {
                let answer = model.predict(row);
                prop_assert!(answer.is_sorted() && answer.iter().all(|v| low <= *v && *v <= high), "{answer:?}");
            }
        }
    }

    /// One seed, one ensemble: with any number of threads, and through a save and a restore.
    #[test]
    fn a_seed_gives_one_ensemble((x, y, width) in table(), seed: u64) {
        let rng = SeededRng::seed_from_u64(seed);
        let rows = Matrix::new(&x, width).unwrap();
        let params = BoostingParams { row_share: 0.7, feature_share: 0.5, ..small() };
        let objective = Objective::Quantiles(vec![0.3, 0.6]);
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let a = alone.install(|| Boosting::fit(rows, &y, &objective, &params, &rng)).unwrap();
        let b = Boosting::fit(rows, &y, &objective, &params, &rng).unwrap();
        prop_assert_eq!(&a, &b);
        let text = serde_json::to_string(&a).unwrap();
        let restored: Boosting = serde_json::from_str(&text).unwrap();
        for row in x.chunks(width) {
            prop_assert_eq!(a.predict(row), restored.predict(row));
        }
    }
}

/// Enough rows and features that threads do share the work of a node.
#[test]
fn threads_that_share_a_node_grow_the_same_ensemble() {
    let mut rng = SeededRng::seed_from_u64(6);
    let (x, y) = friedman(9000, &mut rng);
    let rows = Matrix::new(&x, 10).unwrap();
    let grow = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let objective = Objective::Quantiles(vec![0.1, 0.5, 0.9]);
        pool.install(|| Boosting::fit(rows, &y, &objective, &small(), &rng)).unwrap()
    };
    assert_eq!(grow(1), grow(3));
}

use foresail_core::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::metrics::IntervalScore;
use crate::models::LastValue;

const HORIZON: usize = 6;

fn fit(history: &Frame) -> Box<dyn Fitted> {
    let model = Calibrated::new(Box::new(LastValue), HORIZON);
    model.fit(history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap()
}

/// Noise that is three times as loud at day as at night, in two-minute rows.
fn noise(days: usize, level: f64) -> Frame {
    let mut rng = SeededRng::seed_from_u64(8);
    let loud = |i: usize| if i % 720 < 360 { 3.0 } else { 1.0 };
    let values: Vec<Option<f64>> = (0..days * 720).map(|i| Some(level + loud(i) * rng.normal())).collect();
    Frame::univariate(Timestamp::from_secs(1_704_067_200), std::time::Duration::from_secs(120), "y", values).unwrap()
}

/// After a day, walks on and scores each step's 90 % interval; beside it split conformal: the 90 % quantile of the
/// magnitude of the same model's errors during that day.
fn walk(frame: &Frame) -> (Vec<IntervalScore>, Vec<IntervalScore>) {
    let mut fitted = fit(&frame.slice(0..720));
    let mut ours = vec![IntervalScore::new(0.9); HORIZON];
    let mut split = ours.clone();
    let target = frame.target();
    let widths: Vec<f64> = (1..=HORIZON)
        .map(|steps| {
            let errors: Vec<f64> = (0..720 - steps).map(|i| (target[i + steps] - target[i]).abs()).collect();
            crate::metrics::percentile(&errors, 0.9).unwrap()
        })
        .collect();
    for row in 720..frame.len() - HORIZON {
        let forecast = fitted.predict(HORIZON, &Known::none());
        for step in 0..HORIZON {
            let (quantiles, actual) = (&forecast.quantiles[step], target[row + step]);
            ours[step].push(quantiles[0], quantiles[18], actual);
            split[step].push(target[row - 1] - widths[step], target[row - 1] + widths[step], actual);
        }
        fitted.update(&frame.row(row));
    }
    (ours, split)
}

#[test]
fn coverage_is_as_asked_and_intervals_are_narrower_where_it_is_quiet() {
    for level in [0.0, 50.0] {
        let (ours, split) = walk(&noise(6, level));
        for (step, (ours, split)) in ours.iter().zip(&split).enumerate() {
            let covered = ours.covered().unwrap();
            assert!((0.885..0.915).contains(&covered), "step {step} at {level}: {covered}");
            let (score, theirs) = (ours.score().unwrap(), split.score().unwrap());
            assert!(score < 0.95 * theirs, "step {step} at {level}: {score} against {theirs}");
        }
    }
}

#[test]
fn a_series_that_goes_below_zero_begins_anew_and_covers_there() {
    let frame = noise(2, 50.0);
    let mut fitted = fit(&frame);
    fitted.update(&Row::univariate(frame.end(), Some(-1000.0)));
    let forecast = fitted.predict(1, &Known::none());
    assert!(forecast.quantiles[0][0] < -1000.0 && forecast.quantiles[0][18] > -1000.0, "{:?}", forecast.quantiles);
}

#[test]
fn a_constant_series_has_no_width_and_longer_forecasts_are_wider() {
    let forecast = fit(&Frame::from_values([7.0; 300])).predict(3, &Known::none());
    assert!(forecast.quantiles.iter().flatten().all(|q| (*q - 7.0).abs() < 1e-9));
    let width = |q: &Vec<f64>| q[18] - q[0];
    let far = fit(&noise(2, 50.0)).predict(4 * HORIZON, &Known::none());
    assert!(width(&far.quantiles[23]) > 1.5 * width(&far.quantiles[5]));
}

#[test]
fn refitting_keeps_the_calibration() {
    let frame = noise(2, 50.0);
    let model = Calibrated::new(Box::new(LastValue), HORIZON);
    let mut rng = SeededRng::seed_from_u64(1);
    let mut fitted = model.fit(&frame, &Known::none(), &mut rng).unwrap();
    let before = fitted.predict(HORIZON, &Known::none());
    model.refit(&mut fitted, &frame, frame.len() - 5, &Known::none(), &mut rng).unwrap();
    assert_eq!(fitted.predict(HORIZON, &Known::none()), before);
}

fn unkind() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        4 => (0.0..100.0_f64).prop_map(Some),
        1 => Just(None),
        1 => Just(Some(0.0)),
        1 => prop_oneof![Just(-3.0), Just(1e300), Just(f64::MAX), Just(f64::MIN), Just(5e-324)].prop_map(Some),
    ]
}

proptest! {
    /// Whatever comes, quantiles are finite and in order, and a restored model goes on to the last bit.
    #[test]
    fn quantiles_are_finite_and_ordered(
        history in prop::collection::vec(unkind(), 3..120),
        later in prop::collection::vec((unkind(), 1_usize..9), 0..20),
    ) {
        let start = Timestamp::from_secs(1_704_067_200);
        let frame = Frame::univariate(start, std::time::Duration::from_secs(60), "y", history).unwrap();
        prop_assume!(frame.target_mask().iter().any(|valid| *valid));
        let mut fitted = fit(&frame);
        let text = serde_json::to_string(&fitted.snapshot()).unwrap();
        let mut restored = registry::restore(serde_json::from_str(&text).unwrap()).unwrap();
        let mut row = frame.len();
        for (value, ahead) in later {
            let forecast = fitted.predict(8, &Known::none());
            for quantiles in &forecast.quantiles {
                prop_assert!(quantiles.iter().all(|q| q.is_finite()), "{quantiles:?}");
                prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{quantiles:?}");
            }
            prop_assert_eq!(&forecast, &restored.predict(8, &Known::none()));
            row += ahead;
            fitted.update(&Row::univariate(frame.time(row - 1), value));
            restored.update(&Row::univariate(frame.time(row - 1), value));
        }
        prop_assert_eq!(fitted.snapshot(), restored.snapshot());
    }
}

use std::any::Any;

use foresail_core::Row;
use proptest::prelude::*;

use super::*;
use crate::models::{LastValue, LinearTrend, SeasonalNaive};
use crate::registry;

fn models() -> Vec<Box<dyn Forecaster>> {
    let season = [std::time::Duration::from_secs(24 * 60)];
    vec![Box::new(LastValue), Box::new(LinearTrend::new()), Box::new(SeasonalNaive::new(&season))]
}

fn fit(history: &Frame, horizon: usize) -> Result<Box<dyn Fitted>, Error> {
    Stacked::new(models(), horizon).fit(history, &Known::none(), &mut SeededRng::seed_from_u64(1))
}

fn weights(fitted: &dyn Fitted) -> Vec<(String, f64)> {
    let stacked = (fitted as &dyn Any).downcast_ref::<FittedStacked>().expect("it is one");
    stacked.weights().map(|(name, weight)| (name.to_owned(), weight)).collect()
}

fn season(rows: usize, noise: f64) -> Frame {
    let mut rng = SeededRng::seed_from_u64(4);
    let wave = |i: usize| 50.0 + 20.0 * (i as f64 * std::f64::consts::TAU / 24.0).sin();
    Frame::from_values((0..rows).map(|i| wave(i) + noise * rng.normal()))
}

#[test]
fn the_model_that_did_well_in_the_past_leads() {
    let fitted = fit(&season(500, 1.0), 24).unwrap();
    let weights = weights(fitted.as_ref());
    let naive = weights.iter().find(|(name, _)| name == "seasonal_naive").map_or(0.0, |(_, weight)| *weight);
    assert!(naive > 0.8, "{weights:?}");
}

#[test]
fn ninety_percent_intervals_hold_about_nine_in_ten() {
    let all = season(1500, 3.0);
    let (mut inside, mut count) = (0, 0);
    for origin in (500..1476).step_by(61) {
        let forecast = fit(&all.slice(0..origin), 24).unwrap().predict(24, &Known::none());
        for (step, quantiles) in forecast.quantiles.iter().enumerate() {
            inside += i32::from((quantiles[0]..=quantiles[18]).contains(&all.target()[origin + step]));
            count += 1;
        }
    }
    let covered = f64::from(inside) / f64::from(count);
    assert!((0.82..0.96).contains(&covered), "{covered}");
}

#[test]
fn a_history_too_short_to_try_anything_is_still_forecast() {
    for rows in 1..8 {
        let forecast = fit(&season(rows, 1.0), 24).unwrap().predict(3, &Known::none());
        assert_eq!(forecast.mean.len(), 3);
    }
    assert!(matches!(fit(&Frame::from_values([]), 24), Err(Error::TooShort { .. })));
}

#[test]
fn refitting_keeps_the_weights() {
    let history = season(400, 1.0);
    let mut fitted = fit(&history, 12).unwrap();
    let before = weights(fitted.as_ref());
    let stacked = Stacked::new(models(), 12);
    let mut rng = SeededRng::seed_from_u64(1);
    stacked.refit(&mut fitted, &history.slice(100..400), 300, &Known::none(), &mut rng).unwrap();
    assert_eq!(weights(fitted.as_ref()), before);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Quantiles are finite and in order, and a restored combination goes on to the last bit.
    #[test]
    fn quantiles_are_ordered_and_survive_a_restart(
        history in prop::collection::vec(prop_oneof![4 => (0.0..100.0_f64).prop_map(Some), 1 => Just(None)], 3..200),
        horizon in 1_usize..30,
    ) {
        let start = foresail_core::Timestamp::from_secs(1_704_067_200);
        let frame = Frame::univariate(start, std::time::Duration::from_secs(60), "y", history).unwrap();
        let Ok(mut fitted) = fit(&frame, horizon) else { return Ok(()) };
        let text = serde_json::to_string(&fitted.snapshot()).unwrap();
        let mut restored = registry::restore(serde_json::from_str(&text).unwrap()).unwrap();
        for i in 0..3 {
            let forecast = fitted.predict(horizon + 2, &Known::none());
            for quantiles in &forecast.quantiles {
                prop_assert!(quantiles.iter().all(|q| q.is_finite()), "{:?}", quantiles);
                prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1]), "{:?}", quantiles);
            }
            prop_assert_eq!(&forecast, &restored.predict(horizon + 2, &Known::none()));
            let row = Row::univariate(frame.time(frame.len() + i), Some(5.0));
            fitted.update(&row);
            restored.update(&row);
        }
    }
}

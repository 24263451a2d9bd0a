//! What every model promises, checked for all of them.

use std::time::Duration;

use foresail_core::features::Columns;
use foresail_core::{Column, Frame, Known, Row, SeededRng, TimeZone, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::registry::{ModelOptions, build, names, restore};
use crate::{Error, Fitted};

/// Seasons of half an hour and of three and a half, so that short series have both. Mixes take few members, since each
/// model is checked by itself.
fn options() -> ModelOptions {
    let seasons = vec![Duration::from_secs(30 * 60), Duration::from_secs(210 * 60)];
    let members = ["last_value", "seasonal_naive", "level_shape", "ridge"].map(str::to_owned).to_vec();
    ModelOptions { seasons, members, ..ModelOptions::default() }
}

fn frame(values: &[Option<f64>]) -> Frame {
    let start = Timestamp::from_secs(1_704_067_200);
    let zone = TimeZone::named("Europe/Berlin").unwrap();
    Frame::new(start, Duration::from_secs(60), zone, vec![Column::new("load", values.iter().copied())]).unwrap()
}

fn fit(name: &str, history: &Frame) -> Result<Box<dyn Fitted>, Error> {
    build(name, &options()).unwrap().fit(history, &Known::none(), &mut SeededRng::seed_from_u64(7))
}

/// Series of every unkind sort: constant, zero, tiny, huge, signed, full of gaps, and steps between all of them.
fn series() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        6 => (0.0..100.0_f64).prop_map(Some),
        2 => Just(Some(0.0)),
        2 => Just(None),
        1 => (-50.0..50.0_f64).prop_map(Some),
    ];
    let unkind = prop_oneof![
        Just(Some(1e-300)),
        Just(Some(1e300)),
        Just(Some(-1e300)),
        Just(Some(f64::MAX)),
        Just(Some(f64::MIN_POSITIVE)),
        Just(Some(5e-324)),
        Just(None),
    ];
    prop_oneof![
        3 => vec(value.clone(), 0..500),
        1 => (value.clone(), 0_usize..500).prop_map(|(v, n)| vec![v; n]),
        1 => (unkind.clone(), 0_usize..500).prop_map(|(v, n)| vec![v; n]),
        1 => vec(prop_oneof![5 => value.clone(), 1 => unkind], 0..500),
        1 => (vec(value.clone(), 1..60), 2_usize..8).prop_map(|(v, n)| v.repeat(n)),
        1 => (vec(value, 0..300), -1e6..1e6_f64, -1e3..1e3_f64)
            .prop_map(|(v, a, b)| v.iter().map(|v| v.map(|v| v * b + a)).collect()),
    ]
}

fn check_finite(name: &str, fitted: &dyn Fitted, horizon: usize) {
    let forecast = fitted.predict(horizon, &Known::none());
    assert_eq!(forecast.mean.len(), horizon, "{name}");
    assert!(forecast.mean.iter().all(|v| v.is_finite()), "{name}: {:?}", forecast.mean);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever the series, a model refuses it or answers in finite numbers, before and after updates.
    #[test]
    fn any_series_is_refused_or_answered(history in series(), later in series(), horizon in 0_usize..=64, cut in 0_usize..40) {
        let history = frame(&history);
        for name in names() {
            let Ok(mut fitted) = fit(name, &history) else { continue };
            check_finite(name, &*fitted, horizon);
            let later = frame(&later);
            for i in 0..later.len().min(cut) {
                fitted.update(&Row { time: history.time(history.len() + i), ..later.row(i) });
            }
            check_finite(name, &*fitted, horizon);
        }
    }

    /// Saved and restored, a model goes on to the last bit, through text.
    #[test]
    fn a_restored_model_goes_on_bit_for_bit(history in series(), later in vec(0.0..100.0_f64, 3)) {
        let history = frame(&history);
        for name in names() {
            let Ok(mut fitted) = fit(name, &history) else { continue };
            let text = serde_json::to_string(&fitted.snapshot()).unwrap();
            let mut restored = restore(serde_json::from_str(&text).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
            for (i, value) in later.iter().enumerate() {
                let bits = |f: &dyn Fitted| -> Vec<u64> {
                    f.predict(40, &Known::none()).mean.iter().map(|v| v.to_bits()).collect()
                };
                prop_assert_eq!(bits(&*fitted), bits(&*restored), "{} after {} rows", name, i);
                let row = Row::univariate(history.time(history.len() + i), Some(*value));
                fitted.update(&row);
                restored.update(&row);
            }
            prop_assert_eq!(fitted.snapshot(), restored.snapshot());
        }
    }
}

fn wavy(rows: usize) -> Vec<Option<f64>> {
    let mut rng = SeededRng::seed_from_u64(5);
    let wave = |i: usize| 50.0 + 30.0 * (i as f64 * std::f64::consts::TAU / 30.0).sin();
    (0..rows).map(|i| (i % 17 != 3).then(|| wave(i) + 2.0 * rng.normal())).collect()
}

#[test]
fn the_same_history_and_seed_give_the_same_model() {
    let history = frame(&wavy(600));
    for name in names() {
        assert_eq!(fit(name, &history).unwrap().snapshot(), fit(name, &history).unwrap().snapshot(), "{name}");
    }
}

#[test]
fn an_empty_or_unobserved_history_is_too_short() {
    for name in names() {
        for history in [frame(&[]), frame(&[None; 500])] {
            assert!(matches!(fit(name, &history), Err(Error::TooShort { .. })), "{name}");
        }
    }
}

#[test]
fn forecasts_start_where_the_history_ends() {
    let history = frame(&wavy(600));
    for name in names() {
        let mut fitted = fit(name, &history).unwrap();
        let forecast = fitted.predict(3, &Known::none());
        assert_eq!((forecast.start, forecast.step), (history.end(), history.step()), "{name}");
        fitted.update(&Row::univariate(history.end(), Some(1.0)));
        assert_eq!(fitted.predict(1, &Known::none()).start, history.time(601), "{name}");
    }
}

/// A wave with little noise: no model of the season may be much worse than its naive form, nor any be silly.
#[test]
fn a_plain_season_is_within_every_seasonal_models_reach() {
    let (rows, horizon) = (900, 30);
    let all: Vec<Option<f64>> = wavy(rows + horizon);
    let history = frame(&all[..rows]);
    for name in names() {
        let mean = fit(name, &history).unwrap().predict(horizon, &Known::none()).mean;
        let misses: Vec<f64> =
            mean.iter().zip(&all[rows..]).filter_map(|(got, seen)| seen.map(|seen| (got - seen).abs())).collect();
        let error = misses.iter().sum::<f64>() / misses.len() as f64;
        let limit = match name {
            "last_value" | "linear_trend" | "ets" => 80.0,
            "seed_ensemble" => 40.0,
            _ => 5.0,
        };
        assert!(error < limit, "{name}: mean error {error}");
    }
}

#[test]
fn columns_beside_the_load_are_read_by_name() {
    let options = |processed: &str| ModelOptions {
        columns: Some(Columns { processed: Some(processed.to_owned()), ..Columns::only("load".to_owned()) }),
        ..options()
    };
    let load = Column::new("load", wavy(300));
    let processed = Column::new("done", wavy(300));
    let history =
        Frame::new(Timestamp::EPOCH, Duration::from_secs(60), TimeZone::utc(), vec![load, processed]).unwrap();
    for name in ["ridge", "random_forest"] {
        let fit = |processed| {
            build(name, &options(processed)).unwrap().fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(7))
        };
        let alone = build(name, &self::options()).unwrap();
        let alone = alone.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(7)).unwrap();
        assert_ne!(fit("done").unwrap().snapshot(), alone.snapshot(), "{name}");
        let message = fit("gone").err().unwrap().to_string();
        assert!(message.contains("gone"), "{message}");
    }
}

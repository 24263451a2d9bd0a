//! What global models promise.

use std::f64::consts::TAU;

use foresail_core::{Known, Row};

use super::*;

const WAVE: Duration = Duration::from_secs(24 * 60);

/// Series of one law: a wave of 24 rows whose height follows a slow swing, at their own levels and scales.
fn series(number: u64, rows: usize) -> Frame {
    let mut rng = SeededRng::seed_from_u64(number);
    let (level, scale) = (1000.0 * rng.uniform(), 10.0 + 100.0 * rng.uniform());
    let start = rng.uniform() * 100.0;
    Frame::from_values((0..rows).map(|i| law(i, start, level, scale) + 0.02 * scale * rng.normal()))
}

fn law(i: usize, start: f64, level: f64, scale: f64) -> f64 {
    let height = 2.0 + (TAU * (i as f64 + start) / 90.0).sin();
    level + scale * height * (TAU * i as f64 / 24.0).sin()
}

fn trained(count: u64) -> (Vec<Frame>, GlobalModel) {
    let histories: Vec<Frame> = (1..=count).map(|number| series(number, 400)).collect();
    let model = GlobalForecaster::new(&[WAVE], 24).fit(&histories, &mut SeededRng::seed_from_u64(1)).unwrap();
    (histories, model)
}

#[test]
fn a_series_never_seen_is_forecast_by_the_law_of_the_others() {
    let (_, model) = trained(4);
    let all = series(99, 324);
    let fitted = model.fitted(&all.slice(0..300)).unwrap();
    let forecast = fitted.predict(24, &Known::none());
    let seen = &all.target()[300..];
    let error: f64 = forecast.mean.iter().zip(seen).map(|(a, b)| (a - b).abs()).sum();
    let naive: f64 = all.target()[276..300].iter().zip(seen).map(|(a, b)| (a - b).abs()).sum();
    assert!(error < 0.3 * naive, "error {error}, of the seasonal naive {naive}");
    let inside = |(row, y): (&Vec<f64>, &f64)| row[0] <= *y && *y <= row[row.len() - 1];
    let covered = forecast.quantiles.iter().zip(seen).filter(|pair| inside(*pair)).count();
    assert!(covered >= 12, "{covered} of 24 within the outermost quantiles");
    assert!(forecast.quantiles.iter().all(|row| row.is_sorted()));
}

#[test]
fn a_model_is_saved_and_restored_and_shared() {
    let (histories, model) = trained(2);
    let text = serde_json::to_string(&model).unwrap();
    let restored: GlobalModel = serde_json::from_str(&text).unwrap();
    let mut a = model.fitted(&histories[0]).unwrap();
    let mut b = restored.fitted(&histories[0]).unwrap();
    for i in 0..3 {
        assert_eq!(a.predict(40, &Known::none()), b.predict(40, &Known::none()));
        let row = Row::univariate(histories[0].time(400 + i), Some(7.0));
        a.update(&row);
        b.update(&row);
    }
    let broken = text.replacen("\"context\":", "\"context\":1", 1);
    assert!(serde_json::from_str::<GlobalModel>(&broken).is_err());
}

#[test]
fn the_same_series_and_seed_teach_the_same_on_any_number_of_threads() {
    let histories: Vec<Frame> = (1..=2).map(|number| series(number, 300)).collect();
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let forecaster = GlobalForecaster::new(&[WAVE], 12);
        pool.install(|| forecaster.fit(&histories, &mut SeededRng::seed_from_u64(1))).unwrap().trained
    };
    assert_eq!(fit(1), fit(3));
}

#[test]
fn what_cannot_be_learned_from_is_refused() {
    let forecaster = GlobalForecaster::new(&[WAVE], 12);
    let fit = |histories: &[Frame]| forecaster.fit(histories, &mut SeededRng::seed_from_u64(1)).map(|_| ());
    assert_eq!(fit(&[]), Err(Error::TooShort { needed: ENOUGH, got: 0 }));
    assert_eq!(fit(&[Frame::from_values([1.0; 3])]), Err(Error::TooShort { needed: ENOUGH, got: 3 }));
    let other = Frame::univariate(foresail_core::Timestamp::EPOCH, Duration::from_secs(1), "x", vec![Some(1.0); 99]);
    let message = fit(&[series(1, 200), other.unwrap()]).unwrap_err().to_string();
    assert_eq!(message, "step is 1s, accepted is one for all series");
    assert!(trained(1).1.fitted(&Frame::from_values([f64::NAN; 5])).is_err());
}

#[test]
fn a_series_shorter_than_a_window_is_forecast_all_the_same() {
    let (_, model) = trained(2);
    for rows in [1, 5, 30] {
        let fitted = model.fitted(&series(7, rows)).unwrap();
        assert!(fitted.predict(60, &Known::none()).mean.iter().all(|v| v.is_finite()));
    }
}

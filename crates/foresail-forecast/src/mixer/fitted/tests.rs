use foresail_core::SeededRng;

use super::*;
use crate::Forecaster;
use crate::mixer::Ensemble;
use crate::models::{LastValue, LinearTrend};

/// Says one value for ever.
struct Says(f64);

impl Forecaster for Says {
    fn name(&self) -> &str {
        "says"
    }

    fn fit(&self, history: &Frame, _: &Known, _: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        if history.len() < 50 {
            return Err(Error::TooShort { needed: 50, got: history.len() });
        }
        Ok(Box::new(Self(self.0)))
    }
}

impl Fitted for Says {
    fn update(&mut self, _: &Row) {}

    fn predict(&self, horizon: usize, _: &Known) -> Forecast {
        let step = std::time::Duration::from_secs(60);
        Forecast::point(foresail_core::Timestamp::EPOCH, step, vec![self.0; horizon])
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { model: "says".into(), version: 1, state: serde_json::Value::Null }
    }
}

fn line(rows: i32) -> Frame {
    Frame::from_values((0..rows).map(|i| 10.0 + f64::from(i)))
}

fn fit(members: Vec<Box<dyn Forecaster>>, history: &Frame) -> Result<Box<dyn Fitted>, Error> {
    Ensemble::new(members, 12).fit(history, &Known::none(), &mut SeededRng::seed_from_u64(1))
}

#[test]
fn members_that_cannot_take_part_are_named() {
    let check = |members: Vec<Box<dyn Forecaster>>, reason: &str| {
        let forecast = fit(members, &line(40)).unwrap().predict(2, &Known::none());
        assert_eq!(forecast.degraded.as_deref().unwrap_or(""), reason);
        assert!(forecast.mean.iter().all(|v| v.is_finite()));
    };
    check(vec![Box::new(LastValue)], "");
    let thin = "without says (history has 40 observed rows, the model needs 50)";
    check(vec![Box::new(LastValue), Box::new(Says(1.0))], thin);
    let broken: Vec<Box<dyn Forecaster>> = vec![Box::new(LastValue), Box::new(Says(f64::NAN)), Box::new(Says(1e9))];
    let forecast = fit(broken, &line(300)).unwrap().predict(2, &Known::none());
    let both = "without says (2 of 2 steps not believable), says (2 of 2 steps not believable)";
    assert_eq!((forecast.mean, forecast.degraded.as_deref()), (vec![309.0, 309.0], Some(both)));
}

#[test]
fn without_any_member_there_is_no_ensemble_and_with_none_awake_the_last_value() {
    assert!(matches!(fit(vec![], &line(40)), Err(Error::TooShort { .. })));
    assert!(matches!(fit(vec![Box::new(Says(1.0))], &line(40)), Err(Error::TooShort { .. })));
    let asleep = fit(vec![Box::new(Says(f64::NAN))], &line(300)).unwrap();
    assert_eq!(asleep.predict(1, &Known::none()).mean, [309.0]);
}

#[test]
fn a_restored_ensemble_goes_on_bit_for_bit() {
    let history = line(400);
    let mut fitted = fit(vec![Box::new(LastValue), Box::new(LinearTrend::new())], &history).unwrap();
    let mut restored = registry::restore(fitted.snapshot()).unwrap();
    for i in 0..30 {
        assert_eq!(fitted.predict(20, &Known::none()), restored.predict(20, &Known::none()));
        let row = Row::univariate(history.time(400 + i * 2), Some(400.0 + (i as f64).sin()));
        fitted.update(&row);
        restored.update(&row);
    }
    let mut snapshot = fitted.snapshot();
    assert_eq!(snapshot, restored.snapshot());
    snapshot.version = 9;
    assert!(matches!(registry::restore(snapshot), Err(Error::BadSnapshot(_))));
}

#[test]
fn refitting_keeps_what_was_learned_of_the_members() {
    let history = line(400);
    let ensemble = Ensemble::new(vec![Box::new(LastValue), Box::new(LinearTrend::new())], 12);
    let mut rng = SeededRng::seed_from_u64(1);
    let mut fitted = ensemble.fit(&history, &Known::none(), &mut rng).unwrap();
    let weights = |fitted: &dyn Fitted| {
        let any: &dyn std::any::Any = fitted;
        any.downcast_ref::<FittedEnsemble>().unwrap().weights(6).iter().map(|w| w.1).collect::<Vec<f64>>()
    };
    let before = weights(fitted.as_ref());
    assert!(before[1] > 0.9, "{before:?}");
    ensemble.refit(&mut fitted, &history, 390, &Known::none(), &mut rng).unwrap();
    assert_eq!(weights(fitted.as_ref()), before);
}

/// A series that swings to and fro in one kind of work, and rises or falls in the other, thirty rows at a time.
#[test]
fn an_ensemble_told_of_regimes_forecasts_better_and_a_restored_one_alike() {
    let swings = |row: usize| (row / 30).is_multiple_of(2);
    let value = |row: usize| {
        let (from, to) = if (row / 60).is_multiple_of(2) { (100.0, 310.0) } else { (310.0, 100.0) };
        from + if swings(row) { 10.0 * (row % 2) as f64 } else { (to - from) * (row % 30) as f64 / 30.0 }
    };
    let history = Frame::from_values((0..600).map(value));
    let members = || -> Vec<Box<dyn Forecaster>> {
        let two = [2 * history.step()];
        vec![Box::new(LastValue), Box::new(crate::models::SeasonalNaive::new(&two))]
    };
    let play = |told: bool| {
        let ensemble = crate::guard::dependable(Box::new(Ensemble::new(members(), 3)), 3);
        let mut fitted = ensemble.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
        let mut error = 0.0;
        for row in 600..1_800 {
            let forecast = fitted.predict(1, &Known::none()).mean[0];
            error += (forecast - value(row)).abs();
            if told {
                fitted.set_regime(Some(usize::from(swings(row))));
            }
            fitted.update(&Row::univariate(history.time(row), Some(value(row))));
            if row == 1_000 {
                fitted = registry::restore(fitted.snapshot()).unwrap();
            }
        }
        error
    };
    let (with, without) = (play(true), play(false));
    assert!(with < 0.8 * without, "{with} against {without}");
    // What is told of one kind of work alone changes nothing.
    let one = |told: bool| {
        let mut fitted = fit(members(), &history).unwrap();
        for row in 600..800 {
            if told {
                fitted.set_regime(Some(7));
            }
            fitted.update(&Row::univariate(history.time(row), Some(value(row))));
        }
        fitted.predict(12, &Known::none())
    };
    assert_eq!(one(true), one(false));
}

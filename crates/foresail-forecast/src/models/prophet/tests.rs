//! What the fitted model does with what it is told.

use std::f64::consts::TAU;

use foresail_core::{Column, Holiday, Signal, TimeZone, Timestamp};

use super::*;
use crate::registry::restore;

const DAY: Duration = Duration::from_secs(86_400);

fn rng() -> SeededRng {
    SeededRng::seed_from_u64(3)
}

fn daily(values: impl IntoIterator<Item = f64>) -> Frame {
    let start = Timestamp::parse("2025-01-01").unwrap();
    Frame::univariate(start, DAY, "load", values.into_iter().map(Some)).unwrap()
}

fn quick() -> ProphetOptions {
    ProphetOptions { samples: 0, ..ProphetOptions::default() }
}

fn fit(options: ProphetOptions, history: &Frame, known: &Known) -> Box<dyn Fitted> {
    Prophet::new(options).unwrap().fit(history, known, &mut rng()).unwrap()
}

#[test]
fn a_holiday_seen_before_is_foreseen_and_one_never_seen_is_not() {
    let holiday = |day: &str, name: &str| Holiday { day: Timestamp::parse(day).unwrap(), name: name.into() };
    let known = Known {
        holidays: vec![
            holiday("2025-02-03", "feast"),
            holiday("2025-04-07", "feast"),
            holiday("2025-05-03", "feast"),
            holiday("2025-05-05", "first"),
        ],
        ..Known::none()
    };
    let quiet = [33, 96];
    let history = daily((0..120).map(|i| if quiet.contains(&i) { 40.0 } else { 100.0 }));
    let fitted = fit(quick(), &history, &known);
    // May 1st is ahead.
    let mean = fitted.predict(5, &known).mean;
    assert!((mean[2] - 40.0).abs() < 2.0 && (mean[4] - 100.0).abs() < 2.0 && (mean[0] - 100.0).abs() < 2.0, "{mean:?}");
    // What was known when it was fitted is remembered; what is known by now comes first.
    assert_eq!(fitted.predict(5, &Known::none()).mean, mean);
    let moved = Known { holidays: vec![holiday("2025-05-02", "feast")], ..Known::none() };
    assert!((fitted.predict(5, &moved).mean[1] - 40.0).abs() < 2.0);
}

#[test]
fn days_around_a_holiday_have_effects_of_their_own() {
    let days = ["2025-02-03", "2025-03-10", "2025-04-07", "2025-05-06"];
    let holidays = days.map(|day| Holiday { day: Timestamp::parse(day).unwrap(), name: "fair".into() }).to_vec();
    let known = Known { holidays, ..Known::none() };
    let law = |i: i32| match i {
        33 | 68 | 96 => 150.0,
        32 | 67 | 95 => 120.0,
        35 | 70 | 98 => 80.0,
        _ => 100.0,
    };
    let window = [("fair".to_owned(), Window { before: 1, after: 2 })].into();
    let fitted = fit(ProphetOptions { holiday_windows: window, ..quick() }, &daily((0..120).map(law)), &known);
    let mean = fitted.predict(8, &known).mean;
    for (day, expected) in [(4, 120.0), (5, 150.0), (6, 100.0), (7, 80.0)] {
        assert!((mean[day] - expected).abs() < 3.0, "{mean:?}");
    }
}

#[test]
fn a_regressor_takes_its_future_from_the_signal_of_its_name() {
    let start = Timestamp::parse("2025-01-01").unwrap();
    let mut rng = rng();
    let visits: Vec<f64> = (0..200).map(|_| 50.0 + 10.0 * rng.normal()).collect();
    let load = Column::new("load", visits.iter().map(|v| Some(30.0 + 2.0 * v)));
    let columns = vec![load, Column::new("visits", visits.iter().copied().map(Some))];
    let history = Frame::new(start, DAY, TimeZone::utc(), columns).unwrap();
    let regressor = Regressor { column: "visits".into(), prior_scale: None, standardise: None, mode: None };
    let options = ProphetOptions { regressors: vec![regressor], ..quick() };
    let fitted = fit(options.clone(), &history, &Known::none());
    let signal = Signal::new("visits", vec![(history.end(), 80.0), (history.time(201), 20.0)]);
    let known = Known { signals: vec![signal], ..Known::none() };
    let mean = fitted.predict(3, &known).mean;
    assert!((mean[0] - 190.0).abs() < 1.0 && (mean[1] - 70.0).abs() < 1.0 && (mean[2] - 70.0).abs() < 1.0, "{mean:?}");
    // Without one, the last value holds.
    let held = fitted.predict(2, &Known::none()).mean;
    assert!(held.iter().all(|v| (v - (30.0 + 2.0 * visits[199])).abs() < 1.0), "{held:?}");

    let other = ProphetOptions {
        regressors: vec![Regressor { column: "sales".into(), ..options.regressors[0].clone() }],
        ..quick()
    };
    let message = Prophet::new(other).unwrap().fit(&history, &Known::none(), &mut rng).err().unwrap().to_string();
    assert_eq!(message, "regressor is \"sales\", accepted is a column of the history beside the target");
}

/// With the changepoints where they are, rows taken in one by one end where a fit of all of them does.
#[test]
fn updates_end_where_a_fit_of_all_rows_does() {
    let law =
        |i: usize| 100.0 + 0.2 * i as f64 + 20.0 * (i as f64 * TAU / 7.0).sin() + 3.0 * rng().fork(i as u64).normal();
    let values: Vec<f64> = (0..320).map(law).collect();
    let at = |row: u32| Timestamp::parse("2025-01-01").unwrap() + row * DAY;
    let options = ProphetOptions { changepoints_at: vec![at(60), at(120)], ..quick() };
    let history = daily(values.clone());
    let mut updated = fit(options.clone(), &history.slice(0..240), &Known::none());
    (240..320).for_each(|i| updated.update(&history.row(i)));
    let (got, all) = (
        updated.predict(14, &Known::none()).mean,
        fit(options, &history, &Known::none()).predict(14, &Known::none()).mean,
    );
    // The unit of time differs, and with it what the priors say of slopes: a trace is left.
    assert!(got.iter().zip(&all).all(|(a, b)| (a / b - 1.0).abs() < 2e-3), "{got:?} {all:?}");
}

#[test]
fn quantiles_come_with_samples_and_survive_a_restart() {
    let history = daily((0..100).map(|i| 100.0 + f64::from(i) + 5.0 * rng().fork(i as u64).normal()));
    let model = Prophet::new(ProphetOptions { samples: 300, ..quick() }).unwrap();
    let fitted = model.fit(&history, &Known::none(), &mut rng()).unwrap();
    let forecast = fitted.predict(20, &Known::none());
    assert_eq!((forecast.levels.len(), forecast.quantiles.len()), (19, 20));
    assert!(forecast.quantiles.iter().flatten().all(|v| v.is_finite()));
    assert!(forecast.quantile(0.1)[0] < forecast.mean[0] && forecast.mean[0] < forecast.quantile(0.9)[0]);
    assert_eq!(restore(fitted.snapshot()).unwrap().predict(20, &Known::none()), forecast);
    assert!(fit(quick(), &history, &Known::none()).predict(20, &Known::none()).levels.is_empty());
}

/// What has been seen since the fit is no longer uncertain.
#[test]
fn intervals_begin_anew_with_every_row_seen() {
    let history = daily((0..160).map(|i| f64::from(i + 2 * (i - 50).max(0)) + rng().fork(i as u64).normal()));
    let options = ProphetOptions { samples: 300, changepoint_prior_scale: 0.5, ..ProphetOptions::default() };
    let mut fitted = fit(options, &history.slice(0..100), &Known::none());
    let width = |fitted: &dyn Fitted| {
        let forecast = fitted.predict(1, &Known::none());
        forecast.quantile(0.9)[0] - forecast.quantile(0.1)[0]
    };
    let before = width(&*fitted);
    (100..160).for_each(|i| fitted.update(&history.row(i)));
    assert!(width(&*fitted) < 1.5 * before, "{} {before}", width(&*fitted));
}

/// The last two days of the month are busy, whatever its length, and pay is on the 25th or the Friday before.
#[test]
fn the_end_of_the_month_and_payday_are_known() {
    let options = ProphetOptions {
        month_days: vec![MonthDay::FromEnd(1), MonthDay::FromEnd(2), MonthDay::Payday(25)],
        weekly: Terms::Off,
        ..quick()
    };
    let utc = TimeZone::utc();
    let start = Timestamp::parse("2025-01-01").unwrap();
    let law = |i: u32| {
        let date = (start + i * DAY).civil(&utc);
        let left = date.days_in_month - date.day_of_month;
        let payday = match date.weekday {
            4 => (23..=25).contains(&date.day_of_month),
            weekday => date.day_of_month == 25 && weekday < 5,
        };
        100.0 + if left < 2 { 50.0 } else { 0.0 } + if payday { 30.0 } else { 0.0 }
    };
    let fitted = fit(options, &daily((0..365).map(law)), &Known::none());
    let mean = fitted.predict(60, &Known::none()).mean;
    for (ahead, got) in (0..).zip(mean) {
        assert!((got - law(365 + ahead)).abs() < 3.0, "{ahead}: {got} for {}", law(365 + ahead));
    }
}

#[test]
fn a_season_along_the_month_follows_months_of_any_length() {
    let law = |i: u32| {
        let date = (Timestamp::parse("2025-01-01").unwrap() + i * DAY).civil(&TimeZone::utc());
        let share = f64::from(date.day_of_month - 1) / f64::from(date.days_in_month);
        100.0 + 30.0 * (TAU * share).sin() + 10.0 * (2.0 * TAU * share).cos()
    };
    let history = daily((0..200).map(law));
    let model = Prophet::with_seasons(&[30 * DAY]);
    let mean = model.fit(&history, &Known::none(), &mut rng()).unwrap().predict(90, &Known::none()).mean;
    for (ahead, got) in (0..).zip(mean) {
        assert!((got - law(200 + ahead)).abs() < 1.0, "{ahead}: {got} for {}", law(200 + ahead));
    }
}

#[test]
fn growth_ends_at_its_cap() {
    let curve = |i: f64| 800.0 / (1.0 + (-(i - 60.0) / 15.0).exp());
    let history = daily((0..120).map(|i| curve(f64::from(i))));
    let options = ProphetOptions { growth: Growth::Logistic { cap: 800.0, floor: 0.0 }, weekly: Terms::Off, ..quick() };
    let mean = fit(options, &history, &Known::none()).predict(200, &Known::none()).mean;
    assert!(mean.iter().all(|v| (750.0..=800.0).contains(v)), "{mean:?}");
    let bad = ProphetOptions { growth: Growth::Logistic { cap: 1e-300, floor: -1e300 }, ..quick() };
    assert!(Prophet::new(bad).is_ok());
}

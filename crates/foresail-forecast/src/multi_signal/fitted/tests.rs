//! What the predictor makes of its members.

use std::time::Duration;

use foresail_core::{Event, SeededRng, Signal, Timestamp};

use super::*;
use crate::multi_signal::{MultiSignal, SHARES};
use crate::{Forecaster, registry};

const HOUR: Duration = Duration::from_secs(3600);

fn start() -> Timestamp {
    Timestamp::parse("2025-01-06").unwrap()
}

fn hourly(values: impl IntoIterator<Item = f64>) -> Frame {
    Frame::univariate(start(), HOUR, "load", values.into_iter().map(Some)).unwrap()
}

fn usual(i: u32) -> f64 {
    100.0 + 40.0 * (f64::from(i) * std::f64::consts::TAU / 24.0).sin()
}

fn fit(history: &Frame, known: &Known) -> FittedMultiSignal {
    let seasons = [24 * HOUR];
    let fitted = MultiSignal::new(&seasons, None).fit(history, known, &mut SeededRng::seed_from_u64(2)).unwrap();
    let fitted: Box<dyn std::any::Any> = fitted;
    *fitted.downcast().unwrap()
}

fn event(from: u32, hours: u32, kind: &str, factor: f64) -> Event {
    let from = start() + from * HOUR;
    Event { from, to: from + hours * HOUR, factor, floor: 0, kind: kind.into(), label: String::new() }
}

fn known(events: Vec<Event>) -> Known {
    Known { events, ..Known::none() }
}

/// Eight sales of six hours that bring thrice the load, and one more ahead.
fn sales(factor: f64) -> (Known, Frame) {
    let at: Vec<u32> = (1..=8).map(|i| 24 * (3 * i + 6) + 30).collect();
    let mut events: Vec<Event> = at.iter().map(|from| event(*from, 6, "sale", factor)).collect();
    events.push(event(24 * 40 + 2, 6, "sale", factor));
    let on_sale = move |i: u32| at.iter().any(|from| (*from..from + 6).contains(&i));
    let values = (0..24 * 40).map(move |i| usual(i) * if on_sale(i) { 3.0 } else { 1.0 });
    (known(events), hourly(values))
}

#[test]
fn what_events_of_a_kind_bring_is_learned() {
    let (known, history) = sales(1.0);
    let fitted = fit(&history, &known);
    let lift = fitted.lifts()["sale"];
    // Eight of threefold load and one's worth of doubt: 3^(8/9).
    assert_eq!(lift.occurrences, 8);
    assert!((lift.factor() / 3.0_f64.powf(8.0 / 9.0) - 1.0).abs() < 0.05, "{lift:?}");
    let mean = fitted.predict(12, &known).mean;
    let without = fitted.predict(12, &Known { events: vec![event(0, 1, "x", 1.0)], ..Known::none() }).mean;
    let rise = |ahead: usize| mean[ahead] / without[ahead];
    assert!((rise(0) - 1.0).abs() < 1e-9 && rise(4) > 1.3 && (rise(10) - 1.0).abs() < 1e-9, "{mean:?} {without:?}");
}

/// Announced factors are multiplied by who announced them: only what they miss is learned.
#[test]
fn an_announced_factor_that_holds_leaves_nothing_to_learn() {
    let (known, history) = sales(3.0);
    let fitted = fit(&history, &known);
    assert!((fitted.lifts()["sale"].factor() - 1.0).abs() < 0.05, "{:?}", fitted.lifts());
}

#[test]
fn events_are_learned_as_rows_come_in() {
    let (known, history) = sales(1.0);
    let mut fitted = fit(&history.slice(0..24 * 20), &known);
    let before = fitted.lifts()["sale"].occurrences;
    (24 * 20..24 * 40).for_each(|i| fitted.update(&history.row(i)));
    assert!(before < 8 && fitted.lifts()["sale"].occurrences == 8, "{before} {:?}", fitted.lifts());
}

#[test]
fn a_signal_that_drives_the_load_is_followed_ahead() {
    let mut rng = SeededRng::seed_from_u64(5);
    let visits: Vec<f64> = (0..24 * 41).map(|i| if i % 96 < 48 { 50.0 } else { 80.0 } + rng.normal()).collect();
    let points = visits.iter().enumerate().map(|(i, v)| (start() + i as u32 * HOUR, *v)).collect();
    let known = Known { signals: vec![Signal::new("visits", points)], ..Known::none() };
    let history = hourly((0..24 * 40).map(|i| usual(i) + 2.0 * visits[i as usize]));
    let fitted = fit(&history, &known);
    let mean = fitted.predict(24, &known).mean;
    let blind = fit(&history, &Known::none()).predict(24, &Known::none()).mean;
    let error = |mean: &[f64]| -> f64 {
        (0..24).map(|a| (mean[a] - usual(960 + a as u32) - 2.0 * visits[960 + a]).abs()).sum::<f64>() / 24.0
    };
    assert!(error(&mean) < 0.9 * error(&blind), "{} {}", error(&mean), error(&blind));
    assert!(fitted.predict(1, &known).degraded.is_none());
}

#[test]
fn missing_members_leave_their_share_to_the_others_and_none_leaves_the_fallback() {
    let history = hourly((0..24 * 20).map(usual));
    let all = fit(&history, &Known::none());
    let said: Vec<Option<f64>> =
        all.members.iter().map(|m| Some(m.fitted.as_ref().ok()?.predict(1, &Known::none()).mean[0])).collect();
    let present: Vec<(f64, f64)> = said.iter().zip(SHARES).filter_map(|(v, share)| Some(((*v)?, share))).collect();
    assert_eq!(present.len(), 3, "no signal, no external member");
    let expected = present.iter().map(|(v, s)| v * s).sum::<f64>() / present.iter().map(|(_, s)| s).sum::<f64>();
    assert!((all.predict(1, &Known::none()).mean[0] - expected).abs() < 1e-9);

    let mut none = fit(&history, &Known::none());
    none.members.iter_mut().for_each(|member| member.fitted = Err("gone".into()));
    let forecast = none.predict(3, &Known::none());
    assert!(forecast.mean.iter().all(|v| (v - 1.2 * usual(24 * 20 - 1)).abs() < 1e-9), "{:?}", forecast.mean);
    let why = forecast.degraded.unwrap();
    assert!(why.starts_with("without time_series (gone), business_events (gone)"), "{why}");
    // One row is enough for an answer, whoever gives it.
    assert!(fit(&hourly([8.0]), &Known::none()).predict(2, &Known::none()).mean.iter().all(|v| v.is_finite()));
}

#[test]
fn a_restored_predictor_goes_on_with_what_it_learned() {
    let (known, history) = sales(1.0);
    let mut fitted = fit(&history, &known);
    let mut restored = registry::restore(fitted.snapshot()).unwrap();
    assert_eq!(restored.predict(12, &known), fitted.predict(12, &known));
    for i in 0..10 {
        let row = Row::univariate(history.time(history.len() + i), Some(120.0));
        fitted.update(&row);
        restored.update(&row);
    }
    assert_eq!(restored.snapshot(), fitted.snapshot());
}

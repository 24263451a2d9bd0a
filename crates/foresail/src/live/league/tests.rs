use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use foresail_core::{Column, Frame, Known, SeededRng, TimeZone, Timestamp};
use tokio::sync::watch;

use super::table::{MODELS, Table};
use super::{LeagueOptions, Standing};

fn options() -> LeagueOptions {
    LeagueOptions {
        step: Duration::from_secs(60),
        horizon: 12,
        scored: 3,
        seasons: vec![Duration::from_secs(3_600)],
        memory: 600,
        refit: 120,
        zone: TimeZone::utc(),
        seed: 1,
    }
}

fn nothing() -> watch::Receiver<Arc<Known>> {
    watch::channel(Arc::default()).1
}

/// An hour's cycle with a little noise.
fn load(step: usize, rng: &mut SeededRng) -> f64 {
    100.0 + 50.0 * (step as f64 / 60.0 * std::f64::consts::TAU).sin() + rng.normal()
}

#[test]
fn models_are_fitted_scored_and_the_forecast_follows_the_cycle() {
    let standing = Arc::new(ArcSwap::from_pointee(Standing::default()));
    let mut table = Table::new(options(), nothing(), None, Arc::clone(&standing));
    let mut rng = SeededRng::seed_from_u64(3);
    for step in 0..500_usize {
        let time = Timestamp::from_secs(60 * step as i64);
        table.take(time, (step != 200).then(|| load(step, &mut rng)));
        if step >= 150 && table.is_fit_due() {
            table.fit();
        }
    }
    table.publish();
    let standing = standing.load();
    let forecast = standing.forecast.as_ref().expect("fitted");
    assert_eq!(forecast.mean.len(), 12);
    for (ahead, mean) in forecast.mean.iter().enumerate() {
        let truth = 100.0 + 50.0 * ((500 + ahead) as f64 / 60.0 * std::f64::consts::TAU).sin();
        assert!((mean - truth).abs() < 12.0, "{ahead}: {mean} {truth}");
    }
    assert_eq!(standing.models.len(), MODELS.len());
    assert!(standing.models[0].scored > 200 && standing.models[0].mae.is_some_and(|mae| mae < 5.0));
    assert_eq!(standing.models.iter().filter(|m| m.is_champion).count(), 1);
}

/// What went before ends between two steps, as it does when a loop starts at no round time; forecasts are on the grid of
/// the steps that come, and are scored.
#[test]
fn a_history_on_another_grid_is_learned_from_and_what_follows_is_scored() {
    let mut rng = SeededRng::seed_from_u64(5);
    let quarter = Duration::from_secs(15);
    let start = Timestamp::from_secs(600_000) + Duration::from_millis(7_588);
    let rows: Vec<Option<f64>> = (0..4 * 300).map(|i| Some(load(i / 4, &mut rng))).collect();
    let column = Column::new("load", rows);
    let frame = Frame::new(start, quarter, TimeZone::utc(), vec![column]).expect("a grid");
    let mut table = Table::new(options(), nothing(), Some(frame), Arc::new(ArcSwap::from_pointee(Standing::default())));
    assert!((299..=301).contains(&table.history.len()), "{}", table.history.len());
    table.fit();
    for step in 300..360_i64 {
        table.take(Timestamp::from_secs(600_000 + 60 * step), Some(load(step as usize, &mut rng)));
    }
    for player in &table.players {
        assert!(player.scored > 50 && player.mae < 60.0, "{}: {} {}", player.name, player.scored, player.mae);
    }
}

/// A scenario in virtual time: a spike, then a level that doubles for good. Both are suspected at once, scores count for little
/// until it is known what they are, the spike is not learned from and never taken for a change, and the change is told once and
/// forecast in the end.
#[test]
fn a_spike_is_let_pass_and_a_change_for_good_is_told_and_learned() {
    for seed in 3..6 {
        let standing = Arc::new(ArcSwap::from_pointee(Standing::default()));
        let mut table = Table::new(options(), nothing(), None, Arc::clone(&standing));
        let mut rng = SeededRng::seed_from_u64(seed);
        let (spike, change) = (500..515, 900);
        let at = |step: usize| Timestamp::from_secs(60 * step as i64);
        let mut paces = Vec::new();
        for step in 0..1_400_usize {
            let factor = if step >= change || spike.contains(&step) { 2.0 } else { 1.0 };
            table.take(at(step), Some(factor * load(step, &mut rng)));
            if step >= 200 && table.is_fit_due() {
                table.fit();
            }
            table.publish();
            paces.push(standing.load().drift.score_weight);
            if step == change - 1 {
                let forgotten = table.history.iter().filter(|load| load.is_none()).count();
                assert!(
                    (10..=15).contains(&forgotten),
                    "seed {seed}: {forgotten} steps of the spike: {:?}",
                    table.drifts
                );
            }
        }
        let found = |from: usize, to: usize, word: &str| {
            table.drifts.iter().filter(|t| (at(from)..at(to)).contains(&t.time) && t.text.contains(word)).count()
        };
        assert_eq!(found(500, 510, "not what"), 1, "seed {seed}: {:?}", table.drifts);
        assert_eq!(found(515, 700, "was a spike"), 1, "seed {seed}: {:?}", table.drifts);
        assert_eq!(found(0, change, "for good"), 0, "seed {seed}: {:?}", table.drifts);
        assert_eq!(found(change, change + 10, "not what"), 1, "seed {seed}: {:?}", table.drifts);
        assert_eq!(found(change, change + 150, "for good"), 1, "seed {seed}: {:?}", table.drifts);
        let usual = paces[0];
        assert!([510, change + 20].iter().all(|step| paces[*step] < 0.5 * usual), "{usual}");
        assert!((0.9..2.0).contains(&(paces[1_399] / usual)), "seed {seed}: {} {:?}", paces[1_399], table.drifts);
        let told = standing.load();
        assert_eq!(told.told as usize, table.drifts.len() + table.trials.len());
        let forecast = told.forecast.as_ref().expect("fitted");
        for (ahead, mean) in forecast.mean.iter().enumerate() {
            let truth = 2.0 * (100.0 + 50.0 * ((1_400 + ahead) as f64 / 60.0 * std::f64::consts::TAU).sin());
            assert!((mean - truth).abs() < 25.0, "seed {seed}, {ahead}: {mean} {truth}");
        }
    }
}

/// The peak moves by a quarter of the cycle, at an unchanged mean: what went before is of no use.
#[test]
fn a_new_course_is_learned_without_what_went_before() {
    let mut table = Table::new(options(), nothing(), None, Arc::new(ArcSwap::from_pointee(Standing::default())));
    let mut rng = SeededRng::seed_from_u64(3);
    for step in 0..1_000_usize {
        let moved = if step >= 500 { 30 } else { 0 };
        table.take(Timestamp::from_secs(60 * step as i64), Some(load(step + moved, &mut rng)));
        if step >= 200 && table.is_fit_due() {
            table.fit();
        }
    }
    let told: Vec<&str> = table.drifts.iter().map(|t| t.text.as_str()).collect();
    assert!(told.iter().any(|text| text.ends_with("without what went before")), "{told:?}");
    assert!(table.history.len() <= 500, "{}", table.history.len());
}

#[test]
fn what_went_before_is_brought_to_the_new_level() {
    let mut table = Table::new(options(), nothing(), None, Arc::new(ArcSwap::from_pointee(Standing::default())));
    table.history = [Some(10.0), None, Some(20.0), Some(30.0), Some(30.0)].into();
    table.rebase(15.0, 2);
    assert_eq!(Vec::from(table.history.clone()), [Some(20.0), None, Some(40.0), Some(30.0), Some(30.0)]);
    table.rebase(30.0, 2);
    assert_eq!(table.history[0], Some(20.0));
}

#[test]
fn steps_out_of_order_are_left_out_and_gaps_are_gaps() {
    let mut table = Table::new(options(), nothing(), None, Arc::new(ArcSwap::from_pointee(Standing::default())));
    table.take(Timestamp::from_secs(600), Some(1.0));
    table.take(Timestamp::from_secs(540), Some(9.0));
    table.take(Timestamp::from_secs(840), Some(2.0));
    assert_eq!(Vec::from(table.history.clone()), [Some(1.0), None, None, None, Some(2.0)]);
}

/// Of one kind of work nothing is different, of two the ensemble weighs its members otherwise.
#[test]
fn the_kind_of_work_reaches_the_mix() {
    let error = |regime: fn(usize) -> Option<usize>| {
        let standing = Arc::new(ArcSwap::from_pointee(Standing::default()));
        let mut table = Table::new(options(), nothing(), None, Arc::clone(&standing));
        let mut rng = SeededRng::seed_from_u64(6);
        for step in 0..240_usize {
            table.regime = regime(step);
            table.take(Timestamp::from_secs(60 * step as i64), Some(load(step, &mut rng)));
            if step == 120 {
                table.fit();
            }
        }
        table.publish();
        standing.load().models.iter().find(|m| m.name == "ensemble").and_then(|m| m.mae).expect("scored")
    };
    let unknown = error(|_| None);
    assert_eq!(error(|_| Some(4)).to_bits(), unknown.to_bits());
    assert_ne!(error(|step| Some(step / 30 % 2)).to_bits(), unknown.to_bits());
}

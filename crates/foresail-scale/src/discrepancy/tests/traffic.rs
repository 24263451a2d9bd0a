//! Load that is not as forecast.

use super::*;

/// Ten weeks each of an honest forecaster, of one that is three times too sure of itself, of one that is off by a tenth for
/// half a day at a time without knowing, and of a bursty load: at most one false finding a week is allowed, on average.
#[test]
fn a_week_of_usual_load_raises_nothing() {
    let cases =
        [("honest", 1.0, 0.0, 0.0), ("too sure", 0.33, 0.0, 0.0), ("off", 1.0, 0.1, 0.0), ("bursty", 1.0, 0.0, 0.05)];
    for (name, width, unknown, bursts) in cases {
        let weeks = 10;
        let mut began = 0;
        for seed in 0..weeks {
            let mut world = World { width, unknown, bursts, ..World::new(seed) };
            let mut watch = watch();
            for index in 0..7 * DAY {
                began += kinds(&watch.observe(&world.reading(index))).0.len();
            }
        }
        println!("{name}: {began} findings in {weeks} weeks");
        assert!(began <= 2, "{name}: {began} in {weeks} weeks");
    }
}

/// A load that doubles for half an hour, at ten times of the day: found within five ticks, gone within fifteen of its end,
/// once each.
#[test]
fn a_doubled_load_is_found_at_once_and_its_end_too() {
    let mut slowest = (0, 0);
    for seed in 0..20 {
        let mut world = World::new(100 + seed);
        let mut watch = watch();
        let from = DAY + (seed as u32 % 10) * 2 * HOUR + 77;
        let to = from + 120;
        let mut at = (Vec::new(), Vec::new());
        for index in 0..2 * DAY {
            let mut reading = world.reading(index);
            if (from..to).contains(&index) {
                reading.load_rps = reading.load_rps.map(|load| 2.0 * load);
            }
            let changed = watch.observe(&reading);
            for change in &changed {
                match change {
                    Change::Began { discrepancy } => {
                        assert_eq!(discrepancy.kind, DiscrepancyKind::UnexpectedSpike, "{discrepancy:?}");
                        let figure = |name| discrepancy.figure(name).expect(name);
                        assert!(figure("load_rps") > 1.5 * figure("usual_high_rps"), "{discrepancy:?}");
                        assert_eq!(figure("times_seen"), 0.0);
                        at.0.push(index - from);
                    }
                    Change::Ended { discrepancy } => {
                        assert!(discrepancy.ended.is_some() && watch.holding().count() == 0);
                        at.1.push(index - to);
                    }
                }
            }
        }
        assert_eq!((at.0.len(), at.1.len()), (1, 1), "{seed}: {at:?}");
        slowest = (slowest.0.max(at.0[0]), slowest.1.max(at.1[0]));
    }
    println!("found after at most {} ticks, gone after at most {}", slowest.0 + 1, slowest.1 + 1);
    assert!(slowest.0 < 5 && slowest.1 < 15, "{slowest:?}");
}

#[test]
fn a_drop_is_found_and_told_with_its_history() {
    let mut world = World::new(7);
    let mut watch = watch();
    let mut changes = Vec::new();
    for index in 0..4 * DAY {
        let mut reading = world.reading(index);
        // Every day at the same hour, for ten minutes, most clients cannot reach us.
        if index > DAY && index % DAY < 40 {
            reading.load_rps = reading.load_rps.map(|load| 0.2 * load);
        }
        changes.extend(watch.observe(&reading));
    }
    let (began, ended) = kinds(&changes);
    assert_eq!((began.as_slice(), ended.len()), ([DiscrepancyKind::UnexpectedDrop; 3].as_slice(), 3));
    let last = watch.ended().next().expect("ended");
    assert_eq!(last.figure("times_seen"), Some(2.0));
    assert!(last.context.contains("2 of the last 2 at this time of day"), "{last:?}");
    assert!(last.text.contains("was forecast") && last.action.contains("upstream"), "{last:?}");
}

/// One wild tick, however wild, is no evidence, nor are missing ones; and what lasts becomes usual.
#[test]
fn single_ticks_and_gaps_raise_nothing_and_what_lasts_becomes_usual() {
    let mut world = World::new(8);
    let mut watch = watch();
    for index in 0..DAY {
        let mut reading = world.reading(index);
        match index % 50 {
            7 => reading.load_rps = Some(1e9),
            20..=29 => reading.load_rps = None,
            31 => reading.load_rps = Some(0.0),
            40..=44 => reading.forecast = None,
            _ => {}
        }
        assert_eq!(watch.observe(&reading), [], "{index}");
    }
    let mut changes = Vec::new();
    for index in DAY..4 * DAY {
        let mut reading = world.reading(index);
        reading.load_rps = reading.load_rps.map(|load| 1.8 * load);
        changes.extend(watch.observe(&reading).into_iter().map(|c| (index, c)));
    }
    let (began, ended) = kinds(&changes.iter().map(|c| c.1.clone()).collect::<Vec<_>>());
    assert_eq!((began.len(), ended.len()), (1, 1), "{changes:?}");
    assert!(changes[1].0 - DAY < 12 * HOUR, "{changes:?}");
}

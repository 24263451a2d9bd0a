//! Whatever comes: no panic, bounded state, figures that are numbers, and the same after a restart.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.0..1000.0_f64,
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0, 0.0, -0.0, 1e300, 1e15, f64::MIN_POSITIVE]),
    ]
}

fn maybe() -> impl Strategy<Value = Option<f64>> {
    prop::option::weighted(0.9, number())
}

prop_compose! {
    fn reading()(
        micros in prop_oneof![8 => 0..200_000_000_000_i64, 1 => any::<i64>()],
        tick_ms in prop_oneof![8 => Just(15_000_u64), 1 => prop::sample::select(vec![0, 1, u64::MAX])],
        rates in (maybe(), maybe(), maybe(), maybe()),
        band in prop::option::weighted(0.9, (number(), number(), number())),
        fleet in (0..20_u32, number()),
        memory in vec((0..4_u64, prop_oneof![4 => 90_000_000..110_000_000_u64, 1 => any::<u64>()], 0..2_u32), 0..4),
        limit in prop::option::of(any::<u64>()),
        action in prop::option::of((any::<u64>(), 0..20_u32, number(), any::<i64>())),
    ) -> Reading {
        let mut reading = Reading::new(Timestamp::from_micros(micros), Duration::from_millis(tick_ms));
        (reading.load_rps, reading.busy, reading.served_rps, reading.latency_s) = rates;
        reading.forecast = band.map(|(low, median, high)| ForecastBand { low, median, high });
        (reading.ready, reading.capacity_rps) = fleet;
        reading.memory = memory.into_iter().map(|(copy, bytes, restarts)| CopyMemory { copy, bytes, restarts }).collect();
        reading.memory_limit_bytes = limit;
        reading.action = action.map(|(decision, replicas, predicted, due)| Action {
            decision, replicas, predicted, due: Timestamp::from_micros(due),
        });
        reading
    }
}

/// Options under which everything is said soon, so that short runs reach everything.
fn eager() -> DiscrepancyOptions {
    let mut options = DiscrepancyOptions::default();
    options.load.warm_up = 10;
    (options.memory.slot, options.memory.warm_up, options.memory.least_slots) =
        (Duration::from_secs(60), Duration::ZERO, 8);
    (options.efficiency.slot, options.efficiency.least_past) = (Duration::from_secs(60), 24);
    options.actions.least_actions = 5;
    options
}

fn restored(watch: &Discrepancies) -> Discrepancies {
    let text = serde_json::to_string(watch.state()).expect("plain data");
    let state = serde_json::from_str(&text).expect("what was written is read");
    Discrepancies::restore(eager(), state).expect("a state of this version")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// In any order of times, with any figures.
    #[test]
    fn nothing_panics_and_a_restart_changes_nothing(readings in vec(reading(), 1..150), cut in 0..150_usize) {
        let mut on = Discrepancies::new(eager()).expect("good options");
        let mut again = on.clone();
        for (index, reading) in readings.iter().enumerate() {
            if index == cut {
                again = restored(&again);
                prop_assert_eq!(&again, &on);
            }
            let changes = on.observe(reading);
            prop_assert_eq!(&changes, &again.observe(reading));
            for held in on.holding() {
                prop_assert!(held.figures.iter().all(|f| f.value.is_finite()));
                prop_assert!(!held.text.is_empty() && !held.action.is_empty() && !held.context.is_empty());
            }
            let accuracy = on.accuracy();
            prop_assert!(accuracy.outcomes.len() <= 50 && accuracy.pending <= 64);
            prop_assert!(accuracy.outcomes.iter().all(|o| (0.0..=2.0).contains(&o.actual)));
        }
        prop_assert_eq!(restored(&on), on);
    }
}

/// A busy week, saved and restored every thousand ticks: the same findings, and a state that does not grow.
#[test]
fn a_state_saved_and_restored_goes_on_alike_and_stays_small() {
    let mut world = World::new(77);
    let mut rng = SeededRng::seed_from_u64(78);
    let (mut on, mut again) = (Discrepancies::new(eager()).expect("good"), Discrepancies::new(eager()).expect("good"));
    let (mut most, mut changes) = (0, 0);
    for index in 0..2 * DAY {
        let mut reading = world.reading(index);
        if index % 700 < 30 {
            reading.load_rps = reading.load_rps.map(|load| 2.5 * load);
        }
        reading.latency_s = Some(0.05 * (1.0 + 0.5 * f64::from(u8::from(index % 3_000 > 2_000)) + 0.02 * rng.normal()));
        let grown = 1e8 + 1e4 * f64::from(index % 4_000);
        reading.memory = (0..200)
            .map(|copy| CopyMemory { copy, bytes: (grown + 1e5 * rng.normal()) as u64, restarts: index / 4_000 })
            .collect();
        if index % 1_000 == 999 {
            let text = serde_json::to_string(again.state()).expect("plain data");
            most = most.max(text.len());
            again = Discrepancies::restore(eager(), serde_json::from_str(&text).expect("read")).expect("readable");
        }
        let changed = on.observe(&reading);
        assert_eq!(changed, again.observe(&reading), "{index}");
        changes += changed.len();
    }
    println!("{changes} changes; state of at most {most} bytes as JSON");
    assert!(changes >= 8 && most < 1_000_000 && on == again, "{changes} {most}");
}

#[test]
fn bad_options_and_states_are_refused() {
    let mut options = DiscrepancyOptions::default();
    options.load.drop_ratio = 2.0;
    assert!(Discrepancies::new(options).is_err());
    let state = DiscrepancyState::default();
    assert!(!state.is_readable() && Discrepancies::restore(DiscrepancyOptions::default(), state).is_err());
}

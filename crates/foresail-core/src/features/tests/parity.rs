//! Streaming, batch and restored features agree to the bit, and none looks ahead.

use std::time::Duration;

use proptest::prelude::*;

use crate::features::{Columns, FeatureConfig, FeatureSet, WIDTH};
use crate::frame::Column;
use crate::{Error, Frame, Holiday, Row, SeededRng, TimeZone, Timestamp};

const HOUR: Duration = Duration::from_secs(3600);

fn start() -> Timestamp {
    Timestamp::parse("2026-03-20T00:00:00Z").unwrap()
}

fn config(step: Duration) -> FeatureConfig {
    let zone = TimeZone::named("Europe/Berlin").unwrap();
    let holiday = Holiday { day: Timestamp::parse_in("2026-04-03", &zone).unwrap(), name: "Good Friday".to_owned() };
    let columns = Columns {
        processed: Some(1),
        unprocessed: Some(2),
        queued: Some(3),
        duration_ms: Some(4),
        capacity: Some(5),
        mix_entropy: Some(6),
        latency_ratio: Some(7),
        ..Columns::only(0)
    };
    FeatureConfig::new(step).with_zone(zone).with_columns(columns).with_holidays(vec![holiday])
}

/// Rows with gaps, zeros, negative values, spikes and runs of equal values, in every column.
fn wild(rows: usize, step: Duration, seed: u64) -> Frame {
    let mut rng = SeededRng::seed_from_u64(seed);
    let mut column = |index: usize| {
        let mut held = 0.0;
        let values: Vec<Option<f64>> = (0..rows)
            .map(|t| {
                let season = 100.0 + 60.0 * (t as f64 * std::f64::consts::TAU / 24.0).sin();
                held = match rng.below(20) {
                    0 | 1 => return None,
                    2 => 0.0,
                    3 => -5.0 * rng.exponential(),
                    4 => 1e7 * rng.uniform(),
                    5..=7 => held,
                    _ => season + 10.0 * rng.normal(),
                };
                Some(held)
            })
            .collect();
        Column::new(format!("c{index}"), values)
    };
    let columns = (0..8).map(&mut column).collect();
    Frame::new(start(), step, TimeZone::utc(), columns).unwrap()
}

fn bits(features: &[f32]) -> [u32; WIDTH] {
    std::array::from_fn(|i| features[i].to_bits())
}

fn streamed(config: &FeatureConfig, frame: &Frame) -> Vec<[u32; WIDTH]> {
    let mut set = FeatureSet::new(config.clone()).unwrap();
    frame.rows().map(|row| bits(set.push(&row))).collect()
}

fn batched(config: &FeatureConfig, frame: &Frame) -> Vec<[u32; WIDTH]> {
    let matrix = FeatureSet::new(config.clone()).unwrap().batch(frame).unwrap();
    matrix.rows().map(bits).collect()
}

fn restored(set: &FeatureSet) -> FeatureSet {
    let back = FeatureSet::restore(&set.snapshot()).unwrap();
    assert_eq!(bits(back.latest()), bits(set.latest()));
    back
}

#[test]
fn streaming_batch_and_restore_at_every_row_agree_to_the_bit() {
    let (config, frame) = (config(HOUR), wild(420, HOUR, 1));
    let expected = batched(&config, &frame);
    assert_eq!(streamed(&config, &frame), expected);

    // Restored after every single row.
    let mut set = FeatureSet::new(config.clone()).unwrap();
    for (row, expected) in frame.rows().zip(&expected) {
        set = restored(&set);
        assert_eq!(bits(set.push(&row)), *expected);
    }
    // Restored once, after k rows, and then left alone: for every k.
    let mut set = FeatureSet::new(config).unwrap();
    for k in 0..frame.len() {
        let mut branch = restored(&set);
        for (index, expected) in expected.iter().enumerate().skip(k) {
            assert_eq!(bits(branch.push(&frame.row(index))), *expected, "restored at {k}, row {index}");
        }
        set.push(&frame.row(k));
    }
}

#[test]
fn parity_holds_at_the_reference_cadence_beyond_a_week() {
    let step = Duration::from_secs(120);
    let (config, frame) = (config(step), wild(5400, step, 2));
    let expected = batched(&config, &frame);
    assert_eq!(streamed(&config, &frame), expected);
    let mut set = FeatureSet::new(config).unwrap();
    for (index, row) in frame.rows().enumerate() {
        if index % 450 == 17 {
            set = restored(&set);
        }
        assert_eq!(bits(set.push(&row)), expected[index]);
    }
}

#[test]
fn features_of_a_prefix_are_a_prefix_of_the_features() {
    let (config, frame) = (config(HOUR), wild(400, HOUR, 3));
    let whole = batched(&config, &frame);
    for end in (1..frame.len()).step_by(3) {
        let part = batched(&config, &frame.slice(0..end));
        assert_eq!(part[..], whole[..end], "the first {end} rows");
    }
}

#[test]
fn skipped_ticks_equal_gaps_however_many() {
    let config = config(HOUR);
    for missing in [1, 2, 5, 30, 167, 168, 169, 170, 1000] {
        let frame = wild(300, HOUR, 4);
        let (mut explicit, mut jumping) =
            (FeatureSet::new(config.clone()).unwrap(), FeatureSet::new(config.clone()).unwrap());
        let after = |row: Row| Row { time: row.time + HOUR * missing, ..row };
        for row in frame.rows().take(200) {
            assert_eq!(bits(explicit.push(&row)), bits(jumping.push(&row)));
        }
        for tick in 0..missing {
            let time = frame.time(200) + HOUR * tick;
            explicit.push(&Row { time, values: vec![None; 8], target: 0 });
        }
        for row in frame.rows().skip(200).map(after) {
            assert_eq!(bits(explicit.push(&row)), bits(jumping.push(&row)), "{missing} missing, {}", row.time);
        }
    }
}

#[test]
fn late_and_repeated_rows_are_ignored_and_counted() {
    let mut set = FeatureSet::new(FeatureConfig::new(HOUR)).unwrap();
    let row = |hours: u32, minutes: u64, value: f64| {
        Row::univariate(start() + HOUR * hours + Duration::from_secs(60 * minutes), Some(value))
    };
    set.push(&row(0, 0, 1.0));
    let newest = bits(set.push(&row(1, 0, 2.0)));
    assert_eq!(bits(set.push(&row(1, 0, 9.0))), newest);
    assert_eq!(bits(set.push(&row(1, 59, 9.0))), newest);
    assert_eq!(bits(set.push(&row(0, 0, 9.0))), newest);
    assert_eq!(bits(set.push(&Row::univariate(Timestamp::from_micros(i64::MIN), Some(1.0)))), newest);
    assert_eq!(set.ignored(), 4);
    // A row that comes in the middle of its tick counts for the tick.
    let (mut exact, mut off) = (set.clone(), set.clone());
    assert_eq!(bits(exact.push(&row(2, 0, 5.0))), bits(off.push(&row(2, 13, 5.0))));
}

#[test]
fn no_input_makes_it_panic_or_answer_with_infinity() {
    let extremes = [f64::MAX, f64::MIN, f64::INFINITY, f64::NAN, 1e300, -1e300, 1e-320, 0.0, -0.0, 3.0];
    let mut rng = SeededRng::seed_from_u64(6);
    let mut set = FeatureSet::new(config(HOUR)).unwrap();
    let mut time = start();
    for _ in 0..3000 {
        let values = (0..8).map(|_| Some(extremes[rng.below(extremes.len())])).collect();
        let features = set.push(&Row { time, values, target: 0 });
        assert!(features.iter().all(|v| v.is_nan() || v.is_finite()), "{features:?}");
        time = time + HOUR;
    }
    assert_eq!(bits(restored(&set).latest()), bits(set.latest()));
    // Short rows and times at the ends of the range.
    set.push(&Row { time, values: vec![], target: 0 });
    set.push(&Row { time: Timestamp::from_micros(i64::MAX), values: vec![Some(1.0)], target: 0 });
    let mut fresh = FeatureSet::new(config(HOUR)).unwrap();
    fresh.push(&Row::univariate(Timestamp::from_micros(i64::MIN), Some(1.0)));
    fresh.push(&Row::univariate(Timestamp::from_micros(i64::MAX), Some(1.0)));
}

#[test]
fn damaged_snapshots_are_refused() {
    let mut set = FeatureSet::new(config(Duration::from_secs(21_600))).unwrap();
    wild(40, Duration::from_secs(21_600), 7).rows().for_each(|row| {
        set.push(&row);
    });
    let good = set.snapshot();
    assert_eq!(FeatureSet::restore(&good).unwrap().snapshot(), good);
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1;
        assert!(matches!(FeatureSet::restore(&bad), Err(Error::BadSnapshot(_))), "byte {index}");
        assert!(FeatureSet::restore(&good[..index]).is_err());
    }
    let later = String::from_utf8(good).unwrap().replacen("features 1 ", "features 2 ", 1);
    let error = FeatureSet::restore(later.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "saved state cannot be restored: layout \"2\", this build reads 1");
}

#[test]
fn steps_that_do_not_divide_a_day_are_refused() {
    for (step, accepted) in [
        (Duration::from_secs(1), true),
        (Duration::from_secs(15), true),
        (Duration::from_secs(86_400), true),
        (Duration::from_millis(1500), true),
        (Duration::from_millis(500), false),
        (Duration::from_secs(420), false),
        (Duration::from_secs(172_800), false),
        (Duration::ZERO, false),
    ] {
        let found = FeatureSet::new(FeatureConfig::new(step));
        assert_eq!(found.is_ok(), accepted, "{step:?}");
    }
    let frame = wild(3, HOUR, 1);
    let error = FeatureSet::new(config(Duration::from_secs(60))).unwrap().batch(&frame).unwrap_err();
    assert_eq!(error.to_string(), "features differ from those expected: a step of 3600s rather than 60s");
}

#[test]
fn memory_is_within_its_goal() {
    let of = |seconds| FeatureSet::new(FeatureConfig::new(Duration::from_secs(seconds))).unwrap().memory();
    assert!(of(120).history <= 21 * 1024 && of(120).state <= 4096, "{:?}", of(120));
    assert!(of(60).history + of(60).state <= 64 * 1024, "{:?}", of(60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Parity over random series: streaming, batch, and a restore at random rows.
    #[test]
    fn parity_over_random_series(
        values in prop::collection::vec(
            prop::collection::vec(
                prop::option::weighted(0.85, prop_oneof![Just(0.0), -50.0..50.0_f64, 0.0..1e6_f64, Just(-3.0), Just(1e29)]),
                8,
            ),
            1..90,
        ),
        step in prop::sample::select(vec![900_u64, 3600, 21_600, 86_400]),
        stops in prop::collection::vec(0..90_usize, 0..6),
    ) {
        let step = Duration::from_secs(step);
        let column = |c: usize| Column::new(format!("c{c}"), values.iter().map(|row| row[c]).collect::<Vec<_>>());
        let frame = Frame::new(start(), step, TimeZone::utc(), (0..8).map(column).collect()).unwrap();
        let config = config(step);
        let expected = batched(&config, &frame);
        prop_assert_eq!(&streamed(&config, &frame), &expected);
        let mut set = FeatureSet::new(config).unwrap();
        for (index, row) in frame.rows().enumerate() {
            if stops.contains(&index) {
                set = restored(&set);
            }
            prop_assert_eq!(bits(set.push(&row)), expected[index]);
        }
    }
}

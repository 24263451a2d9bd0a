//! The feature store: point-in-time reads, crashes, damage.

use std::fs;
use std::path::Path;
use std::time::Duration;

use foresail_core::Timestamp;
use foresail_core::features::{Schema, WIDTH};
use foresail_store::{Error, FeatureStore, FeatureView, ROWS_PER_PART, StoredRow};
use proptest::prelude::*;

fn schema() -> Schema {
    Schema::of(Duration::from_secs(120)).unwrap()
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(1_772_366_400 + 60 * minutes)
}

fn row(entity: &str, event: i64, available: i64, mark: f32) -> StoredRow {
    let mut features: Vec<f32> = (0..WIDTH).map(|i| mark + i as f32 / 100.0).collect();
    features[3] = f32::NAN;
    features[4] = -0.0;
    StoredRow { entity: entity.to_owned(), event_time: at(event), available_at: at(available), features }
}

fn add(store: &mut FeatureStore, row: &StoredRow) {
    store.append(&row.entity, row.event_time, row.available_at, &row.features).unwrap();
}

/// Everything about a row, NaN included, in a form that compares.
fn bits(row: &StoredRow) -> (&str, Timestamp, Timestamp, Vec<u32>) {
    (&row.entity, row.event_time, row.available_at, row.features.iter().map(|f| f.to_bits()).collect())
}

/// A store with three parts of two rows each.
fn three_parts(directory: &Path) -> FeatureStore {
    let mut store = FeatureStore::open(directory, &schema()).unwrap();
    for part in 0..3 {
        add(&mut store, &row("api", 10 * part, 10 * part + 2, part as f32));
        add(&mut store, &row("shop", 10 * part + 1, 10 * part + 3, part as f32 + 0.5));
        assert!(store.flush().unwrap().is_some());
    }
    store
}

#[test]
fn rows_come_back_to_the_bit_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    drop(three_parts(dir.path()));
    let mut store = FeatureStore::open(dir.path(), &schema()).unwrap();
    assert_eq!(store.view().len(), 6);
    assert_eq!(store.view().entities().collect::<Vec<_>>(), ["api", "shop"]);
    let found = store.view().as_of("shop", at(13)).unwrap().unwrap();
    assert_eq!(bits(&found), bits(&row("shop", 11, 13, 1.5)));
    // Unflushed rows can be read too, and writing goes on behind the parts there are.
    add(&mut store, &row("api", 40, 41, 9.0));
    assert_eq!(bits(&store.view().as_of("api", at(50)).unwrap().unwrap()), bits(&row("api", 40, 41, 9.0)));
    assert!(store.flush().unwrap().unwrap().ends_with("part-000003.parquet"));
    assert!(store.flush().unwrap().is_none());
    let view = FeatureView::open(dir.path()).unwrap();
    assert_eq!((view.len(), view.schema()), (7, &schema()));
    assert_eq!(bits(&view.as_of("api", at(41)).unwrap().unwrap()), bits(&row("api", 40, 41, 9.0)));
}

#[test]
fn corrections_count_from_when_they_were_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FeatureStore::open(dir.path(), &schema()).unwrap();
    add(&mut store, &row("api", 10, 12, 1.0));
    add(&mut store, &row("api", 10, 30, 2.0)); // the same instant, computed anew
    store.flush().unwrap();
    add(&mut store, &row("api", 20, 25, 3.0));
    add(&mut store, &row("api", 10, 12, 4.0)); // as old as the first, appended later
    let asked: Vec<(&str, Timestamp)> =
        [("api", 11), ("api", 12), ("api", 24), ("api", 25), ("api", 40), ("other", 40)]
            .map(|(e, m)| (e, at(m)))
            .into();
    let found = store.view().point_in_time_join(&asked).unwrap();
    let marks: Vec<Option<f32>> = found.iter().map(|r| r.as_ref().map(|r| r.features[0])).collect();
    assert_eq!(marks, [None, Some(4.0), Some(4.0), Some(3.0), Some(3.0), None]);
}

#[test]
fn a_full_part_is_written_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FeatureStore::open(dir.path(), &schema()).unwrap();
    let features = [1.0; WIDTH];
    for minute in 0..ROWS_PER_PART as i64 + 1 {
        store.append("api", at(minute), at(minute), &features).unwrap();
    }
    assert_eq!(FeatureView::open(dir.path()).unwrap().len(), ROWS_PER_PART);
    assert_eq!(store.view().len(), ROWS_PER_PART + 1);
}

#[test]
fn another_schema_width_or_writer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = three_parts(dir.path());
    let error = store.append("api", at(0), at(0), &[0.0; 3]).unwrap_err();
    assert_eq!(error.to_string(), "3 features where the schema has 72");
    let error = FeatureStore::open(dir.path(), &schema()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }) && error.is_transient(), "{error}");
    drop(store);
    let other = Schema::of(Duration::from_secs(60)).unwrap();
    let error = FeatureStore::open(dir.path(), &other).unwrap_err().to_string();
    assert!(
        error.ends_with("manifest.json: features differ from those expected: a step of 60s rather than 120s"),
        "{error}"
    );
}

#[test]
fn what_a_crash_left_unfinished_is_ignored() {
    let dir = tempfile::tempdir().unwrap();
    drop(three_parts(dir.path()));
    fs::write(dir.path().join("part-000003.parquet.tmp"), b"half a part").unwrap();
    fs::write(dir.path().join("manifest.json.tmp"), b"{").unwrap();
    // Renamed, but not listed yet when the process died.
    fs::copy(dir.path().join("part-000000.parquet"), dir.path().join("part-000003.parquet")).unwrap();
    let mut store = FeatureStore::open(dir.path(), &schema()).unwrap();
    assert_eq!(store.view().len(), 6);
    add(&mut store, &row("api", 90, 91, 7.0));
    store.flush().unwrap();
    assert_eq!(FeatureView::open(dir.path()).unwrap().as_of("api", at(99)).unwrap().unwrap().features[0], 7.0);
}

type Damage = fn(&Path);

#[test]
fn damage_is_reported_with_the_name_of_the_file() {
    let damage: [(&str, Damage); 5] = [
        ("1 bytes where", |part| fs::write(part, b"x").unwrap()),
        ("checksum", |part| {
            let mut bytes = fs::read(part).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(part, bytes).unwrap();
        }),
        ("bytes where", |part| {
            let bytes = fs::read(part).unwrap();
            fs::write(part, &bytes[..bytes.len() - 9]).unwrap();
        }),
        ("missing, though the manifest lists it", |part| fs::remove_file(part).unwrap()),
        ("checksum", |part| {
            fs::copy(part.with_file_name("part-000000.parquet"), part).unwrap();
        }),
    ];
    for (said, damage) in damage {
        let dir = tempfile::tempdir().unwrap();
        let store = three_parts(dir.path());
        damage(&dir.path().join("part-000001.parquet"));
        // Also found by a store that was opened while the part was whole.
        for error in [store.view().as_of("api", at(12)).unwrap_err(), FeatureView::open(dir.path()).unwrap_err()] {
            let text = error.to_string();
            assert!(matches!(error, Error::Damaged { .. }) && !error.is_transient());
            assert!(text.contains("part-000001.parquet: damaged: ") && text.contains(said), "{text}");
        }
        // The other parts can still be read.
        assert!(store.view().as_of("api", at(5)).unwrap().is_some());
    }
}

#[test]
fn a_lost_or_broken_manifest_is_never_taken_for_an_empty_store() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FeatureView::open(dir.path()).is_err());
    drop(three_parts(dir.path()));
    let manifest = dir.path().join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    for (from, to) in
        [("\"version\": 1", "\"version\": 2"), ("lag_12m", "lag_13m"), ("part-000001", "../secret"), ("{", "")]
    {
        fs::write(&manifest, text.replacen(from, to, 1)).unwrap();
        let error = FeatureStore::open(dir.path(), &schema()).unwrap_err().to_string();
        assert!(error.contains("manifest.json: damaged"), "{error}");
    }
    fs::remove_file(&manifest).unwrap();
    let error = FeatureStore::open(dir.path(), &schema()).unwrap_err().to_string();
    assert!(error.contains("manifest.json: damaged: missing, though there is a part"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No read returns what was not available yet, or about a later instant; and each returns the best there is.
    #[test]
    fn reads_never_see_the_future(
        rows in prop::collection::vec((0..3_usize, 0..40_i64, 0..40_i64, prop::bool::weighted(0.15)), 0..60),
        asked in prop::collection::vec((0..4_usize, -2..45_i64), 1..40),
    ) {
        let names = ["api", "shop", "mail", "nobody"];
        let dir = tempfile::tempdir().unwrap();
        let mut store = FeatureStore::open(dir.path(), &schema()).unwrap();
        for (number, (entity, event, available, flush)) in rows.iter().enumerate() {
            add(&mut store, &row(names[*entity], *event, *available, number as f32));
            if *flush {
                store.flush().unwrap();
            }
        }
        let asked: Vec<(&str, Timestamp)> = asked.into_iter().map(|(entity, minute)| (names[entity], at(minute))).collect();
        let before = store.view().point_in_time_join(&asked).unwrap();
        store.flush().unwrap();
        let after = FeatureView::open(dir.path()).unwrap().point_in_time_join(&asked).unwrap();
        for (((entity, time), found), reopened) in asked.iter().zip(&before).zip(&after) {
            prop_assert_eq!(found.as_ref().map(bits), reopened.as_ref().map(bits));
            let best = rows
                .iter()
                .enumerate()
                .filter(|(_, (e, event, available, _))| names[*e] == *entity && at(*event) <= *time && at(*available) <= *time)
                .max_by_key(|(number, (_, event, available, _))| (*event, *available, *number));
            match (found, best) {
                (None, None) => {}
                (Some(found), Some((number, _))) => {
                    prop_assert!(found.available_at <= *time && found.event_time <= *time);
                    prop_assert_eq!(found.features[0], number as f32);
                }
                (found, best) => prop_assert!(false, "{:?} instead of {:?}", found, best),
            }
        }
    }
}

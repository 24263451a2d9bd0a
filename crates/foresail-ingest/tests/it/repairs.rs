//! The stated rule for each flaw, and its count.

use std::time::Duration;

use foresail_core::TimeZone;
use foresail_ingest::{Aggregation, Counters, Duplicates, Ingested, Negative, Quality, ReadOptions};

use crate::read_bytes;

const DAY: &str = "2026-03-01T";

/// Reads rows of `minute:second` and a value.
fn read_rows(rows: &[(&str, &str)], options: &ReadOptions) -> Ingested {
    let rows: String = rows.iter().map(|(time, value)| format!("{DAY}00:{time}Z,{value}\n")).collect();
    read_bytes("load.csv", format!("timestamp,v\n{rows}"), options).unwrap()
}

fn cells(got: &Ingested) -> Vec<Option<f64>> {
    (0..got.frame.len()).map(|i| got.frame.target_column().get(i)).collect()
}

fn step(seconds: u64, aggregation: Aggregation) -> ReadOptions {
    ReadOptions { step: Some(Duration::from_secs(seconds)), aggregation, ..ReadOptions::default() }
}

#[test]
fn gaps_of_both_kinds_are_masked_and_counted() {
    let got = read_rows(&[("00:00", "1"), ("01:00", ""), ("02:00", "NaN"), ("05:00", "6")], &ReadOptions::default());
    assert_eq!(cells(&got), [Some(1.0), None, None, None, None, Some(6.0)]);
    let q = &got.quality;
    assert_eq!((q.rows_read, q.grid_rows, q.missing_rows, q.gaps, q.longest_gap_s), (4, 6, 2, 1, 120.0));
    assert_eq!((q.columns[0].empty, q.columns[0].non_finite, q.columns[0].gaps), (1, 1, 4));
}

#[test]
fn each_aggregation_does_what_it_says() {
    let rows = [("00:00", "1"), ("00:30", "5"), ("00:40", ""), ("02:10", "2"), ("02:05", "4")];
    for (aggregation, expected) in [
        (Aggregation::Mean, [Some(3.0), None, Some(3.0)]),
        (Aggregation::Sum, [Some(6.0), None, Some(6.0)]),
        (Aggregation::Max, [Some(5.0), None, Some(4.0)]),
        (Aggregation::Min, [Some(1.0), None, Some(2.0)]),
        (Aggregation::Last, [Some(5.0), None, Some(2.0)]),
        (Aggregation::Count, [Some(2.0), Some(0.0), Some(2.0)]),
    ] {
        assert_eq!(cells(&read_rows(&rows, &step(60, aggregation))), expected, "{aggregation}");
    }
    let quality = read_rows(&rows, &step(60, Aggregation::Mean)).quality;
    assert_eq!((quality.merged, quality.off_grid, quality.disordered), (3, 4, 1));
}

#[test]
fn events_without_any_number_can_be_counted() {
    let text = "time,user\n2026-03-01T00:00:05Z,a\n2026-03-01T00:00:50Z,b\n2026-03-01T00:02:00Z,c\n";
    let got = read_bytes("events.csv", text, &step(60, Aggregation::Count)).unwrap();
    assert_eq!((got.frame.target_column().name(), cells(&got)), ("count", vec![Some(2.0), Some(0.0), Some(1.0)]));
}

#[test]
fn steps_made_of_fewer_rows_than_usual_are_counted() {
    let rows = [("00:00", "1"), ("01:00", "1"), ("02:00", "1"), ("03:00", "1"), ("04:00", "1")];
    let got = read_rows(&rows, &step(120, Aggregation::Sum));
    assert_eq!(cells(&got), [Some(2.0), Some(2.0), Some(1.0)]);
    assert_eq!(got.quality.partial_rows, 1);
}

#[test]
fn duplicates_are_aggregated_or_the_last_is_kept() {
    let rows = [("00:00", "1"), ("01:00", "2"), ("01:00", "4"), ("02:00", "8")];
    let got = read_rows(&rows, &ReadOptions::default());
    assert_eq!((cells(&got), got.quality.duplicates), (vec![Some(1.0), Some(3.0), Some(8.0)], 1));
    let last = ReadOptions { duplicates: Duplicates::Last, ..ReadOptions::default() };
    let got = read_rows(&rows, &last);
    assert_eq!((cells(&got), got.quality.duplicates), (vec![Some(1.0), Some(4.0), Some(8.0)], 1));
}

#[test]
fn disorder_is_sorted_and_counted() {
    let got = read_rows(&[("02:00", "3"), ("00:00", "1"), ("01:00", "2")], &ReadOptions::default());
    assert_eq!((cells(&got), got.quality.disordered), (vec![Some(1.0), Some(2.0), Some(3.0)], 1));
}

#[test]
fn negative_values_stay_or_go_as_asked() {
    let rows = [("00:00", "-1"), ("01:00", "2")];
    for (negative, first) in [(Negative::Keep, Some(-1.0)), (Negative::Gap, None), (Negative::Zero, Some(0.0))] {
        let got = read_rows(&rows, &ReadOptions { negative, ..ReadOptions::default() });
        assert_eq!((cells(&got)[0], got.quality.columns[0].negative), (first, 1), "{negative}");
    }
}

#[test]
fn counters_become_rates_that_survive_a_restart() {
    let rows = [("00:00", "100"), ("01:00", "160"), ("02:00", "30"), ("04:00", "150")];
    let got = read_rows(&rows, &ReadOptions { counters: Counters::All, ..ReadOptions::default() });
    assert_eq!(cells(&got), [Some(1.0), Some(0.5), Some(1.0), Some(1.0)]);
    assert_eq!(got.quality.columns[0].resets, 1);
}

#[test]
fn lenient_reading_skips_and_counts() {
    let text = "timestamp,v\n2026-03-01,1\nnever,2\n2026-03-02,x\n2026-03-03\n2026-03-03,3\n";
    let lenient = ReadOptions { lenient: true, ..ReadOptions::default() };
    let got = read_bytes("load.csv", text, &lenient).unwrap();
    assert_eq!(cells(&got), [Some(1.0), None, Some(3.0)]);
    let q = got.quality;
    assert_eq!((q.rows_read, q.bad_times, q.uneven_rows, q.columns[0].bad), (5, 1, 1, 1));
}

#[test]
fn lenient_reading_of_too_little_is_a_short_frame() {
    let lenient = ReadOptions { lenient: true, ..ReadOptions::default() };
    let one = read_bytes("load.csv", "timestamp,v\n2026-03-01,1\n", &lenient).unwrap();
    assert_eq!((one.frame.len(), one.frame.step()), (1, Duration::from_secs(60)));
    let none = read_bytes("load.csv", "timestamp,v\nnever,1\nnever,2\n", &lenient).unwrap();
    assert!(none.frame.is_empty());
    let answer = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{},"values":[[1e300,"1"],[1700000000,"up"],[1700000060,"2"]]}]}}"#;
    let got = read_bytes("answer.json", answer, &lenient).unwrap();
    assert_eq!((cells(&got), got.quality.bad_times, got.quality.columns[0].bad), (vec![None, Some(2.0)], 1, 1));
}

#[test]
fn local_times_cross_daylight_saving_without_loss() {
    let berlin = ReadOptions { zone: TimeZone::named("Europe/Berlin").unwrap(), ..ReadOptions::default() };
    // A logger in local time: in October 2 o'clock passes twice, in March not at all.
    let autumn = "t,v\n2026-10-25 01:30:00,1\n2026-10-25 02:00:00,2\n2026-10-25 02:30:00,3\n2026-10-25 02:00:00,4\n\
        2026-10-25 02:30:00,5\n2026-10-25 03:00:00,6\n";
    let got = read_bytes("load.csv", autumn, &berlin).unwrap();
    assert_eq!(cells(&got), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(Some));
    assert_eq!((got.quality.dst_repeated, got.quality.duplicates, got.quality.disordered), (4, 0, 0));
    let spring = "t,v\n2026-03-29 01:00:00,1\n2026-03-29 01:30:00,2\n2026-03-29 03:00:00,3\n2026-03-29 03:30:00,4\n";
    assert_eq!(cells(&read_bytes("load.csv", spring, &berlin).unwrap()), [1.0, 2.0, 3.0, 4.0].map(Some));
    // A logger that ignores the change writes the hour that is not.
    let ignorant = "t,v\n2026-03-29 01:30:00,1\n2026-03-29 02:00:00,2\n2026-03-29 02:30:00,3\n2026-03-29 03:00:00,5\n";
    let got = read_bytes("load.csv", ignorant, &berlin).unwrap();
    assert_eq!((got.quality.dst_skipped, got.quality.duplicates), (2, 1));
}

#[test]
fn the_summary_reads_as_a_short_table() {
    let text = "timestamp,requests,p99 ms\n2026-03-01T00:00:00Z,5,\n2026-03-01T00:01:00Z,-7,12\n2026-03-01T00:01:00Z,x,14\n\
        2026-03-01T00:00:30Z,8,NaN\n2026-03-01T03:00:00Z,9,11\nnever,9,11\n2026-03-01T03:01:00Z,9,11\n2026-03-01T03:02:00Z,9,11\n";
    let options = ReadOptions { lenient: true, step: Some(Duration::from_secs(60)), ..ReadOptions::default() };
    let quality = read_bytes("load.csv", text, &options).unwrap().quality;
    assert!(!quality.is_clean());
    insta::assert_snapshot!(quality.to_string());
    let restored: Quality = serde_json::from_str(&serde_json::to_string(&quality).unwrap()).unwrap();
    assert_eq!(restored, quality);
    let clean =
        read_bytes("load.csv", "timestamp,v\n2026-03-01,1\n2026-03-02,2\n", &ReadOptions::default()).unwrap().quality;
    assert!(clean.is_clean());
    insta::assert_snapshot!("a_clean_summary", clean.to_string());
}

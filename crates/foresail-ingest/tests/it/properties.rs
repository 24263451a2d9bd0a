//! No bytes make a reader panic, and what is written reads back the same.

use std::time::Duration;

use foresail_core::{Column, Frame, TimeZone, Timestamp};
use foresail_ingest::{Aggregation, Counters, Format, ReadOptions};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::{csv_of, gzip, parquet_of, read_bytes, sample_frame, values, zstd};

/// Reads `bytes` in every way; only a panic fails.
fn read_every_way(bytes: &[u8]) {
    let formats = std::iter::once(None).chain(Format::ALL.iter().copied().map(Some));
    for (format, lenient) in formats.flat_map(|f| [(f, false), (f, true)]) {
        let options = ReadOptions {
            format,
            lenient,
            max_cells: 10_000,
            max_bytes: 1 << 20,
            counters: if lenient { Counters::All } else { Counters::No },
            aggregation: if lenient { Aggregation::Count } else { Aggregation::Mean },
            ..ReadOptions::default()
        };
        if let Ok(got) = read_bytes("any", bytes, &options) {
            assert!(got.frame.columns().iter().flat_map(Column::values).all(|v| v.is_finite()));
        }
    }
}

/// Text that is often almost a file of times and numbers.
fn nearly_csv() -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        "[0-9]{0,12}",
        "-?[0-9]{1,3}\\.[0-9]{0,3}(e[0-9]{1,3})?",
        "20[0-9]{2}-[01][0-9]-[0-3][0-9]( [0-2][0-9]:[0-5][0-9]:[0-6][0-9](\\.[0-9]{1,9})?(Z|\\+[0-9]{2}:?[0-9]{2})?)?",
        Just("timestamp".to_owned()),
        Just("value".to_owned()),
        Just("NaN".to_owned()),
        "[\"a-z ]{0,4}",
    ];
    vec(vec(cell, 1..4), 0..12).prop_map(|rows| rows.iter().map(|r| r.join(",")).collect::<Vec<_>>().join("\n"))
}

fn frames() -> impl Strategy<Value = Frame> {
    let value = proptest::option::weighted(
        0.8,
        prop_oneof![-1e6..1e6_f64, any::<f64>().prop_filter("finite", |x| x.is_finite())],
    );
    let step = prop_oneof![1_u64..5_000_000, (1_u64..3_000).prop_map(|s| s * 1_000_000)];
    let start = -2_000_000_000_000_000_i64..6_000_000_000_000_000;
    (start, step, (2_usize..40, 1_usize..4)).prop_flat_map(move |(start, step, (rows, columns))| {
        vec(vec(value.clone(), rows), columns).prop_map(move |columns| {
            let columns = columns.into_iter().enumerate().map(|(i, v)| Column::new(format!("c{i}"), v)).collect();
            let start = Timestamp::from_micros(start);
            Frame::new(start, Duration::from_micros(step), TimeZone::utc(), columns).unwrap()
        })
    })
}

/// One byte of a good file changed, or the file cut off there.
fn wounded(good: &[u8], at: usize, to: u8, cut: bool) -> Vec<u8> {
    let mut bytes = good.to_vec();
    let at = at % bytes.len();
    bytes[at] = to;
    if cut {
        bytes.truncate(at);
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_every_way(&bytes);
        read_every_way(&[b"\x1f\x8b\x08\0", &bytes[..]].concat());
        read_every_way(&[b"\x28\xb5\x2f\xfd", &bytes[..]].concat());
        read_every_way(&[b"PAR1", &bytes[..], b"PAR1"].concat());
    }

    #[test]
    fn nearly_good_text_does_not_either(text in nearly_csv()) {
        read_every_way(text.as_bytes());
    }

    #[test]
    fn nor_do_good_files_with_a_wound(at in any::<usize>(), to in any::<u8>(), cut in any::<bool>()) {
        let frame = sample_frame().slice(0..50);
        let csv = csv_of(&frame);
        let answer = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[[1,"1"],[2,"2"]]}]}}"#;
        for good in [parquet_of(&frame), gzip(&csv), zstd(&csv), csv, answer.to_vec()] {
            read_every_way(&wounded(&good, at, to, cut));
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same(frame in frames()) {
        let names: Vec<&str> = frame.columns().iter().map(Column::name).collect();
        for bytes in [csv_of(&frame), parquet_of(&frame)] {
            let got = read_bytes("frame", bytes, &values(&names)).unwrap();
            prop_assert_eq!(&got.frame, &frame);
            prop_assert_eq!(got.quality.missing_rows, 0);
        }
    }

    /// However rows are shuffled, the frame is the same, and the mean is preserved where every step has one row.
    #[test]
    fn order_does_not_matter(frame in frames(), seed in any::<u64>()) {
        let text = String::from_utf8(csv_of(&frame)).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        let header = lines.remove(0);
        foresail_core::SeededRng::seed_from_u64(seed).shuffle(&mut lines);
        let shuffled = format!("{header}\n{}\n", lines.join("\n"));
        let names: Vec<&str> = frame.columns().iter().map(Column::name).collect();
        prop_assert_eq!(read_bytes("frame", shuffled, &values(&names)).unwrap().frame, frame);
    }
}

//! Every format, every compression, every way of finding the columns.

use std::sync::Arc;
use std::time::Duration;

use foresail_core::{Frame, TimeZone, Timestamp};
use foresail_ingest::{Codec, Format, Preset, ReadOptions};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FloatType, Int32Type, Int64Type, Int96, Int96Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::{csv_of, gzip, parquet_of, read_bytes, sample_frame, values, zstd};

#[test]
fn a_frame_comes_back_the_same_from_every_format_and_compression() {
    let frame = sample_frame();
    let (csv, parquet) = (csv_of(&frame), parquet_of(&frame));
    for (bytes, format, codec) in [
        (csv.clone(), Format::Csv, Codec::Plain),
        (gzip(&csv), Format::Csv, Codec::Gzip),
        ([gzip(&csv[..700]), gzip(&csv[700..])].concat(), Format::Csv, Codec::Gzip),
        (zstd(&csv), Format::Csv, Codec::Zstd),
        (parquet.clone(), Format::Parquet, Codec::Plain),
        (gzip(&parquet), Format::Parquet, Codec::Gzip),
    ] {
        let got = read_bytes("standard input", bytes, &ReadOptions::default()).unwrap();
        assert_eq!(got.frame, frame, "{format} {codec}");
        assert_eq!((got.quality.format, got.quality.compression), (format, codec));
    }
}

#[test]
fn parquet_is_read_from_the_file_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frame.data");
    foresail_ingest::write_parquet(&sample_frame(), &path).unwrap();
    let got = foresail_ingest::read(path.as_path(), &ReadOptions::default()).unwrap();
    assert_eq!(got.frame, sample_frame());
}

fn csv(text: &str, options: &ReadOptions) -> Frame {
    read_bytes("load.csv", text, options).unwrap().frame
}

#[test]
fn separators_line_ends_and_marks_do_not_matter() {
    let expected = csv("timestamp,a,b\n2026-03-01,1,2\n2026-03-02,3,4\n", &ReadOptions::default());
    for text in [
        "timestamp;a;b\r\n2026-03-01;1;2\r\n2026-03-02;3;4\r\n",
        "timestamp\ta\tb\n2026-03-01\t1\t2\n2026-03-02\t3\t4",
        "\u{feff}timestamp|a|b\n2026-03-01|1|2\n\n2026-03-02|3|4\n",
        "\"timestamp\",\"a\",\"b\"\n\"2026-03-01\",\"1\",\"2\"\n\"2026-03-02\",\"3\",\"4\"\n",
        " timestamp , a , b \n 2026-03-01 , 1 , 2 \n 2026-03-02 , 3 , 4 \n",
    ] {
        assert_eq!(csv(text, &ReadOptions::default()), expected, "{text:?}");
    }
}

#[test]
fn a_file_without_a_header_names_its_columns_by_number() {
    let frame = csv("1633478400,7.5\n1633478460,8.5\n", &ReadOptions::default());
    assert_eq!((frame.target_column().name(), frame.target()), ("column2", &[7.5, 8.5][..]));
    assert_eq!(frame.start(), Timestamp::from_secs(1_633_478_400));
}

#[test]
fn values_are_named_or_all_numeric_columns() {
    let text = "ts,host,a,b\n1633478400,web,1,2\n1633478460,db,3,4\n";
    let names = |frame: &Frame| frame.columns().iter().map(|c| c.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(&csv(text, &ReadOptions::default())), ["a", "b"]);
    assert_eq!(names(&csv(text, &values(&["b"]))), ["b"]);
    let target = ReadOptions { target: Some("b".into()), ..ReadOptions::default() };
    assert_eq!(csv(text, &target).target(), [2.0, 4.0]);
}

#[test]
fn naive_times_are_utc_unless_a_zone_is_given() {
    let text = "timestamp,v\n2026-07-01 12:00:00,1\n2026-07-01 13:00:00,2\n";
    assert_eq!(csv(text, &ReadOptions::default()).start().to_string(), "2026-07-01T12:00:00Z");
    let berlin = ReadOptions { zone: TimeZone::named("Europe/Berlin").unwrap(), ..ReadOptions::default() };
    assert_eq!(csv(text, &berlin).start().to_string(), "2026-07-01T10:00:00Z");
    assert_eq!(csv(text, &berlin).zone().name(), "Europe/Berlin");
}

#[test]
fn prometheus_series_become_columns() {
    let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"__name__":"http_requests","pod":"a"},"values":[[1700000000.5,"1"],[1700000060.5,"2.5"],[1700000120.5,"NaN"]]},
        {"metric":{"__name__":"http_requests","pod":"b"},"values":[[1700000060.5,"4"],[1700000180.5,7]]}]},"warnings":[]}"#;
    let got = read_bytes("answer.json", text, &ReadOptions::default()).unwrap();
    assert_eq!(got.frame.step(), Duration::from_secs(60));
    assert_eq!(got.frame.len(), 4);
    let cells = |name: &str| {
        let column = got.frame.column(name).unwrap();
        (0..4).map(|i| column.get(i)).collect::<Vec<_>>()
    };
    assert_eq!(cells("pod=a"), [Some(1.0), Some(2.5), None, None]);
    assert_eq!(cells("pod=b"), [None, Some(4.0), None, Some(7.0)]);
    assert_eq!(got.quality.columns[0].non_finite, 1);

    let sum = ReadOptions { sum: true, ..ReadOptions::default() };
    let summed = read_bytes("answer.json", text, &sum).unwrap().frame;
    assert_eq!((summed.target_column().name(), summed.target()), ("sum", &[1.0, 6.5, 6.5, 7.0][..]));
    assert_eq!(summed.target_mask(), [true, true, false, true]);
}

#[test]
fn a_single_prometheus_series_answers_to_value_and_to_its_metric() {
    let text = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"__name__":"up","job":"web"},"values":[[1700000000,"1"],[1700000060,"0"]]}]}}"#;
    for name in ["value", "up"] {
        let frame = read_bytes("answer.json", text, &values(&[name])).unwrap().frame;
        assert_eq!((frame.target_column().name(), frame.target()), (name, &[1.0, 0.0][..]));
    }
}

#[test]
fn parquet_types_of_other_writers_are_understood() {
    let schema =
        "message m { required int32 day (DATE); optional int64 ms (TIMESTAMP(MILLIS,false)); required int96 old;
        required binary text (STRING); required float f; required boolean b; required int32 price (DECIMAL(9,2));
        required int32 small (INTEGER(8,false)); }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let julian = |day: u32| {
        let mut stamp = Int96::new();
        stamp.set_data(0, 0, day);
        stamp
    };
    macro_rules! column {
        ($type:ty, $values:expr, $levels:expr) => {
            let mut column = group.next_column().unwrap().unwrap();
            column.typed::<$type>().write_batch($values, $levels, None).unwrap();
            column.close().unwrap();
        };
    }
    column!(Int32Type, &[20_513, 20_514, 20_515], None);
    column!(Int64Type, &[1_772_323_200_000, 1_772_496_000_000], Some(&[1, 0, 1]));
    column!(Int96Type, &[julian(2_461_101), julian(2_461_102), julian(2_461_103)], None);
    column!(ByteArrayType, &["1.5", "", "2"].map(ByteArray::from), None);
    column!(FloatType, &[0.5, f32::NAN, 1.5], None);
    column!(BoolType, &[true, false, true], None);
    column!(Int32Type, &[199, -250, 0], None);
    column!(Int32Type, &[-1, 0, 1], None);
    group.close().unwrap();
    writer.close().unwrap();

    let read_by = |time: &str, names: &[&str]| {
        let options = ReadOptions { time: Some(time.to_owned()), lenient: true, ..values(names) };
        read_bytes("other.parquet", bytes.clone(), &options).unwrap()
    };
    let by_day = read_by("day", &["text", "f", "b", "price", "small"]);
    assert_eq!(by_day.frame.start().to_string(), "2026-03-01T00:00:00Z");
    let cells = |i: usize| (0..3).map(|row| by_day.frame.columns()[i].get(row)).collect::<Vec<_>>();
    assert_eq!(cells(0), [Some(1.5), None, Some(2.0)]);
    assert_eq!(cells(1), [Some(0.5), None, Some(1.5)]);
    assert_eq!(cells(2), [Some(1.0), Some(0.0), Some(1.0)]);
    assert_eq!(cells(3), [Some(1.99), Some(-2.5), Some(0.0)]);
    assert_eq!(cells(4), [Some(4_294_967_295.0), Some(0.0), Some(1.0)]);
    assert_eq!(read_by("old", &["f"]).frame.start(), by_day.frame.start());
    let by_ms = read_by("ms", &["f"]);
    assert_eq!((by_ms.frame.start(), by_ms.quality.bad_times), (by_day.frame.start(), 1));
}

#[test]
fn the_scaleiq_preset_takes_its_columns_and_the_optional_ones() {
    let text = "DateTime,avg_average_processing_duration_ms,avg_unprocessed_events_count,avg_processed_events_in_interval,\
        avg_logged_events_in_interval,avg_queued_events_in_interval,cpu_percent_node1,host,campaign\n\
        2025-03-01 00:00:00,12.5,3,100,101,4,55,a,0\n\
        2025-03-01 00:02:00,12.5,3,100,-1,4,56,a,true\n\
        2025-03-01 00:06:00,13,3,100,105,4,57,b,0\n";
    let got = read_bytes("EventsMetrics.csv", text, &Preset::ScaleIq.options()).unwrap();
    assert_eq!(got.frame.target_column().name(), "avg_logged_events_in_interval");
    assert_eq!(got.frame.step(), Duration::from_secs(120));
    assert_eq!(got.frame.target_mask(), [true, false, false, true]);
    let names: Vec<&str> = got.frame.columns().iter().map(|c| c.name()).collect();
    assert_eq!(names[5..], ["cpu_percent_node1", "campaign"]);
    assert_eq!((got.quality.columns[0].negative, got.quality.missing_rows), (1, 1));
}

//! Seasons of real series. Those that are not there are skipped.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};

use super::detect;

const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces");
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

fn text(file: &str) -> Option<String> {
    let mut text = String::new();
    let path = Path::new(TRACES).join(file);
    let Ok(file) = File::open(&path) else {
        println!("skipped: {} is not there", path.display());
        return None;
    };
    GzDecoder::new(file).read_to_string(&mut text).ok()?;
    Some(text)
}

/// One column of a file on a regular grid.
fn series(file: &str, step_secs: u64, column: usize) -> Option<Frame> {
    let text = text(file)?;
    let (mut start, mut values) = (None, Vec::new());
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let stamp = cells.next()?;
        let time = stamp.parse().map(Timestamp::from_secs).or_else(|_| Timestamp::parse(stamp)).ok()?.as_micros();
        let index = ((time - *start.get_or_insert(time)) / (step_secs as i64 * 1_000_000)) as usize;
        if index >= values.len() {
            values.resize(index + 1, None);
        }
        values[index] = values[index].or(cells.nth(column - 1)?.parse().ok());
    }
    let start = Timestamp::from_micros(start?);
    Some(Frame::univariate(start, Duration::from_secs(step_secs), "load", values).expect("a regular grid"))
}

fn check(file: &str, step_secs: u64, column: usize, expected: &[u64]) {
    let Some(history) = series(file, step_secs, column) else { return };
    let found: Vec<u64> = detect(&history).iter().map(Duration::as_secs).collect();
    println!("{file}, column {column}, {} rows: {found:?}", history.len());
    assert_eq!(found, expected, "{file}");
}

#[test]
fn loads_have_days_and_weeks() {
    check("load/worldcup98.csv.gz", 60, 1, &[DAY]);
    check("load/nasa95.csv.gz", 60, 1, &[DAY]);
    check("load/alibaba2018.csv.gz", 30, 1, &[DAY]);
    check("load/azure_vm_v2.csv.gz", 300, 1, &[DAY, WEEK]);
    for input in [1, 3, 9, 11, 13] {
        check(&format!("load/crane/input{input}.csv.gz"), 60, 1, &[DAY]);
    }
    // Spikes at odd hours.
    for input in [5, 7] {
        check(&format!("load/crane/input{input}.csv.gz"), 60, 1, &[]);
    }
    check("forecast/etth1.csv.gz", HOUR, 1, &[DAY]);
    check("forecast/etth1.csv.gz", HOUR, 7, &[DAY]);
    check("forecast/bizitobs_l2c.csv.gz", 300, 4, &[WEEK]);
    check("forecast/bizitobs_application.csv.gz", 10, 3, &[HOUR]);
}

#[test]
fn hourly_series_of_m4_have_days() {
    let Some(text) = text("forecast/m4_hourly_train.csv.gz") else { return };
    let (mut count, mut days, mut weeks, mut others) = (0, 0, 0, 0);
    for line in text.lines().skip(1) {
        let values = line.split(',').skip(1).filter_map(|cell| cell.trim_matches('"').parse::<f64>().ok());
        let frame = Frame::univariate(Timestamp::EPOCH, Duration::from_secs(HOUR), "load", values.map(Some));
        let found: Vec<u64> = detect(&frame.expect("a regular grid")).iter().map(|s| s.as_secs() / HOUR).collect();
        count += 1;
        days += usize::from(found.contains(&24));
        weeks += usize::from(found.contains(&168));
        others += usize::from(found.iter().any(|rows| rows % 24 != 0 && *rows != 12));
    }
    println!("{count} series: {days} with a day, {weeks} with a week, {others} with something else");
    assert!(days * 100 >= 90 * count && others * 100 <= 25 * count, "{days} and {others} of {count}");
}

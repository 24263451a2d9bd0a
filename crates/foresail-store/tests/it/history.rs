//! Days on disk: written once, read back, forgotten, and never half there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use foresail_core::{Metric, Quality, Sample, Timestamp};
use foresail_store::{Archived, Error, HistoryOptions, HistoryStore, StateOptions, StateStore, Tick, frame};

const DAY: Duration = Duration::from_secs(86_400);
const STEP: Duration = Duration::from_secs(600);

fn day(number: u32) -> Timestamp {
    Timestamp::parse("2026-03-01").unwrap() + DAY * number
}

fn open(directory: &Path) -> (StateStore, HistoryStore) {
    let options = StateOptions { recent: DAY * 100, ..StateOptions::default() };
    let history = HistoryStore::open(directory.join("history"), HistoryOptions::default()).unwrap();
    (StateStore::with_options(directory.join("state.db"), options).unwrap(), history)
}

/// Two metrics at every step of `[from, to)`, the value telling the time.
fn fill(state: &mut StateStore, service: &str, from: Timestamp, to: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    let mut time = from;
    while time < to {
        let value = time.as_secs_f64() / 7.0;
        let quality = if time.as_micros() % 7 == 0 { Quality::Saturated } else { Quality::Good };
        for metric in [Metric::QueueLength, Metric::RequestRate] {
            samples.push(Sample { metric, time, interval: STEP, value, quality });
        }
        time = time + STEP;
    }
    let tick = Tick { service, time: to, checkpoints: &[], samples: &samples, alerts: &[], journal: None };
    state.commit_tick(&tick).unwrap();
    // In the order in which they come back.
    samples.sort_by_key(|s| (s.time, s.metric));
    samples
}

fn parts(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory.join("history/shop"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "manifest.json")
        .collect();
    names.sort();
    names
}

#[test]
fn whole_days_are_written_once_and_read_back_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, mut history) = open(dir.path());
    let samples = fill(&mut state, "shop", day(0) + STEP * 50, day(2) + STEP * 10);
    let first_two = samples.iter().filter(|s| s.time < day(2)).count();
    // A day is over when late samples have come.
    assert_eq!(history.archive(&state, day(2) + STEP).unwrap().days, 1);
    let done = history.archive(&state, day(2) + STEP * 6).unwrap();
    assert_eq!((done.days, done.forgotten), (1, 0));
    assert_eq!(parts(dir.path()), ["2026-03-01.parquet", "2026-03-02.parquet"]);
    assert_eq!(history.archive(&state, day(2) + STEP * 10).unwrap(), Archived::default());

    let all = history.recall(Some(&state), "shop", day(0), day(9)).unwrap();
    assert!(all.damaged.is_empty());
    assert_eq!(all.samples, samples);
    // Without the recent samples, the days written.
    state.forget_samples("shop", day(9)).unwrap();
    assert_eq!(history.recall(Some(&state), "shop", day(0), day(9)).unwrap().samples, samples[..first_two]);
    let (from, to) = (day(1), day(1) + STEP * 3);
    let some = history.recall(None, "shop", from, to).unwrap().samples;
    assert_eq!(some, samples.iter().filter(|s| from <= s.time && s.time <= to).copied().collect::<Vec<_>>());
    assert!(history.recall(None, "blog", day(0), day(9)).unwrap().samples.is_empty());

    let series = frame(&some, &[Metric::RequestRate], from, to, STEP, |_| true).unwrap();
    assert_eq!((series.start(), series.len()), (from, 3));
    assert_eq!(series.target()[0], (from + STEP).as_secs_f64() / 7.0);
    assert!(matches!(
        HistoryStore::open(dir.path().join("history"), HistoryOptions::default()),
        Err(Error::Locked { .. })
    ));
}

#[test]
fn a_crash_while_writing_leaves_nothing_and_writing_again_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, mut history) = open(dir.path());
    fill(&mut state, "shop", day(0), day(1));
    history.archive(&state, day(2)).unwrap();
    let folder = dir.path().join("history/shop");
    let bytes = fs::read(folder.join("2026-03-01.parquet")).unwrap();
    // As it looks when the part is there and not yet listed.
    fs::remove_file(folder.join("manifest.json")).unwrap();
    assert!(history.recall(None, "shop", day(0), day(9)).unwrap().samples.is_empty());
    fs::write(folder.join("2026-02-11.parquet.tmp"), b"half").unwrap();
    assert_eq!(history.archive(&state, day(2)).unwrap().days, 1);
    assert_eq!(parts(dir.path()), ["2026-03-01.parquet"]);
    assert_eq!(fs::read(folder.join("2026-03-01.parquet")).unwrap(), bytes);
}

#[test]
fn old_days_are_forgotten_and_a_clock_that_jumps_costs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, history) = open(dir.path());
    drop(history);
    let options = HistoryOptions { retain_days: 2, ..HistoryOptions::default() };
    let mut history = HistoryStore::open(dir.path().join("history"), options).unwrap();
    fill(&mut state, "shop", day(0), day(6));
    let done = history.archive(&state, day(5)).unwrap();
    assert_eq!((done.days, done.forgotten), (4, 1));
    assert_eq!(parts(dir.path()), ["2026-03-02.parquet", "2026-03-03.parquet", "2026-03-04.parquet"]);
    state.forget_samples("shop", day(4)).unwrap();
    let done = history.archive(&state, day(5_000)).unwrap();
    assert_eq!((done.days, done.forgotten), (2, 2));
    assert_eq!(parts(dir.path()), ["2026-03-04.parquet", "2026-03-05.parquet", "2026-03-06.parquet"]);
}

#[test]
fn a_damaged_day_is_a_gap_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut state, mut history) = open(dir.path());
    fill(&mut state, "shop", day(0), day(3));
    history.archive(&state, day(4)).unwrap();
    state.forget_samples("shop", day(9)).unwrap();
    let path = dir.path().join("history/shop/2026-03-02.parquet");
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for bad in [&flipped[..], &good[..good.len() - 1], b""] {
        fs::write(&path, bad).unwrap();
        let recalled = history.recall(None, "shop", day(0), day(9)).unwrap();
        assert_eq!(recalled.damaged.len(), 1);
        assert!(recalled.damaged[0].to_string().contains("2026-03-02.parquet"));
        assert!(recalled.samples.iter().all(|s| s.time < day(1) || s.time >= day(2)));
        assert_eq!(recalled.samples.len(), 2 * 2 * 144);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(history.recall(None, "shop", day(0), day(9)).unwrap().damaged.len(), 1);
    fs::write(dir.path().join("history/shop/manifest.json"), b"{}").unwrap();
    assert!(matches!(history.recall(None, "shop", day(0), day(9)), Err(Error::Damaged { .. })));
}

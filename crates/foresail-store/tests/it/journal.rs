//! The journal: replay, tampering, crashes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use foresail_core::{
    Decision, Driver, JournalRecord, Limit, Metric, Mode, Observation, Quality, Reason, ReplicaCounts, Replicas,
    Sample, SeededRng, Timestamp,
};
use foresail_store::{Error, Journal, JournalReader, Torn, find};

fn record(id: u64) -> JournalRecord {
    let mut rng = SeededRng::seed_from_u64(id);
    let time = Timestamp::from_micros(1_772_366_400_000_000 + 15_000_001 * id as i64);
    let value = 1e3 * rng.uniform() / 3.0;
    let sample = Sample {
        metric: Metric::RequestRate,
        time,
        interval: Duration::from_secs(15),
        value,
        quality: if rng.below(3) == 0 { Quality::Saturated } else { Quality::Good },
    };
    let replicas = ReplicaCounts { desired: Replicas(4), ready: Replicas(3), starting: Replicas(1) };
    let reason = Reason {
        load: Some(value * 1.1),
        predicted: Some(Replicas(rng.below(9) as u32)),
        limits: vec![Limit::Surge],
        note: "naïve \"ensemble\"\nsecond line".to_owned(),
        ..Reason::new(Driver::Predicted)
    };
    JournalRecord {
        id,
        time,
        policy: "foresail".to_owned(),
        mode: Mode::Recommend,
        observation: Observation { time, tick: Duration::from_millis(15_500), samples: vec![sample], replicas },
        decision: Decision { desired: Replicas(5), reason },
        baseline: Replicas(4),
        version: "3f2a".to_owned(),
    }
}

fn write(path: &Path, records: u64) -> Journal {
    let mut journal = Journal::open(path).unwrap();
    (1..=records).for_each(|id| journal.append(&record(id)).unwrap());
    journal
}

fn read(path: &Path) -> Result<Vec<JournalRecord>, Error> {
    JournalReader::open(path)?.collect()
}

fn line_of(error: &Error) -> u64 {
    match error {
        Error::Line { line, .. } => *line,
        other => panic!("{other}"),
    }
}

#[test]
fn a_journal_replays_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (original, copy) = (dir.path().join("a.jsonl"), dir.path().join("b.jsonl"));
    let head = write(&original, 40).head().to_owned();
    let mut journal = Journal::open(&copy).unwrap();
    let mut reader = JournalReader::open(&original).unwrap();
    for (id, read) in (1..).zip(reader.by_ref()) {
        let read = read.unwrap();
        assert_eq!(read, record(id));
        journal.append(&read).unwrap();
    }
    journal.sync().unwrap();
    assert_eq!((reader.head(), reader.torn(), journal.head()), (head.as_str(), None, head.as_str()));
    assert_eq!(fs::read(&original).unwrap(), fs::read(&copy).unwrap());
    // Every line is JSON that anything can read.
    for line in fs::read_to_string(&copy).unwrap().lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap().is_object());
    }
}

#[test]
fn records_are_found_by_id_and_appended_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    drop(write(&path, 3));
    let mut journal = Journal::open(&path).unwrap();
    assert_eq!((journal.next_id(), journal.recovered()), (4, None));
    let error = journal.append(&record(3)).unwrap_err().to_string();
    assert!(error.ends_with("journal.jsonl: record 3 where 4 is next"), "{error}");
    journal.append(&record(4)).unwrap();
    assert_eq!(find(&path, 4).unwrap(), Some(record(4)));
    assert_eq!(find(&path, 5).unwrap(), None);
    assert!(matches!(Journal::open(&path), Err(Error::Locked { .. })));
    assert!(matches!(find(dir.path().join("none"), 1), Err(Error::Io { .. })));
}

#[test]
fn a_record_that_would_not_read_back_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = write(&path, 1);
    let mut infinite = record(2);
    infinite.observation.samples[0].value = f64::INFINITY;
    let mut nan = record(2);
    nan.decision.reason.load = Some(f64::NAN);
    let mut timeless = record(2);
    timeless.time = Timestamp::from_micros(i64::MAX);
    for bad in [infinite, nan, timeless] {
        let error = journal.append(&bad).unwrap_err();
        assert!(matches!(error, Error::Unfaithful { id: 2, .. }), "{error}");
    }
    journal.append(&record(2)).unwrap();
    assert_eq!(read(&path).unwrap().len(), 2);
}

#[test]
fn every_changed_byte_is_found_on_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    drop(write(&path, 4));
    let good = fs::read(&path).unwrap();
    let mut line = 1;
    for index in 0..good.len() - 1 {
        let mut bad = good.clone();
        bad[index] ^= 0x04;
        fs::write(&path, &bad).unwrap();
        let error = read(&path).expect_err("a changed byte");
        assert_eq!(line_of(&error), line, "byte {index}: {error}");
        line += u64::from(good[index] == b'\n');
    }
}

#[test]
fn lines_that_are_missing_moved_or_doubled_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    drop(write(&path, 5));
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    for (order, expected) in [
        (vec![0, 1, 3, 4, 5], 3),
        (vec![0, 2, 3, 4, 5], 2),
        (vec![0, 1, 3, 2, 4, 5], 3),
        (vec![0, 1, 2, 2, 3, 4, 5], 4),
        (vec![1, 2, 3, 4, 5], 1),
    ] {
        let changed: String = order.iter().map(|&i| format!("{}\n", lines[i])).collect();
        fs::write(&path, changed).unwrap();
        for error in [read(&path).unwrap_err(), Journal::open(&path).unwrap_err()] {
            assert_eq!(line_of(&error), expected, "{order:?}: {error}");
        }
    }
    let error = {
        fs::write(&path, text.replacen("\"policy\":\"foresail\"", "\"policy\":\"foresale\"", 1)).unwrap();
        read(&path).unwrap_err().to_string()
    };
    let said = "journal.jsonl:2: the chain is broken: this line or one before it was changed, moved or removed";
    assert!(error.ends_with(said), "{error}");
    // Lines cut off at the end leave a shorter journal that is whole, with another head.
    fs::write(&path, lines[..3].iter().map(|l| format!("{l}\n")).collect::<String>()).unwrap();
    let mut reader = JournalReader::open(&path).unwrap();
    assert_eq!(reader.by_ref().count(), 2);
    assert!(!lines[5].contains(reader.head()));
}

#[test]
fn a_torn_last_line_is_reported_then_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    drop(write(&path, 3));
    let good = fs::read(&path).unwrap();
    let last = good[..good.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    let header = good.iter().position(|&b| b == b'\n').unwrap() + 1;
    // A crash anywhere within the last line, or within the first.
    for (kept, records, line) in (last + 1..good.len()).map(|k| (k, 2, 4)).chain((1..header).map(|k| (k, 0, 1))) {
        fs::write(&path, &good[..kept]).unwrap();
        let whole = if line == 1 { 0 } else { last };
        let torn = Some(Torn { line, bytes: (kept - whole) as u64 });
        let mut reader = JournalReader::open(&path).unwrap();
        assert_eq!((reader.by_ref().count(), reader.torn()), (records, torn), "{kept} bytes kept");
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!((journal.recovered(), journal.next_id()), (torn, records as u64 + 1));
        (journal.next_id()..=3).for_each(|id| journal.append(&record(id)).unwrap());
        drop(journal);
        assert_eq!(fs::read(&path).unwrap(), good);
    }
}

#[test]
fn odd_files_are_refused_or_empty_but_never_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    fs::write(&path, b"").unwrap();
    assert_eq!(read(&path).unwrap(), []);
    for junk in [&b"\n"[..], b"{}\n", b"\xff\xfe\n", b"{\"format\":\"foresail-journal\",\"version\":2}\n"] {
        fs::write(&path, junk).unwrap();
        assert_eq!(line_of(&read(&path).unwrap_err()), 1);
        assert_eq!(line_of(&Journal::open(&path).unwrap_err()), 1);
    }
    fs::remove_file(&path).unwrap();
    drop(write(&path, 1));
    for junk in [&b"\n"[..], b"{\"chain\":\"\"}\n", b"{\"chain\":\"\xc3\xa9\n", b"null\n"] {
        drop(write_junk(&path, junk));
        assert_eq!(line_of(&read(&path).unwrap_err()), 3);
        fs::remove_file(&path).unwrap();
        drop(write(&path, 1));
    }
}

fn write_junk(path: &Path, junk: &[u8]) -> fs::File {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(junk).unwrap();
    file
}

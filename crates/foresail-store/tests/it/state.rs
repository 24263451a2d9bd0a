//! The state store: ticks, snapshots, samples, alerts, audit, and what is wrong with files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use foresail_core::{Metric, Quality, Sample, Timestamp};
use foresail_store::{AlertRow, AuditEntry, Checkpoint, Error, JournalMark, StateOptions, StateStore, Tick};
use rusqlite::Connection;
use serde_json::json;

pub(crate) const STEP: Duration = Duration::from_secs(15);

pub(crate) fn at(tick: u32) -> Timestamp {
    Timestamp::from_secs(1_772_366_400) + STEP * tick
}

pub(crate) fn sample(tick: u32, value: f64) -> Sample {
    Sample { metric: Metric::RequestRate, time: at(tick), interval: STEP, value, quality: Quality::Good }
}

/// Writes the tick with this number, its number being its state.
pub(crate) fn commit(store: &mut StateStore, tick: u32) -> Result<(), Error> {
    let state = format!("{{\"tick\":{tick}}}");
    let checkpoints = [Checkpoint { kind: "controller", bytes: state.as_bytes() }];
    let samples = [
        sample(tick, f64::from(tick)),
        Sample { metric: Metric::Utilisation, value: 0.5, quality: Quality::Saturated, ..sample(tick, 0.0) },
        Sample { metric: Metric::Memory, value: f64::NAN, ..sample(tick, 0.0) },
    ];
    let journal = Some(JournalMark { records: u64::from(tick), head: format!("head {tick}") });
    store.commit_tick(&Tick {
        service: "shop",
        time: at(tick),
        checkpoints: &checkpoints,
        samples: &samples,
        alerts: &[],
        journal,
    })
}

/// The newest tick, and how many snapshots were passed over for it.
pub(crate) fn newest(store: &StateStore) -> Option<(u32, usize)> {
    let restored = store.restore("shop", "controller", |bytes| {
        let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        value["tick"].as_u64().map(|n| n as u32).ok_or_else(|| "no tick".to_owned())
    });
    restored.unwrap().map(|r| (r.value, r.broken.len()))
}

fn with_raw(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_tick_comes_back_whole_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/state.db");
    let mut store = StateStore::open(&path).unwrap();
    assert_eq!((newest(&store), store.journal_mark("shop").unwrap()), (None, None));
    (1..=5).for_each(|tick| commit(&mut store, tick).unwrap());
    assert!(matches!(StateStore::open(&path), Err(Error::Locked { .. })));
    let reader = StateStore::open_read_only(&path).unwrap();
    assert_eq!(newest(&reader), Some((5, 0)));
    drop((reader, store));
    let store = StateStore::open(&path).unwrap();
    store.check().unwrap();
    assert_eq!(newest(&store), Some((5, 0)));
    assert_eq!(store.services("controller").unwrap(), ["shop"]);
    assert_eq!(store.journal_mark("shop").unwrap(), Some(JournalMark { records: 5, head: "head 5".to_owned() }));
    let samples = store.samples("shop", at(2), at(4)).unwrap();
    let got: Vec<_> = samples.iter().map(|s| (s.metric, s.time, s.value, s.quality)).collect();
    let (rate, busy) = (Metric::RequestRate, Metric::Utilisation);
    let expected = [2, 3].map(|n| [(rate, at(n), f64::from(n), Quality::Good), (busy, at(n), 0.5, Quality::Saturated)]);
    assert_eq!(got, expected.concat());
    assert_eq!(samples[0].interval, STEP);
    let mut reader = StateStore::open_read_only(&path).unwrap();
    assert!(commit(&mut reader, 6).is_err());
}

#[test]
fn a_broken_snapshot_falls_back_to_the_one_before_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = StateStore::open(&path).unwrap();
    (1..=5).for_each(|tick| commit(&mut store, tick).unwrap());
    with_raw(&path, "UPDATE state SET blob = zeroblob(length(blob)) WHERE version = 5");
    let restored = store.restore("shop", "controller", |b| Ok::<_, String>(b.to_vec())).unwrap().unwrap();
    assert_eq!((restored.value.as_slice(), restored.version, restored.time), (&b"{\"tick\":4}"[..], 4, at(4)));
    assert_eq!((restored.broken[0].version, restored.broken[0].what.as_str()), (5, "its checksum differs"));
    // One that is intact but cannot be understood is passed over as well.
    let refuse = |bytes: &[u8]| if bytes.ends_with(b"4}") { Err("another layout") } else { Ok(()) };
    let restored = store.restore("shop", "controller", refuse).unwrap().unwrap();
    assert_eq!((restored.version, restored.broken[1].what.as_str()), (3, "another layout"));
    // Versions go on above the broken one, and three are kept.
    commit(&mut store, 6).unwrap();
    assert_eq!(newest(&store), Some((6, 0)));
    with_raw(&path, "UPDATE state SET checksum = ''");
    let error = store.restore("shop", "controller", |_| Ok::<_, String>(())).unwrap_err();
    assert!(matches!(error, Error::NoSnapshot { version: 6, .. }), "{error}");
    // A row in another's place is no snapshot either.
    commit(&mut store, 7).unwrap();
    with_raw(&path, "UPDATE state SET service = 'blog' WHERE version = 7");
    assert!(store.restore("blog", "controller", |_| Ok::<_, String>(())).is_err());
}

#[test]
fn samples_are_replaced_and_forgotten_in_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let options = StateOptions { recent: STEP * 10, ..StateOptions::default() };
    let mut store = StateStore::with_options(dir.path().join("state.db"), options).unwrap();
    (1..=40).for_each(|tick| commit(&mut store, tick).unwrap());
    assert_eq!(store.sampled().unwrap(), [("shop".to_owned(), at(30), at(40))]);
    let tick = |time, samples: &[Sample]| Tick {
        service: "shop",
        time,
        checkpoints: &[],
        samples: Box::leak(samples.to_vec().into_boxed_slice()),
        alerts: &[],
        journal: None,
    };
    store.commit_tick(&tick(at(40), &[sample(40, 7.0)])).unwrap();
    assert_eq!(store.samples("shop", at(40), at(41)).unwrap()[0].value, 7.0);
    // A clock that jumps a year ahead for one tick takes a few samples with it, not all.
    store.commit_tick(&tick(at(2_000_000), &[])).unwrap();
    assert_eq!(store.sampled().unwrap()[0].1, at(38));
    assert_eq!(store.forget_samples("shop", at(40)).unwrap(), 4);
}

#[test]
fn alerts_are_listed_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = StateStore::open(dir.path().join("state.db")).unwrap();
    let alert = |fingerprint: &str, service: &str, began: u32, ended: Option<u32>| AlertRow {
        fingerprint: fingerprint.to_owned(),
        service: service.to_owned(),
        kind: "leak".to_owned(),
        text: "memory grows".to_owned(),
        began: at(began),
        ended: ended.map(at),
        last_sent: None,
        detail: json!({"slope": 1.5}),
    };
    let rows = [alert("a", "shop", 1, None), alert("b", "blog", 2, None), alert("c", "shop", 3, None)];
    let mut put = |alerts: &[AlertRow]| {
        let tick = Tick { service: "shop", time: at(3), checkpoints: &[], samples: &[], alerts, journal: None };
        store.commit_tick(&tick).unwrap();
    };
    put(&rows);
    put(&[alert("a", "shop", 1, Some(4))]);
    let names = |service, lasting, limit| -> Vec<String> {
        store.alerts(service, lasting, limit).unwrap().into_iter().map(|a| a.fingerprint).collect()
    };
    assert_eq!(names(None, false, 9), ["c", "b", "a"]);
    assert_eq!(names(None, true, 9), ["c", "b"]);
    assert_eq!(names(Some("shop"), false, 9), ["c", "a"]);
    assert_eq!(names(None, false, 1), ["c"]);
    assert_eq!(store.alerts(Some("blog"), true, 1).unwrap(), [rows[1].clone()]);
    assert_eq!(store.forget_alerts(at(5)).unwrap(), 1);
    assert_eq!(store.alerts(None, false, 9).unwrap().len(), 2);
}

#[test]
fn the_audit_log_is_paged_and_cannot_be_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let mut store = StateStore::open(&path).unwrap();
    let entry = |n: u32| AuditEntry {
        time: at(n),
        actor: "token:ops".to_owned(),
        role: "operate".to_owned(),
        action: "pause".to_owned(),
        detail: json!({"until": n, "why": "naïve \"quotes\""}),
        outcome: "ok".to_owned(),
    };
    for n in 1..=7 {
        assert_eq!(store.append_audit(&entry(n)).unwrap(), u64::from(n));
    }
    let mut before = None;
    let mut ids = Vec::new();
    loop {
        let page = store.audit(before, 3).unwrap();
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        assert!(page.iter().all(|r| r.entry == entry(r.id as u32)));
        ids.extend(page.iter().map(|r| r.id));
    }
    assert_eq!(ids, [7, 6, 5, 4, 3, 2, 1]);
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let error = Connection::open(&path).unwrap().execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
}

#[test]
fn a_full_disk_is_a_passing_error_and_the_store_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    let options = StateOptions { max_bytes: Some(200 << 10), ..StateOptions::default() };
    let mut store = StateStore::with_options(&path, options).unwrap();
    let mut written = 0;
    let error = loop {
        match commit(&mut store, written + 1) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(written > 100 && error.is_transient(), "{written}: {error}");
    // Nothing of the tick that failed is there, everything of those before is, and people can still be asked.
    assert_eq!(newest(&store), Some((written, 0)));
    assert_eq!(store.samples("shop", at(0), at(99_999)).unwrap().len(), 2 * written as usize);
    assert!(commit(&mut store, written + 1).is_err());
    store.check().unwrap();
    // With room again it goes on, in the same process.
    store.forget_samples("shop", at(written / 2)).unwrap();
    commit(&mut store, written + 1).unwrap();
    assert_eq!(newest(&store), Some((written + 1, 0)));
    drop(store);
    let mut store = StateStore::open(&path).unwrap();
    (written + 2..written + 200).for_each(|tick| commit(&mut store, tick).unwrap());
}

#[test]
fn other_files_and_newer_ones_are_refused_clearly() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.db");
    drop(StateStore::open(&path).unwrap());
    with_raw(&path, "PRAGMA user_version = 9");
    for opened in [StateStore::open(&path), StateStore::open_read_only(&path)] {
        let error = opened.unwrap_err();
        assert!(error.to_string().ends_with("state.db: schema version 9, this build uses 1"), "{error}");
        assert!(!error.is_transient());
    }
    with_raw(&path, "PRAGMA user_version = -1");
    assert!(matches!(StateStore::open(&path), Err(Error::Damaged { .. })));
    let other = dir.path().join("other.db");
    with_raw(&other, "CREATE TABLE cats (name TEXT)");
    let error = StateStore::open(&other).unwrap_err().to_string();
    assert!(error.ends_with("damaged: a database of something else"), "{error}");
    let text = dir.path().join("text.db");
    fs::write(&text, "not a database at all, but long enough to look at".repeat(30)).unwrap();
    assert!(matches!(StateStore::open(&text), Err(Error::Damaged { .. })));
    assert!(StateStore::open_read_only(dir.path().join("none.db")).is_err());
    // A file that was begun and never written is a new one.
    let empty = dir.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    commit(&mut StateStore::open(&empty).unwrap(), 1).unwrap();
}

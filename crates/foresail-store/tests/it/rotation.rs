//! A journal over several files, and entries other than decisions.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use foresail_core::{Journalled, Timestamp};
use foresail_store::{Error, Journal, JournalReader, Rotation, entries_after, find_entry};
use serde::{Deserialize, Serialize};

/// A decision with its id, or a command without one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    id: Option<u64>,
    time: Timestamp,
    text: String,
}

impl Journalled for Entry {
    fn id(&self) -> Option<u64> {
        self.id
    }

    fn time(&self) -> Timestamp {
        self.time
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

/// An entry an hour; every fourth is a command.
fn entries(count: u32) -> Vec<Entry> {
    let mut id = 0;
    let mut entry = |n: u32| {
        let is_command = n % 4 == 3;
        id += u64::from(!is_command);
        let time = Timestamp::from_secs(1_772_366_400) + HOUR * n;
        Entry { id: (!is_command).then_some(id), time, text: format!("entry {n}") }
    };
    (0..count).map(&mut entry).collect()
}

fn write(path: &Path, rotation: Rotation, entries: &[Entry]) -> Journal<Entry> {
    let mut journal = Journal::of_entries(path, rotation).unwrap();
    entries.iter().for_each(|e| journal.append(e).unwrap());
    journal
}

fn read(path: &Path) -> Result<Vec<Entry>, Error> {
    JournalReader::of_entries(path)?.collect()
}

fn part(path: &Path, number: u32) -> std::path::PathBuf {
    format!("{}.{number:06}", path.display()).into()
}

const SMALL: Rotation = Rotation { max_bytes: Some(700), daily: false, keep: None };

#[test]
fn a_journal_goes_on_over_files_and_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let all = entries(40);
    drop(write(&path, SMALL, &all[..17]));
    let mut journal = write(&path, SMALL, &all[17..33]);
    // A reader that began before a rotation reads on over it.
    let mut reader = JournalReader::<Entry>::of_entries(&path).unwrap();
    let mut seen: Vec<Entry> = reader.by_ref().take(32).map(Result::unwrap).collect();
    all[33..].iter().for_each(|e| journal.append(e).unwrap());
    seen.extend(reader.by_ref().map(Result::unwrap));
    assert_eq!(seen, all);
    assert_eq!((reader.head(), reader.records()), (journal.head(), 30));
    assert!(part(&path, 3).exists() && path.exists());
    assert_eq!(read(&path).unwrap(), all);
    for id in [1, 12, 30] {
        let found: Entry = find_entry(&path, id).unwrap().unwrap();
        assert_eq!(found.id, Some(id));
        let position = all.iter().position(|e| e.id == Some(id)).unwrap();
        assert_eq!(entries_after::<Entry>(&path, id).unwrap(), all[position + 1..]);
    }
    assert_eq!(find_entry::<Entry>(&path, 31).unwrap(), None);
    assert_eq!(entries_after::<Entry>(&path, 0).unwrap(), all);
    assert!(entries_after::<Entry>(&path, 99).unwrap().is_empty());
    assert!(matches!(journal.append(&all[0]), Err(Error::OutOfOrder { expected: 31, got: 1, .. })));
}

#[test]
fn a_day_is_a_file_and_old_ones_are_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let daily = Rotation { max_bytes: None, daily: true, keep: Some(2) };
    let all = entries(24 * 5);
    drop(write(&path, daily, &all));
    // Noon to noon: six calendar days, of which the newest and two full ones stay.
    assert!(!part(&path, 3).exists() && part(&path, 4).exists() && part(&path, 5).exists());
    let kept = read(&path).unwrap();
    assert_eq!(kept, all[12 + 24 * 2..]);
    // And so it goes on after a restart on the same day.
    let journal = Journal::<Entry>::of_entries(&path, daily).unwrap();
    assert_eq!(journal.next_id(), all.iter().filter_map(|e| e.id).max().unwrap() + 1);
}

#[test]
fn damage_in_any_file_is_found_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    drop(write(&path, SMALL, &entries(20)));
    let first = fs::read(part(&path, 1)).unwrap();
    let place = |error: Error| match error {
        Error::Line { path, line, .. } => (path, line),
        Error::Damaged { path, .. } => (path, 0),
        other => panic!("{other}"),
    };
    // Whole lines cut off the end of a full file do not go unseen, as they would at the very end.
    let cut = first[..first.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1;
    fs::write(part(&path, 1), &first[..cut]).unwrap();
    assert_eq!(place(read(&path).unwrap_err()), (part(&path, 2), 1));
    fs::write(part(&path, 1), &first[..first.len() - 4]).unwrap();
    assert_eq!(place(read(&path).unwrap_err()).0, part(&path, 1));
    fs::write(part(&path, 1), b"").unwrap();
    assert_eq!(place(read(&path).unwrap_err()).0, part(&path, 1));
    fs::write(part(&path, 1), &first).unwrap();
    assert_eq!(read(&path).unwrap().len(), 20);
    fs::remove_file(part(&path, 2)).unwrap();
    assert_eq!(place(read(&path).unwrap_err()), (part(&path, 2), 0));
    // The writer reads only the file it appends to.
    assert_eq!(Journal::<Entry>::of_entries(&path, SMALL).unwrap().next_id(), 16);
}

#[test]
fn a_crash_anywhere_in_a_rotation_is_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let (path, all) = (dir.path().join("journal.jsonl"), entries(20));
    let next = dir.path().join("journal.jsonl.next");
    for step in 0..3 {
        let mut journal = write(&path, Rotation::default(), &all[..7]);
        match step {
            // The next file was begun, and perhaps not finished.
            0 => fs::write(&next, b"{\"format\":\"fore").unwrap(),
            // The full file has its number, and nothing has the journal's name.
            _ => {
                fs::rename(&path, part(&path, 1)).unwrap();
                if step == 2 {
                    fs::write(&next, b"").unwrap();
                }
            }
        }
        drop(journal);
        journal = Journal::of_entries(&path, SMALL).unwrap();
        assert!(matches!(Journal::<Entry>::of_entries(&path, SMALL), Err(Error::Locked { .. })));
        all[7..].iter().for_each(|e| journal.append(e).unwrap());
        assert_eq!(read(&path).unwrap(), all, "step {step}");
        drop(journal);
        for file in fs::read_dir(dir.path()).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_torn_line_in_a_later_file_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let all = entries(20);
    drop(write(&path, SMALL, &all));
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"chain\":\"12").unwrap();
    let mut journal = Journal::<Entry>::of_entries(&path, SMALL).unwrap();
    assert_eq!(journal.recovered().unwrap().bytes, 12);
    let more = Entry { id: Some(journal.next_id()), ..all[0].clone() };
    journal.append(&more).unwrap();
    assert_eq!(read(&path).unwrap().last(), Some(&more));
}

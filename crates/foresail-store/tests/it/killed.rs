//! A writer that is killed at any moment loses nothing it had acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use foresail_core::{Journalled, SeededRng, Timestamp};
use foresail_store::{Journal, Rotation, StateStore, entries_after};
use serde::{Deserialize, Serialize};

use crate::state::{at, commit, newest};

/// Names the directory in which a child writes; without it, this is no child.
const SWITCH: &str = "FORESAIL_STORE_TEST_CHILD";
const ROTATION: Rotation = Rotation { max_bytes: Some(4_096), daily: false, keep: None };

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    id: u64,
}

impl Journalled for Line {
    fn id(&self) -> Option<u64> {
        Some(self.id)
    }

    fn time(&self) -> Timestamp {
        at(self.id as u32)
    }
}

/// Runs only in a child: ticks for as long as it lives, and says each number once it is acknowledged.
#[test]
fn child_writes_ticks() {
    #[expect(clippy::disallowed_methods, reason = "how a test tells the child it started from itself")]
    let Ok(directory) = std::env::var(SWITCH) else { return };
    let directory = Path::new(&directory);
    let mut journal = Journal::<Line>::of_entries(directory.join("journal.jsonl"), ROTATION).unwrap();
    let mut store = StateStore::open(directory.join("state.db")).unwrap();
    let mut out = std::io::stdout();
    let saved = newest(&store).map_or(0, |(tick, _)| tick);
    for tick in saved + 1.. {
        if u64::from(tick) >= journal.next_id() {
            journal.append(&Line { id: u64::from(tick) }).unwrap();
        }
        commit(&mut store, tick).unwrap();
        // The test harness has a word on the line before; what counts comes after a bar.
        writeln!(out, "|{tick}").unwrap();
        out.flush().unwrap();
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_writes_ticks", "--nocapture"])
        .env(SWITCH, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_writer_loses_at_most_the_tick_it_was_writing() {
    let dir = tempfile::tempdir().unwrap();
    let (database, journal) = (dir.path().join("state.db"), dir.path().join("journal.jsonl"));
    let mut rng = SeededRng::seed_from_u64(11);
    let mut acknowledged = 0;
    for round in 0..25 {
        let mut child = spawn(dir.path());
        let wanted = rng.below(30);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ticks = lines.by_ref().map_while(Result::ok).filter_map(|line| line.split_once('|')?.1.parse().ok());
        for _ in 0..=wanted {
            acknowledged = ticks.next().expect("the child writes until it is killed");
        }
        // It goes on meanwhile, so the signal strikes wherever it happens to be.
        (0..rng.below(200_000)).for_each(|n| {
            std::hint::black_box(n);
        });
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts as well.
        acknowledged = ticks.last().unwrap_or(acknowledged);

        let store = StateStore::open(&database).unwrap();
        store.check().unwrap();
        let (saved, broken) = newest(&store).unwrap();
        assert!(broken == 0 && (saved == acknowledged || saved == acknowledged + 1), "round {round}: {saved}");
        let samples = store.samples("shop", at(0), at(u32::MAX)).unwrap();
        assert_eq!(samples.len(), 2 * saved as usize, "round {round}");
        assert_eq!(store.journal_mark("shop").unwrap().unwrap().records, u64::from(saved));
        // The journal is level with the state or one ahead, and whole.
        let ahead = entries_after::<Line>(&journal, u64::from(saved)).unwrap();
        assert!(ahead.is_empty() || ahead == [Line { id: u64::from(saved) + 1 }], "round {round}: {ahead:?}");
        assert_eq!(entries_after::<Line>(&journal, 0).unwrap().len(), saved as usize + ahead.len());
    }
}

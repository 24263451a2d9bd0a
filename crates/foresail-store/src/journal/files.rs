//! The names of a journal's files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::Error;

/// Digits of a part's number in its name.
const DIGITS: usize = 6;

/// What the part with this number is called once it is full.
pub(super) fn numbered(journal: &Path, part: u32) -> PathBuf {
    with_ending(journal, &format!(".{part:0DIGITS$}"))
}

/// The file that is about to become the journal.
pub(super) fn upcoming(journal: &Path) -> PathBuf {
    with_ending(journal, ".next")
}

fn with_ending(journal: &Path, ending: &str) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Numbers of the full parts there are, ascending. None if there is no such directory.
pub(super) fn parts(journal: &Path) -> Result<Vec<u32>, Error> {
    let Some(name) = journal.file_name().and_then(|n| n.to_str()) else { return Ok(Vec::new()) };
    let directory = match journal.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { path: directory.to_owned(), source }),
    };
    let mut parts = Vec::new();
    for entry in entries {
        let found = entry.map_err(Error::io(directory))?.file_name();
        let number = found.to_str().and_then(|f| f.strip_prefix(name)).and_then(|rest| rest.strip_prefix('.'));
        let number = number.filter(|n| n.len() >= DIGITS && n.bytes().all(|b| b.is_ascii_digit()));
        parts.extend(number.and_then(|n| n.parse::<u32>().ok()));
    }
    parts.sort_unstable();
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_parts_of_the_journal_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        let journal = dir.path().join("j.jsonl");
        for name in
            ["j.jsonl", "j.jsonl.000002", "j.jsonl.1000001", "j.jsonl.next", "j.jsonl.00001x", "j.jsonl.bak", "k"]
        {
            fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(parts(&journal).unwrap(), [2, 1_000_001]);
        assert_eq!(numbered(&journal, 2), dir.path().join("j.jsonl.000002"));
        assert!(parts(&dir.path().join("none").join("j")).unwrap().is_empty());
    }
}

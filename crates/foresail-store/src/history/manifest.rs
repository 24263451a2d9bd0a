//! Which days of a service there are.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use foresail_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::part::PartEntry;
use crate::{Error, disk};

const VERSION: u32 = 1;
const FILE: &str = "manifest.json";
/// A service whose name would be longer than this on disk is filed under its hash.
const LONGEST_NAME: usize = 120;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pub(super) service: String,
    /// Ascending.
    pub(super) days: Vec<DayEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DayEntry {
    /// Its first instant, UTC.
    pub(super) day: Timestamp,
    pub(super) part: PartEntry,
}

impl Manifest {
    /// Reads the manifest of `service` in `directory`; an empty one if there is none.
    pub(super) fn read(directory: &Path, service: &str) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { version: VERSION, service: service.to_owned(), days: Vec::new() });
            }
            Err(source) => return Err(Error::Io { path, source }),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|e| Error::damaged(&path, &e))?;
        let what = if manifest.version != VERSION {
            format!("version {}, this build reads {VERSION}", manifest.version)
        } else if manifest.service != service {
            format!("of service {:?} where {service:?} belongs", manifest.service)
        } else if let Some(entry) = manifest.days.iter().find(|e| e.part.file != part_name(e.day)) {
            format!("lists {:?} where {:?} belongs", entry.part.file, part_name(entry.day))
        } else {
            return Ok(manifest);
        };
        Err(Error::damaged(&path, &what))
    }

    pub(super) fn write(&self, directory: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec_pretty(self).expect("plain data with text keys always serialises");
        disk::replace(&directory.join(FILE), &text)
    }

    pub(super) fn has(&self, day: Timestamp) -> bool {
        self.days.binary_search_by_key(&day, |e| e.day).is_ok()
    }

    pub(super) fn add(&mut self, day: Timestamp, part: PartEntry) {
        let at = self.days.partition_point(|e| e.day < day);
        self.days.insert(at, DayEntry { day, part });
    }
}

/// The ending of a part's name.
pub(super) const ENDING: &str = ".parquet";

/// The file of a day: `2026-03-01.parquet`.
pub(super) fn part_name(day: Timestamp) -> String {
    let text = day.to_string();
    let date = text.split('T').next().unwrap_or(&text);
    format!("{date}{ENDING}")
}

/// The directory of a service: its name, with what a file system may not like written as `%` and two digits.
pub(super) fn folder(directory: &Path, service: &str) -> PathBuf {
    let mut name = String::new();
    for byte in service.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        name = format!("%sha256-{}", disk::sha256(&[service.as_bytes()]));
    }
    directory.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_have_folders_of_their_own_inside_the_directory() {
        let long = "x".repeat(300);
        let names = ["shop", "Shop", "", "..", "a/b", "a%2fb", "ä", "con.", long.as_str()];
        let root = Path::new("history");
        let mut folders: Vec<PathBuf> = names.iter().map(|n| folder(root, n)).collect();
        assert!(folders.iter().all(|f| f.parent() == Some(root) && f.file_name().is_some()));
        assert_eq!(folders[0], root.join("shop"));
        folders.sort();
        folders.dedup();
        assert_eq!(folders.len(), names.len());
    }

    #[test]
    fn a_part_is_named_by_its_day() {
        assert_eq!(part_name(Timestamp::parse("2026-03-01").unwrap()), "2026-03-01.parquet");
    }
}

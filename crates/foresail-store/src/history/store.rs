//! Days written, read back and forgotten.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use foresail_core::{Metric, Sample, Timestamp};

use super::manifest::{ENDING, Manifest, folder, part_name};
use super::part;
use crate::part::PartEntry;
use crate::state::StateStore;
use crate::{Error, disk};

const DAY: Duration = Duration::from_secs(86_400);

/// How long days are kept, and when one is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryOptions {
    /// Days kept before the newest; at least 1. Default 400, so that a year can be compared with the one before.
    pub retain_days: u32,
    /// A day is written this long after its end, when late samples have come. Default 1 hour.
    pub settle: Duration,
}

impl Default for HistoryOptions {
    fn default() -> Self {
        Self { retain_days: 400, settle: Duration::from_secs(3_600) }
    }
}

/// What [`HistoryStore::archive`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Archived {
    /// Days written, over all services.
    pub days: usize,
    /// Samples in them.
    pub samples: usize,
    /// Days forgotten.
    pub forgotten: usize,
}

/// Samples read back.
#[derive(Debug, Default)]
pub struct Recalled {
    /// By time and then by metric.
    pub samples: Vec<Sample>,
    /// Days that could not be read, and are gaps.
    pub damaged: Vec<Error>,
}

/// The one writer of a history.
#[derive(Debug)]
pub struct HistoryStore {
    directory: PathBuf,
    options: HistoryOptions,
    /// Held open, and so locked, for as long as the store is.
    _lock: File,
}

impl HistoryStore {
    /// Opens the history in `directory`, or begins one there.
    ///
    /// # Errors
    /// [`Error::Locked`] if another writer has it open, [`Error::Io`].
    pub fn open(directory: impl AsRef<Path>, options: HistoryOptions) -> Result<Self, Error> {
        let directory = directory.as_ref();
        fs::create_dir_all(directory).map_err(Error::io(directory))?;
        let path = directory.join("lock");
        let lock = File::create(&path).map_err(Error::io(&path))?;
        disk::lock(&lock, &path)?;
        Ok(Self { directory: directory.to_owned(), options, _lock: lock })
    }

    /// Writes every day of `state`'s recent samples that is over and not yet written, and forgets days that are too old.
    /// Doing it again changes nothing. Cheap when there is nothing to do.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Sqlite`]; what was written until then stays.
    pub fn archive(&mut self, state: &StateStore, now: Timestamp) -> Result<Archived, Error> {
        let mut done = Archived::default();
        for (service, oldest, newest) in state.sampled()? {
            let folder = folder(&self.directory, &service);
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            let mut manifest = Manifest::read(&folder, &service)?;
            let mut next = Some(oldest);
            while let Some(day) = next.map(|t| t.floor_to(DAY)).filter(|d| *d <= newest) {
                let end = day + DAY;
                if end + self.options.settle > now {
                    break;
                }
                if !manifest.has(day) {
                    done.samples += self.write(&folder, &mut manifest, day, &state.samples(&service, day, end)?)?;
                    done.days += 1;
                }
                next = state.sampled_from(&service, end)?;
            }
            done.forgotten += self.forget(&folder, &mut manifest, now)?;
        }
        Ok(done)
    }

    /// The samples of `service` whose interval ended in `[from, to]`: those of the days written and, where `state` is
    /// given, the recent ones, which win. Decodes the days it touches.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a manifest, [`Error::Io`], [`Error::Sqlite`]. A damaged day is no error: see
    /// [`Recalled::damaged`].
    pub fn recall(
        &self,
        state: Option<&StateStore>,
        service: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Recalled, Error> {
        let folder = folder(&self.directory, service);
        let mut found: BTreeMap<(Timestamp, Metric), Sample> = BTreeMap::new();
        let mut damaged = Vec::new();
        for entry in Manifest::read(&folder, service)?.days {
            if entry.day > to || entry.day + DAY <= from {
                continue;
            }
            match part::read(&folder.join(&entry.part.file), &entry.part) {
                Ok(samples) => found.extend(samples.into_iter().map(|s| ((s.time, s.metric), s))),
                Err(error @ Error::Damaged { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        if let Some(state) = state {
            let recent = state.samples(service, from, to + Duration::from_micros(1))?;
            found.extend(recent.into_iter().map(|s| ((s.time, s.metric), s)));
        }
        let samples = found.into_values().filter(|s| from <= s.time && s.time <= to).collect();
        Ok(Recalled { samples, damaged })
    }

    fn write(
        &self,
        folder: &Path,
        manifest: &mut Manifest,
        day: Timestamp,
        samples: &[Sample],
    ) -> Result<usize, Error> {
        let file = part_name(day);
        let path = folder.join(&file);
        let bytes = part::encode(samples).map_err(io::Error::other).map_err(Error::io(&path))?;
        disk::replace(&path, &bytes)?;
        let mut listed = manifest.clone();
        listed.add(day, PartEntry::of(file, samples.len(), &bytes));
        listed.write(folder)?;
        *manifest = listed;
        Ok(samples.len())
    }

    /// Forgets old days: unlisted first, then deleted; files that a crash left unlisted are deleted as well. Age is
    /// counted from the newest day there is, so that a clock which jumped ahead costs nothing.
    fn forget(&self, folder: &Path, manifest: &mut Manifest, now: Timestamp) -> Result<usize, Error> {
        let Some(newest) = manifest.days.last().map(|e| e.day) else { return Ok(0) };
        let age = DAY.saturating_mul(self.options.retain_days.max(1));
        let cut = newest.min(now) - age;
        let before = manifest.days.len();
        if manifest.days.iter().any(|e| e.day < cut) {
            let mut kept = manifest.clone();
            kept.days.retain(|e| e.day >= cut);
            kept.write(folder)?;
            *manifest = kept;
        }
        for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
            let name = entry.map_err(Error::io(folder))?.file_name();
            let name = name.to_string_lossy();
            let is_part = name.ends_with(ENDING) || name.ends_with(disk::UNFINISHED);
            if is_part && !manifest.days.iter().any(|e| e.part.file == name) {
                let path = folder.join(&*name);
                fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        Ok(before - manifest.days.len())
    }
}

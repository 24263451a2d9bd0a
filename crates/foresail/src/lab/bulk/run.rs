//! A run over chunks: all cores, a bounded number of files in memory, what is done kept.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use foresail_store::write_results;
use indicatif::ProgressBar;
use rayon::ThreadPool;

use super::chunk::{Test, schema, test};
use super::{InputFile, Manifest};

/// The shard of a run that is done here: every `of`-th chunk from the `index`-th on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    /// From 0.
    pub(crate) index: usize,
    /// How many there are, at least 1.
    pub(crate) of: usize,
}

impl Share {
    /// All of it.
    pub(crate) const WHOLE: Self = Self { index: 0, of: 1 };

    fn holds(self, chunk: usize) -> bool {
        chunk % self.of == self.index
    }
}

/// `index/count`.
impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no shard; accepted is INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 0/4");
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        let share = Self { index: index.parse().map_err(|_| wrong())?, of: of.parse().map_err(|_| wrong())? };
        if share.index < share.of { Ok(share) } else { Err(wrong()) }
    }
}

/// What was to do and what there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    /// Chunks of the share.
    pub(crate) chunks: usize,
    /// Those that were there already.
    pub(crate) kept: usize,
}

/// Where the results of a chunk are.
pub(super) fn part(folder: &Path, chunk: usize) -> PathBuf {
    folder.join(format!("part-{chunk:06}.parquet"))
}

/// Tests the chunks of `share` whose results are not in `folder` yet, as many at a time as `pool` has threads, each file read
/// when its turn has come; so no more files are in memory than there are threads. The bar counts files.
///
/// # Errors
/// If results cannot be written; chunks that are done by then are kept.
pub(crate) fn run(
    manifest: &Manifest,
    files: &[InputFile],
    how: &Test<'_>,
    folder: &Path,
    share: Share,
    pool: &ThreadPool,
    bar: &ProgressBar,
) -> anyhow::Result<Done> {
    let own: Vec<usize> = (0..manifest.chunks()).filter(|chunk| share.holds(*chunk)).collect();
    let missing: Vec<usize> = own.iter().copied().filter(|chunk| !part(folder, *chunk).is_file()).collect();
    let of_chunk = |chunk: usize| &files[chunk * manifest.chunk..files.len().min((chunk + 1) * manifest.chunk)];
    bar.set_length(missing.iter().map(|chunk| of_chunk(*chunk).len() as u64).sum());
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Threads of our own rather than a parallel iterator: a worker that waits for its models must not begin another file.
    let work = || -> Result<(), foresail_store::Error> {
        while let Some(&chunk) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let rows = pool.install(|| test(of_chunk(chunk), how, &|| bar.inc(1)));
            write_results(&part(folder, chunk), &schema(), &rows)
                .inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..pool.current_num_threads().min(missing.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    Ok(Done { chunks: own.len(), kept: own.len() - missing.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_told_apart() {
        assert_eq!("2/4".parse(), Ok(Share { index: 2, of: 4 }));
        for wrong in ["4/4", "1", "-1/4", "a/4", "1/0", "0/0", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
        let held = |chunk| (0..3).filter(|index| Share { index: *index, of: 3 }.holds(chunk)).count();
        assert!((0..20).all(|chunk| held(chunk) == 1));
    }
}

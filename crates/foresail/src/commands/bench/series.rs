//! The load traces of the acceptance table: which file, which column, which days.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use foresail_core::{Frame, Timestamp};
use foresail_ingest::{ReadOptions, read};

/// One series of the table.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// What it is called.
    pub(crate) name: String,
    file: PathBuf,
    column: &'static str,
    /// What a value counts.
    pub(crate) per: Duration,
    from: Option<&'static str>,
    /// Days that train.
    pub(crate) train_days: u64,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const EVALUATE_DAYS: u64 = 7;

/// The series there are under `folder`, in a fixed order; empty if there is no such folder.
pub(crate) fn series_in(folder: &Path) -> Vec<Series> {
    let named = |name: &str, column, per, from, train_days| Series {
        name: name.to_owned(),
        file: folder.join(format!("{name}.csv.gz")),
        column,
        per,
        from,
        train_days,
    };
    let mut all = vec![
        named("worldcup98", "requests", MINUTE, Some("1998-06-16"), 8),
        named("nasa95", "requests", MINUTE, None, 8),
        named("alibaba2018", "cpu_util_percent", SECOND, None, 3),
        named("azure_vm_v2", "cpu_usage", SECOND, None, 8),
    ];
    let crane = folder.join("crane");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&crane).map(|d| d.filter_map(|f| Some(f.ok()?.path())).collect()).unwrap_or_default();
    files.sort_by_key(|f| (number_in(f), f.clone()));
    all.extend(files.into_iter().filter(|f| f.to_string_lossy().contains(".csv")).map(|file| Series {
        name: format!("crane {}", number_in(&file)),
        file,
        column: "value",
        per: SECOND,
        from: None,
        train_days: 8,
    }));
    all.retain(|s| s.file.is_file());
    all
}

fn number_in(file: &Path) -> u64 {
    let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

impl Series {
    /// Its rows: the training days and up to seven more.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn load(&self) -> anyhow::Result<Frame> {
        let options = ReadOptions { values: vec![self.column.to_owned()], ..ReadOptions::default() };
        let frame = read(self.file.as_path(), &options)?.frame;
        let from = self.from.map_or(Ok(frame.start()), Timestamp::parse).context("a start in the table")?;
        let to = from + Duration::from_secs((self.train_days + EVALUATE_DAYS) * 86_400);
        Ok(frame.slice(frame.index_at(from)..frame.index_at(to)))
    }
}

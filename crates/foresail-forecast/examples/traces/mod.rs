//! The load traces, for examples that measure on them.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::read::GzDecoder;
use foresail_core::{Frame, Timestamp};

/// File below the folder of load traces, name of the time column, name of the value column.
const TRACES: [(&str, &str, &str); 11] = [
    ("worldcup98", "timestamp", "requests"),
    ("nasa95", "timestamp", "requests"),
    ("alibaba2018", "timestamp", "cpu_util_percent"),
    ("azure_vm_v2", "timestamp", "cpu_usage"),
    ("crane/input1", "ts", "value"),
    ("crane/input3", "ts", "value"),
    ("crane/input5", "ts", "value"),
    ("crane/input7", "ts", "value"),
    ("crane/input9", "ts", "value"),
    ("crane/input11", "ts", "value"),
    ("crane/input13", "ts", "value"),
];

/// Those of the traces whose name holds one of `wanted` (all, if that is empty), each on the grid of its smallest step.
/// Those that are not there are named and left out.
pub(crate) fn wanted(wanted: &[String]) -> impl Iterator<Item = (&'static str, Frame)> + '_ {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "..", "shared", "traces", "load"].iter().collect();
    let asked = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    TRACES.into_iter().filter(move |(name, ..)| asked(name)).filter_map(move |(name, time, value)| {
        let frame = read(&folder.join(format!("{name}.csv.gz")), time, value);
        if frame.is_none() {
            println!("{name}: no such trace here, skipped");
        }
        Some((name, frame?))
    })
}

/// A column of a gzipped CSV file, on the grid of its smallest step.
fn read(path: &Path, time: &str, value: &str) -> Option<Frame> {
    let mut lines = BufReader::new(GzDecoder::new(File::open(path).ok()?)).lines().map_while(Result::ok);
    let header = lines.next()?;
    let column = |name: &str| header.split(',').position(|column| column == name);
    let (time, value) = (column(time)?, column(value)?);
    let cell = |line: &str, column: usize| line.split(',').nth(column).map(str::to_owned);
    let points: Vec<(i64, f64)> = lines
        .filter_map(|line| {
            let text = cell(&line, time)?;
            let secs = text.parse().ok().or_else(|| Some(Timestamp::parse(&text).ok()?.as_micros() / 1_000_000))?;
            Some((secs, cell(&line, value)?.parse().ok()?))
        })
        .collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let step = points.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|gap| *gap > 0).min()?;
    let mut values = vec![None; ((last - first) / step + 1) as usize];
    for (secs, value) in points {
        values[((secs - first) / step) as usize] = Some(value);
    }
    Frame::univariate(Timestamp::from_secs(first), Duration::from_secs(step as u64), "value", values).ok()
}

//! The suite `gift5`: five sets of GIFT-Eval that can be had as files. Which file, which columns, which season; what was
//! published of them; and what peers forecast of the same windows.

mod peers;
mod published;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use foresail_core::{Frame, Timestamp};
use foresail_forecast::suite::Dataset;
use foresail_ingest::{Aggregation, ReadOptions, WideSeries, read, read_wide};

use crate::failure::usage;

pub(crate) use peers::{Peer, export};
pub(crate) use published::{PUBLISHED, Published};
pub(crate) use table::{Cell, Entry, Measured, SetLine, Table};

/// The sets, by the names GIFT-Eval has for them.
pub(crate) const SETS: [&str; 5] =
    ["m4_hourly/H", "ett1/H", "bizitobs_application/10S", "bizitobs_l2c/5T", "bizitobs_l2c/H"];

/// The business figures of the application: those whose mean magnitude is that of GIFT-Eval's tables.
const APPLICATION: [&str; 2] = ["Robot-Shop:latency.mean", "Robot-Shop:calls.sum"];
/// The figures of the order process that are counts or times; its two alerts are no targets.
const ORDERS: [&str; 7] = [
    "Weekly average order cycle time",
    "activity_Approve by approver",
    "activity_Create order",
    "activity_Return by approver",
    "activity_Submit for approval",
    "activity_Submit to SAP",
    "activity_Update order",
];
const TRANSFORMER: [&str; 7] = ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"];
const HOUR: Duration = Duration::from_secs(3_600);

/// The sets called `names` (all, if there are none), read from `folder`. Of each, the first `most` series.
///
/// # Errors
/// A wrong name, with those there are; a file that is not there or cannot be read.
pub(crate) fn load(folder: &Path, names: &[String], most: usize) -> anyhow::Result<Vec<Dataset>> {
    if let Some(wrong) = names.iter().find(|name| !SETS.contains(&name.as_str())) {
        return Err(usage(format!("--sets names {wrong:?}; accepted are {}", SETS.join(", "))));
    }
    let wanted = SETS.into_iter().filter(|set| names.is_empty() || names.iter().any(|name| name == set));
    wanted.map(|set| load_one(folder, set, most).with_context(|| format!("set {set}"))).collect()
}

fn load_one(folder: &Path, set: &str, most: usize) -> anyhow::Result<Dataset> {
    let columns = |file: &str, columns: &[&str], step: Option<Duration>| -> anyhow::Result<Frame> {
        let values = columns.iter().take(most).map(|&c| c.to_owned()).collect();
        let options = ReadOptions { values, step, aggregation: Aggregation::Mean, ..ReadOptions::default() };
        Ok(read(folder.join(file), &options)?.frame)
    };
    Ok(match set {
        "m4_hourly/H" => Dataset::new(set, m4(folder, most)?, 48, 24)?.with_windows(1)?,
        "ett1/H" => Dataset::of_columns(set, &columns("etth1.csv.gz", &TRANSFORMER, None)?, 48, 24)?,
        "bizitobs_application/10S" => {
            Dataset::of_columns(set, &columns("bizitobs_application.csv.gz", &APPLICATION, None)?, 60, 360)?
        }
        "bizitobs_l2c/5T" => Dataset::of_columns(set, &columns("bizitobs_l2c.csv.gz", &ORDERS, None)?, 48, 288)?,
        _ => Dataset::of_columns(set, &columns("bizitobs_l2c.csv.gz", &ORDERS, Some(HOUR))?, 48, 24)?,
    })
}

/// The hourly series of the competition, the test part after the training part. Their times are nominal.
fn m4(folder: &Path, most: usize) -> anyhow::Result<Vec<(String, Frame)>> {
    let wide = |file: &str| read_wide(folder.join(file), &ReadOptions::default());
    let (train, test) = (wide("m4_hourly_train.csv.gz")?, wide("m4_hourly_test.csv.gz")?);
    anyhow::ensure!(
        train.iter().map(|s| &s.name).eq(test.iter().map(|s| &s.name)),
        "the series of m4_hourly_train.csv.gz and m4_hourly_test.csv.gz are not the same"
    );
    let join = |(before, after): (WideSeries, WideSeries)| {
        let values = before.values.into_iter().chain(after.values);
        let frame = Frame::univariate(Timestamp::EPOCH, HOUR, &before.name, values)?;
        Ok((before.name, frame))
    };
    train.into_iter().zip(test).take(most).map(join).collect()
}

#[cfg(test)]
mod tests {
    use foresail_forecast::suite::{pooled, score, textbook_naive};

    use super::*;

    /// The seasonal naive forecast gives the published figures on the sets whose data is that of GIFT-Eval.
    #[test]
    fn the_published_baseline_is_reproduced() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/traces/forecast"));
        if !folder.is_dir() {
            println!("skipped: no traces in {}", folder.display());
            return;
        }
        let naive = PUBLISHED.iter().find(|row| row.model == "Seasonal naive").expect("the baseline was published");
        for (set, (mase, wql)) in load(folder, &[], usize::MAX).expect("the files").iter().zip(naive.sets) {
            let got = pooled(&score(set, &textbook_naive(set)));
            // GIFT-Eval sums quarter hours to the hours of ett1; the file has hourly readings.
            let within = if set.name() == "ett1/H" { 0.06 } else { 0.000_5 };
            let close = |got: Option<f64>, published: f64| (got.expect("defined") / published - 1.0).abs() < within;
            assert!(mase.is_none_or(|mase| close(got.mase, mase)), "{}: {got:?}", set.name());
            assert!(wql.is_none_or(|wql| close(got.wql, wql)), "{}: {got:?}", set.name());
        }
    }

    #[test]
    fn a_wrong_set_is_answered_with_those_there_are() {
        let said = load(Path::new("."), &["m5".into()], 1).expect_err("no such set").to_string();
        assert!(said.contains("accepted are m4_hourly/H, ett1/H"), "{said}");
    }
}

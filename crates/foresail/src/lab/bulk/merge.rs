//! Parts made one table, and what it says.

use std::path::{Path, PathBuf};

use foresail_forecast::metrics::{geometric_mean, median};
use foresail_store::{ResultRow, ResultWriter, read_results};
use serde::Serialize;

use super::Manifest;
use super::chunk::{figure, schema};
use super::run::part;

/// What models are measured against, where it is among them.
const BASELINE: &str = "seasonal_naive";
/// Places in a row of results.
const MODEL: usize = 2;
const ERROR: usize = 3;

/// Models over all series of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Summary {
    /// Files of the run.
    pub(crate) files: usize,
    /// Series that were tested.
    pub(crate) series: usize,
    /// Files and series that could not be.
    pub(crate) failed: usize,
    /// The first of those, with the reason.
    pub(crate) first_failure: Option<String>,
    /// What relative figures are relative to.
    pub(crate) baseline: Option<&'static str>,
    /// The models, in their order.
    pub(crate) models: Vec<ModelSummary>,
}

/// A model over all series.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ModelSummary {
    pub(crate) model: String,
    pub(crate) series: usize,
    pub(crate) median_mase: Option<f64>,
    /// Geometric mean of the ratios to the baseline, over the series on which both errors are above 0.
    pub(crate) relative_mase: Option<f64>,
    pub(crate) relative_wql: Option<f64>,
    /// Mean over the series.
    pub(crate) covered_90: Option<f64>,
    pub(crate) degraded_windows: f64,
}

/// Joins the parts that lie in `folders`, in their order, to the table `target`. Memory holds one part, and four figures a
/// series and model.
///
/// # Errors
/// If parts are missing, saying which; if one cannot be read or the table not be written.
pub(crate) fn merge(manifest: &Manifest, folders: &[PathBuf], target: &Path) -> anyhow::Result<Summary> {
    let find = |chunk: usize| folders.iter().map(|folder| part(folder, chunk)).find(|path| path.is_file());
    let parts: Vec<Option<PathBuf>> = (0..manifest.chunks()).map(find).collect();
    let missing: Vec<usize> = (0..parts.len()).filter(|chunk| parts[*chunk].is_none()).collect();
    if let Some(first) = missing.first() {
        let (count, all) = (missing.len(), parts.len());
        let name = part(Path::new(""), *first);
        anyhow::bail!(
            "{count} of {all} parts are missing, the first is {}; run the shards they belong to",
            name.display()
        );
    }
    let mut writer = ResultWriter::create(target, &schema())?;
    let mut tally = Tally::default();
    for path in parts.into_iter().flatten() {
        let rows = read_results(&path, &schema())?;
        rows.iter().for_each(|row| tally.take(row));
        tally.settle();
        writer.push(&rows)?;
    }
    writer.finish()?;
    Ok(tally.summary(manifest.files.len()))
}

/// Figures gathered row by row; rows of a series follow one another.
#[derive(Default)]
struct Tally {
    /// File and series of the rows being gathered.
    current: Option<(String, String)>,
    /// Their models and figures: scaled error, quantile loss, coverage.
    pending: Vec<(String, [Option<f64>; 3])>,
    series: usize,
    failed: usize,
    first_failure: Option<String>,
    models: Vec<(String, Gathered)>,
}

#[derive(Default)]
struct Gathered {
    series: usize,
    mase: Vec<f64>,
    ratios: [Vec<f64>; 2],
    covered: f64,
    covered_of: usize,
    degraded: f64,
}

impl Tally {
    fn take(&mut self, row: &ResultRow) {
        if row.texts[MODEL].is_empty() {
            self.failed += 1;
            let (file, series, why) = (&row.texts[0], &row.texts[1], &row.texts[ERROR]);
            let place = if series.is_empty() { file.clone() } else { format!("{file}, series {series:?}") };
            self.first_failure.get_or_insert_with(|| format!("{place}: {why}"));
            return;
        }
        let key = Some((row.texts[0].clone(), row.texts[1].clone()));
        if self.current != key {
            self.settle();
            self.current = key;
            self.series += 1;
        }
        let figures = ["mase", "wql", "covered_90"].map(|name| figure(row, name));
        self.pending.push((row.texts[MODEL].clone(), figures));
        self.of(&row.texts[MODEL]).degraded += figure(row, "degraded_windows").unwrap_or(0.0);
    }

    fn of(&mut self, model: &str) -> &mut Gathered {
        let place = self.models.iter().position(|(name, _)| name == model).unwrap_or_else(|| {
            self.models.push((model.to_owned(), Gathered::default()));
            self.models.len() - 1
        });
        &mut self.models[place].1
    }

    /// Compares the models of the series that has ended.
    fn settle(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let baseline = pending.iter().find(|(name, _)| name == BASELINE).map(|(_, figures)| *figures);
        for (name, figures) in pending {
            let gathered = self.of(&name);
            gathered.series += 1;
            gathered.mase.extend(figures[0]);
            gathered.covered += figures[2].unwrap_or(0.0);
            gathered.covered_of += usize::from(figures[2].is_some());
            for (i, ratios) in gathered.ratios.iter_mut().enumerate() {
                let ratio = figures[i].zip(baseline.and_then(|base| base[i])).map(|(own, base)| own / base);
                ratios.extend(ratio.filter(|ratio| ratio.is_finite() && *ratio > 0.0));
            }
        }
        self.current = None;
    }

    fn summary(self, files: usize) -> Summary {
        let has_baseline = self.models.iter().any(|(name, _)| name == BASELINE);
        let model = |(model, found): (String, Gathered)| {
            let [mase, wql] = found.ratios;
            ModelSummary {
                model,
                series: found.series,
                median_mase: median(&found.mase),
                relative_mase: geometric_mean(mase),
                relative_wql: geometric_mean(wql),
                covered_90: (found.covered_of > 0).then(|| found.covered / found.covered_of as f64),
                degraded_windows: found.degraded,
            }
        };
        Summary {
            files,
            series: self.series,
            failed: self.failed,
            first_failure: self.first_failure,
            baseline: has_baseline.then_some(BASELINE),
            models: self.models.into_iter().map(model).collect(),
        }
    }
}

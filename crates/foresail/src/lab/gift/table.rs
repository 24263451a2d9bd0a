//! Models beside each other on the sets of the suite.

use foresail_forecast::suite::{
    Dataset, Interval, LEVELS, Pooled, Quantiles, WindowScore, Worst, pooled, relative, score, textbook_naive,
    worst_window,
};
use serde::Serialize;

/// What a model forecast of the sets; none where it has not run.
pub(crate) struct Entry {
    /// Its name.
    pub(crate) model: String,
    /// The library it comes from; Foresail's own have none.
    pub(crate) library: Option<String>,
    /// How it was set up, where that matters.
    pub(crate) note: String,
    /// By set.
    pub(crate) sets: Vec<Option<Measured>>,
}

/// Forecasts of a set, and what they cost.
pub(crate) struct Measured {
    /// The forecasts, in the order of the windows; none for a window that was left out.
    pub(crate) predictions: Vec<Option<Vec<Quantiles>>>,
    /// CPU time of the process for all of them.
    pub(crate) cpu_s: f64,
    /// Windows on which a peer gave way to the seasonal naive forecast.
    pub(crate) fallbacks: usize,
}

/// The JSON document.
#[derive(Serialize)]
pub(crate) struct Table {
    suite: &'static str,
    /// What relative figures are relative to.
    pub(crate) baseline: &'static str,
    /// The sets.
    pub(crate) sets: Vec<SetLine>,
    /// The models, in the order given.
    pub(crate) models: Vec<Line>,
}

/// A set and the baseline on it.
#[derive(Serialize)]
pub(crate) struct SetLine {
    pub(crate) set: String,
    pub(crate) series: usize,
    pub(crate) windows: usize,
    pub(crate) horizon: usize,
    pub(crate) season: usize,
    #[serde(flatten)]
    pub(crate) baseline: Pooled,
}

/// A model over all sets.
#[derive(Serialize)]
pub(crate) struct Line {
    pub(crate) model: String,
    pub(crate) library: Option<String>,
    pub(crate) note: String,
    /// Geometric mean of the scaled errors over those of the baseline; none unless it ran on every set.
    pub(crate) relative_mase: Option<Interval>,
    /// The same of the weighted quantile losses.
    pub(crate) relative_wql: Option<Interval>,
    /// The first model's errors over this one's, on the windows that both forecast.
    pub(crate) first_over_it: Option<Ratio>,
    pub(crate) cpu_s: f64,
    pub(crate) sets: Vec<Option<Cell>>,
}

/// One model's errors over another's: geometric means over the sets.
#[derive(Serialize)]
pub(crate) struct Ratio {
    pub(crate) mase: Interval,
    pub(crate) wql: Interval,
}

/// A model on a set.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) set: String,
    /// That it forecast.
    pub(crate) windows: usize,
    #[serde(flatten)]
    pub(crate) figures: Pooled,
    pub(crate) worst_window: Option<Worst>,
    pub(crate) cpu_s: f64,
    pub(crate) fallbacks: usize,
}

impl Table {
    /// Scores `entries` on `sets`.
    pub(crate) fn new(sets: &[Dataset], entries: &[Entry]) -> Self {
        let naive = |set| Some(score(set, &textbook_naive(set)).into_iter().map(Some).collect());
        let baselines: Vec<Scores> = sets.iter().map(naive).collect();
        let set_line = |(set, scores): (&Dataset, &Scores)| SetLine {
            set: set.name().to_owned(),
            series: set.series().len(),
            windows: set.windows(),
            horizon: set.horizon(),
            season: set.season(),
            baseline: pooled(scores.iter().flatten().flatten()),
        };
        Self {
            suite: "gift5",
            baseline: "seasonal naive with normal intervals",
            sets: sets.iter().zip(&baselines).map(set_line).collect(),
            models: {
                let scores: Vec<Vec<Scores>> = entries.iter().map(|entry| scores_of(sets, entry)).collect();
                let first = scores.first().map(Vec::as_slice).unwrap_or_default();
                entries.iter().zip(&scores).map(|(entry, own)| Line::new(sets, &baselines, first, entry, own)).collect()
            },
        }
    }
}

/// Of each window of a set, the score of a model; none if it left that out. None if it left the set out.
type Scores = Option<Vec<Option<WindowScore>>>;

fn scores_of(sets: &[Dataset], entry: &Entry) -> Vec<Scores> {
    let of_set = |(set, measured): (&Dataset, &Option<Measured>)| {
        let predictions = &measured.as_ref()?.predictions;
        // A window that was left out is scored as nothing, and that score thrown away.
        let nothing = vec![[0.0; LEVELS.len()]; set.horizon()];
        let filled = predictions.iter().map(|steps| steps.clone().unwrap_or_else(|| nothing.clone())).collect();
        let scores = score(set, &filled);
        Some(scores.into_iter().zip(predictions).map(|(score, steps)| steps.is_some().then_some(score)).collect())
    };
    sets.iter().zip(&entry.sets).map(of_set).collect()
}

/// The scores of two models on the windows of a set that both forecast.
fn both(own: &[Option<WindowScore>], other: &[Option<WindowScore>]) -> (Vec<WindowScore>, Vec<WindowScore>) {
    own.iter().zip(other).filter_map(|(a, b)| Some((a.clone()?, b.clone()?))).unzip()
}

/// Errors over errors, joined over all sets; none unless both ran on every set.
fn ratio(sets: &[Dataset], own: &[Scores], other: &[Scores]) -> Option<Ratio> {
    let pairs: Vec<_> =
        own.iter().zip(other).map(|(own, other)| Some(both(own.as_ref()?, other.as_ref()?))).collect::<Option<_>>()?;
    let compared: Vec<_> = sets.iter().zip(&pairs).map(|(set, (a, b))| (set, a.as_slice(), b.as_slice())).collect();
    let mase = relative(&compared, |figures| figures.mase)?;
    Some(Ratio { mase, wql: relative(&compared, |figures| figures.wql)? })
}

impl Line {
    fn new(sets: &[Dataset], baselines: &[Scores], first: &[Scores], entry: &Entry, own: &[Scores]) -> Self {
        let over_naive = ratio(sets, own, baselines);
        let cells = (0..sets.len()).map(|i| {
            let (own, base) = both(own[i].as_ref()?, baselines[i].as_ref()?);
            Some(cell(&sets[i], &own, &base, entry.sets[i].as_ref()?))
        });
        Self {
            model: entry.model.clone(),
            library: entry.library.clone(),
            note: entry.note.clone(),
            relative_mase: over_naive.as_ref().map(|ratio| ratio.mase),
            relative_wql: over_naive.as_ref().map(|ratio| ratio.wql),
            first_over_it: ratio(sets, first, own),
            cpu_s: entry.sets.iter().flatten().map(|measured| measured.cpu_s).sum(),
            sets: cells.collect(),
        }
    }

    /// The window on which it did worst, over all sets.
    pub(crate) fn worst(&self) -> Option<&Worst> {
        let worst = self.sets.iter().flatten().filter_map(|cell| cell.worst_window.as_ref());
        worst.max_by(|a, b| a.ratio.total_cmp(&b.ratio))
    }
}

fn cell(set: &Dataset, own: &[WindowScore], base: &[WindowScore], measured: &Measured) -> Cell {
    Cell {
        set: set.name().to_owned(),
        windows: own.len(),
        figures: pooled(own),
        worst_window: worst_window(set, own, base),
        cpu_s: measured.cpu_s,
        fallbacks: measured.fallbacks,
    }
}

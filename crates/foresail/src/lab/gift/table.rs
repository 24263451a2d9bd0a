//! Models beside each other on the sets of the suite.

use foresail_forecast::suite::{
    Dataset, Interval, Pooled, Predictions, WindowScore, Worst, pooled, relative, score, textbook_naive, worst_window,
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
    /// The forecasts.
    pub(crate) predictions: Predictions,
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
    pub(crate) cpu_s: f64,
    pub(crate) sets: Vec<Option<Cell>>,
}

/// A model on a set.
#[derive(Serialize)]
pub(crate) struct Cell {
    pub(crate) set: String,
    #[serde(flatten)]
    pub(crate) figures: Pooled,
    pub(crate) worst_window: Option<Worst>,
    pub(crate) cpu_s: f64,
    pub(crate) fallbacks: usize,
}

impl Table {
    /// Scores `entries` on `sets`.
    pub(crate) fn new(sets: &[Dataset], entries: &[Entry]) -> Self {
        let baselines: Vec<Vec<WindowScore>> = sets.iter().map(|set| score(set, &textbook_naive(set))).collect();
        let set_line = |(set, scores): (&Dataset, &Vec<WindowScore>)| SetLine {
            set: set.name().to_owned(),
            series: set.series().len(),
            windows: set.windows(),
            horizon: set.horizon(),
            season: set.season(),
            baseline: pooled(scores),
        };
        Self {
            suite: "gift5",
            baseline: "seasonal naive with normal intervals",
            sets: sets.iter().zip(&baselines).map(set_line).collect(),
            models: entries.iter().map(|entry| Line::new(sets, &baselines, entry)).collect(),
        }
    }
}

impl Line {
    fn new(sets: &[Dataset], baselines: &[Vec<WindowScore>], entry: &Entry) -> Self {
        let scores: Vec<Option<Vec<WindowScore>>> = sets
            .iter()
            .zip(&entry.sets)
            .map(|(set, measured)| measured.as_ref().map(|measured| score(set, &measured.predictions)))
            .collect();
        let of_sets = sets.iter().zip(&scores).zip(baselines);
        let compared: Option<Vec<_>> =
            of_sets.map(|((set, own), base)| Some((set, own.as_deref()?, base.as_slice()))).collect();
        Self {
            model: entry.model.clone(),
            library: entry.library.clone(),
            note: entry.note.clone(),
            relative_mase: compared.as_ref().and_then(|sets| relative(sets, |figures| figures.mase)),
            relative_wql: compared.as_ref().and_then(|sets| relative(sets, |figures| figures.wql)),
            cpu_s: entry.sets.iter().flatten().map(|measured| measured.cpu_s).sum(),
            sets: (0..sets.len())
                .map(|i| Some(cell(&sets[i], scores[i].as_deref()?, &baselines[i], entry.sets[i].as_ref()?)))
                .collect(),
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
        figures: pooled(own),
        worst_window: worst_window(set, own, base),
        cpu_s: measured.cpu_s,
        fallbacks: measured.fallbacks,
    }
}

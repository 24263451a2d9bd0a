//! From series to a trained model.

use std::fmt;

use foresail_core::{Frame, SeededRng};
use foresail_learn::boosting::{Boosting, BoostingParams, Objective};
use foresail_learn::forest::Matrix;
use serde::{Deserialize, Serialize};

use super::super::clock::Clock;
use super::super::gaps::fill;
use super::super::live::magnitude;
use super::features;
use super::layout::Layout;
use super::linear::{Fit, Linear, Table};
use super::window::{FARTHEST, Norm, View, norms};

/// Windows that are learned from at most, and those needed for trees.
const WINDOWS: usize = 12_000;
const ENOUGH: usize = 100;
/// Leads of a window that the trees learn from.
const LEADS: usize = 4;
/// Share of a window's rows that must have been seen.
const SEEN: f64 = 0.7;
/// Levels that are answered.
pub(super) const LEVELS: [f64; 11] = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];
/// Values are cut at so many times the magnitude of their series.
pub(super) const CUT: f64 = 1e9;

/// A norm whose linear part errs more by this share than the best weighs e^-1 of it, and one that errs three times as much
/// more is left out.
const WORSE: f64 = 0.04;

/// What was learned from all series together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trained {
    pub(super) layout: Layout,
    /// The norm that the trees and the forecast go by.
    pub(super) norm: Norm,
    /// Linear parts that are averaged; none if there was nothing to learn.
    linear: Vec<Part>,
    pub(super) trees: Option<Boosting>,
}

/// What is said of windows of one norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Part {
    norm: Norm,
    weight: f64,
    linear: Linear,
}

/// A linear fit to the windows of one norm.
struct NormFit {
    norm: Norm,
    /// For each window, its row in the table, if it varies.
    rows: Vec<Option<usize>>,
    fit: Fit,
}

/// A series in units of its magnitude, its gaps filled.
struct Series {
    values: Vec<f64>,
    seen: Vec<bool>,
    clock: Clock,
    /// Mean distance of one season (or row) to the next: what an error is measured by.
    usual: f64,
}

impl Series {
    fn new(history: &Frame, season: usize) -> Option<Self> {
        let scale = magnitude(history);
        let values = filled(history, scale)?;
        let step = season.max(1);
        let moves = values.windows(step + 1).map(|w| (w[step] - w[0]).abs());
        let usual = moves.sum::<f64>() / values.len().saturating_sub(step).max(1) as f64;
        Some(Self { values, seen: history.target_mask().to_vec(), clock: Clock::at_start(history), usual })
    }
}

/// Values over `scale`, gaps filled; `None` if nothing was seen.
pub(super) fn filled(history: &Frame, scale: f64) -> Option<Vec<f64>> {
    let seen = history.target_mask();
    let (first, last) = (seen.iter().position(|s| *s)?, seen.iter().rposition(|s| *s)?);
    let mut values: Vec<f64> = history.target().iter().map(|value| (value / scale).clamp(-CUT, CUT)).collect();
    fill(&mut values[first..=last], &seen[first..=last]);
    Some(values)
}

/// One window: its series and its origin.
#[derive(Clone, Copy)]
struct Window {
    series: usize,
    origin: usize,
}

impl Trained {
    pub(super) fn new(histories: &[Frame], layout: Layout, rng: &mut SeededRng) -> Self {
        let series: Vec<Series> = histories.iter().filter_map(|history| Series::new(history, layout.season)).collect();
        let windows = windows(&series, &layout);
        let mut fits: Vec<NormFit> = norms(&layout)
            .iter()
            .filter_map(|norm| {
                let (rows, table) = table(&series, &layout, *norm, &windows);
                Some(NormFit { norm: *norm, rows, fit: Linear::fit(&table)? })
            })
            .collect();
        fits.sort_by(|a, b| a.fit.loss.total_cmp(&b.fit.loss));
        let Some(best) = fits.first() else {
            // Nothing to learn: the last season, or the last value, is repeated.
            let norm = norms(&layout)[norms(&layout).len() - 1];
            return Self { layout, norm, linear: Vec::new(), trees: None };
        };
        let (norm, loss) = (best.norm, best.fit.loss.max(f64::MIN_POSITIVE));
        let weight = |fit: &NormFit| (-(fit.fit.loss / loss - 1.0) / WORSE).exp();
        fits.retain(|fit| fit.norm == norm || weight(fit) > (-3.0_f64).exp());
        let weights: Vec<f64> = fits.iter().map(weight).collect();
        let trees = trees(&series, &layout, &windows, &fits, &weights, rng);
        let part = |(fit, weight): (NormFit, f64)| Part { norm: fit.norm, weight, linear: fit.fit.linear };
        Self { layout, norm, linear: fits.into_iter().zip(weights).map(part).collect(), trees }
    }

    /// What the linear parts say of a window: the distance from its level of each row ahead, in its unit.
    pub(super) fn said(&self, view: &View<'_>) -> Vec<f32> {
        let mut mean = Mean::new(self.layout.horizon);
        for part in &self.linear {
            let Some(own) = View::new(part.norm, &self.layout, view.past) else { continue };
            let mut numbers = Vec::with_capacity(self.layout.width() + 1);
            own.write(&self.layout, &mut numbers);
            mean.add(view, &own, part.weight, &part.linear.predict(&numbers));
        }
        mean.of(view)
    }

    /// Whether the parts of a restored one fit together.
    pub(super) fn is_sound(&self) -> bool {
        let (width, heads) = (features::WIDTH, LEVELS.len());
        self.layout.is_sound()
            && norms(&self.layout).contains(&self.norm)
            && self.linear.iter().all(|part| {
                norms(&self.layout).contains(&part.norm)
                    && part.weight > 0.0
                    && part.linear.is_sound(self.layout.width() + 1, self.layout.horizon)
            })
            && self.trees.as_ref().is_none_or(|t| t.features() == width && t.heads() == heads)
    }
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows ahead from {};", self.layout.horizon, self.layout.context)?;
        for part in &self.linear {
            write!(f, " linear by {:?} {:.2},", part.norm, part.weight)?;
        }
        write!(f, " {} trees", self.trees.as_ref().map_or(0, Boosting::rounds))
    }
}

/// A weighted mean of what several linear parts say.
struct Mean {
    sums: Vec<f64>,
    weight: f64,
}

impl Mean {
    fn new(horizon: usize) -> Self {
        Self { sums: vec![0.0; horizon], weight: 0.0 }
    }

    /// Adds what was said of a window as `own` sees it; levels are the same, units need not be.
    fn add(&mut self, view: &View<'_>, own: &View<'_>, weight: f64, said: &[f32]) {
        for (ahead, (sum, said)) in self.sums.iter_mut().zip(said).enumerate() {
            *sum += weight * (f64::from(*said) + own.base(ahead)) * own.unit / view.unit;
        }
        self.weight += weight;
    }

    /// The mean; the base if nothing was said.
    fn of(&self, view: &View<'_>) -> Vec<f32> {
        if self.weight > 0.0 {
            return self.sums.iter().map(|sum| (sum / self.weight) as f32).collect();
        }
        (0..self.sums.len()).map(|ahead| view.base(ahead) as f32).collect()
    }
}

/// The windows to learn from, in the order of time: evenly spread over all series, ending with the last of each.
fn windows(series: &[Series], layout: &Layout) -> Vec<Window> {
    let last = |series: &Series| series.values.len().checked_sub(layout.horizon).filter(|last| *last >= layout.context);
    let all: usize = series.iter().filter_map(|s| Some(last(s)? - layout.context + 1)).sum();
    let step = all.div_ceil(WINDOWS).max(1);
    let mut windows = Vec::new();
    for (number, one) in series.iter().enumerate() {
        let Some(last) = last(one) else { continue };
        let origins = (layout.context..=last).rev().step_by(step);
        windows.extend(
            origins.filter(|origin| is_seen(one, layout, *origin)).map(|origin| Window { series: number, origin }),
        );
    }
    windows.sort_by_key(|w| (series[w.series].clock.time(w.origin), w.series));
    windows
}

fn is_seen(series: &Series, layout: &Layout, origin: usize) -> bool {
    let rows = &series.seen[origin - layout.context..origin + layout.horizon];
    rows.iter().filter(|seen| **seen).count() as f64 >= SEEN * rows.len() as f64
}

/// The table of the windows that vary, and for each window its row there.
fn table(series: &[Series], layout: &Layout, norm: Norm, windows: &[Window]) -> (Vec<Option<usize>>, Table) {
    let mut table = Table::new(layout.width() + 1, layout.horizon);
    let mut rows = Vec::with_capacity(windows.len());
    for window in windows {
        let one = &series[window.series];
        let Some(view) = View::new(norm, layout, &one.values[..window.origin]) else {
            rows.push(None);
            continue;
        };
        rows.push(Some(table.len()));
        let worth = if one.usual > 0.0 { view.unit / one.usual } else { 1.0 };
        table.push(worth, |row| {
            view.write(layout, row);
            let targets = one.values[window.origin..window.origin + layout.horizon].iter().enumerate();
            row.extend(targets.map(|(ahead, value)| view.target(*value, ahead) as f32));
        });
    }
    (rows, table)
}

/// Trees that learn what the linear parts, fitted on other stretches of time, get wrong. The first of `fits` sets the norm.
fn trees(
    series: &[Series],
    layout: &Layout,
    windows: &[Window],
    fits: &[NormFit],
    weights: &[f64],
    rng: &mut SeededRng,
) -> Option<Boosting> {
    let norm = fits.first()?.norm;
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for (number, window) in windows.iter().enumerate() {
        let one = &series[window.series];
        let past = &one.values[..window.origin];
        let Some(view) = View::new(norm, layout, past) else { continue };
        let mut mean = Mean::new(layout.horizon);
        for (fit, weight) in fits.iter().zip(weights) {
            let row = fit.rows[number].map(|row| row * layout.horizon..(row + 1) * layout.horizon);
            if let (Some(row), Some(own)) = (row, View::new(fit.norm, layout, past)) {
                mean.add(&view, &own, *weight, &fit.fit.cross_fitted[row]);
            }
        }
        let said = mean.of(&view);
        let shared = features::shared(layout, &view, &said);
        let index = grid_index(&one.clock, window.origin);
        for _ in 0..LEADS.min(layout.horizon) {
            let ahead = rng.below(layout.horizon);
            if one.seen[window.origin + ahead] {
                rows.extend_from_slice(&shared);
                features::own(layout, &view, &said, index, ahead, &mut rows);
                let off = view.of(one.values[window.origin + ahead]) - f64::from(said[ahead]);
                targets.push(off.clamp(-FARTHEST, FARTHEST));
            }
        }
    }
    if targets.len() < ENOUGH {
        return None;
    }
    let params = BoostingParams {
        rounds: (targets.len() / 20).clamp(30, 400),
        learning_rate: 0.08,
        min_leaf: (targets.len() / 500).clamp(10, 60),
        row_share: 0.7,
        feature_share: 0.6,
        max_bins: 63,
        tail_share: 0.15,
        patience: 4,
        ..BoostingParams::default()
    };
    let rows = Matrix::new(&rows, features::WIDTH).ok()?;
    Boosting::fit(rows, &targets, &Objective::Quantiles(LEVELS.to_vec()), &params, rng).ok()
}

/// Number of a row since the epoch, the series starting at `clock`.
pub(super) fn grid_index(clock: &Clock, row: usize) -> i64 {
    clock.index().saturating_add(row as i64)
}

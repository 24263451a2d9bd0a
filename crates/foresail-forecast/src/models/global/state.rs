//! A series on its way, forecast by what many taught.

use std::collections::VecDeque;
use std::sync::Arc;

use foresail_core::{Frame, Known, Row};
use serde::{Deserialize, Serialize};

use super::super::clock::Clock;
use super::super::live::{Model, Quantiles, magnitude};
use super::features;
use super::train::{CUT, LEVELS, Trained, filled, grid_index};
use super::window::View;

/// What is kept of one series.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    #[serde(serialize_with = "as_value", deserialize_with = "from_value")]
    trained: Arc<Trained>,
    /// Values are divided by this.
    scale: f64,
    /// The newest rows, gaps filled by what was a season before.
    past: VecDeque<f64>,
}

fn as_value<S: serde::Serializer>(trained: &Arc<Trained>, serializer: S) -> Result<S::Ok, S::Error> {
    trained.serialize(serializer)
}

fn from_value<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Arc<Trained>, D::Error> {
    Trained::deserialize(deserializer).map(Arc::new)
}

impl State {
    /// At the end of `history`; `None` if nothing was seen of it.
    pub(super) fn new(trained: Arc<Trained>, history: &Frame) -> Option<Self> {
        let scale = magnitude(history);
        let mut past: VecDeque<f64> = filled(history, scale)?.into();
        let kept = trained.layout.kept();
        past.drain(..past.len().saturating_sub(kept));
        // What a series is too short for is taken to have been as its first season, or its first value.
        while past.len() < trained.layout.context {
            let season = trained.layout.season;
            let before = if season > 0 { past.get(season - 1) } else { None };
            let value = before.or(past.front()).copied().unwrap_or(0.0);
            past.push_front(value);
        }
        Some(Self { trained, scale, past })
    }

    /// The next values, and their quantiles at [`LEVELS`]: block after block, each going on from the last one's medians.
    fn ahead(&self, clock: &Clock, horizon: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
        let layout = &self.trained.layout;
        let mut past: Vec<f64> = self.past.iter().copied().collect();
        let origin = past.len();
        let mut quantiles = Vec::with_capacity(horizon);
        while past.len() - origin < horizon {
            let done = past.len() - origin;
            let block = layout.horizon.min(horizon - done);
            quantiles.extend(self.block(&past, grid_index(clock, done), block));
            past.extend(quantiles[done..].iter().map(|row| row[LEVELS.len() / 2]));
        }
        let back = |value: &f64| value * self.scale;
        (
            past[origin..].iter().map(back).collect(),
            quantiles.iter().map(|row| row.iter().map(back).collect()).collect(),
        )
    }

    /// Quantiles of the `rows` rows after `past`.
    fn block(&self, past: &[f64], index: i64, rows: usize) -> Vec<Vec<f64>> {
        let trained = &*self.trained;
        let Some(view) = View::new(trained.norm, &trained.layout, past) else {
            return vec![vec![past.last().copied().unwrap_or(0.0); LEVELS.len()]; rows];
        };
        let said = trained.said(&view);
        let Some(trees) = &trained.trees else {
            return said[..rows].iter().map(|said| vec![bounded(view.value(f64::from(*said))); LEVELS.len()]).collect();
        };
        let shared = features::shared(&trained.layout, &view, &said);
        let mut row = Vec::with_capacity(features::WIDTH);
        let mut answer = [0.0; LEVELS.len()];
        said[..rows]
            .iter()
            .enumerate()
            .map(|(ahead, said_here)| {
                row.clear();
                row.extend_from_slice(&shared);
                features::own(&trained.layout, &view, &said, index, ahead, &mut row);
                trees.predict_into(&row, &mut answer);
                answer.iter().map(|off| bounded(view.value(f64::from(*said_here) + off))).collect()
            })
            .collect()
    }
}

/// Within what numbers of a series can be.
fn bounded(value: f64) -> f64 {
    value.clamp(-CUT, CUT)
}

impl Model for State {
    const NAME: &'static str = "boosting";
    const VERSION: u32 = 1;

    fn push(&mut self, _clock: &Clock, row: &Row) {
        let season = self.trained.layout.season;
        let value = row.target().map(|value| (value / self.scale).clamp(-CUT, CUT));
        let before =
            if season > 0 { self.past.len().checked_sub(season).and_then(|at| self.past.get(at)) } else { None };
        let filled = value.or(before.copied()).or(self.past.back().copied()).unwrap_or(0.0);
        self.past.push_back(filled);
        if self.past.len() > self.trained.layout.kept() {
            self.past.pop_front();
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, _known: &Known) -> Vec<f64> {
        self.ahead(clock, horizon).0
    }

    fn spread(&self, clock: &Clock, horizon: usize, _known: &Known) -> (Vec<f64>, Option<Quantiles>) {
        let (medians, rows) = self.ahead(clock, horizon);
        let own = self.trained.trees.is_some().then(|| Quantiles { levels: LEVELS.to_vec(), rows });
        (medians, own)
    }

    fn is_sound(&self) -> bool {
        self.trained.is_sound() && self.past.len() >= self.trained.layout.context
    }
}

//! What members said at past origins, and what came.

use foresail_core::{Frame, Known, SeededRng};

use super::simplex;
use crate::intervals::LEVELS;
use crate::metrics::median;
use crate::{Fitted, Forecaster};

/// Share of the history that is forecast from within, at most; and how many horizons of it.
const TESTED: f64 = 1.0 / 3.0;
const HORIZONS: usize = 8;
/// Origins to a horizon.
const ORIGINS: usize = 4;
/// Fewer origins than this cannot be held out by turns.
const ENOUGH: usize = 6;
/// Half-life of what an origin counts for, in horizons.
const MEMORY: f64 = 4.0;
/// How much the prior weights are preferred: candidates, as shares of the mean squared error of a member.
const SHRINKAGES: [f64; 6] = [0.01, 0.03, 0.1, 0.3, 1.0, 30.0];
/// Residuals count by one over their size, but none for more than a residual of this share of the usual one.
const SMALLEST: f64 = 0.5;

/// Forecasts of all members from the same origins.
pub(super) struct Trials {
    /// Members there are, with or without a trial.
    pub(super) members: usize,
    /// Steps of each trial.
    pub(super) horizon: usize,
    pub(super) origins: Vec<Origin>,
}

/// Weights of all members, 0 for those that did not take part throughout: not negative, summing to 1.
pub(super) struct Weighed {
    pub(super) all: Vec<f64>,
    /// By origin: what it would have been forecast with.
    pub(super) held_out: Vec<Vec<f64>>,
}

/// One origin.
pub(super) struct Origin {
    /// Its row in the history.
    row: usize,
    /// What came, by step; NaN for a gap.
    pub(super) actual: Vec<f64>,
    /// By member, by step; empty for one that could not take part.
    pub(super) means: Vec<Vec<f64>>,
    /// By member, by step, at [`LEVELS`]; empty for one that gave none.
    pub(super) quantiles: Vec<Vec<Vec<f64>>>,
}

impl Trials {
    /// Fits those of `members` that are `afforded` on the first part of `history` and leads them through the rest.
    pub(super) fn run(
        members: &[Box<dyn Forecaster>],
        afforded: &[bool],
        history: &Frame,
        horizon: usize,
        known: &Known,
        rng: &SeededRng,
    ) -> Self {
        let rows = history.len();
        let tested = ((rows as f64 * TESTED) as usize).min((HORIZONS + 1) * horizon);
        let horizon = horizon.min(tested / 2).max(1);
        let apart = (horizon / ORIGINS).max(1);
        let first = rows - tested;
        let actual = |row: usize| history.target_column().get(row).unwrap_or(f64::NAN);
        let origin = |row: usize| Origin {
            row,
            actual: (row..row + horizon).map(actual).collect(),
            means: vec![Vec::new(); members.len()],
            quantiles: vec![Vec::new(); members.len()],
        };
        // Counted back from the last that the history can judge.
        let mut origins: Vec<Origin> =
            (first..=rows - horizon.min(tested)).rev().step_by(apart).take_while(|_| tested > 0).map(origin).collect();
        origins.reverse();
        let train = history.slice(0..first);
        for (i, model) in members.iter().enumerate().filter(|(i, _)| afforded[*i]) {
            if let Ok(fitted) = model.fit(&train, known, &mut rng.fork(i as u64)) {
                lead(fitted, i, history, first, known, &mut origins);
            }
        }
        Self { members: members.len(), horizon, origins }
    }

    /// Members that took part at every origin, in finite numbers.
    fn sound(&self) -> Vec<usize> {
        let sound = |member: usize| {
            self.origins.iter().all(|origin| {
                origin.means[member].len() == self.horizon && origin.means[member].iter().all(|mean| mean.is_finite())
            })
        };
        (0..self.members).filter(|member| !self.origins.is_empty() && sound(*member)).collect()
    }

    /// Weights of the members: from all origins, and for each origin from those that do not overlap it. They are shrunk
    /// toward those of the member `preferred`, if there is one and it took part, else toward equal ones.
    pub(super) fn weights(&self, preferred: Option<usize>) -> Weighed {
        let sound = self.sound();
        if sound.is_empty() {
            let equal = vec![1.0 / self.members.max(1) as f64; self.members];
            return Weighed { held_out: vec![equal.clone(); self.origins.len()], all: equal };
        }
        let prior: Vec<f64> = match sound.iter().position(|member| Some(*member) == preferred) {
            Some(at) => (0..sound.len()).map(|i| f64::from(u8::from(i == at))).collect(),
            None => vec![1.0 / sound.len() as f64; sound.len()],
        };
        let grams = Grams::of(self, &sound);
        let apart = |held: usize| (0..self.origins.len()).filter(move |at| !self.overlap(held, *at));
        let shrinkage = self.best_shrinkage(&grams, &sound, &prior, apart);
        let from = |origins: Vec<usize>| {
            let mut weights = vec![0.0; self.members];
            let gram = grams.sum(&origins);
            let solved = if origins.len() < ENOUGH {
                bates_granger(&gram, &prior)
            } else {
                simplex::weights(&gram, shrinkage, &prior)
            };
            sound.iter().zip(solved).for_each(|(member, weight)| weights[*member] = weight);
            weights
        };
        Weighed {
            held_out: (0..self.origins.len()).map(|held| from(apart(held).collect())).collect(),
            all: from((0..self.origins.len()).collect()),
        }
    }

    /// The shrinkage under which origins held out by turns are forecast best; of those within a hundredth of it the largest.
    fn best_shrinkage<I: Iterator<Item = usize>>(
        &self,
        grams: &Grams,
        sound: &[usize],
        prior: &[f64],
        apart: impl Fn(usize) -> I,
    ) -> f64 {
        let mut losses = [0.0; SHRINKAGES.len()];
        for (held, origin) in self.origins.iter().enumerate() {
            let rest: Vec<usize> = apart(held).collect();
            if rest.len() < ENOUGH {
                continue;
            }
            let gram = grams.sum(&rest);
            for (loss, shrinkage) in losses.iter_mut().zip(SHRINKAGES) {
                let weights = simplex::weights(&gram, shrinkage, prior);
                *loss += origin.errors(sound, &weights).map(f64::abs).sum::<f64>();
            }
        }
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        let chosen = losses.iter().rposition(|loss| *loss <= 1.01 * best);
        SHRINKAGES[chosen.unwrap_or(SHRINKAGES.len() - 1)]
    }

    fn overlap(&self, one: usize, other: usize) -> bool {
        self.origins[one].row.abs_diff(self.origins[other].row) < self.horizon
    }
}

impl Origin {
    /// Errors of the mix of `members` by `weights`, where something came.
    fn errors<'a>(&'a self, members: &'a [usize], weights: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        self.actual.iter().enumerate().filter(|(_, actual)| !actual.is_nan()).map(move |(step, actual)| {
            let mix: f64 = members.iter().zip(weights).map(|(member, weight)| weight * self.means[*member][step]).sum();
            actual - mix
        })
    }
}

/// Asks a member, which stands at row `row` of `history`, at every origin on its way.
fn lead(
    mut fitted: Box<dyn Fitted>,
    member: usize,
    history: &Frame,
    mut row: usize,
    known: &Known,
    origins: &mut [Origin],
) {
    for origin in origins {
        (row..origin.row).for_each(|row| fitted.update(&history.row(row)));
        row = origin.row;
        let horizon = origin.actual.len();
        let forecast = fitted.predict(horizon, known);
        if !forecast.levels.is_empty() {
            let by_level: Vec<Vec<f64>> = LEVELS.iter().map(|level| forecast.quantile(*level)).collect();
            let of_step = |step: usize| by_level.iter().map(|of_level| of_level[step]).collect();
            origin.quantiles[member] = (0..forecast.horizon()).map(of_step).collect();
        }
        origin.means[member] = forecast.mean;
    }
}

/// For each origin, sums of products of the members' errors (`members × members`). Each step counts by one over how far
/// the members' median was off, so that squares weigh as magnitudes would.
struct Grams {
    by_origin: Vec<Vec<f64>>,
    size: usize,
}

impl Grams {
    fn of(trials: &Trials, sound: &[usize]) -> Self {
        let size = sound.len();
        let mut errors: Vec<Vec<Vec<f64>>> = Vec::new();
        let (mut total, mut count) = (0.0, 0.0);
        for origin in &trials.origins {
            let mut of_origin = Vec::new();
            for (step, actual) in origin.actual.iter().enumerate().filter(|(_, actual)| !actual.is_nan()) {
                let of_step: Vec<f64> = sound.iter().map(|member| actual - origin.means[*member][step]).collect();
                total += median(&of_step).unwrap_or(0.0).abs();
                count += 1.0;
                of_origin.push(of_step);
            }
            errors.push(of_origin);
        }
        let least = (SMALLEST * total / f64::max(count, 1.0)).max(f64::MIN_POSITIVE);
        let newest = trials.origins.last().map_or(0, |origin| origin.row);
        let by_origin = errors.into_iter().zip(&trials.origins).map(|(of_origin, origin)| {
            let mut gram = vec![0.0; size * size];
            let recent = 0.5_f64.powf((newest - origin.row) as f64 / trials.horizon as f64 / MEMORY);
            for errors in of_origin {
                let weight = recent / median(&errors).unwrap_or(0.0).abs().max(least) / least;
                for (i, one) in errors.iter().enumerate() {
                    for (j, other) in errors.iter().enumerate() {
                        gram[i * size + j] += weight * one * other;
                    }
                }
            }
            gram
        });
        Self { by_origin: by_origin.collect(), size }
    }

    fn sum(&self, origins: &[usize]) -> Vec<f64> {
        let mut sum = vec![0.0; self.size * self.size];
        for origin in origins {
            sum.iter_mut().zip(&self.by_origin[*origin]).for_each(|(sum, value)| *sum += value);
        }
        sum
    }
}

/// Weights by the inverse of the mean squared error, averaged with the prior.
fn bates_granger(gram: &[f64], prior: &[f64]) -> Vec<f64> {
    let size = prior.len();
    let squares: Vec<f64> = (0..size).map(|i| gram[i * size + i]).collect();
    let least = 1e-6 * squares.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let inverse: Vec<f64> = squares.iter().map(|square| 1.0 / square.max(least)).collect();
    let sum: f64 = inverse.iter().sum();
    if sum.is_finite() && sum > 0.0 {
        inverse.iter().zip(prior).map(|(weight, prior)| 0.5 * (weight / sum + prior)).collect()
    } else {
        prior.to_vec()
    }
}

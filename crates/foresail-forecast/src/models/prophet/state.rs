//! The fitted model on its way: sums that rows are added to, and the estimate last made of them.

use foresail_core::{Known, Row, SeededRng};
use serde::{Deserialize, Serialize};

use super::super::clock::Clock;
use super::super::live::{Model, Quantiles};
use super::basis::{Basis, Mark};
use super::design::{announced, marks, scaled_values};
use super::options::ProphetOptions;
use super::posterior::{Estimate, Priors, response, solve};
use super::shape::{Parts, Shape};
use super::simulate::Futures;
use super::sums::Sums;
use super::wall::{DAY_US, Wall};
use crate::intervals::LEVELS;

/// Later rows after which the parameters are solved for anew: a day of them, within these bounds.
pub(super) const LEAST_ROWS: usize = 16;

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    pub(super) options: ProphetOptions,
    pub(super) basis: Basis,
    pub(super) shape: Shape,
    pub(super) priors: Priors,
    /// Values are reckoned as (value − floor) / scale.
    pub(super) scale: f64,
    pub(super) floor: f64,
    pub(super) sums: Sums,
    pub(super) estimate: Estimate,
    /// Holidays known when it was fitted, for the rows to come.
    pub(super) marks: Vec<Mark>,
    /// The last values of the history's columns, in the model's units.
    pub(super) held: Vec<f64>,
    pub(super) unsolved: usize,
    pub(super) solve_every: usize,
    pub(super) seed: u64,
}

impl State {
    fn solve(&mut self) {
        self.unsolved = 0;
        // From above, as in a fit; most of the way is behind it.
        let from = 2.0 * self.estimate.sigma * self.estimate.sigma;
        let found = solve(&self.sums, &self.shape, &self.priors, from, &self.estimate.theta);
        self.estimate = found.unwrap_or_else(|| self.estimate.clone());
    }

    /// The next `horizon` values in parts and model units, each with its time.
    fn ahead(&self, clock: &Clock, horizon: usize, known: &Known) -> Vec<(f64, Parts)> {
        if horizon == 0 {
            return Vec::new();
        }
        let mut wall = Wall::new(clock.zone());
        let announced_marks = (!known.holidays.is_empty()).then(|| {
            let range = (wall.local_us(clock.next()) - DAY_US, wall.local_us(clock.time(horizon)) + DAY_US);
            marks(&self.basis, &announced(&self.options, known, clock.zone(), range))
        });
        let marks = announced_marks.as_ref().unwrap_or(&self.marks);
        let mut row = vec![0.0; self.basis.size()];
        let mut held = self.held.clone();
        (0..horizon)
            .map(|ahead| {
                let time = clock.time(ahead);
                scaled_values(&self.basis, &mut held, |scaled| known.signal_at(&scaled.name, time));
                self.basis.write(time, wall.local_us(time), &held, marks, &mut row);
                (self.basis.unit_time(time), self.shape.parts(&self.estimate.theta, &row))
            })
            .collect()
    }

    fn restore_unit(&self, value: f64) -> f64 {
        value * self.scale + self.floor
    }
}

impl Model for State {
    const NAME: &'static str = "prophet";
    const VERSION: u32 = 1;

    fn push(&mut self, clock: &Clock, row: &Row) {
        scaled_values(&self.basis, &mut self.held, |scaled| row.values.get(scaled.column).copied().flatten());
        let Some(value) = row.target() else { return };
        let mut regressors = vec![0.0; self.basis.size()];
        let local_us = Wall::new(clock.zone()).local_us(clock.next());
        self.basis.write(clock.next(), local_us, &self.held, &self.marks, &mut regressors);
        let value = (value - self.floor) / self.scale;
        let response = response(&self.shape, &self.estimate.theta, &mut regressors, value);
        if !response.is_finite() || regressors.iter().any(|x| !x.is_finite()) {
            return;
        }
        self.sums.add(&regressors, response);
        self.unsolved += 1;
        if self.unsolved >= self.solve_every {
            self.solve();
        }
    }

    fn point(&self, clock: &Clock, horizon: usize, known: &Known) -> Vec<f64> {
        self.ahead(clock, horizon, known).iter().map(|(_, parts)| self.restore_unit(parts.value())).collect()
    }

    fn quantiles(&self, clock: &Clock, known: &Known, mean: &[f64]) -> Option<Quantiles> {
        if self.options.samples == 0 {
            return None;
        }
        let futures = Futures {
            shape: &self.shape,
            changes: &self.estimate.theta[self.shape.changes.clone()],
            now: self.basis.unit_time(clock.next() - clock.step()).max(1.0),
            sigma: self.estimate.sigma,
            samples: self.options.samples,
            rng: SeededRng::seed_from_u64(self.seed),
        };
        let mut rows = futures.quantiles(self.ahead(clock, mean.len(), known).into_iter());
        rows.iter_mut().flatten().for_each(|v| *v = self.restore_unit(*v));
        Some(Quantiles { levels: LEVELS.to_vec(), rows })
    }

    fn is_sound(&self) -> bool {
        let size = self.basis.size();
        self.basis.is_sound()
            && self.shape.is_sound(size)
            && self.shape.changes == self.basis.changes()
            && self.priors.is_sound(size)
            && self.sums.is_sound(size)
            && self.estimate.theta.len() == size
            && self.estimate.sigma > 0.0
            && self.marks.iter().all(|(_, column)| *column < self.basis.holidays.len())
            && self.held.len() == self.basis.scaled.len()
            && self.solve_every > 0
            && self.options.check().is_ok()
    }
}

//! The ensemble before it has seen data.

use foresail_core::{Frame, Known, SeededRng};

use super::fitted::FittedEnsemble;
use crate::intervals::day_in_rows;
use crate::wrapped::{fit_and_lead, own};
use crate::{Error, Fitted, Forecaster};

/// Names of the models mixed by default. The random forest is left out: an update of it costs more than of all these
/// together.
pub const MEMBERS: [&str; 10] = [
    "last_value",
    "seasonal_naive",
    "linear_trend",
    "pattern",
    "level_shape",
    "holt_winters",
    "ets",
    "ridge",
    "mstl",
    "auto_theta",
];

/// What weights are learned from at most when fitting, in days.
const STREAMED_DAYS: f64 = 7.0;

/// A mix of models, named `ensemble`.
pub struct Ensemble {
    members: Vec<Box<dyn Forecaster>>,
    horizon: usize,
}

impl Ensemble {
    /// Mixes `members`, weighing them by how they forecast up to `horizon` steps ahead (at least 1); longer forecasts use
    /// the weights of the longest step judged.
    pub fn new(members: Vec<Box<dyn Forecaster>>, horizon: usize) -> Self {
        Self { members, horizon: horizon.max(1) }
    }

    /// Each member fitted on `history`, or why not; and how many could be.
    fn fit_members(&self, history: &Frame, known: &Known, rng: &SeededRng) -> (Vec<Member>, usize) {
        let members: Vec<Member> = self
            .members
            .iter()
            .enumerate()
            .map(|(i, model)| Member {
                name: model.name().to_owned(),
                fitted: model.fit(history, known, &mut rng.fork(i as u64)).map_err(|error| error.to_string()),
            })
            .collect();
        let count = members.iter().filter(|member| member.fitted.is_ok()).count();
        (members, count)
    }
}

/// A member, or why there is none.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) fitted: Result<Box<dyn Fitted>, String>,
}

impl Forecaster for Ensemble {
    fn name(&self) -> &str {
        FittedEnsemble::MODEL
    }

    /// Fits the members on the first part of `history`, learns weights from how they forecast the rest, then fits them on
    /// everything. Members that cannot be fitted are left out and named in [`crate::Forecast::degraded`].
    ///
    /// # Errors
    /// [`Error::TooShort`] if no member can be fitted.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let rows = history.len();
        let streamed = (STREAMED_DAYS * day_in_rows(history)) as usize;
        let first = rows.saturating_sub(streamed).max(rows / 4);
        let (members, count) = self.fit_members(&history.slice(0..first), known, rng);
        if count > 0 && first < rows {
            let mut ensemble = FittedEnsemble::new(members, &history.slice(0..first), self.horizon, known);
            (first..rows).for_each(|i| ensemble.update(&history.row(i)));
            self.refit_members(&mut ensemble, history, rows, known, rng);
            return Ok(Box::new(ensemble));
        }
        let (members, count) = self.fit_members(history, known, rng);
        if count == 0 {
            let got = history.target_mask().iter().filter(|valid| **valid).count();
            return Err(Error::TooShort { needed: got + 1, got });
        }
        Ok(Box::new(FittedEnsemble::new(members, history, self.horizon, known)))
    }

    /// Fits the members anew; weights are kept. A member that cannot be goes on as it is.
    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        match own::<FittedEnsemble>(fitted) {
            Some(ensemble) if ensemble.members().map(|m| m.name.as_str()).eq(self.members.iter().map(|m| m.name())) => {
                self.refit_members(ensemble, history, train, known, rng);
            }
            _ => *fitted = self.fit(history, known, rng)?,
        }
        Ok(())
    }
}

impl Ensemble {
    fn refit_members(
        &self,
        ensemble: &mut FittedEnsemble,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &SeededRng,
    ) {
        let now = ensemble.known_mut();
        now.clone_from(known);
        for (i, (model, member)) in self.members.iter().zip(ensemble.members_mut()).enumerate() {
            let mut rng = rng.fork(i as u64);
            match &mut member.fitted {
                Ok(fitted) => {
                    // A refusal leaves the member as it was.
                    let _ = model.refit(fitted, history, train, known, &mut rng);
                }
                Err(_) => {
                    let fresh = fit_and_lead(model.as_ref(), history, train, known, &mut rng);
                    member.fitted = fresh.map_err(|error| error.to_string());
                }
            }
        }
        ensemble.forget_latest();
    }
}

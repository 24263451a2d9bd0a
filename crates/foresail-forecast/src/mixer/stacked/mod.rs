//! A combination of models fitted from a history alone: for long forecasts of which few will ever be judged.
//!
//! The online mix needs rounds to learn from; a series that is forecast once, two days ahead, gives it none. Stacking takes
//! them from the past: members are fitted on the first part of the history, led through the rest, and asked at several
//! origins on the way (rolling-origin evaluation; Tashman, "Out-of-sample tests of forecasting accuracy", 2000). Their
//! errors there give weights that are not negative and sum to one, shrunk toward the online mix if that is a member, else
//! toward equal ones, by as much as held-out origins say (Timmermann, "Forecast combinations", 2006, §3–4), and the spread of the combination: the members' quantiles are
//! averaged level by level (Vincentization; Lichtendahl, Grushka-Cockayne & Winkler, "Is it better to average
//! probabilities or quantiles?", 2013) and stretched to what the combination missed at those origins. With too few origins
//! for that, weights are the inverse of the squared errors (Bates & Granger, "The combination of forecasts", 1969).
//!
//! ```
//! use foresail_core::{Frame, Known, SeededRng};
//! use foresail_forecast::mixer::Stacked;
//! use foresail_forecast::models::{LastValue, LinearTrend};
//! use foresail_forecast::Forecaster;
//!
//! let stacked = Stacked::new(vec![Box::new(LastValue), Box::new(LinearTrend::new())], 30);
//! let history = Frame::from_values((0..300).map(|i| 50.0 + 0.1 * f64::from(i)));
//! let fitted = stacked.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(1)).unwrap();
//! assert!((fitted.predict(30, &Known::none()).mean[29] - 82.9).abs() < 0.5); // a line: the trend has won
//! ```

mod fitted;
mod simplex;
mod spread;
mod trials;

use std::time::Duration;

use foresail_core::{Frame, Known, SeededRng};

pub use fitted::FittedStacked;
use fitted::State;
use spread::Spreads;
use trials::Trials;

use super::roster::afforded;
use crate::wrapped::own;
use crate::{Error, Fitted, Forecaster};

/// Names of the models combined by default: the online mix, and those that it does not know or that may stand beside it.
pub const STACKED: [&str; 12] = [
    "ensemble",
    "seasonal_naive",
    "linear_trend",
    "pattern",
    "level_shape",
    "holt_winters",
    "ets",
    "theta",
    "optimized_theta",
    "dynamic_theta",
    "dynamic_optimized_theta",
    "ridge",
];

/// The member that weights are shrunk toward where it takes part: it is a combination already.
const PREFERRED: &str = "ensemble";

/// A combination of models by weights from rolling origins, named `stacked`.
pub struct Stacked {
    members: Vec<Box<dyn Forecaster>>,
    horizon: usize,
    budget: Option<Duration>,
}

/// What trying a member costs in fits: two, and being led through a third of the history.
const FITS: u32 = 3;

/// Members by name, fitted.
pub(super) type Members = Vec<(String, Box<dyn Fitted>)>;

impl Stacked {
    /// Combines `members`, weighing them by how they forecast up to `horizon` steps ahead (at least 1). A fit fits each
    /// member twice and leads it once through a third of the history.
    pub fn new(members: Vec<Box<dyn Forecaster>>, horizon: usize) -> Self {
        Self { members, horizon: horizon.max(1), budget: None }
    }

    /// Leaves out members, from the last, until a fit takes no more than `budget` of nominal time
    /// ([`nominal_fit`](super::nominal_fit)).
    pub fn with_budget(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }
}

impl Forecaster for Stacked {
    fn name(&self) -> &str {
        FittedStacked::MODEL
    }

    /// Members that cannot be fitted are left out; so are those that are given no weight.
    ///
    /// # Errors
    /// [`Error::TooShort`] if no member can be fitted.
    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let names = self.members.iter().map(|model| model.name());
        let afforded = afforded(names, history.len(), FITS, self.budget);
        let trials = Trials::run(&self.members, &afforded, history, self.horizon, known, rng);
        let preferred = self.members.iter().position(|model| model.name() == PREFERRED);
        let weighed = trials.weights(preferred);
        let mut state = State { spreads: Spreads::of(&trials, &weighed), weights: weighed.all };
        let mut members: Members = Vec::new();
        let mut kept = Vec::new();
        for (i, model) in self.members.iter().enumerate() {
            if state.weights[i] <= 0.0 {
                continue;
            }
            if let Ok(fitted) = model.fit(history, known, &mut rng.fork(i as u64)) {
                members.push((model.name().to_owned(), fitted));
                kept.push(i);
            }
        }
        if members.is_empty() {
            // Those that did well could not be fitted again, or none could be tried: whoever can be fitted takes part.
            for (i, model) in self.members.iter().enumerate().filter(|(i, _)| afforded[*i]) {
                if let Ok(fitted) = model.fit(history, known, &mut rng.fork(i as u64)) {
                    members.push((model.name().to_owned(), fitted));
                    kept.push(i);
                }
            }
        }
        if members.is_empty() {
            let got = history.target_mask().iter().filter(|valid| **valid).count();
            return Err(Error::TooShort { needed: got + 1, got });
        }
        state.keep(&kept);
        Ok(Box::new(FittedStacked::new(members, state)))
    }

    /// Fits the members anew on all of `history`; weights and spreads are kept. Members that cannot be go on as they are.
    fn refit(
        &self,
        fitted: &mut Box<dyn Fitted>,
        history: &Frame,
        train: usize,
        known: &Known,
        rng: &mut SeededRng,
    ) -> Result<(), Error> {
        let Some(stacked) = own::<FittedStacked>(fitted) else {
            *fitted = self.fit(history, known, rng)?;
            return Ok(());
        };
        for (name, member) in stacked.members_mut() {
            if let Some(i) = self.members.iter().position(|model| model.name() == name) {
                let _ = self.members[i].refit(member, history, train, known, &mut rng.fork(i as u64));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

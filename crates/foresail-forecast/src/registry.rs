//! Models by name: built, listed and restored.
//!
//! ```
//! use foresail_core::{Frame, Known, SeededRng};
//! use foresail_forecast::registry::{ModelOptions, build, restore};
//!
//! let history = Frame::from_values((0..300).map(f64::from));
//! let model = build("linear_trend", &ModelOptions::default()).unwrap();
//! let fitted = model.fit(&history, &Known::none(), &mut SeededRng::seed_from_u64(7)).unwrap();
//! let forecast = restore(fitted.snapshot()).unwrap().predict(2, &Known::none());
//! assert!((forecast.mean[1] - 301.0).abs() < 1e-9);
//! ```

use std::time::Duration;

use foresail_core::features::Columns;
use serde::{Deserialize, Serialize};

use crate::guard::FittedGuarded;
use crate::intervals::FittedCalibrated;
use crate::mixer::{Ensemble, FittedEnsemble, FittedStacked, MEMBERS, STACKED, Stacked};
use crate::models::MODELS;
use crate::multi_signal::{FittedMultiSignal, MultiSignal};
use crate::seasonality::Detecting;
use crate::{Error, Fitted, Forecaster, Snapshot};

/// What a model is told of the series before it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelOptions {
    /// Seasons the load may have; a model drops those that its history does not hold twice. A day and a week unless said;
    /// if empty, each fit looks for them itself ([`seasonality`](crate::seasonality)).
    pub seasons: Vec<Duration>,
    /// The columns that play a part beside the load, by name; models on features read them. The target alone unless said.
    pub columns: Option<Columns<String>>,
    /// Steps ahead that matter: an ensemble weighs its members by how they do up to there. 60 unless said.
    pub horizon: usize,
    /// Models that an ensemble mixes or a stack combines, by name; those of [`crate::mixer`] if empty.
    pub members: Vec<String>,
    /// Nominal time that a fit of a stack may take ([`crate::mixer::Stacked::with_budget`]); no limit unless said.
    pub fit_budget: Option<Duration>,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self {
            seasons: vec![Duration::from_secs(86_400), Duration::from_secs(7 * 86_400)],
            columns: None,
            horizon: 60,
            members: Vec::new(),
            fit_budget: None,
        }
    }
}

/// The names that [`build`] knows, cheapest model first.
pub fn names() -> Vec<&'static str> {
    let mixes = [FittedMultiSignal::MODEL, FittedEnsemble::MODEL, FittedStacked::MODEL];
    MODELS.iter().map(|entry| entry.name).chain(mixes).collect()
}

/// The model called `name`.
///
/// # Errors
/// [`Error::NoSuchModel`], naming those there are; [`Error::BadParameter`] for a season of no length.
pub fn build(name: &str, options: &ModelOptions) -> Result<Box<dyn Forecaster>, Error> {
    if let Some(season) = options.seasons.iter().find(|s| s.is_zero()) {
        let value = format!("{season:?}");
        return Err(Error::BadParameter { parameter: "season", value, range: "above zero" });
    }
    let known = names().into_iter().find(|known| *known == name).ok_or_else(|| unknown(name))?;
    if options.seasons.is_empty() {
        return Ok(Box::new(Detecting::new(known, options.clone())));
    }
    build_as_told(known, options)
}

/// [`build`] with the seasons taken as they are, even if there are none.
///
/// # Errors
/// [`Error::NoSuchModel`].
pub(crate) fn build_as_told(name: &str, options: &ModelOptions) -> Result<Box<dyn Forecaster>, Error> {
    let members = |usual: &[&str]| -> Result<Vec<Box<dyn Forecaster>>, Error> {
        // Mixes within mixes take their usual members.
        let inner = ModelOptions { members: Vec::new(), ..options.clone() };
        let chosen: Vec<&str> = options.members.iter().map(String::as_str).collect();
        let names = if chosen.is_empty() { usual } else { &chosen };
        names.iter().map(|member| build_as_told(member, &inner)).collect()
    };
    match name {
        FittedEnsemble::MODEL => return Ok(Box::new(Ensemble::new(members(&MEMBERS)?, options.horizon))),
        FittedStacked::MODEL => {
            let stacked = Stacked::new(members(&STACKED)?, options.horizon);
            return Ok(match options.fit_budget {
                Some(budget) => Box::new(stacked.with_budget(budget)),
                None => Box::new(stacked),
            });
        }
        FittedMultiSignal::MODEL => {
            return Ok(Box::new(MultiSignal::new(&options.seasons, options.columns.clone())));
        }
        _ => {}
    }
    let entry = MODELS.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
    Ok((entry.build)(options))
}

/// Goes on from where a fitted model was saved: it predicts bit for bit what the saved one would have.
///
/// # Errors
/// [`Error::NoSuchModel`]; [`Error::BadSnapshot`] if the version or the state is not this model's.
pub fn restore(snapshot: Snapshot) -> Result<Box<dyn Fitted>, Error> {
    match snapshot.model.as_str() {
        FittedCalibrated::MODEL => FittedCalibrated::restore(snapshot),
        FittedEnsemble::MODEL => FittedEnsemble::restore(snapshot),
        FittedStacked::MODEL => FittedStacked::restore(snapshot),
        FittedGuarded::MODEL => FittedGuarded::restore(snapshot),
        FittedMultiSignal::MODEL => FittedMultiSignal::restore(snapshot),
        name => {
            let entry = MODELS.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))?;
            (entry.restore)(snapshot)
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::NoSuchModel { name: name.to_owned(), available: names().join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_builds_a_model_of_that_name() {
        for name in names() {
            assert_eq!(build(name, &ModelOptions::default()).unwrap().name(), name);
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_there_are() {
        let message = build("oracle", &ModelOptions::default()).err().unwrap().to_string();
        assert!(message.starts_with("no model \"oracle\"; there are last_value, seasonal_naive"), "{message}");
        let snapshot = Snapshot { model: "oracle".into(), version: 1, state: serde_json::Value::Null };
        assert!(matches!(restore(snapshot), Err(Error::NoSuchModel { .. })));
    }

    #[test]
    fn members_are_chosen_by_name() {
        let history = foresail_core::Frame::from_values((0..300).map(|i| f64::from(i % 24)));
        let fit = |name: &str, members: &[&str]| -> Result<String, Error> {
            let members = members.iter().map(|member| (*member).to_owned()).collect();
            let model = build(name, &ModelOptions { members, horizon: 6, ..ModelOptions::default() })?;
            let mut rng = foresail_core::SeededRng::seed_from_u64(1);
            Ok(model.fit(&history, &foresail_core::Known::none(), &mut rng)?.snapshot().state.to_string())
        };
        for name in ["ensemble", "stacked"] {
            let state = fit(name, &["linear_trend", "last_value"]).unwrap();
            assert!(state.contains("linear_trend") && !state.contains("ridge"), "{state}");
            assert!(matches!(fit(name, &["prophecy"]), Err(Error::NoSuchModel { .. })));
        }
    }

    #[test]
    fn a_season_of_no_length_is_refused() {
        let options = ModelOptions { seasons: vec![Duration::ZERO], ..ModelOptions::default() };
        let message = build("pattern", &options).err().unwrap().to_string();
        assert_eq!(message, "season is 0ns, accepted is above zero");
    }
}

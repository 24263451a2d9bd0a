//! The combination at work.

use foresail_core::{Known, Row};
use serde::{Deserialize, Serialize};

use super::Members;
use super::spread::Spreads;
use crate::intervals::LEVELS;
use crate::{Error, Fitted, Forecast, Snapshot, registry};

/// Fitted members and their weights.
pub struct FittedStacked {
    members: Members,
    state: State,
}

/// What is saved beside the members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) weights: Vec<f64>,
    pub(super) spreads: Spreads,
}

impl State {
    /// Leaves `members` alone, by their number; they share the weight of the others.
    pub(super) fn keep(&mut self, members: &[usize]) {
        let mut weights: Vec<f64> = members.iter().map(|i| self.weights[*i]).collect();
        super::super::poly::normalise(&mut weights, |_| true);
        self.weights = weights;
        self.spreads.members = members.iter().map(|i| self.spreads.members[*i].clone()).collect();
    }

    fn is_sound(&self, members: usize) -> bool {
        members > 0
            && self.weights.len() == members
            && self.spreads.members.len() == members
            && self.spreads.members.iter().all(super::spread::Spread::is_sound)
    }
}

impl FittedStacked {
    pub(crate) const MODEL: &'static str = "stacked";
    const VERSION: u32 = 1;

    pub(super) fn new(members: Members, state: State) -> Self {
        Self { members, state }
    }

    pub(super) fn members_mut(&mut self) -> impl Iterator<Item = (&str, &mut Box<dyn Fitted>)> {
        self.members.iter_mut().map(|(name, fitted)| (name.as_str(), fitted))
    }

    /// Weights of the members, by name.
    pub fn weights(&self) -> impl Iterator<Item = (&str, f64)> {
        self.members.iter().zip(&self.state.weights).map(|((name, _), weight)| (name.as_str(), *weight))
    }

    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// [`Error::BadSnapshot`], or what restoring a member says.
    pub(crate) fn restore(snapshot: Snapshot) -> Result<Box<dyn Fitted>, Error> {
        let bad = |what: &str| Error::BadSnapshot(format!("{}: {what}", Self::MODEL));
        if snapshot.version != Self::VERSION {
            return Err(bad(&format!("version {}, known is {}", snapshot.version, Self::VERSION)));
        }
        let (saved, state): (Vec<(String, Snapshot)>, State) =
            serde_json::from_value(snapshot.state).map_err(|e| bad(&e.to_string()))?;
        if !state.is_sound(saved.len()) {
            return Err(bad("its parts do not fit together"));
        }
        let restored = saved.into_iter().map(|(name, member)| Ok((name, registry::restore(member)?)));
        Ok(Box::new(Self { members: restored.collect::<Result<Members, Error>>()?, state }))
    }
}

impl Fitted for FittedStacked {
    fn update(&mut self, row: &Row) {
        self.members.iter_mut().for_each(|(_, fitted)| fitted.update(row));
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let said: Vec<Forecast> = self.members.iter().map(|(_, fitted)| fitted.predict(horizon, known)).collect();
        let own: Vec<Vec<Vec<f64>>> = said
            .iter()
            .map(|forecast| {
                let levels: &[f64] = if forecast.levels.is_empty() { &[] } else { &LEVELS };
                levels.iter().map(|level| forecast.quantile(*level)).collect()
            })
            .collect();
        let mut combined = Forecast::point(said[0].start, said[0].step, Vec::with_capacity(horizon));
        combined.levels = LEVELS.to_vec();
        for step in 0..horizon {
            let (mut mean, mut quantiles) = (0.0, vec![0.0; LEVELS.len()]);
            for (member, (forecast, weight)) in said.iter().zip(&self.state.weights).enumerate() {
                let own = own[member].iter().map(|of_level| of_level[step]).collect::<Vec<f64>>();
                let own = (!own.is_empty()).then_some(own);
                // A member that says less than it was asked is for the guard to find.
                let said = forecast.mean.get(step).copied().unwrap_or(f64::NAN);
                let told = self.state.spreads.member(member, said, own.as_ref(), step);
                mean += weight * said;
                quantiles.iter_mut().zip(told).for_each(|(sum, quantile)| *sum += weight * quantile);
            }
            for (quantile, level) in quantiles.iter_mut().zip(LEVELS) {
                let stretch = self.state.spreads.stretch[usize::from(level > 0.5)];
                *quantile = (mean + stretch * (*quantile - mean)).clamp(f64::MIN, f64::MAX);
            }
            quantiles.sort_by(f64::total_cmp);
            combined.mean.push(mean);
            combined.quantiles.push(quantiles);
        }
        combined
    }

    fn snapshot(&self) -> Snapshot {
        let members: Vec<(&str, Snapshot)> =
            self.members.iter().map(|(name, m)| (name.as_str(), m.snapshot())).collect();
        let state = serde_json::to_value((members, &self.state)).expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
}

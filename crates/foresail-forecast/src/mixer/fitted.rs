//! The ensemble at work.

use foresail_core::{Frame, Known, Row};
use serde::{Deserialize, Serialize};

use super::ensemble::Member;
use super::poly::normalise;
use super::weights::{Weights, mixed};
use crate::intervals::{Knots, day_in_rows};
use crate::models::clock::Clock;
use crate::{Error, Fitted, Forecast, Snapshot, registry};

/// Steps up to which each has its own weights; further ones lie between knots half as far again apart.
const DENSE: usize = 4;
const RATIO: f64 = 1.5;
/// A member that says more than this many times the largest magnitude seen sleeps for that step.
const WILD: f64 = 10.0;
/// Larger values are taken as this, so that what is reckoned from them stays finite.
const LARGEST: f64 = 1e150;

/// Fitted members and the weights learned of them.
pub struct FittedEnsemble {
    members: Vec<Member>,
    state: State,
    known: Known,
    /// What each member says of the next steps, knowing `known`; empty until asked.
    latest: Vec<Option<Forecast>>,
}

/// What is saved beside the members.
#[derive(Serialize, Deserialize)]
struct State {
    clock: Clock,
    knots: Knots,
    /// A set a knot.
    weights: Vec<Weights>,
    last: Option<f64>,
    largest: f64,
}

impl FittedEnsemble {
    pub(crate) const MODEL: &'static str = "ensemble";
    const VERSION: u32 = 1;

    pub(super) fn new(members: Vec<Member>, history: &Frame, horizon: usize, known: &Known) -> Self {
        let knots = Knots::new(horizon, DENSE, RATIO);
        let day = day_in_rows(history);
        let weights = knots.steps().iter().map(|steps| Weights::new(*steps, members.len(), day)).collect();
        let mut state = State { clock: Clock::at_end(history), knots, weights, last: None, largest: 0.0 };
        (0..history.len()).for_each(|i| state.see(history.target_column().get(i)));
        let mut ensemble = Self { members, state, known: known.clone(), latest: Vec::new() };
        ensemble.issue();
        ensemble
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
        type Saved = (Vec<(String, Result<Snapshot, String>)>, State, Known);
        let (saved, state, known): Saved = serde_json::from_value(snapshot.state).map_err(|e| bad(&e.to_string()))?;
        let mut members = Vec::new();
        for (name, fitted) in saved {
            let fitted = fitted.map(registry::restore).map_or_else(|why| Ok(Err(why)), |restored| restored.map(Ok))?;
            members.push(Member { name, fitted });
        }
        if !state.is_sound(members.len()) {
            return Err(bad("its parts do not fit together"));
        }
        Ok(Box::new(Self { members, state, known, latest: Vec::new() }))
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    pub(super) fn members_mut(&mut self) -> &mut [Member] {
        &mut self.members
    }

    pub(super) fn known_mut(&mut self) -> &mut Known {
        &mut self.known
    }

    /// The members have changed: what they said is void.
    pub(super) fn forget_latest(&mut self) {
        self.latest.clear();
    }

    /// Weights of the members, by name, in a forecast of `steps` steps ahead made now.
    pub fn weights(&self, steps: usize) -> Vec<(&str, f64)> {
        let weights = self.state.weights_at(steps, |i| self.members[i].fitted.is_ok());
        self.members.iter().map(|member| member.name.as_str()).zip(weights).collect()
    }

    fn ask(&self, horizon: usize, known: &Known) -> Vec<Option<Forecast>> {
        let ask = |member: &Member| Some(member.fitted.as_ref().ok()?.predict(horizon, known));
        self.members.iter().map(ask).collect()
    }

    /// Asks the members about the steps ahead, to be judged as actuals arrive.
    fn issue(&mut self) {
        self.latest = self.ask(self.state.knots.longest(), &self.known);
        self.state.issue(&self.latest);
    }

    fn mix(&self, said: &[Option<Forecast>], horizon: usize) -> Forecast {
        let state = &self.state;
        let mut slept = vec![0; said.len()];
        let mut mean = Vec::with_capacity(horizon);
        for step in 0..horizon {
            let at =
                |i: usize| said[i].as_ref().and_then(|forecast| state.believable(forecast.mean.get(step).copied()));
            let awake = |i: usize| at(i).is_some();
            slept.iter_mut().enumerate().for_each(|(i, count)| *count += usize::from(!awake(i)));
            let weights = state.weights_at(step + 1, awake);
            let any = weights.iter().any(|w| *w > 0.0);
            mean.push(if any { mixed(&weights, at) } else { state.last.unwrap_or(0.0) });
        }
        let mut forecast = Forecast::point(state.clock.next(), state.clock.step(), mean);
        let without: Vec<String> =
            self.members.iter().zip(&slept).filter_map(|(m, n)| m.absence(*n, horizon)).collect();
        if !without.is_empty() {
            forecast.degraded = Some(format!("without {}", without.join(", ")));
        }
        forecast
    }
}

impl Member {
    /// Why it took no part in `slept` of the steps.
    fn absence(&self, slept: usize, horizon: usize) -> Option<String> {
        match &self.fitted {
            Err(why) => Some(format!("{} ({why})", self.name)),
            Ok(_) if slept > 0 => Some(format!("{} ({slept} of {horizon} steps not believable)", self.name)),
            Ok(_) => None,
        }
    }
}

impl Fitted for FittedEnsemble {
    /// A row of a time already passed is ignored; rows left out before it count as gaps.
    fn update(&mut self, row: &Row) {
        let skipped = self.state.clock.steps_to(row.time);
        if skipped < 0 {
            return;
        }
        self.state.skip(skipped);
        self.state.judge(row.target().filter(|v| v.is_finite()));
        self.members.iter_mut().filter_map(|member| member.fitted.as_mut().ok()).for_each(|fitted| fitted.update(row));
        self.issue();
    }

    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let stands = !self.latest.is_empty() && horizon <= self.state.knots.longest() && *known == self.known;
        if stands { self.mix(&self.latest, horizon) } else { self.mix(&self.ask(horizon, known), horizon) }
    }

    fn snapshot(&self) -> Snapshot {
        let save = |m: &Member| (m.name.clone(), m.fitted.as_ref().map(|f| f.snapshot()).map_err(String::clone));
        let members: Vec<(String, Result<Snapshot, String>)> = self.members.iter().map(save).collect();
        let state = serde_json::to_value((members, &self.state, &self.known))
            .expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
}

impl State {
    fn is_sound(&self, members: usize) -> bool {
        let steps = self.knots.steps();
        self.clock.is_sound()
            && self.knots.is_sound()
            && steps.len() == self.weights.len()
            && self.weights.iter().zip(steps).all(|(weights, steps)| weights.is_sound(*steps, members))
    }

    fn see(&mut self, value: Option<f64>) {
        if let Some(value) = value {
            self.last = Some(value);
            self.largest = self.largest.max(value.abs());
        }
    }

    fn believable(&self, value: Option<f64>) -> Option<f64> {
        value.filter(|v| v.is_finite() && v.abs() <= (WILD * self.largest).min(LARGEST))
    }

    /// Rows that never came: what was forecast for them is not judged.
    fn skip(&mut self, rows: i64) {
        for _ in 0..rows.min(self.knots.longest() as i64) {
            for weights in &mut self.weights {
                weights.judge(None);
                weights.pass();
            }
        }
        self.clock.advance(rows);
    }

    fn judge(&mut self, actual: Option<f64>) {
        let within = actual.map(|y| y.clamp(-LARGEST, LARGEST));
        self.weights.iter_mut().for_each(|weights| weights.judge(within));
        self.see(actual);
        self.clock.advance(1);
    }

    fn issue(&mut self, said: &[Option<Forecast>]) {
        for (i, steps) in self.knots.steps().iter().enumerate() {
            let at = |forecast: &Option<Forecast>| self.believable(forecast.as_ref()?.mean.get(*steps - 1).copied());
            let members: Vec<Option<f64>> = said.iter().map(at).collect();
            self.weights[i].issue(&members);
        }
    }

    /// Weights of the members awake at `steps` ahead, those of the knots around it joined.
    fn weights_at(&self, steps: usize, awake: impl Fn(usize) -> bool + Copy) -> Vec<f64> {
        let (below, above, share) = self.knots.around(steps);
        let mut weights = self.weights[below].members(awake);
        if share > 0.0 {
            let others = self.weights[above].members(awake);
            weights.iter_mut().zip(others).for_each(|(w, other)| *w += share * (other - *w));
            normalise(&mut weights, awake);
        }
        weights
    }
}

#[cfg(test)]
mod tests;

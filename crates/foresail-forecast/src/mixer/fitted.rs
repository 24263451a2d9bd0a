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
    /// What the members say of the next steps, knowing `known`; none until asked.
    latest: Option<Said>,
}

/// What the members say, and how much they count.
struct Said {
    horizon: usize,
    /// `horizon × members`; NaN where a member sleeps.
    values: Vec<f64>,
    /// `knots × members`.
    weights: Vec<f64>,
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
    /// The kind of work, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regime: Option<usize>,
}

impl FittedEnsemble {
    pub(crate) const MODEL: &'static str = "ensemble";
    const VERSION: u32 = 3;

    pub(super) fn new(members: Vec<Member>, history: &Frame, horizon: usize, known: &Known) -> Self {
        let knots = Knots::new(horizon, DENSE, RATIO);
        let day = day_in_rows(history);
        let weights = knots.steps().iter().map(|steps| Weights::new(*steps, members.len(), day)).collect();
        let mut state = State { clock: Clock::at_end(history), knots, weights, last: None, largest: 0.0, regime: None };
        (0..history.len()).for_each(|i| state.see(history.target_column().get(i)));
        let mut ensemble = Self { members, state, known: known.clone(), latest: None };
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
        Ok(Box::new(Self { members, state, known, latest: None }))
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
        self.latest = None;
    }

    /// Weights of the members, by name, in a forecast of `steps` steps ahead made now.
    pub fn weights(&self, steps: usize) -> Vec<(&str, f64)> {
        let steps = steps.max(1);
        let said = self.ask(steps, &self.known);
        let mut weights = vec![0.0; self.members.len()];
        self.state.weigh(steps, &said, &mut weights);
        self.members.iter().map(|member| member.name.as_str()).zip(weights).collect()
    }

    /// What the members say now of the next `horizon` steps, without weights.
    fn said(&self, horizon: usize, known: &Known) -> Said {
        let count = self.members.len();
        let mut values = vec![f64::NAN; horizon * count];
        for (i, member) in self.members.iter().enumerate() {
            let Ok(fitted) = &member.fitted else { continue };
            for (step, mean) in fitted.predict(horizon, known).mean.into_iter().take(horizon).enumerate() {
                if self.state.is_believable(mean) {
                    values[step * count + i] = mean;
                }
            }
        }
        Said { horizon, values, weights: vec![0.0; self.state.knots.steps().len() * count] }
    }

    fn ask(&self, horizon: usize, known: &Known) -> Said {
        let mut said = self.said(horizon, known);
        self.state.weigh_knots(&mut said);
        said
    }

    /// Asks the members about the steps ahead, to be judged as actuals arrive.
    fn issue(&mut self) {
        let mut said = self.said(self.state.knots.longest(), &self.known);
        self.state.issue(&mut said);
        self.latest = Some(said);
    }

    fn mix(&self, said: &Said, horizon: usize) -> Forecast {
        let state = &self.state;
        let count = self.members.len();
        let mut slept = vec![0; count];
        let mut mean = Vec::with_capacity(horizon);
        let mut weights = vec![0.0; count];
        for step in 0..horizon {
            let values = said.at(step);
            slept.iter_mut().zip(values).for_each(|(slept, value)| *slept += usize::from(value.is_nan()));
            state.weigh(step + 1, said, &mut weights);
            let any = weights.iter().any(|w| *w > 0.0);
            mean.push(if any { mixed(&weights, values) } else { state.last.unwrap_or(0.0) });
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
        match &self.latest {
            Some(said) if horizon <= said.horizon && *known == self.known => self.mix(said, horizon),
            _ => self.mix(&self.ask(horizon, known), horizon),
        }
    }

    /// Counts from the next row on: what was said of it was said not knowing this.
    fn set_regime(&mut self, regime: Option<usize>) {
        let before = std::mem::replace(&mut self.state.regime, regime);
        if before != regime {
            self.state.weights.iter_mut().for_each(|weights| weights.enter(before, regime));
        }
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

    fn is_believable(&self, value: f64) -> bool {
        value.is_finite() && value.abs() <= (WILD * self.largest).min(LARGEST)
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

    /// Plays a round at every knot, which gives its weights.
    fn issue(&mut self, said: &mut Said) {
        let count = said.values.len() / said.horizon;
        for (i, steps) in self.knots.steps().iter().enumerate() {
            let values = &said.values[(steps - 1) * count..steps * count];
            self.weights[i].issue(values, &mut said.weights[i * count..(i + 1) * count]);
        }
    }

    /// The weights at every knot, without playing. A knot beyond what was asked counts as the last step that was.
    fn weigh_knots(&self, said: &mut Said) {
        let count = said.weights.len() / self.knots.steps().len();
        for (i, steps) in self.knots.steps().iter().enumerate() {
            let Some(last) = (*steps).min(said.horizon).checked_sub(1) else { continue };
            let values = &said.values[last * count..(last + 1) * count];
            self.weights[i].weigh(values, &mut said.weights[i * count..(i + 1) * count]);
        }
    }

    /// Writes the weights of the members at `steps` ahead: those of the knots around it joined, without sleepers.
    fn weigh(&self, steps: usize, said: &Said, weights: &mut [f64]) {
        let count = weights.len();
        let (below, above, share) = self.knots.around(steps);
        let [low, high] = [below, above].map(|knot| &said.weights[knot * count..(knot + 1) * count]);
        let values = said.at(steps - 1);
        let mut sum = 0.0;
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = if values[i].is_nan() { 0.0 } else { low[i] + share * (high[i] - low[i]) };
            sum += *weight;
        }
        if (sum - 1.0).abs() > 1e-9 {
            normalise(weights, |i| !values[i].is_nan());
        }
    }
}

impl Said {
    /// What the members say of step `step`, counted from 0.
    fn at(&self, step: usize) -> &[f64] {
        let count = self.values.len() / self.horizon;
        &self.values[step * count..(step + 1) * count]
    }
}

#[cfg(test)]
mod tests;

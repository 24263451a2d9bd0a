//! The predictor at work.

use std::collections::BTreeMap;

use foresail_core::{Frame, Known, Row};
use serde::{Deserialize, Serialize};

use super::lifts::{Lift, Lifts, update};
use super::{FALLBACK, NAMES};
use crate::models::clock::Clock;
use crate::{Error, Fitted, Forecast, Snapshot, registry};

/// A member's place in the answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Share(pub(super) f64);

/// A member, or why there is none.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) share: Share,
    pub(super) fitted: Result<Box<dyn Fitted>, String>,
}

/// The fitted predictor.
pub struct FittedMultiSignal {
    members: Vec<Member>,
    state: State,
}

/// What is saved beside the members.
#[derive(Serialize, Deserialize)]
struct State {
    clock: Clock,
    lifts: Lifts,
    /// Signals that the external member takes, in its order.
    signals: Vec<String>,
    known: Known,
    last: f64,
}

impl FittedMultiSignal {
    pub(crate) const MODEL: &'static str = "multi_signal";
    const VERSION: u32 = 1;

    pub(super) fn new(
        members: Vec<Member>,
        lifts: Lifts,
        signals: Vec<String>,
        known: Known,
        history: &Frame,
        last: f64,
    ) -> Self {
        Self { members, state: State { clock: Clock::at_end(history), lifts, signals, known, last } }
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
        type Saved = (Vec<(String, Share, Result<Snapshot, String>)>, State);
        let (saved, state): Saved = serde_json::from_value(snapshot.state).map_err(|e| bad(&e.to_string()))?;
        let mut members = Vec::new();
        for (name, share, fitted) in saved {
            let fitted = fitted.map(registry::restore).map_or_else(|why| Ok(Err(why)), |restored| restored.map(Ok))?;
            members.push(Member { name, share, fitted });
        }
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        if !state.clock.is_sound() || names != NAMES || members.iter().any(|m| m.share.0.is_nan() || m.share.0 < 0.0) {
            return Err(bad("its parts do not fit together"));
        }
        Ok(Box::new(Self { members, state }))
    }

    /// What events brought beyond the factors announced, by kind.
    pub fn lifts(&self) -> &BTreeMap<String, Lift> {
        self.state.lifts.kinds()
    }

    /// What the member at `place` says.
    fn said(&self, place: usize, fitted: &dyn Fitted, horizon: usize, known: &Known) -> Vec<f64> {
        let mut forecast = fitted.predict(horizon, known);
        if NAMES[place] == "business_events" {
            for ahead in 0..horizon {
                forecast.mean[ahead] *= self.state.lifts.factor_at(known, self.state.clock.time(ahead));
            }
        }
        forecast.mean
    }
}

impl Fitted for FittedMultiSignal {
    /// A row of a time already passed is ignored; rows left out before it count as gaps.
    fn update(&mut self, row: &Row) {
        let skipped = self.state.clock.steps_to(row.time);
        if skipped < 0 {
            return;
        }
        let State { clock, lifts, signals, known, last } = &mut self.state;
        clock.advance(skipped + 1);
        for member in &mut self.members {
            let Ok(fitted) = &mut member.fitted else { continue };
            match member.name.as_str() {
                "business_events" => update(fitted.as_mut(), row, known, lifts),
                "external_signals" => {
                    let said = signals.iter().map(|name| known.signal_at(name, row.time));
                    let values = [row.target()].into_iter().chain(said).collect();
                    fitted.update(&Row { time: row.time, values, target: 0 });
                }
                _ => fitted.update(row),
            }
        }
        if let Some(value) = row.target().filter(|v| v.is_finite()) {
            *last = value;
        }
    }

    /// Events and signals are those of `known`; where it has none, those that were known when this was fitted.
    fn predict(&self, horizon: usize, known: &Known) -> Forecast {
        let (own, mut joined) = (&self.state.known, None);
        if known.events.is_empty() && !own.events.is_empty() {
            joined.get_or_insert_with(|| known.clone()).events.clone_from(&own.events);
        }
        if known.signals.is_empty() && !own.signals.is_empty() {
            joined.get_or_insert_with(|| known.clone()).signals.clone_from(&own.signals);
        }
        let known = joined.as_ref().unwrap_or(known);
        let mut mean = vec![0.0; horizon];
        let (mut shares, mut without) = (0.0, Vec::new());
        for (place, member) in self.members.iter().enumerate() {
            match &member.fitted {
                Err(why) => without.push(format!("{} ({why})", member.name)),
                Ok(fitted) => {
                    let said = self.said(place, fitted.as_ref(), horizon, known);
                    if said.iter().all(|v| v.is_finite()) {
                        shares += member.share.0;
                        mean.iter_mut().zip(said).for_each(|(sum, v)| *sum += member.share.0 * v);
                    } else {
                        without.push(format!("{} (its answer is not finite)", member.name));
                    }
                }
            }
        }
        if shares > 0.0 {
            mean.iter_mut().for_each(|v| *v /= shares);
        }
        if shares <= 0.0 || mean.iter().any(|v| !v.is_finite()) {
            let held = FALLBACK * self.state.last;
            mean.fill(if held.is_finite() { held } else { self.state.last });
        }
        let mut forecast = Forecast::point(self.state.clock.next(), self.state.clock.step(), mean);
        // Nobody misses signals that were never there.
        without.retain(|why| !why.ends_with("(no signal is known)"));
        if !without.is_empty() {
            forecast.degraded = Some(format!("without {}", without.join(", ")));
        }
        forecast
    }

    fn snapshot(&self) -> Snapshot {
        type Saved<'a> = (String, Share, Result<Snapshot, String>);
        let save =
            |m: &Member| (m.name.clone(), m.share, m.fitted.as_ref().map(|f| f.snapshot()).map_err(String::clone));
        let members: Vec<Saved<'_>> = self.members.iter().map(save).collect();
        let state = serde_json::to_value((members, &self.state)).expect("state is numbers, texts and lists of them");
        Snapshot { model: Self::MODEL.to_owned(), version: Self::VERSION, state }
    }
}

#[cfg(test)]
mod tests;

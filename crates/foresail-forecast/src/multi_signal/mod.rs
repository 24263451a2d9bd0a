//! Several signals, one forecast: the series itself, business events, signals from outside and a learned model, in fixed
//! shares (document 001, section 4).
//!
//! A member that cannot be fitted, or has no answer, leaves its share to the others; without any, the load last seen
//! times 1.2 is the answer. What an event brings is learned from those of its kind: announced factors are the caller's to
//! multiply with (as for every model), what is learned here is what remains to be multiplied.

mod fitted;
mod lifts;

pub use fitted::FittedMultiSignal;
pub use lifts::Lift;

use std::time::Duration;

use foresail_core::features::Columns;
use foresail_core::{Column, Frame, Known, SeededRng};

use crate::models::{Pattern, Prophet, Regressor, Ridge};
use crate::{Error, Fitted, Forecaster};
use fitted::{Member, Share};
use lifts::{EventBase, Lifts};

/// Shares of the members, in the order of [`NAMES`].
pub const SHARES: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
/// What the members are called.
pub const NAMES: [&str; 4] = ["time_series", "business_events", "external_signals", "learned_model"];
/// The load last seen times this, where no member has an answer.
pub const FALLBACK: f64 = 1.2;

/// The predictor of several signals, named `multi_signal`.
///
/// | share | member | made of |
/// |---|---|---|
/// | 0.4 | `time_series` | [`Prophet`] with the seasons and the holidays known |
/// | 0.3 | `business_events` | [`Pattern`] times what events of the same kind brought, see [`Lift`] |
/// | 0.2 | `external_signals` | [`Prophet`] with the signals known as regressors; absent without any |
/// | 0.1 | `learned_model` | [`Ridge`] on the features |
///
/// An update costs that of the members, some tens of microseconds.
#[derive(Clone, Debug)]
pub struct MultiSignal {
    seasons: Vec<Duration>,
    columns: Option<Columns<String>>,
}

impl MultiSignal {
    /// With the seasons of the load, and the columns that play a part in the learned model.
    pub fn new(seasons: &[Duration], columns: Option<Columns<String>>) -> Self {
        Self { seasons: seasons.to_vec(), columns }
    }
}

impl Forecaster for MultiSignal {
    fn name(&self) -> &str {
        FittedMultiSignal::MODEL
    }

    fn fit(&self, history: &Frame, known: &Known, rng: &mut SeededRng) -> Result<Box<dyn Fitted>, Error> {
        let Some(last) = (0..history.len()).rev().find_map(|i| history.target_column().get(i)) else {
            return Err(Error::TooShort { needed: 1, got: 0 });
        };
        let told = |fitted: Result<Box<dyn Fitted>, Error>| fitted.map_err(|error| error.to_string());
        let prophet = Prophet::with_seasons(&self.seasons);
        let time_series = told(prophet.fit(history, known, &mut rng.fork(0)));
        let learned = Ridge::new(&self.seasons, self.columns.clone()).fit(history, known, &mut rng.fork(3));

        let mut lifts = Lifts::default();
        let pattern = Pattern::new(&self.seasons);
        // The first part teaches what is usual, without the events in it; the rest is gone through row by row.
        let calm = without_events(history, known);
        let first = history.len() / 4;
        let events = told(pattern.fit(&calm.slice(0..first), known, rng).or_else(|_| pattern.fit(&calm, known, rng)));
        let events = events.map(|base| {
            let mut base = EventBase::new(base);
            let end = base.stands_at();
            let from = history.index_at(end);
            (from..history.len()).for_each(|i| base.update(&history.row(i), known, &mut lifts));
            base.into_inner()
        });

        let names = telling_signals(history, known);
        let external = if names.is_empty() {
            Err("no signal is known".to_owned())
        } else {
            let regressors = names.iter().map(|name| Regressor::of(name)).collect();
            let joined = with_signals(history, known, &names)?;
            told(prophet.with_regressors(regressors).fit(&joined, known, &mut rng.fork(2)))
        };

        let fitted = [time_series, events, external, told(learned)];
        let members = fitted.into_iter().zip(NAMES).zip(SHARES);
        let members =
            members.map(|((fitted, name), share)| Member { name: name.to_owned(), share: Share(share), fitted });
        Ok(Box::new(FittedMultiSignal::new(members.collect(), lifts, names, known.clone(), history, last)))
    }
}

/// The history with gaps where an event was.
fn without_events(history: &Frame, known: &Known) -> Frame {
    if known.events.is_empty() {
        return history.clone();
    }
    let is_calm = |i: usize| !known.events.iter().any(|e| e.from <= history.time(i) && history.time(i) < e.to);
    let values = (0..history.len()).map(|i| history.target_column().get(i).filter(|_| is_calm(i)));
    let column = Column::new(history.target_column().name(), values);
    Frame::new(history.start(), history.step(), history.zone().clone(), vec![column])
        .expect("one column, the same step")
}

/// Names of the signals that say more than one thing over the history and are not columns of it already.
fn telling_signals(history: &Frame, known: &Known) -> Vec<String> {
    let is_telling = |signal: &&foresail_core::Signal| {
        let within = signal.points().iter().filter(|(at, v)| *at < history.end() && v.is_finite());
        let first = within.clone().map(|(_, v)| *v).next();
        within.clone().any(|(_, v)| Some(*v) != first) && history.column(signal.name()).is_err()
    };
    let mut names: Vec<String> = known.signals.iter().filter(is_telling).map(|s| s.name().to_owned()).collect();
    names.sort();
    names.dedup();
    names
}

/// The history with the signals as columns beside the target.
fn with_signals(history: &Frame, known: &Known, names: &[String]) -> Result<Frame, Error> {
    let target = history.target_column();
    let mut columns = vec![Column::new(target.name(), (0..history.len()).map(|i| target.get(i)))];
    for name in names {
        columns.push(Column::new(name, (0..history.len()).map(|i| known.signal_at(name, history.time(i)))));
    }
    Frame::new(history.start(), history.step(), history.zone().clone(), columns).map_err(|error| Error::BadParameter {
        parameter: "signal",
        value: error.to_string(),
        range: "names of their own",
    })
}

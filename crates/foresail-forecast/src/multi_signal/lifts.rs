//! What events of a kind bring, learned from those that were.

use std::collections::BTreeMap;

use foresail_core::{Event, Known, Row, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Fitted;

/// Occurrences' worth of belief that events bring what was announced of them.
const TRUST: f64 = 1.0;
/// An occurrence counts as no more than this many times what was expected, nor less than the reciprocal.
const MOST: f64 = 20.0;

/// What events of one kind bring beyond the factors announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lift {
    /// Occurrences seen to their end.
    pub occurrences: u32,
    /// Sum over them of the logarithm of load seen over load expected.
    log_ratios: f64,
}

impl Lift {
    /// What to multiply with: the geometric mean of the occurrences' ratios, drawn towards 1 as if one more occurrence had
    /// brought just what was announced.
    pub fn factor(&self) -> f64 {
        (self.log_ratios / (f64::from(self.occurrences) + TRUST)).exp()
    }
}

/// Lifts by kind, and the occurrence being watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Lifts {
    kinds: BTreeMap<String, Lift>,
    watched: Option<Watched>,
}

/// An occurrence under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    kind: String,
    to: Timestamp,
    seen: f64,
    expected: f64,
}

impl Lifts {
    /// Product of the learned factors of the kinds of event that hold at `time`.
    pub(super) fn factor_at(&self, known: &Known, time: Timestamp) -> f64 {
        let mut kinds: Vec<&str> = holding(known, time).map(kind).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds.iter().filter_map(|kind| self.kinds.get(*kind)).map(Lift::factor).product()
    }

    /// The lifts by kind.
    pub(super) fn kinds(&self) -> &BTreeMap<String, Lift> {
        &self.kinds
    }

    /// Takes in what was seen at `time`, where the base and the announced factors expected `expected`. Where events of
    /// two kinds meet, nobody can tell which brought what: nothing is learned.
    fn learn(&mut self, known: &Known, time: Timestamp, seen: Option<f64>, expected: f64) {
        if self.watched.as_ref().is_some_and(|watched| watched.to <= time) {
            self.finish();
        }
        let mut events = holding(known, time);
        let Some(event) = events.next() else { return self.finish() };
        let kind = kind(event);
        if kind.is_empty() || events.any(|other| self::kind(other) != kind) {
            return self.finish();
        }
        if self.watched.as_ref().is_none_or(|watched| watched.kind != kind) {
            self.finish();
            self.watched = Some(Watched { kind: kind.to_owned(), to: event.to, seen: 0.0, expected: 0.0 });
        }
        if let (Some(watched), Some(seen)) = (&mut self.watched, seen)
            && seen.is_finite()
            && expected.is_finite()
        {
            watched.seen += seen.max(0.0);
            watched.expected += expected.max(0.0);
        }
    }

    fn finish(&mut self) {
        let Some(watched) = self.watched.take() else { return };
        let ratio = (watched.seen / watched.expected).clamp(1.0 / MOST, MOST);
        // Neither an occurrence of which nothing was seen nor one where nothing was expected says anything.
        if watched.expected > 0.0 && ratio.is_finite() {
            let lift = self.kinds.entry(watched.kind).or_default();
            lift.occurrences = lift.occurrences.saturating_add(1);
            lift.log_ratios += ratio.ln();
        }
    }
}

/// Events that hold at `time`.
fn holding(known: &Known, time: Timestamp) -> impl Iterator<Item = &Event> {
    known.events.iter().filter(move |event| event.from <= time && time < event.to)
}

/// What an event is learned under: its kind, or its label where it has none.
fn kind(event: &Event) -> &str {
    if event.kind.is_empty() { &event.label } else { &event.kind }
}

/// A model of the load without events: rows of events are gaps to it.
pub(super) struct EventBase<B> {
    inner: B,
}

impl EventBase<Box<dyn Fitted>> {
    pub(super) fn new(inner: Box<dyn Fitted>) -> Self {
        Self { inner }
    }

    pub(super) fn into_inner(self) -> Box<dyn Fitted> {
        self.inner
    }

    /// Start of the first row it has not seen.
    pub(super) fn stands_at(&self) -> Timestamp {
        self.inner.predict(0, &Known::none()).start
    }

    /// [`update`].
    pub(super) fn update(&mut self, row: &Row, known: &Known, lifts: &mut Lifts) {
        update(self.inner.as_mut(), row, known, lifts);
    }
}

/// Takes in a row: `base` learns it where no event was, `lifts` where one was.
pub(super) fn update(base: &mut dyn Fitted, row: &Row, known: &Known, lifts: &mut Lifts) {
    let in_event = holding(known, row.time).next().is_some();
    if in_event || lifts.watched.is_some() {
        let expected = base.predict(1, known).mean[0] * known.factor_at(row.time);
        lifts.learn(known, row.time, row.target(), expected);
    }
    let value = row.target().filter(|_| !in_event);
    base.update(&Row::univariate(row.time, value));
}

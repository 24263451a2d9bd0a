//! What is known ahead of time: announced events and holidays.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{TimeZone, Timestamp};

/// An announced change of load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When it starts.
    pub from: Timestamp,
    /// When it has ended.
    pub to: Timestamp,
    /// Expected load over what would be there without it, at least 0.
    #[serde(default = "one")]
    pub factor: f64,
    /// Replicas to have ready throughout, whatever the load; 0 for none.
    #[serde(default)]
    pub floor: u32,
    /// What events alike are called (`sale`, `match`): what they bring is learned together. Their label where empty.
    #[serde(default)]
    pub kind: String,
    /// What people call it.
    #[serde(default)]
    pub label: String,
}

fn one() -> f64 {
    1.0
}

/// A day off, in local time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// Local midnight at which it starts.
    pub day: Timestamp,
    /// Its name.
    #[serde(default)]
    pub name: String,
}

/// A deployment: from then on another version ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// When.
    pub at: Timestamp,
    /// Of what.
    #[serde(default)]
    pub label: String,
}

/// A quantity from outside, measured or announced: each value holds until the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Points")]
pub struct Signal {
    name: String,
    /// Ascending; one a time.
    points: Vec<(Timestamp, f64)>,
}

/// A signal as it is written: its points in any order.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Points {
    name: String,
    points: Vec<(Timestamp, f64)>,
}

impl From<Points> for Signal {
    fn from(written: Points) -> Self {
        Self::new(written.name, written.points)
    }
}

impl Signal {
    /// When it took which value, in any order; values that are not finite are left out, and of two at one time the later
    /// in `points` counts.
    pub fn new(name: impl Into<String>, mut points: Vec<(Timestamp, f64)>) -> Self {
        points.retain(|(_, value)| value.is_finite());
        points.sort_by_key(|(at, _)| *at);
        points.dedup_by(|next, before| {
            let same = next.0 == before.0;
            if same {
                before.1 = next.1;
            }
            same
        });
        Self { name: name.into(), points }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When it took which value, in order of time.
    pub fn points(&self) -> &[(Timestamp, f64)] {
        &self.points
    }

    /// The value that holds at `time`; none before the first. O(log points).
    pub fn at(&self, time: Timestamp) -> Option<f64> {
        let after = self.points.partition_point(|(from, _)| *from <= time);
        Some(self.points[after.checked_sub(1)?].1)
    }
}

/// Everything known ahead. Empty where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Known {
    /// Announced events, in any order.
    pub events: Vec<Event>,
    /// Days off, in any order.
    pub holidays: Vec<Holiday>,
    /// Quantities from outside, each with its own name.
    pub signals: Vec<Signal>,
    /// Deployments, in any order.
    pub deploys: Vec<Deploy>,
}

impl Known {
    /// Nothing is known ahead.
    pub const fn none() -> Self {
        Self { events: Vec::new(), holidays: Vec::new(), signals: Vec::new(), deploys: Vec::new() }
    }

    /// What the signal of that name says at `time`.
    pub fn signal_at(&self, name: &str, time: Timestamp) -> Option<f64> {
        self.signals.iter().find(|signal| signal.name() == name)?.at(time)
    }

    /// Product of the factors of the events that hold at `time`; 1 without any.
    pub fn factor_at(&self, time: Timestamp) -> f64 {
        self.events.iter().filter(|e| e.from <= time && time < e.to).map(|e| e.factor).product()
    }

    /// The highest replica floor of the events that touch `[from, to)`; 0 without any.
    pub fn floor_within(&self, from: Timestamp, to: Timestamp) -> u32 {
        self.events.iter().filter(|e| e.from < to && from < e.to).map(|e| e.floor).max().unwrap_or(0)
    }

    /// Whether the local day of `time` is a holiday.
    pub fn is_holiday(&self, time: Timestamp, zone: &TimeZone) -> bool {
        if self.holidays.is_empty() {
            return false;
        }
        let day = time.civil(zone);
        self.holidays.iter().any(|h| {
            let other = h.day.civil(zone);
            (other.year, other.day_of_year) == (day.year, day.day_of_year)
        })
    }

    /// Time from `time` to the nearest holiday's start at or after it, if there is one.
    pub fn until_holiday(&self, time: Timestamp) -> Option<Duration> {
        self.holidays.iter().filter(|h| h.day >= time).map(|h| h.day.since(time)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_holds_until_its_next_value() {
        let at = Timestamp::from_secs;
        let signal = Signal::new("degrees", vec![(at(60), 6.0), (at(0), 5.0), (at(30), f64::NAN), (at(60), 7.0)]);
        let known = Known { signals: vec![signal], ..Known::none() };
        let said = |secs| known.signal_at("degrees", at(secs));
        assert_eq!(
            (said(-1), said(0), said(59), said(60), said(9999)),
            (None, Some(5.0), Some(5.0), Some(7.0), Some(7.0))
        );
        assert_eq!(known.signal_at("visits", at(60)), None);
        let text = r#"{"name": "x", "points": [["1970-01-01T00:01:00Z", 2.0], ["1970-01-01T00:00:00Z", 1.0]]}"#;
        let read: Signal = serde_json::from_str(text).unwrap();
        assert_eq!(read.points(), [(at(0), 1.0), (at(60), 2.0)]);
        assert_eq!(serde_json::from_str::<Signal>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn what_was_written_before_there_were_signals_is_still_read() {
        let text = r#"{"events": [{"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z", "label": "sale"}]}"#;
        let known: Known = serde_json::from_str(text).unwrap();
        assert_eq!((known.events[0].factor, known.events[0].kind.as_str(), known.deploys.len()), (1.0, "", 0));
    }
}

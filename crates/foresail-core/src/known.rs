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

/// Everything known ahead. Empty where nothing is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Known {
    /// Announced events, in any order.
    pub events: Vec<Event>,
    /// Days off, in any order.
    pub holidays: Vec<Holiday>,
}

impl Known {
    /// Nothing is known ahead.
    pub const fn none() -> Self {
        Self { events: Vec::new(), holidays: Vec::new() }
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

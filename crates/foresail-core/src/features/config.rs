//! What a feature set is told about its series.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spec::{FEATURES, Group, rows_in};
use crate::online::DecompositionConfig;
use crate::{Error, Frame, Holiday, TimeZone};

/// Which column plays which part: indices into a row, or names (`Columns<String>`) before they are resolved. Only the
/// load is needed; features of absent columns are undefined throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns<C = usize> {
    /// The load: events or requests that arrived in the row.
    pub logged: C,
    /// Events processed in the row.
    #[serde(default = "absent")]
    pub processed: Option<C>,
    /// Events waiting at the end of the row.
    #[serde(default = "absent")]
    pub unprocessed: Option<C>,
    /// Events queued in the row.
    #[serde(default = "absent")]
    pub queued: Option<C>,
    /// Mean processing time of an event, milliseconds.
    #[serde(default = "absent")]
    pub duration_ms: Option<C>,
    /// How many events can be worked on at once, all replicas together.
    #[serde(default = "absent")]
    pub capacity: Option<C>,
    /// Entropy of the request mix.
    #[serde(default = "absent")]
    pub mix_entropy: Option<C>,
    /// 99th over 50th percentile of latency.
    #[serde(default = "absent")]
    pub latency_ratio: Option<C>,
}

fn absent<C>() -> Option<C> {
    None
}

impl<C> Columns<C> {
    /// The load alone.
    pub fn only(logged: C) -> Self {
        Self {
            logged,
            processed: None,
            unprocessed: None,
            queued: None,
            duration_ms: None,
            capacity: None,
            mix_entropy: None,
            latency_ratio: None,
        }
    }
}

impl Columns<String> {
    /// Looks the names up in `frame`.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] for the first that is not there.
    pub fn resolve(&self, frame: &Frame) -> Result<Columns<usize>, Error> {
        let find = |name: &String| {
            frame.column(name)?;
            Ok(frame.columns().iter().position(|c| c.name() == name).unwrap_or_default())
        };
        let maybe = |name: &Option<String>| name.as_ref().map(find).transpose();
        Ok(Columns {
            logged: find(&self.logged)?,
            processed: maybe(&self.processed)?,
            unprocessed: maybe(&self.unprocessed)?,
            queued: maybe(&self.queued)?,
            duration_ms: maybe(&self.duration_ms)?,
            capacity: maybe(&self.capacity)?,
            mix_entropy: maybe(&self.mix_entropy)?,
            latency_ratio: maybe(&self.latency_ratio)?,
        })
    }
}

/// Grid, calendar and columns of the series whose features are wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureConfig {
    /// Length of a row: divides a day, at least a second.
    pub step: Duration,
    /// Zone in which hours, days and holidays are read.
    #[serde(with = "zone_by_name")]
    pub zone: TimeZone,
    /// Which column plays which part.
    pub columns: Columns,
    /// Days off known ahead, in any order.
    pub holidays: Vec<Holiday>,
}

impl FeatureConfig {
    /// For a series of `step` whose load is column 0, in UTC and without holidays.
    pub fn new(step: Duration) -> Self {
        Self { step, zone: TimeZone::utc(), columns: Columns::only(0), holidays: Vec::new() }
    }

    /// For the target of `frame`, with its step and zone.
    pub fn of(frame: &Frame) -> Self {
        Self { columns: Columns::only(frame.target_index()), zone: frame.zone().clone(), ..Self::new(frame.step()) }
    }

    /// The same in another zone.
    pub fn with_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// The same with other columns.
    pub fn with_columns(mut self, columns: Columns) -> Self {
        self.columns = columns;
        self
    }

    /// The same with these holidays.
    pub fn with_holidays(mut self, holidays: Vec<Holiday>) -> Self {
        self.holidays = holidays;
        self
    }
}

/// A time zone is saved as its name.
mod zone_by_name {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::TimeZone;

    pub(super) fn serialize<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(zone.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeZone, D::Error> {
        let name = String::deserialize(deserializer)?;
        TimeZone::named(&name).map_err(serde::de::Error::custom)
    }
}

/// The windows of [`FEATURES`] in rows of one step.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) step_us: i64,
    pub(super) step_m: f64,
    /// The lags held by the short history.
    pub(super) short_lags: [u32; 8],
    pub(super) day: u32,
    pub(super) week: u32,
}

impl Plan {
    pub(super) fn of(step: Duration) -> Result<Self, Error> {
        let (step_us, day_us) = (step.as_micros(), 86_400_000_000_u128);
        let divides = step_us > 0 && day_us.is_multiple_of(step_us) && step.as_nanos().is_multiple_of(1000);
        if step < Duration::from_secs(1) || !divides {
            return Err(Error::StepNotInDay(step));
        }
        let lags = FEATURES.iter().filter(|f| f.group == Group::Lag);
        let mut short_lags = [1; 8];
        for (rows, spec) in short_lags.iter_mut().zip(lags) {
            *rows = spec.rows(step) as u32;
        }
        let day = (day_us / step_us) as u32;
        Ok(Self { step_us: step_us as i64, step_m: step.as_secs_f64() / 60.0, short_lags, day, week: 7 * day })
    }

    /// Windows of 12, 30, 60 and 144 minutes.
    pub(super) fn rolling(&self) -> [usize; 4] {
        [12, 30, 60, 144].map(|minutes| self.rows(minutes))
    }

    /// Rows of the slope, two at least.
    pub(super) fn slope(&self) -> usize {
        self.rows(30).max(2)
    }

    fn rows(&self, minutes: u32) -> usize {
        rows_in(minutes, Duration::from_micros(self.step_us as u64))
    }

    /// Rows that the history must hold: the newest, and a week.
    pub(super) fn history(&self) -> usize {
        self.week as usize + 1
    }

    /// Rows that the short history must hold: the newest, and all that any window, slope or short lag reaches back.
    pub(super) fn short_history(&self) -> usize {
        let lags = self.short_lags.map(|rows| rows as usize);
        self.rolling().into_iter().chain(lags).fold(self.slope(), usize::max) + 1
    }

    pub(super) fn decomposition(&self) -> DecompositionConfig {
        DecompositionConfig::for_day(f64::from(self.day))
    }

    /// A duration in rows, with fraction.
    pub(super) fn ticks(&self, minutes: f64) -> f64 {
        minutes / self.step_m
    }
}

//! What is known ahead, from where it is written: calendars, holidays, signals.

use std::ops::Range;
use std::time::Duration;

use foresail_core::{Known, TimeZone, Timestamp};
use foresail_ingest::{Error, ReadOptions, Source, holidays, read_calendar, read_signals};

/// Around a stretch of time, how far calendars and holidays are looked at.
const AROUND: Duration = Duration::from_secs(400 * 86_400);

/// How what is known is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    zone: TimeZone,
    window: Range<Timestamp>,
}

impl Reader {
    /// For the time around `stretch`; times without a zone are in `zone`.
    pub(crate) fn new(zone: &TimeZone, stretch: Range<Timestamp>) -> Self {
        Self { zone: zone.clone(), window: stretch.start - AROUND..stretch.end + AROUND }
    }

    /// Adds the national holidays of `country`.
    ///
    /// # Errors
    /// For a country that is not known.
    pub(crate) fn holidays(&self, known: &mut Known, country: &str) -> Result<(), Error> {
        let years = self.window.start.civil(&self.zone).year..=self.window.end.civil(&self.zone).year;
        known.holidays.extend(holidays(country, years, &self.zone)?);
        Ok(())
    }

    /// Adds the events and deployments of a calendar.
    ///
    /// # Errors
    /// The first thing that cannot be understood; nothing was added.
    pub(crate) fn calendar(&self, known: &mut Known, source: impl Into<Source>) -> Result<(), Error> {
        let calendar = read_calendar(source, &self.zone, self.window.clone())?;
        known.events.extend(calendar.events);
        known.deploys.extend(calendar.deploys);
        Ok(())
    }

    /// Adds signals from outside.
    ///
    /// # Errors
    /// As for a series; nothing was added.
    pub(crate) fn signals(&self, known: &mut Known, source: impl Into<Source>) -> Result<(), Error> {
        let options = ReadOptions { zone: self.zone.clone(), ..ReadOptions::default() };
        known.signals.extend(read_signals(source, &options)?);
        Ok(())
    }
}

//! What is known ahead: events, deployments, holidays, signals from outside.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use foresail_core::{Frame, Known};

use crate::known::Reader;

/// What is known ahead, and where it is written.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "What is known ahead")]
pub(crate) struct KnownArgs {
    /// Announced events, holidays, deployments and signals, as JSON
    #[arg(long, value_name = "F.json")]
    known: Option<PathBuf>,
    /// National holidays of these countries (DE,US)
    #[arg(long, value_name = "CODES", value_delimiter = ',')]
    holidays: Vec<String>,
    /// Calendar of events and deployments, CSV or iCalendar; may be repeated
    #[arg(long, value_name = "F")]
    calendar: Vec<PathBuf>,
    /// Signals from outside, read like the input; may be repeated
    #[arg(long, value_name = "F")]
    signals: Vec<PathBuf>,
}

impl KnownArgs {
    /// Everything that is known around `frame`, its calendar read in the frame's zone.
    ///
    /// # Errors
    /// What a reader refuses.
    pub(crate) fn load(&self, frame: &Frame) -> anyhow::Result<Known> {
        let mut known = self.known.as_deref().map(read_known).transpose()?.unwrap_or_default();
        let reader = Reader::new(frame.zone(), frame.start()..frame.end());
        self.holidays.iter().try_for_each(|country| reader.holidays(&mut known, country))?;
        self.calendar.iter().try_for_each(|path| reader.calendar(&mut known, path.as_path()))?;
        self.signals.iter().try_for_each(|path| reader.signals(&mut known, path.as_path()))?;
        Ok(known)
    }
}

fn read_known(path: &Path) -> anyhow::Result<Known> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!(
            "{}: expected {{\"events\": [{{\"from\", \"to\", \"factor\", \"floor\"}}], \"holidays\": [{{\"day\"}}]}}",
            path.display()
        )
    })
}

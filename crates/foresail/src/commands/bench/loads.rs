//! The loads of the bench: measured traces and generated ones, with what is asked of a service under them.

use std::path::Path;
use std::time::Duration;

use foresail_core::Frame;
use foresail_sim::generate::{Adversity, GenerateOptions, Pattern, adversarial as adverse, generate};

use super::series::{Series, series_in};

/// A load to scale a service for.
pub(super) struct Load {
    /// What it is called.
    pub(super) name: String,
    /// What a value counts.
    pub(super) per: Duration,
    /// Days that train.
    pub(super) train_days: u64,
    /// Events for queue workers rather than requests.
    pub(super) queue: bool,
    source: Source,
}

enum Source {
    Measured(Series),
    Generated(Frame),
}

impl Load {
    /// The series itself.
    ///
    /// # Errors
    /// If a trace cannot be read.
    pub(super) fn frame(&self) -> anyhow::Result<Frame> {
        match &self.source {
            Source::Measured(series) => series.load(),
            Source::Generated(frame) => Ok(frame.clone()),
        }
    }
}

/// The traces under `folder`; without `train` they are scored from their first minute.
pub(super) fn traces(folder: &Path, train: bool) -> Vec<Load> {
    let load = |series: Series| Load {
        name: series.name.clone(),
        per: series.per,
        train_days: if train { series.train_days } else { 0 },
        queue: false,
        source: Source::Measured(series),
    };
    series_in(folder).into_iter().map(load).collect()
}

/// A week to learn from, then three days of something that it did not announce.
pub(super) fn adversarial(seed: u64) -> Vec<Load> {
    let load = |adversity: &Adversity| Load {
        name: adversity.to_string(),
        per: Duration::from_secs(1),
        train_days: 7,
        queue: false,
        source: Source::Generated(adverse(*adversity, seed).frame),
    };
    Adversity::ALL.iter().map(load).collect()
}

/// Streams of events for queue workers: eight days to learn from and a week to be scored on.
///
/// # Errors
/// What the generator refuses.
pub(super) fn queues(seed: u64) -> anyhow::Result<Vec<Load>> {
    let load = |pattern: Pattern| -> anyhow::Result<Load> {
        let options = GenerateOptions { days: 15, seed, scale: 5.0, ..GenerateOptions::new(pattern) };
        let source = Source::Generated(generate(&options)?.frame);
        Ok(Load { name: pattern.to_string(), per: options.step, train_days: 8, queue: true, source })
    };
    [Pattern::EventsBursty, Pattern::EventsCampaigns, Pattern::EventsHeavyTailed].into_iter().map(load).collect()
}

/// A generated series of every pattern, for forecasts.
///
/// # Errors
/// What the generator refuses.
pub(super) fn generated(seed: u64) -> anyhow::Result<Vec<(String, Frame)>> {
    let series = |pattern: &Pattern| -> anyhow::Result<(String, Frame)> {
        let step = Duration::from_secs(300);
        let options = GenerateOptions { seed, step, ..GenerateOptions::new(*pattern) };
        Ok((pattern.to_string(), generate(&options)?.frame))
    };
    Pattern::ALL.iter().map(series).collect()
}

//! The load as a Prometheus has it: what was, for learners that begin, and then sample by sample.

use std::time::Duration;

use foresail_core::{Frame, Metric, Quality, Row, Sample, Timestamp};
use foresail_ingest::{Error, PrometheusHttp, ReadOptions};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock::Tempo;

/// Samples waiting for the loop.
pub(super) const QUEUE: usize = 1_024;
/// Prometheus is asked this often at most, and at least.
const OFTEN: Duration = Duration::from_millis(500);
const SELDOM: Duration = Duration::from_secs(5);

/// A query of a Prometheus whose values are requests a second.
pub(super) struct Feed {
    /// Name of the service, for the log.
    pub(super) service: String,
    /// Whom to ask.
    pub(super) source: PrometheusHttp,
    /// What.
    pub(super) query: String,
    /// Length of a step: the service's tick.
    pub(super) step: Duration,
    /// The service's clock.
    pub(super) tempo: Tempo,
}

impl Feed {
    /// Hands over each value once, in order, until nobody takes them any more. Steps missed while the source was away are
    /// made up for when it is back; a source that stays away is silence, which the loop knows how to meet.
    pub(super) async fn run(self, samples: mpsc::Sender<Sample>) {
        let mut turns = interval((self.step / 2).clamp(OFTEN, SELDOM));
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut since = None;
        let mut is_away = false;
        loop {
            tokio::select! {
                () = samples.closed() => return,
                _ = turns.tick() => {}
            }
            match self.fresh(since).await {
                Ok(found) => {
                    if is_away {
                        tracing::info!("{}: Prometheus answers again", self.service);
                    }
                    is_away = false;
                    for sample in found {
                        since = Some(sample.time);
                        if samples.send(sample).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) if is_away => tracing::debug!("{}: {error}", self.service),
                Err(error) => {
                    tracing::warn!("{}: the load cannot be asked for: {error}", self.service);
                    is_away = true;
                }
            }
        }
    }

    /// What has settled after `since`, oldest first.
    async fn fresh(&self, since: Option<Timestamp>) -> Result<Vec<Sample>, Error> {
        let now = self.tempo.now();
        let Some(newest) = self.source.newest(&self.query, self.step, since, now).await? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        if let Some(since) = since.filter(|since| newest.time > *since + self.step) {
            match self.past(since, newest.time - self.step, now).await {
                Ok(frame) => {
                    let sample = |row: Row| Some(self.sample(row.time + self.step, row.target()?));
                    found.extend(frame.rows().filter_map(sample));
                }
                // What is there now matters more than what was missed.
                Err(error) => tracing::debug!("{}: missed steps stay gaps: {error}", self.service),
            }
        }
        found.push(self.sample(newest.time, newest.value));
        Ok(found)
    }

    /// The load over `[from, to)` in steps, one column.
    ///
    /// # Errors
    /// [`Error::ManySeries`] if it is not one series, and those of the source.
    pub(super) async fn past(&self, from: Timestamp, to: Timestamp, now: Timestamp) -> Result<Frame, Error> {
        let options = ReadOptions::default();
        let filled = self.source.backfill(&self.query, (from, to), self.step, now, &options).await?;
        let frame = filled.ingested.frame;
        match frame.columns().len() {
            1 => Ok(frame),
            found => Err(Error::ManySeries { query: self.query.clone(), found }),
        }
    }

    fn sample(&self, time: Timestamp, value: f64) -> Sample {
        let value = value.max(0.0);
        Sample { metric: Metric::RequestRate, time, interval: self.step, value, quality: Quality::Good }
    }
}

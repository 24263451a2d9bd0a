//! The load before the start: what learners begin with.

use std::time::Duration;

use foresail_core::{Column, Frame, Metric, Timestamp};
use foresail_ingest::{ReadOptions, Source, read};

use super::config::{HistoryConfig, ServiceConfig};
use super::feed::Feed;
use super::keeper::Keeper;
use crate::lab::ticks::{Scale, load_on_ticks};

/// How far back what was kept is looked at.
const REACH: Duration = Duration::from_secs(14 * 86_400);
/// Less than this is not worth learning from.
const LEAST: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The load before `now`, requests a second by tick: what was kept or what Prometheus has, whichever knows more; the
/// configured file where neither knows an hour.
///
/// # Errors
/// If what was kept or the file cannot be read. A Prometheus that does not answer is told, and done without.
pub(super) async fn past(
    config: &ServiceConfig,
    keeper: &Keeper,
    name: &str,
    feed: Option<&Feed>,
    now: Timestamp,
) -> anyhow::Result<Option<Frame>> {
    let mut found = kept(config, keeper, name, now)?;
    let asked = feed.zip(config.prometheus.as_ref()).filter(|(_, c)| !c.backfill.is_zero());
    if let Some((feed, prometheus)) = asked {
        match feed.past(now - prometheus.backfill, now, now).await {
            Ok(frame) if known(&frame) > found.as_ref().map_or(0, known) => found = Some(frame),
            Ok(_) => {}
            Err(error) => tracing::warn!("{name}: Prometheus is not learned from: {error}"),
        }
    }
    if let Some(frame) = found.filter(|f| config.tick * known(f) as u32 > LEAST) {
        let column = Column::new("load", held(&frame).into_iter().map(Some));
        return Ok(Some(Frame::new(frame.start(), frame.step(), config.zone()?, vec![column])?));
    }
    config.history.as_ref().map_or(Ok(None), |history| from_file(config, history, now))
}

/// Rows that have a value.
fn known(frame: &Frame) -> usize {
    frame.target_mask().iter().filter(|known| **known).count()
}

/// The load by tick; gaps hold the last value.
fn held(frame: &Frame) -> Vec<f64> {
    let mut last = frame.rows().find_map(|row| row.target()).unwrap_or_default();
    let hold = |row: foresail_core::Row| {
        last = row.target().unwrap_or(last);
        last
    };
    frame.rows().map(hold).collect()
}

fn kept(config: &ServiceConfig, keeper: &Keeper, name: &str, now: Timestamp) -> anyhow::Result<Option<Frame>> {
    let samples = keeper.samples(name, now - REACH, now)?;
    let mut times = samples.iter().filter(|s| s.metric == Metric::RequestRate).map(|s| s.time - s.interval);
    let Some(first) = times.next() else { return Ok(None) };
    let (from, to) = (first.floor_to(config.tick), now.floor_to(config.tick));
    // Arrivals are counted before any queue, so those of a saturated tick are demand like any other.
    Ok(Some(foresail_store::frame(&samples, &[Metric::RequestRate], from, to, config.tick, |_| true)?))
}

/// The days of a file teach ours at the same time of day: what follows that time on its last day is left out.
fn from_file(config: &ServiceConfig, history: &HistoryConfig, now: Timestamp) -> anyhow::Result<Option<Frame>> {
    let options = ReadOptions { values: vec![history.value.clone()], ..ReadOptions::default() };
    let frame = read(Source::from(history.file.as_path()), &options)?.frame;
    let mut loads = load_on_ticks(&frame, config.tick, history.per, Scale::Factor(1.0))?.rps;
    let of_day = |time: Timestamp| time.since(time.floor_to(DAY)).as_secs_f64();
    let end = now.floor_to(config.tick);
    let over = (of_day(frame.start() + config.tick * loads.len() as u32) - of_day(end)).rem_euclid(86_400.0);
    loads.truncate(loads.len().saturating_sub((over / config.tick.as_secs_f64()).round() as usize));
    if loads.is_empty() {
        return Ok(None);
    }
    let start = end - config.tick * loads.len() as u32;
    let column = Column::new("load", loads.into_iter().map(Some));
    Ok(Some(Frame::new(start, config.tick, config.zone()?, vec![column])?))
}

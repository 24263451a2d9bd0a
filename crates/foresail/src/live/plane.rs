//! The running loops as the API sees them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use foresail_core::{Decision, Driver, JournalRecord, Reason, Replicas, Timestamp};
use foresail_scale::NeedTable;
use foresail_scale::controller::{Command, Entry};
use foresail_server::api::plane::{
    Actor, Answer, AuditEntry, ControlPlane, HistoryPoint, PlaneError, Question, ServiceView, Word,
};
use foresail_store::JournalReader;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use super::engine::{Handle, Said};
use super::view::in_real_time;

/// How long the loop may take to answer an operator.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Every running loop.
pub(crate) struct Plane {
    services: ArcSwap<Vec<Arc<Shown>>>,
    changed: watch::Receiver<u64>,
}

/// A loop that is shown.
struct Shown {
    name: String,
    handle: Handle,
    table: Mutex<NeedTable>,
}

impl Plane {
    /// Of no loop yet. `changed` moves on whenever there is something new to see.
    pub(crate) fn new(changed: watch::Receiver<u64>) -> Self {
        Self { services: ArcSwap::default(), changed }
    }

    /// Shows these loops from now on: name, handle, share of requests that may be late.
    ///
    /// # Errors
    /// If a late fraction is out of range.
    pub(crate) fn show(&self, services: impl IntoIterator<Item = (String, Handle, f64)>) -> anyhow::Result<()> {
        let with_table = |(name, handle, late_fraction): (String, Handle, f64)| {
            let table = Mutex::new(NeedTable::new(handle.service, late_fraction)?);
            anyhow::Ok(Arc::new(Shown { name, handle, table }))
        };
        let shown = services.into_iter().map(with_table).collect::<Result<_, _>>()?;
        self.services.store(Arc::new(shown));
        Ok(())
    }

    fn find(&self, service: &str) -> Result<Arc<Shown>, PlaneError> {
        let missing = || PlaneError::NotFound { what: format!("service {service:?}") };
        self.services.load().iter().find(|shown| shown.name == service).cloned().ok_or_else(missing)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
fn unavailable(why: impl ToString) -> PlaneError {
    PlaneError::Unavailable { why: why.to_string() }
}

#[async_trait]
impl ControlPlane for Plane {
    fn services(&self) -> Vec<String> {
        self.services.load().iter().map(|shown| shown.name.clone()).collect()
    }

    fn view(&self, service: &str) -> Option<Arc<ServiceView>> {
        self.find(service).ok().map(|shown| shown.handle.view.load_full())
    }

    fn changed(&self) -> watch::Receiver<u64> {
        self.changed.clone()
    }

    fn history(&self, service: &str, from: Timestamp, to: Timestamp, most: usize) -> Vec<HistoryPoint> {
        let Ok(shown) = self.find(service) else { return Vec::new() };
        let history = shown.handle.points.lock().unwrap_or_else(PoisonError::into_inner);
        let range = history.partition_point(|p| p.time < from)..history.partition_point(|p| p.time < to);
        let every = range.len().div_ceil(most.max(1)).max(1);
        let points: Vec<HistoryPoint> = history.range(range).copied().collect();
        // Whole chunks from the newest on, so that the newest point is always there.
        let mut thinned: Vec<HistoryPoint> = points.rchunks(every).filter_map(merged).collect();
        thinned.reverse();
        thinned
    }

    async fn decisions(
        &self,
        service: &str,
        before: Option<u64>,
        most: usize,
    ) -> Result<Vec<JournalRecord>, PlaneError> {
        let shown = self.find(service)?;
        let handle = &shown.handle;
        let (path, tempo) = (handle.journal.clone(), handle.tempo.clone());
        {
            let recent = handle.recent.lock().unwrap_or_else(PoisonError::into_inner);
            let end = before.map_or(recent.len(), |before| recent.partition_point(|record| record.id < before));
            if end >= most {
                let page = recent.range(end - most..end).rev();
                return Ok(page.map(|record| in_real_time(record.clone(), &tempo)).collect());
            }
        }
        let read = move || {
            let reader = JournalReader::<Entry>::of_entries(&path).map_err(unavailable)?;
            let mut newest = VecDeque::with_capacity(most.min(1_000) + 1);
            for entry in reader {
                let (Entry::Decided { record } | Entry::Urged { record }) = entry.map_err(unavailable)? else {
                    continue;
                };
                if before.is_some_and(|before| record.id >= before) {
                    break;
                }
                newest.push_front(in_real_time(record, &tempo));
                newest.truncate(most);
            }
            Ok(Vec::from(newest))
        };
        tokio::task::spawn_blocking(read).await.map_err(unavailable)?
    }

    async fn decision(&self, service: &str, id: u64) -> Result<JournalRecord, PlaneError> {
        let shown = self.find(service)?;
        let handle = &shown.handle;
        let path = handle.journal.clone();
        let found = tokio::task::spawn_blocking(move || foresail_store::find_entry::<Entry>(&path, id));
        match found.await.map_err(unavailable)?.map_err(unavailable)? {
            Some(Entry::Decided { record } | Entry::Urged { record }) => Ok(in_real_time(record, &handle.tempo)),
            _ => Err(PlaneError::NotFound { what: format!("decision {id}") }),
        }
    }

    fn decide(&self, service: &str, question: &Question) -> Result<Answer, PlaneError> {
        let shown = self.find(service)?;
        let handle = &shown.handle;
        let view = handle.view.load();
        let load = question.load_rps.or(view.load_rps).unwrap_or(0.0);
        if !load.is_finite() || load < 0.0 {
            return Err(PlaneError::Refused { why: format!("load_rps is {load}, accepted is a number of at least 0") });
        }
        let (min, max) = view.limits;
        let rate = handle.tempo.rate(load) * view.capacity.prior_rps / in_use(&view);
        let reactive = {
            let mut table = shown.table.lock().unwrap_or_else(PoisonError::into_inner);
            table.need(rate, Replicas(max))
        };
        let predicted = view.last.as_ref().and_then(|r| r.decision.reason.predicted);
        let wanted = reactive.max(predicted.unwrap_or_default());
        let desired = Replicas(wanted.0.clamp(min, max));
        let driver = if wanted.0 < min {
            Driver::Minimum
        } else if Some(wanted) == predicted && wanted > reactive {
            Driver::Predicted
        } else {
            Driver::Reactive
        };
        let mut reason = Reason { load: Some(load), reactive, predicted, ..Reason::new(driver) };
        if let Some(replicas) = question.replicas {
            reason.note = format!("{replicas} there now");
        }
        let sentence = reason.to_string();
        let baseline = Replicas::holding(load / in_use(&view) / 0.7).0.clamp(min, max);
        Ok(Answer { decision: Decision { desired, reason }, sentence, baseline })
    }

    async fn command(&self, actor: &Actor, service: &str, word: Word) -> Result<(), PlaneError> {
        self.find(service)?.handle.tell(actor, word).await
    }

    async fn audit(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, PlaneError> {
        let Some(keeper) = self.services.load().iter().find_map(|shown| shown.handle.keeper.clone()) else {
            return Ok(Vec::new());
        };
        keeper.audited(before, most).await.map_err(unavailable)
    }

    fn statistics(&self, service: &str) -> Result<Option<serde_json::Value>, PlaneError> {
        let laid_out = self.find(service)?.handle.exchanged.laid_out.load_full();
        laid_out.as_deref().map(serde_json::to_value).transpose().map_err(unavailable)
    }

    fn is_ready(&self) -> bool {
        let services = self.services.load();
        !services.is_empty()
            && services.iter().all(|shown| {
                let handle = &shown.handle;
                let view = handle.view.load();
                let beat = **handle.beat.load();
                handle.tempo.now().since(beat) < 3 * view.tick
            })
    }
}

impl Handle {
    /// Hands an operator's word to the loop, and waits for its answer.
    ///
    /// # Errors
    /// If it is refused, or the loop does not answer.
    pub(super) async fn tell(&self, actor: &Actor, word: Word) -> Result<(), PlaneError> {
        let (answer, answered) = oneshot::channel();
        let said = Said { actor: actor.clone(), word, answer };
        self.words.try_send(said).map_err(|_| unavailable("the loop takes no more commands"))?;
        timeout(ANSWER_TIMEOUT, answered).await.map_err(unavailable)?.map_err(unavailable)?
    }
}

/// Several points as one, at the time of the last: counts add up, the worst latency stays, the rest is the last one's.
fn merged(points: &[HistoryPoint]) -> Option<HistoryPoint> {
    let worst = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
    points.iter().copied().reduce(|sum, point| HistoryPoint {
        late: sum.late + point.late,
        requests: sum.requests + point.requests,
        saturated: sum.saturated || point.saturated,
        p99_ms: worst(sum.p99_ms, point.p99_ms),
        ..point
    })
}

fn in_use(view: &ServiceView) -> f64 {
    if view.capacity.in_use { view.capacity.learned_rps } else { view.capacity.prior_rps }
}

/// For how long a word holds.
pub(super) fn lasting(seconds: u64) -> Result<Duration, String> {
    let accepted = (1..=604_800).contains(&seconds).then(|| Duration::from_secs(seconds));
    accepted.ok_or_else(|| format!("seconds is {seconds}, accepted is 1 to 604800"))
}

/// A word as the controller understands it, at `now`.
pub(super) fn command(word: &Word, now: Timestamp) -> Result<Command, String> {
    let until = |seconds: u64| lasting(seconds).map(|lasts| now + lasts);
    Ok(match word {
        Word::Mode { mode } => Command::SetMode { mode: *mode },
        Word::Pause { seconds, direction } => Command::Pause { until: until(*seconds)?, direction: *direction },
        Word::Resume => Command::Resume,
        Word::Kill => Command::Kill,
        Word::Revive => Command::Revive,
        Word::Override { replicas, seconds } => {
            Command::Override { replicas: Replicas(*replicas), until: until(*seconds)? }
        }
        Word::ClearOverride => Command::ClearOverride,
        Word::Approve { id } => Command::Approve { id: *id },
        Word::Reject { id } => Command::Reject { id: *id },
        Word::Announce { event } => Command::Announce { event: event.clone() },
        Word::Withdraw { label } => Command::Withdraw { label: label.clone() },
        _ => return Err("this is not understood here".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_are_thinned_lose_no_request() {
        let point = |i: u32| HistoryPoint {
            time: Timestamp::from_secs(i64::from(i)),
            load_rps: Some(f64::from(i)),
            saturated: i == 1,
            ready: i,
            desired: i,
            baseline: i,
            late: u64::from(i),
            requests: 10,
            p99_ms: (i != 2).then_some(f64::from(10 - i)),
        };
        let points: Vec<HistoryPoint> = (0..4).map(point).collect();
        let all = merged(&points).unwrap();
        assert_eq!((all.time, all.ready, all.late, all.requests), (Timestamp::from_secs(3), 3, 6, 40));
        assert!(all.saturated && all.p99_ms == Some(10.0));
        assert_eq!(merged(&[]), None);
    }
}

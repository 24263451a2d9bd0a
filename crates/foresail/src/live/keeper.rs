//! What is kept on disk between ticks and over restarts: the state store, and the days past; shared by the loops and the
//! API.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use foresail_core::{Sample, Timestamp};
use foresail_server::api::plane::{Actor, AuditEntry, PlaneError, Role, Word};
use foresail_store::{AlertRow, Archived, Checkpoint, HistoryOptions, HistoryStore, JournalMark, StateStore, Tick};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Ended alerts are forgotten after so long.
const ALERTS_KEPT: Duration = Duration::from_secs(90 * 86_400);

/// The stores. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Mutex<Stores>>);

struct Stores {
    state: StateStore,
    history: HistoryStore,
}

impl Keeper {
    /// Opens or begins the stores in `folder`; days past are kept for `retain`.
    ///
    /// # Errors
    /// If another process has them, or what is there is no store.
    pub(crate) fn open(folder: &Path, retain: Duration) -> anyhow::Result<Self> {
        let (state, history) = (folder.join("state.sqlite"), folder.join("history"));
        let cannot = |path: &Path| format!("cannot open the state {}", path.display());
        let retain_days = u32::try_from(retain.as_secs() / 86_400).unwrap_or(u32::MAX).max(1);
        let options = HistoryOptions { retain_days, ..HistoryOptions::default() };
        Ok(Self(Arc::new(Mutex::new(Stores {
            state: StateStore::open(&state).with_context(|| cannot(&state))?,
            history: HistoryStore::open(&history, options).with_context(|| cannot(&history))?,
        }))))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Stores) -> Result<T, foresail_store::Error> + Send + 'static,
    ) -> Result<T, String> {
        let stores = Arc::clone(&self.0);
        let worked = tokio::task::spawn_blocking(move || {
            work(&mut stores.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|e| e.to_string())
        });
        worked.await.map_err(|e| e.to_string())?
    }

    /// Saves a tick. A failure is told and the loop goes on: acting on what is measured matters more than remembering it.
    pub(super) async fn commit(
        &self,
        service: &str,
        time: Timestamp,
        checkpoints: Vec<(&'static str, Vec<u8>)>,
        samples: Vec<Sample>,
        alerts: Vec<AlertRow>,
        mark: JournalMark,
    ) {
        let name = service.to_owned();
        let saved = self
            .with(move |stores| {
                let checkpoints: Vec<Checkpoint<'_>> =
                    checkpoints.iter().map(|(kind, bytes)| Checkpoint { kind, bytes }).collect();
                let (checkpoints, samples, alerts) = (checkpoints.as_slice(), samples.as_slice(), alerts.as_slice());
                let tick = Tick { service: &name, time, checkpoints, samples, alerts, journal: Some(mark) };
                stores.state.commit_tick(&tick)
            })
            .await;
        if let Err(error) = saved {
            tracing::error!("{service}: the state cannot be saved: {error}");
        }
    }

    /// Saves one value under `service` and `kind`. A failure is told.
    pub(super) async fn remember(&self, service: &'static str, kind: &str, value: &impl Serialize) {
        let Ok(bytes) = serde_json::to_vec(value) else { return };
        let (kind, time) = (kind.to_owned(), crate::clock::wall_now());
        let saved = self
            .with(move |stores| {
                let checkpoints = &[Checkpoint { kind: &kind, bytes: &bytes }];
                let tick = Tick { service, time, checkpoints, samples: &[], alerts: &[], journal: None };
                stores.state.commit_tick(&tick)
            })
            .await;
        if let Err(error) = saved {
            tracing::error!("{service}: the state cannot be saved: {error}");
        }
    }

    /// Writes days that are over to the history, and forgets what is too old.
    pub(crate) async fn archive(&self, now: Timestamp) -> Result<Archived, String> {
        self.with(move |stores| {
            stores.state.forget_alerts(now - ALERTS_KEPT)?;
            stores.history.archive(&stores.state, now)
        })
        .await
    }

    /// The newest usable snapshot of `kind`, with its time; a broken one before it is told.
    ///
    /// # Errors
    /// If there are snapshots and none can be read.
    pub(crate) fn restore<T: DeserializeOwned>(
        &self,
        service: &str,
        kind: &str,
    ) -> anyhow::Result<Option<(T, Timestamp)>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let restored = stores.state.restore(service, kind, |bytes| serde_json::from_slice(bytes))?;
        Ok(restored.map(|restored| {
            for broken in &restored.broken {
                tracing::warn!("{service}: a newer {kind} state cannot be used: {}", broken.what);
            }
            (restored.value, restored.time)
        }))
    }

    /// Records of the journal that the saved state knows of.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn journalled(&self, service: &str) -> anyhow::Result<u64> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stores.state.journal_mark(service)?.map_or(0, |mark| mark.records))
    }

    /// Samples kept of a service whose interval ended in `[from, to]`, those of days past too; a damaged day is told and
    /// left out.
    ///
    /// # Errors
    /// If the stores cannot be read.
    pub(super) fn samples(&self, service: &str, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<Sample>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let recalled = stores.history.recall(Some(&stores.state), service, from, to)?;
        for damaged in &recalled.damaged {
            tracing::warn!("{service}: a day of history is left out: {damaged}");
        }
        Ok(recalled.samples)
    }

    /// Alerts kept of a service, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) fn alerts(&self, service: &str, most: u32) -> anyhow::Result<Vec<AlertRow>> {
        let stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(stores.state.alerts(Some(service), false, most)?)
    }

    /// Adds to the audit trail.
    pub(super) async fn audit(
        &self,
        time: Timestamp,
        service: &str,
        actor: &Actor,
        word: &Word,
        answer: &Result<(), PlaneError>,
    ) {
        let role = match actor.role {
            Role::Read => "read",
            Role::Operate => "operate",
        };
        let entry = foresail_store::AuditEntry {
            time,
            actor: actor.name.clone(),
            role: role.to_owned(),
            action: service.to_owned(),
            detail: serde_json::to_value(word).unwrap_or_default(),
            outcome: match answer {
                Ok(()) => "accepted".to_owned(),
                Err(refused) => refused.to_string(),
            },
        };
        if let Err(error) = self.with(move |stores| stores.state.append_audit(&entry)).await {
            tracing::error!("{service}: the audit trail cannot be written: {error}");
        }
    }

    /// The audit trail, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) async fn audited(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, String> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let records = self.with(move |stores| stores.state.audit(before, most)).await?;
        let entry = |record: foresail_store::AuditRecord| {
            let row = record.entry;
            let role = if row.role == "operate" { Role::Operate } else { Role::Read };
            AuditEntry {
                id: record.id,
                time: row.time,
                actor: Actor { name: row.actor, role },
                service: row.action,
                word: row.detail,
                outcome: row.outcome,
            }
        };
        Ok(records.into_iter().map(entry).collect())
    }
}

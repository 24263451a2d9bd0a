//! What is kept on disk between ticks and over restarts: the state store, shared by the loops and the API.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use foresail_core::{Sample, Timestamp};
use foresail_server::api::plane::{Actor, AuditEntry, PlaneError, Role, Word};
use foresail_store::{Checkpoint, JournalMark, StateStore, Tick};
use serde::de::DeserializeOwned;

/// The state store. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Mutex<StateStore>>);

impl Keeper {
    /// Opens or begins the store at `path`.
    ///
    /// # Errors
    /// If another process has it, or it is no store.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let store = StateStore::open(path).with_context(|| format!("cannot open the state {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(store))))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut StateStore) -> Result<T, foresail_store::Error> + Send + 'static,
    ) -> Result<T, String> {
        let store = Arc::clone(&self.0);
        let worked = tokio::task::spawn_blocking(move || {
            work(&mut store.lock().unwrap_or_else(PoisonError::into_inner)).map_err(|e| e.to_string())
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
        mark: JournalMark,
    ) {
        let name = service.to_owned();
        let saved = self
            .with(move |store| {
                let checkpoints: Vec<Checkpoint<'_>> =
                    checkpoints.iter().map(|(kind, bytes)| Checkpoint { kind, bytes }).collect();
                let (checkpoints, samples) = (checkpoints.as_slice(), samples.as_slice());
                let tick = Tick { service: &name, time, checkpoints, samples, alerts: &[], journal: Some(mark) };
                store.commit_tick(&tick)
            })
            .await;
        if let Err(error) = saved {
            tracing::error!("{service}: the state cannot be saved: {error}");
        }
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
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let restored = store.restore(service, kind, |bytes| serde_json::from_slice(bytes))?;
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
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(store.journal_mark(service)?.map_or(0, |mark| mark.records))
    }

    /// Samples kept of a service from `from` on.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn samples(&self, service: &str, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<Sample>> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(store.samples(service, from, to)?)
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
        if let Err(error) = self.with(move |store| store.append_audit(&entry)).await {
            tracing::error!("{service}: the audit trail cannot be written: {error}");
        }
    }

    /// The audit trail, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(super) async fn audited(&self, before: Option<u64>, most: usize) -> Result<Vec<AuditEntry>, String> {
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let records = self.with(move |store| store.audit(before, most)).await?;
        let entry = |record: foresail_store::AuditRecord| {
            let row = record.entry;
            let role = if row.role == "operate" { Role::Operate } else { Role::Read };
            Some(AuditEntry {
                id: record.id,
                time: row.time,
                actor: Actor { name: row.actor, role },
                service: row.action,
                word: serde_json::from_value(row.detail).ok()?,
                outcome: row.outcome,
            })
        };
        Ok(records.into_iter().filter_map(entry).collect())
    }
}

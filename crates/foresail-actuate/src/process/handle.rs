//! The handle on a service's copies.

use async_trait::async_trait;
use foresail_core::{Goal, Order};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::config::{OnExit, ProcessConfig, Warm};
use super::proc_fs;
use super::supervisor::{Command, Supervisor};
use super::warm::warm;
use crate::{Actuator, Error, Observed, ReadyCopy};

/// Keeps copies of a command alive on this machine.
///
/// End it with [`close`](Self::close), [`shutdown`](Self::shutdown) or [`detach`](Self::detach). Dropped without, its
/// copies are killed at once, unless [`ProcessConfig::on_exit`] leaves them.
#[derive(Debug)]
pub struct ProcessActuator {
    commands: mpsc::Sender<Command>,
    endpoints: watch::Receiver<Vec<ReadyCopy>>,
    hook: Option<Warm>,
    on_exit: OnExit,
    task: JoinHandle<()>,
}

impl ProcessActuator {
    /// Checks `config`, adopts copies that an earlier actuator left in its folder, and starts what is missing: as many
    /// as were wanted when it ended, or [`ProcessConfig::initial`] if there was none. Returns before they are ready.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Locked`] if another actuator has the folder, [`Error::Damaged`] if the state file is
    /// not what was saved, [`Error::Io`].
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O enabled.
    pub async fn start(config: ProcessConfig) -> Result<Self, Error> {
        let (hook, on_exit) = (config.warm.clone(), config.on_exit);
        let (publisher, endpoints) = watch::channel(Vec::new());
        let supervisor = Supervisor::start(config, publisher).await?;
        let (commands, queue) = mpsc::channel(64);
        let task = tokio::spawn(supervisor.run(queue));
        Ok(Self { commands, endpoints, hook, on_exit, task })
    }

    /// The copies that may be sent traffic, by id. Changes the instant a copy becomes ready, and before one is asked
    /// to stop.
    pub fn endpoints(&self) -> watch::Receiver<Vec<ReadyCopy>> {
        self.endpoints.clone()
    }

    /// Ends as [`ProcessConfig::on_exit`] says: stops the copies or leaves them.
    ///
    /// # Errors
    /// As [`shutdown`](Self::shutdown).
    pub async fn close(&self) -> Result<(), Error> {
        match self.on_exit {
            OnExit::Stop => self.shutdown().await,
            OnExit::Leave => self.detach().await,
        }
    }

    /// Stops every copy, gracefully, and waits until none is left. How many were wanted is remembered for the next
    /// start.
    ///
    /// # Errors
    /// [`Error::Io`] if processes do not end even when killed; [`Error::Closed`] if it was ended before.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.ask(Command::Stop).await?
    }

    /// Leaves every copy running, for the next actuator on the folder to adopt.
    ///
    /// # Errors
    /// [`Error::Closed`] if it was ended before.
    pub async fn detach(&self) -> Result<(), Error> {
        self.ask(Command::Leave).await?
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)
    }
}

#[async_trait]
impl Actuator for ProcessActuator {
    async fn observe(&self) -> Result<Observed, Error> {
        let mut seen = self.ask(Command::Observe).await?;
        let measured = tokio::task::spawn_blocking(move || {
            for copy in &mut seen.copies {
                copy.memory_bytes = copy.pid.and_then(proc_fs::resident_bytes);
            }
            seen
        });
        measured.await.map_err(|_| Error::Closed)
    }

    /// As the trait says. A warm-up is awaited: [`Error::Warm`] unless every ready copy answers the hook with success.
    async fn apply(&self, order: &Order) -> Result<(), Error> {
        self.ask(|reply| Command::Apply(order.clone(), reply)).await??;
        if let (Goal::Warm { share }, Some(hook)) = (&order.goal, &self.hook) {
            let copies = self.endpoints.borrow().clone();
            warm(hook, copies, *share).await?;
        }
        Ok(())
    }
}

impl Drop for ProcessActuator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

//! Telling people: a task for each receiver, fed by every loop.

use std::sync::Arc;

use arc_swap::ArcSwap;
use foresail_actuate::notify::{Alert, Notifier, NotifierState, Sender, deliver};
use foresail_core::{SeededRng, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, sleep};

use super::config::ReceiverConfig;
use super::keeper::Keeper;
use crate::clock::wall_now;

/// News waiting for a receiver.
const QUEUE: usize = 1_024;
/// Under which name receivers keep their memory: no service can have it.
const KEPT_AS: &str = "*notify";

/// Something to tell.
#[derive(Clone, Debug)]
pub(super) enum Notice {
    /// An alert begins or goes on.
    Raise(Alert),
    /// An alert has ended.
    Resolve {
        /// When.
        time: Timestamp,
        /// Whose.
        service: String,
        /// Of which kind.
        kind: String,
        /// About what.
        subject: String,
    },
}

/// The way to every receiver. Cloning shares it.
#[derive(Clone, Default)]
pub(crate) struct Notices(Arc<ArcSwap<Vec<mpsc::Sender<Notice>>>>);

impl Notices {
    /// Hands it to every receiver; one that lags far behind misses it.
    pub(super) fn tell(&self, notice: &Notice) {
        for receiver in self.0.load().iter() {
            if receiver.try_send(notice.clone()).is_err() {
                tracing::error!("a receiver of alerts is {QUEUE} behind: one is not told");
            }
        }
    }

    /// Tells these from now on, and nobody else. The tasks end when `stopped` says so, or when others take their place.
    ///
    /// # Errors
    /// If a receiver's files or options cannot be used; those before go on then.
    pub(super) fn point_at(
        &self,
        receivers: &[ReceiverConfig],
        dashboard: &str,
        keeper: &Keeper,
        stopped: &watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let mut ways = Vec::new();
        let mut tasks = Vec::new();
        for receiver in receivers {
            let (way, news) = mpsc::channel(QUEUE);
            let name = receiver.name().to_owned();
            let state = keeper.restore::<NotifierState>(KEPT_AS, &name)?.map(|(state, _)| state);
            let notifier = state.and_then(|state| Notifier::restore(receiver.pacing(), state));
            let teller = Teller {
                name,
                notifier: notifier.unwrap_or_else(|| Notifier::new(receiver.pacing())),
                sender: receiver.sender(dashboard)?,
                keeper: keeper.clone(),
                rng: SeededRng::seed_from_u64(wall_now().as_micros().unsigned_abs()),
            };
            ways.push(way);
            tasks.push((teller, news));
        }
        // Those before end when the last of their senders is dropped here.
        self.0.store(Arc::new(ways));
        Ok(tasks.into_iter().map(|(teller, news)| tokio::spawn(teller.run(news, stopped.clone()))).collect())
    }
}

/// One receiver.
struct Teller {
    name: String,
    notifier: Notifier,
    sender: Box<dyn Sender>,
    keeper: Keeper,
    rng: SeededRng,
}

impl Teller {
    async fn run(mut self, mut news: mpsc::Receiver<Notice>, mut stopped: watch::Receiver<bool>) {
        loop {
            let wait = self.notifier.next_due().map(|due| due.since(wall_now()));
            tokio::select! {
                biased;
                // A sender that is gone has stopped too.
                _ = stopped.wait_for(|stop| *stop) => break,
                notice = news.recv() => match notice {
                    Some(notice) => self.take(notice),
                    None => break,
                },
                () = sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {}
            }
            for report in deliver(&mut self.notifier, self.sender.as_ref(), wall_now, &mut self.rng).await {
                match report.error {
                    None => tracing::debug!("{}: told of {}", self.name, report.delivery.kind),
                    Some(error) => tracing::warn!("{}: not told of {}: {error}", self.name, report.delivery.kind),
                }
            }
            self.keeper.remember(KEPT_AS, &self.name, &self.notifier.state()).await;
        }
    }

    fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Raise(alert) => drop(self.notifier.raise(wall_now(), alert)),
            Notice::Resolve { time, service, kind, subject } => self.notifier.resolve(time, &service, &kind, &subject),
        }
    }
}

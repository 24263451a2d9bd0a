//! The running league of forecasting models: each sees every step, forecasts it ahead, and is scored on what came.
//!
//! It lives on a thread of its own. The loop sends it steps and reads what it published last; a fit that takes long
//! makes forecasts older, never a tick late.

mod drift;
mod inputs;
mod player;
mod show;
mod table;
#[cfg(test)]
mod tests;
mod told;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use foresail_core::{Frame, Known, TimeZone, Timestamp};
use foresail_server::api::plane::{DriftView, ForecastView, ModelView, Told};
use tokio::sync::watch;

use table::Table;

/// Steps waiting to be taken in before the loop drops some.
const QUEUE: usize = 4_096;
/// How the league is run.
#[derive(Clone, Debug)]
pub(crate) struct LeagueOptions {
    /// Length of a step.
    pub(crate) step: Duration,
    /// Steps ahead that are shown.
    pub(crate) horizon: usize,
    /// Step ahead that is scored: what the start-up delay asks for, 1 to `horizon`.
    pub(crate) scored: usize,
    /// Cycles of the load.
    pub(crate) seasons: Vec<Duration>,
    /// Most steps learned from.
    pub(crate) memory: usize,
    /// Steps between two fits.
    pub(crate) refit: usize,
    /// Zone of the calendar.
    pub(crate) zone: TimeZone,
    /// Seed of whatever is random.
    pub(crate) seed: u64,
}

/// What the league has published.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The champion's forecast.
    pub(super) forecast: Option<ForecastView>,
    /// Every model, best first.
    pub(super) models: Vec<ModelView>,
    /// Changes of the champion, newest first.
    pub(super) trials: Vec<Told>,
    /// What is watched for change, and what was found.
    pub(super) drift: DriftView,
    /// What was told since the start, however little of it is still shown: changes of the champion and of the load.
    pub(super) told: u64,
    /// The last of it, oldest first.
    pub(super) news: Vec<Told>,
    /// The champion's forecasts of the scored step that have not come due: start of the step, 5 % quantile, median, 95 %
    /// quantile.
    pub(super) due: Vec<(Timestamp, f64, f64, f64)>,
    /// CPU spent, seconds.
    pub(super) cpu_s: f64,
}

/// Start of a step, its load, and the kind of work.
type Step = (Timestamp, Option<f64>, Option<usize>);

/// The loop's end of the league.
pub(super) struct League {
    steps: Option<SyncSender<Step>>,
    standing: Arc<ArcSwap<Standing>>,
    thread: Option<JoinHandle<()>>,
}

impl League {
    /// Starts the thread; `history` is learned from before anything else.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start(
        options: LeagueOptions,
        known: watch::Receiver<Arc<Known>>,
        history: Option<Frame>,
    ) -> std::io::Result<Self> {
        let (steps, receiver) = sync_channel(QUEUE);
        let standing = Arc::new(ArcSwap::from_pointee(Standing::default()));
        let published = Arc::clone(&standing);
        let thread = std::thread::Builder::new()
            .name("league".to_owned())
            .spawn(move || Table::new(options, known, history, published).run(&receiver))?;
        Ok(Self { steps: Some(steps), standing, thread: Some(thread) })
    }

    /// Hands over the load of the step that began at `time`, and the kind of work it was; none where nothing was measured. A
    /// league that lags far behind misses it.
    pub(super) fn push(&self, time: Timestamp, load: Option<f64>, regime: Option<usize>) {
        if let Some(steps) = &self.steps
            && let Err(TrySendError::Full(_)) = steps.try_send((time, load, regime))
        {
            tracing::warn!("the forecasting league is {QUEUE} steps behind: a step is left out");
        }
    }

    /// What was published last.
    pub(super) fn standing(&self) -> Arc<Standing> {
        self.standing.load_full()
    }
}

impl Drop for League {
    fn drop(&mut self) {
        self.steps = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; there is nothing to add while going down.
            let _ = thread.join();
        }
    }
}

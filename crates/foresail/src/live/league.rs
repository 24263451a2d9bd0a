//! The running league of forecasting models: each sees every step, forecasts it ahead, and is scored on what came.
//!
//! It lives on a thread of its own. The loop sends it steps and reads what it published last; a fit that takes long
//! makes forecasts older, never a tick late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use foresail_core::{Frame, Known, Row, SeededRng, TimeZone, Timestamp};
use foresail_forecast::guard::dependable;
use foresail_forecast::registry::{ModelOptions, build};
use foresail_forecast::{Fitted, Forecast, Forecaster};
use foresail_server::api::plane::{ForecastView, ModelView, Told};
use tokio::sync::watch;

use crate::clock::Stopwatch;

/// Models that run live: the default, and what it has to beat.
const MODELS: [&str; 5] = ["ensemble", "level_shape", "pattern", "holt_winters", "seasonal_naive"];
/// Runs beside them where something is known ahead: it learns what events bring.
const HEEDING: &str = "multi_signal";
/// Steps waiting to be taken in before the loop drops some.
const QUEUE: usize = 4_096;
/// Scores kept for the picture of errors over time.
const KEPT: usize = 200;
/// Forgetting of the mean error and coverage, a score.
const FADE: f64 = 1.0 / 200.0;
/// Scores before a model may take the lead, and by how much of the champion's error it must be better.
const LEAST_SCORED: u64 = 60;
const BETTER: f64 = 0.95;

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
    /// The champion's forecasts of the scored step that have not come due: start of the step, 5 % quantile, median, 95 %
    /// quantile.
    pub(super) due: Vec<(Timestamp, f64, f64, f64)>,
    /// CPU spent, seconds.
    pub(super) cpu_s: f64,
}

/// The loop's end of the league.
pub(super) struct League {
    steps: Option<SyncSender<(Timestamp, Option<f64>)>>,
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

    /// Hands over the load of the step that began at `time`; none where nothing was measured. A league that lags far
    /// behind misses it.
    pub(super) fn push(&self, time: Timestamp, load: Option<f64>) {
        if let Some(steps) = &self.steps
            && let Err(TrySendError::Full(_)) = steps.try_send((time, load))
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

/// A forecast waiting for its step.
#[derive(Clone, Copy, Debug)]
struct Due {
    time: Timestamp,
    mean: f64,
    median: f64,
    /// The 90 % interval.
    bounds: (f64, f64),
}

/// A model in the running.
struct Player {
    name: &'static str,
    model: Box<dyn Forecaster>,
    fitted: Option<Box<dyn Fitted>>,
    /// Forecasts of the scored step that have not come due.
    due: VecDeque<Due>,
    mae: f64,
    coverage: f64,
    scored: u64,
    fit_s: Option<f64>,
    fitted_at: Option<Timestamp>,
    errors: VecDeque<(Timestamp, f64)>,
    coverages: VecDeque<(Timestamp, f64)>,
}

impl Player {
    /// Scores the forecast for the step at `time`.
    fn score(&mut self, time: Timestamp, actual: f64) {
        while self.due.front().is_some_and(|d| d.time < time) {
            self.due.pop_front();
        }
        let Some(due) = self.due.pop_front_if(|d| d.time == time) else { return };
        let error = (actual - due.mean).abs();
        let held = f64::from(u8::from((due.bounds.0..=due.bounds.1).contains(&actual)));
        self.scored += 1;
        let pace = FADE.max(1.0 / self.scored as f64);
        self.mae += pace * (error - self.mae);
        self.coverage += pace * (held - self.coverage);
        if self.errors.len() == KEPT {
            self.errors.pop_front();
            self.coverages.pop_front();
        }
        self.errors.push_back((time, self.mae));
        self.coverages.push_back((time, self.coverage));
    }
}

/// The league's own end.
struct Table {
    options: LeagueOptions,
    /// What is known ahead now.
    known: watch::Receiver<Arc<Known>>,
    players: Vec<Player>,
    champion: usize,
    history: VecDeque<Option<f64>>,
    /// Start of the step after the last one.
    next: Option<Timestamp>,
    since_fit: usize,
    trials: VecDeque<Told>,
    cpu_s: f64,
    rng: SeededRng,
    published: Arc<ArcSwap<Standing>>,
}

impl Table {
    fn new(
        options: LeagueOptions,
        known: watch::Receiver<Arc<Known>>,
        history: Option<Frame>,
        published: Arc<ArcSwap<Standing>>,
    ) -> Self {
        let model_options =
            ModelOptions { seasons: options.seasons.clone(), horizon: options.horizon, ..ModelOptions::default() };
        let heeding = (**known.borrow() != Known::none()).then_some(HEEDING);
        let players = MODELS
            .into_iter()
            .chain(heeding)
            .filter_map(|name| {
                let model = build(name, &model_options)
                    .inspect_err(|e| tracing::warn!("{name} does not run in the league: {e}"))
                    .ok()?;
                Some(Player {
                    name,
                    model: Box::new(dependable(model, options.horizon)),
                    fitted: None,
                    due: VecDeque::new(),
                    mae: 0.0,
                    coverage: 0.0,
                    scored: 0,
                    fit_s: None,
                    fitted_at: None,
                    errors: VecDeque::new(),
                    coverages: VecDeque::new(),
                })
            })
            .collect();
        let rng = SeededRng::seed_from_u64(options.seed);
        let mut table = Self {
            options,
            known,
            players,
            champion: 0,
            history: VecDeque::new(),
            next: None,
            since_fit: 0,
            trials: VecDeque::new(),
            cpu_s: 0.0,
            rng,
            published,
        };
        if let Some(history) = history {
            table.recall(&history);
        }
        table
    }

    /// Keeps a history as it would have been kept had it come live: means over whole steps of the grid.
    fn recall(&mut self, history: &Frame) {
        let step = self.options.step;
        let mut open: Option<(Timestamp, f64, u32)> = None;
        for row in history.rows() {
            let start = row.time.floor_to(step);
            if let Some((time, sum, count)) = open.filter(|o| o.0 < start) {
                self.remember(time, (count > 0).then(|| sum / f64::from(count)));
                open = None;
            }
            let (_, sum, count) = open.get_or_insert((start, 0.0, 0));
            if let Some(load) = row.target() {
                *sum += load;
                *count += 1;
            }
        }
    }

    fn run(mut self, steps: &Receiver<(Timestamp, Option<f64>)>) {
        let watch = Stopwatch::start();
        self.fit();
        self.cpu_s += watch.seconds();
        self.publish();
        while let Ok(first) = steps.recv() {
            let watch = Stopwatch::start();
            self.take(first.0, first.1);
            // What has piled up during a fit is taken in before anything is predicted.
            while let Ok((time, load)) = steps.try_recv() {
                self.take(time, load);
            }
            if self.since_fit >= self.options.refit || self.players.iter().all(|p| p.fitted.is_none()) {
                self.fit();
            }
            self.cpu_s += watch.seconds();
            self.publish();
        }
    }

    /// Keeps a step for the next fit, on the grid; steps that are missing are gaps.
    fn remember(&mut self, time: Timestamp, load: Option<f64>) -> usize {
        let step = self.options.step;
        let missing = match self.next {
            Some(next) if time > next => (time.since(next).as_secs_f64() / step.as_secs_f64()).round() as usize,
            Some(next) if time < next => return 0,
            _ => 0,
        };
        let missing = missing.min(self.options.memory);
        self.history.extend(std::iter::repeat_n(None, missing));
        self.history.push_back(load);
        while self.history.len() > self.options.memory {
            self.history.pop_front();
        }
        self.next = Some(time + step);
        missing + 1
    }

    fn take(&mut self, time: Timestamp, load: Option<f64>) {
        let taken = self.remember(time, load);
        if taken == 0 {
            return;
        }
        self.since_fit += taken;
        let known = self.known.borrow().clone();
        for player in &mut self.players {
            if let Some(actual) = load {
                player.score(time, actual);
            }
            let Some(fitted) = &mut player.fitted else { continue };
            fitted.update(&Row::univariate(time, load));
            let ahead = fitted.predict(self.options.scored, &known);
            let last = self.options.scored - 1;
            let bound = |level| ahead.quantile(level)[last];
            player.due.push_back(Due {
                time: ahead.time(last),
                mean: ahead.mean[last],
                median: bound(0.5),
                bounds: (bound(0.05), bound(0.95)),
            });
        }
        self.challenge(time);
    }

    /// The best takes the lead once it has been better for long enough.
    fn challenge(&mut self, time: Timestamp) {
        let champion = &self.players[self.champion];
        if champion.scored < LEAST_SCORED {
            return;
        }
        let best = self.players.iter().enumerate().filter(|(_, p)| p.scored >= LEAST_SCORED);
        let Some((index, best)) = best.min_by(|a, b| a.1.mae.total_cmp(&b.1.mae)) else { return };
        if index != self.champion && best.mae < BETTER * champion.mae {
            let text = format!(
                "{} takes the lead from {}: mean absolute error {:.2} against {:.2} over the last {} scores",
                best.name,
                champion.name,
                best.mae,
                champion.mae,
                best.scored.min(200)
            );
            self.trials.push_front(Told { time, text });
            self.trials.truncate(50);
            self.champion = index;
        }
    }

    /// Fits every model on what is remembered; a model that cannot be fitted yet stays out.
    fn fit(&mut self) {
        self.since_fit = 0;
        let Some(next) = self.next else { return };
        let step = self.options.step;
        let start = next - step * self.history.len() as u32;
        let column = foresail_core::Column::new("load", self.history.iter().copied());
        let Ok(frame) = Frame::new(start, step, self.options.zone.clone(), vec![column]) else { return };
        let known = self.known.borrow().clone();
        for (index, player) in self.players.iter_mut().enumerate() {
            let watch = Stopwatch::start();
            let mut rng = self.rng.fork(index as u64);
            let outcome = match &mut player.fitted {
                Some(fitted) => player.model.refit(fitted, &frame, frame.len(), &known, &mut rng),
                None => player.model.fit(&frame, &known, &mut rng).map(|fitted| {
                    player.fitted = Some(fitted);
                }),
            };
            match outcome {
                Ok(()) => {
                    player.fit_s = Some(watch.seconds());
                    player.fitted_at = Some(next);
                }
                Err(error) => tracing::debug!("{} is not fitted: {error}", player.name),
            }
        }
    }

    fn publish(&self) {
        let naive = self.players.iter().find(|p| p.name == "seasonal_naive").map(|p| p.mae);
        let mut models: Vec<ModelView> = self
            .players
            .iter()
            .enumerate()
            .map(|(index, p)| ModelView {
                name: p.name.to_owned(),
                is_champion: index == self.champion,
                weight: None,
                mae: (p.scored > 0).then_some(p.mae),
                skill: naive.filter(|n| *n > 0.0 && p.scored > 0).map(|n| p.mae / n),
                coverage: (p.scored > 0).then_some(p.coverage),
                scored: p.scored,
                fit_s: p.fit_s,
                fitted: p.fitted_at,
                errors: p.errors.iter().copied().collect(),
                coverages: p.coverages.iter().copied().collect(),
            })
            .collect();
        let error = |m: &ModelView| m.mae.unwrap_or(f64::INFINITY);
        models.sort_by(|a, b| error(a).total_cmp(&error(b)));
        let champion = &self.players[self.champion];
        let forecast = champion.fitted.as_ref().map(|fitted| {
            let forecast = fitted.predict(self.options.horizon, &self.known.borrow());
            view(&forecast, champion.name)
        });
        let trials = self.trials.iter().cloned().collect();
        let cpu_s = self.cpu_s;
        let due = champion.due.iter().map(|d| (d.time, d.bounds.0, d.median, d.bounds.1)).collect();
        self.published.store(Arc::new(Standing { forecast, models, trials, due, cpu_s }));
    }
}

/// Levels that are shown.
const LEVELS: [f64; 5] = [0.05, 0.25, 0.5, 0.75, 0.95];

fn view(forecast: &Forecast, model: &str) -> ForecastView {
    ForecastView {
        start: forecast.start,
        step: forecast.step,
        model: model.to_owned(),
        mean: forecast.mean.clone(),
        levels: LEVELS.to_vec(),
        quantiles: LEVELS.iter().map(|level| forecast.quantile(*level)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LeagueOptions {
        LeagueOptions {
            step: Duration::from_secs(60),
            horizon: 12,
            scored: 3,
            seasons: vec![Duration::from_secs(3_600)],
            memory: 600,
            refit: 120,
            zone: TimeZone::utc(),
            seed: 1,
        }
    }

    fn nothing() -> watch::Receiver<Arc<Known>> {
        watch::channel(Arc::default()).1
    }

    /// An hour's cycle with a little noise.
    fn load(step: usize, rng: &mut SeededRng) -> f64 {
        100.0 + 50.0 * (step as f64 / 60.0 * std::f64::consts::TAU).sin() + rng.normal()
    }

    #[test]
    fn models_are_fitted_scored_and_the_forecast_follows_the_cycle() {
        let standing = Arc::new(ArcSwap::from_pointee(Standing::default()));
        let mut table = Table::new(options(), nothing(), None, Arc::clone(&standing));
        let mut rng = SeededRng::seed_from_u64(3);
        for step in 0..500_usize {
            let time = Timestamp::from_secs(60 * step as i64);
            table.take(time, (step != 200).then(|| load(step, &mut rng)));
            if table.since_fit >= table.options.refit || step == 150 {
                table.fit();
            }
        }
        table.publish();
        let standing = standing.load();
        let forecast = standing.forecast.as_ref().expect("fitted");
        assert_eq!(forecast.mean.len(), 12);
        for (ahead, mean) in forecast.mean.iter().enumerate() {
            let truth = 100.0 + 50.0 * ((500 + ahead) as f64 / 60.0 * std::f64::consts::TAU).sin();
            assert!((mean - truth).abs() < 12.0, "{ahead}: {mean} {truth}");
        }
        assert_eq!(standing.models.len(), MODELS.len());
        assert!(standing.models[0].scored > 200 && standing.models[0].mae.is_some_and(|mae| mae < 5.0));
        assert_eq!(standing.models.iter().filter(|m| m.is_champion).count(), 1);
    }

    /// What went before ends between two steps, as it does when a loop starts at no round time; forecasts are on the grid of
    /// the steps that come, and are scored.
    #[test]
    fn a_history_on_another_grid_is_learned_from_and_what_follows_is_scored() {
        let mut rng = SeededRng::seed_from_u64(5);
        let quarter = Duration::from_secs(15);
        let start = Timestamp::from_secs(600_000) + Duration::from_millis(7_588);
        let rows: Vec<Option<f64>> = (0..4 * 300).map(|i| Some(load(i / 4, &mut rng))).collect();
        let column = foresail_core::Column::new("load", rows);
        let frame = Frame::new(start, quarter, TimeZone::utc(), vec![column]).expect("a grid");
        let mut table =
            Table::new(options(), nothing(), Some(frame), Arc::new(ArcSwap::from_pointee(Standing::default())));
        assert!((299..=301).contains(&table.history.len()), "{}", table.history.len());
        table.fit();
        for step in 300..360_i64 {
            table.take(Timestamp::from_secs(600_000 + 60 * step), Some(load(step as usize, &mut rng)));
        }
        for player in &table.players {
            assert!(player.scored > 50 && player.mae < 60.0, "{}: {} {}", player.name, player.scored, player.mae);
        }
    }

    #[test]
    fn steps_out_of_order_are_left_out_and_gaps_are_gaps() {
        let mut table = Table::new(options(), nothing(), None, Arc::new(ArcSwap::from_pointee(Standing::default())));
        table.take(Timestamp::from_secs(600), Some(1.0));
        table.take(Timestamp::from_secs(540), Some(9.0));
        table.take(Timestamp::from_secs(840), Some(2.0));
        assert_eq!(Vec::from(table.history.clone()), [Some(1.0), None, None, None, Some(2.0)]);
    }
}

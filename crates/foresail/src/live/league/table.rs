//! The league's own end: takes steps in, scores, judges, fits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use arc_swap::ArcSwap;
use foresail_core::{Column, Frame, Known, SeededRng, Timestamp};
use foresail_forecast::guard::dependable;
use foresail_forecast::registry::{ModelOptions, build};
use foresail_learn::drift::{PerformanceEvent, keeps_shape};
use foresail_server::api::plane::{DriftView, Told};
use tokio::sync::watch;

use super::drift::{Change, DriftWatch};
use super::inputs::Inputs;
use super::player::Player;
use super::{LeagueOptions, Standing, Step, show, told};
use crate::args::Span;
use crate::clock::Stopwatch;

/// Models that run live: the default, and what it has to beat.
pub(super) const MODELS: [&str; 5] = ["ensemble", "level_shape", "pattern", "holt_winters", "seasonal_naive"];
/// Runs beside them where something is known ahead: it learns what events bring.
const HEEDING: &str = "multi_signal";
/// The model that the others must beat.
pub(super) const NAIVE: &str = "seasonal_naive";
/// Scores before a model may take the lead, and by how much of the champion's error it must be better.
const LEAST_SCORED: u64 = 60;
const BETTER: f64 = 0.95;
/// Changes of the champion, and of the load, that are shown.
const TOLD: usize = 50;
/// A change of level by a larger factor, or its inverse, is taken for one of this.
const MOST_REBASED: f64 = 10.0;

/// The models, what they learn from, and what was found.
pub(super) struct Table {
    pub(super) options: LeagueOptions,
    /// What is known ahead now.
    known: watch::Receiver<Arc<Known>>,
    pub(super) players: Vec<Player>,
    pub(super) champion: usize,
    pub(super) history: VecDeque<Option<f64>>,
    /// Start of the step after the last one.
    next: Option<Timestamp>,
    since_fit: usize,
    /// The kind of work, if it is known.
    pub(super) regime: Option<usize>,
    /// A change was found: all models are to be fitted anew.
    has_drifted: bool,
    watch: DriftWatch,
    /// Since when the load may run otherwise over its season.
    course_since: Option<Timestamp>,
    inputs: Inputs,
    /// Newest first: changes of the champion, and of the load.
    pub(super) trials: VecDeque<Told>,
    pub(super) drifts: VecDeque<Told>,
    /// Both, oldest first, and how many there have been.
    news: VecDeque<Told>,
    told: u64,
    cpu_s: f64,
    rng: SeededRng,
    published: Arc<ArcSwap<Standing>>,
}

impl Table {
    pub(super) fn new(
        options: LeagueOptions,
        known: watch::Receiver<Arc<Known>>,
        history: Option<Frame>,
        published: Arc<ArcSwap<Standing>>,
    ) -> Self {
        let model_options =
            ModelOptions { seasons: options.seasons.clone(), horizon: options.horizon, ..ModelOptions::default() };
        let ahead = options.scored.max(1);
        let mut leads = vec![1, ahead, options.horizon.max(ahead)];
        leads.dedup();
        let heeding = (**known.borrow() != Known::none()).then_some(HEEDING);
        let players = MODELS
            .into_iter()
            .chain(heeding)
            .filter_map(|name| {
                let model = build(name, &model_options)
                    .inspect_err(|e| tracing::warn!("{name} does not run in the league: {e}"))
                    .ok()?;
                let model = Box::new(dependable(model, options.horizon));
                Some(Player::new(name, model, ahead))
            })
            .collect();
        let season = options.seasons.iter().copied().max().unwrap_or(Duration::from_secs(86_400));
        let mut table = Self {
            known,
            players,
            champion: 0,
            history: VecDeque::new(),
            next: None,
            since_fit: 0,
            regime: None,
            has_drifted: false,
            watch: DriftWatch::new(ahead),
            course_since: None,
            inputs: Inputs::new(&leads, options.step, season),
            trials: VecDeque::new(),
            drifts: VecDeque::new(),
            news: VecDeque::new(),
            told: 0,
            cpu_s: 0.0,
            rng: SeededRng::seed_from_u64(options.seed),
            options,
            published,
        };
        if let Some(history) = history {
            table.recall(&history);
            // What changed before the start is no news, and was told by the run before, if there was one.
            (table.has_drifted, table.told) = (false, 0);
            table.drifts.clear();
            table.news.clear();
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

    pub(super) fn run(mut self, steps: &Receiver<Step>) {
        let watch = Stopwatch::start();
        self.fit();
        self.cpu_s += watch.seconds();
        self.publish();
        while let Ok(first) = steps.recv() {
            let watch = Stopwatch::start();
            self.regime = first.2;
            self.take(first.0, first.1);
            // What has piled up during a fit is taken in before anything is predicted.
            while let Ok((time, load, regime)) = steps.try_recv() {
                self.regime = regime;
                self.take(time, load);
            }
            if self.is_fit_due() {
                self.fit();
            }
            self.cpu_s += watch.seconds();
            self.publish();
        }
    }

    /// Whether a change was found, the last fit is old, or there has been none.
    pub(super) fn is_fit_due(&self) -> bool {
        self.has_drifted
            || self.since_fit >= self.options.refit
            || self.players.iter().all(|player| player.fitted.is_none())
    }

    /// Keeps a step for the next fit, on the grid; steps that are missing are gaps. How many came, 0 if it is of the past.
    fn remember(&mut self, time: Timestamp, load: Option<f64>) -> usize {
        let step = self.options.step;
        let missing = match self.next {
            Some(next) if time > next => (time.since(next).as_secs_f64() / step.as_secs_f64()).round() as usize,
            Some(next) if time < next => return 0,
            _ => 0,
        };
        let missing = missing.min(self.options.memory);
        for step in std::iter::repeat_n(None, missing).chain([load]) {
            self.history.push_back(step);
            if self.inputs.push(time, &self.history, self.watch.is_in_doubt()) {
                self.has_drifted = true;
                let text = told::inputs(&self.inputs);
                self.tell_drift(time, text);
            }
        }
        while self.history.len() > self.options.memory {
            self.history.pop_front();
        }
        self.next = Some(time + step);
        missing + 1
    }

    pub(super) fn take(&mut self, time: Timestamp, load: Option<f64>) {
        let taken = self.remember(time, load);
        if taken == 0 {
            return;
        }
        self.since_fit += taken;
        let known = self.known.borrow().clone();
        let fitted = self.players.first().and_then(|watched| watched.fitted.as_deref());
        let change = self.watch.settle(time, load, fitted, || mean(self.history.iter()));
        if let Some(change) = change {
            self.act_on(time, &change);
        }
        let (pace, regime) = (self.watch.pace(), self.regime);
        let settle = |player: &mut Player| {
            let missed = player.settle(time, load, pace);
            player.take(time, load, regime, &known);
            missed
        };
        let missed: Vec<Option<f64>> = self.players.iter_mut().map(settle).collect();
        if let Some(due) = self.players.first().and_then(|watched| watched.due.back()) {
            self.watch.expect(time, due.time, due.median, &known);
        }
        self.look_at_course(time);
        self.compare(time, &missed);
        self.challenge(time);
    }

    /// Begins anew after a change for good; leaves a spike out of what is learned from.
    fn act_on(&mut self, time: Timestamp, change: &Change) {
        match change {
            Change::Suspected => {}
            Change::Confirmed { shift, since, .. } => {
                self.rebase(*shift, self.steps_since(*since));
                self.course_since = Some(*since);
                self.inputs.begin_anew();
                self.has_drifted = true;
            }
            Change::Scattered { since } => self.course_since = Some(*since),
            Change::Passed(spike) => {
                // They have learned the spike as it came.
                self.has_drifted |= !spike.is_empty();
                spike.iter().for_each(|time| self.forget(*time));
            }
        }
        let ahead = Span(self.options.step * self.options.scored.max(1) as u32).to_string();
        let text = told::change(self.players[0].name, &ahead, change);
        self.tell_drift(time, text);
    }

    /// Once two seasons have come since a change: whether they run as the seasons did before. If not, those are forgotten.
    fn look_at_course(&mut self, time: Timestamp) {
        let season = self.options.seasons.iter().min().copied().unwrap_or_default();
        let season = (season.as_secs_f64() / self.options.step.as_secs_f64()).round() as usize;
        let Some(steps) = self.course_since.map(|since| self.steps_since(since)).filter(|s| *s >= 2 * season) else {
            return;
        };
        self.course_since = None;
        let history: &[Option<f64>] = self.history.make_contiguous();
        let (before, after) = history.split_at(history.len().saturating_sub(steps));
        if !keeps_shape(before, after, season) {
            self.history.drain(..self.history.len().saturating_sub(steps));
            self.inputs.begin_anew();
            self.has_drifted = true;
            self.tell_drift(time, told::new_course(&Span(self.options.step * steps as u32).to_string()));
        }
    }

    /// Steps from the one at `time` on.
    fn steps_since(&self, time: Timestamp) -> usize {
        let until = self.next.filter(|next| time < *next);
        until.map_or(0, |next| (next.since(time).as_secs_f64() / self.options.step.as_secs_f64()).round() as usize)
    }

    /// The step at `time` is not learned from.
    fn forget(&mut self, time: Timestamp) {
        let back = self.steps_since(time);
        if let Some(at) = self.history.len().checked_sub(back).filter(|_| back > 0) {
            self.history[at] = None;
        }
    }

    /// Holds every model against the naive forecast; a champion that is no longer worth more has all fitted anew.
    fn compare(&mut self, time: Timestamp, missed: &[Option<f64>]) {
        let naive = self.players.iter().position(|p| p.name == NAIVE).and_then(|index| missed[index]);
        let mut overtaken = None;
        for (index, (player, missed)) in self.players.iter_mut().zip(missed).enumerate() {
            let losses = missed.zip(naive).filter(|_| player.name != NAIVE);
            let event = player.performance.push(losses);
            if index == self.champion {
                overtaken = event;
            }
        }
        let name = self.players[self.champion].name;
        if let Some(event) = overtaken {
            self.has_drifted |= matches!(event, PerformanceEvent::Worse { .. } | PerformanceEvent::BehindNaive { .. });
            self.tell_drift(time, told::performance(name, event));
        }
    }

    fn tell_drift(&mut self, time: Timestamp, text: String) {
        let told = self.note(time, text);
        push_newest(&mut self.drifts, told);
    }

    fn note(&mut self, time: Timestamp, text: String) -> Told {
        let told = Told { time, text };
        self.told += 1;
        self.news.push_back(told.clone());
        if self.news.len() > TOLD {
            self.news.pop_front();
        }
        told
    }

    /// The level moved by `shift` so many steps ago: what went before is brought to the new level, so that the
    /// shapes of day and week, which the steps since cannot tell, are kept.
    pub(super) fn rebase(&mut self, shift: f64, steps: usize) {
        let before = self.history.len().saturating_sub(steps);
        let after = mean(self.history.iter().skip(before));
        let ratio = after / (after - shift);
        if after > 0.0 && ratio.is_finite() && ratio > 0.0 {
            let ratio = ratio.clamp(1.0 / MOST_REBASED, MOST_REBASED);
            self.history.iter_mut().take(before).flatten().for_each(|load| *load *= ratio);
        }
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
                best.scored.min((1.0 / self.watch.pace()).round() as u64)
            );
            let told = self.note(time, text);
            push_newest(&mut self.trials, told);
            self.champion = index;
        }
    }

    /// Fits every model on what is remembered; a model that cannot be fitted yet stays out.
    pub(super) fn fit(&mut self) {
        self.since_fit = 0;
        if std::mem::take(&mut self.has_drifted) {
            self.watch.begin_anew();
        }
        let Some(next) = self.next else { return };
        let step = self.options.step;
        let start = next - step * self.history.len() as u32;
        let column = Column::new("load", self.history.iter().copied());
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

    pub(super) fn publish(&self) {
        let champion = &self.players[self.champion];
        let forecast = champion.fitted.as_ref().map(|fitted| {
            let forecast = fitted.predict(self.options.horizon, &self.known.borrow());
            show::forecast(&forecast, champion.name, self.watch.interval_factor())
        });
        let drift = DriftView {
            step: self.options.step,
            leads: vec![self.watch.view()],
            score_weight: self.watch.pace(),
            inputs: self.inputs.views(),
            compared: self.inputs.compared,
            told: self.drifts.iter().cloned().collect(),
        };
        self.published.store(Arc::new(Standing {
            forecast,
            models: show::models(&self.players, self.champion, NAIVE),
            trials: self.trials.iter().cloned().collect(),
            drift,
            told: self.told,
            news: self.news.iter().cloned().collect(),
            due: champion.due.iter().map(|d| (d.time, d.bounds.0, d.median, d.bounds.1)).collect(),
            cpu_s: self.cpu_s,
        }));
    }
}

fn push_newest(list: &mut VecDeque<Told>, told: Told) {
    list.push_front(told);
    list.truncate(TOLD);
}

/// Mean of the loads that were seen; 0 of none.
fn mean<'a>(loads: impl Iterator<Item = &'a Option<f64>>) -> f64 {
    let (sum, count) = loads.flatten().fold((0.0, 0_u32), |(sum, count), load| (sum + load, count + 1));
    sum / f64::from(count.max(1))
}

//! What the loop writes down, answers and shows.

use std::sync::{Arc, PoisonError};

use foresail_core::{Metric, Observation, Timestamp};
use foresail_scale::controller::{Entry, Ticked};
use foresail_server::api::plane::{HistoryPoint, PlaneError, ServiceView, Word};
use foresail_store::JournalMark;

use super::{Engine, HISTORY, RECENT, Said};
use crate::clock::Stopwatch;
use crate::live::expectations::Expectations;
use crate::live::fingerprint::Prints;
use crate::live::meter::Window;
use crate::live::{plane, view};

impl Engine {
    pub(super) fn write(&mut self, entry: &Entry) {
        if let Err(error) = self.journal.append(entry) {
            tracing::error!("{}: the journal cannot be written: {error}", self.options.name);
            // A number that is not in the journal is given again: the journal goes on without a gap when it can, and a
            // target's fence is never ahead of what a restart begins with.
            self.options.brain.number_from(self.journal.next_id());
        }
        if let Entry::Decided { record } | Entry::Urged { record } = entry {
            let mut recent = self.handle.recent.lock().unwrap_or_else(PoisonError::into_inner);
            if recent.len() == RECENT {
                recent.pop_front();
            }
            recent.push_back(record.clone());
        }
    }

    /// Journals what the league has told since the last tick.
    pub(super) fn write_news(&mut self) {
        let standing = self.league.standing();
        let fresh = standing.told.saturating_sub(self.told) as usize;
        self.told = standing.told;
        for told in standing.news.iter().skip(standing.news.len().saturating_sub(fresh)) {
            self.write(&Entry::Told { time: told.time, text: told.text.clone() });
        }
    }

    /// Saves what a restart goes on from.
    pub(super) async fn keep(&mut self, now: Timestamp, observation: &Observation) {
        let (Some(keeper), Some(controller)) = (&self.options.keeper, self.options.brain.controller()) else { return };
        let mark = JournalMark { records: self.journal.next_id() - 1, head: self.journal.head().to_owned() };
        let states =
            [("controller", serde_json::to_vec(controller.state())), ("capacity", serde_json::to_vec(&self.learner))];
        let mut checkpoints: Vec<(&'static str, Vec<u8>)> =
            states.into_iter().filter_map(|(kind, bytes)| Some((kind, bytes.ok()?))).collect();
        let expectations = self.expectations.as_mut().and_then(Expectations::unkept);
        checkpoints.extend(expectations.map(|bytes| ("discrepancies", bytes)));
        let prints = self.prints.as_mut().and_then(Prints::unkept);
        checkpoints.extend(prints.map(|bytes| ("fingerprint", bytes)));
        let (samples, alerts) = (observation.samples.clone(), self.alerts.changed());
        keeper.commit(&self.options.name, now, checkpoints, samples, alerts, mark).await;
    }

    /// An operator's word: carried out, journalled, audited, shown, answered.
    pub(super) async fn hear(&mut self, said: Said) {
        let now = self.options.tempo.now();
        let answer = match &said.word {
            Word::Pardon { .. } | Word::StandDown { .. } | Word::StandUp => self.tell_guard(now, &said.word),
            word => self.tell_controller(now, word).await,
        };
        if let Some(keeper) = &self.options.keeper {
            keeper.audit(now, &self.options.name, &said.actor, &said.word, &answer).await;
        }
        let shown = ServiceView { orders: self.orders, ..ServiceView::clone(&self.handle.view.load()) };
        self.handle.view.store(Arc::new(view::operators(shown, &self.options.brain)));
        self.handle.changed.send_modify(|n| *n += 1);
        // Whoever asked may have gone.
        let _ = said.answer.send(answer);
    }

    /// A word to the controller: journalled, and its orders given.
    async fn tell_controller(&mut self, now: Timestamp, word: &Word) -> Result<(), PlaneError> {
        let outcome = match plane::command(word, now) {
            Ok(command) => {
                self.options.brain.command(now, &command).map(|orders| (command, orders)).map_err(|e| e.to_string())
            }
            Err(why) => Err(why),
        };
        match outcome {
            Ok((command, orders)) => {
                self.write(&Entry::Commanded { time: now, command });
                self.apply(&orders).await.map_err(|why| PlaneError::Unavailable { why })
            }
            Err(why) => Err(PlaneError::Refused { why }),
        }
    }

    /// A word to the proxy's guard: journalled.
    fn tell_guard(&mut self, now: Timestamp, word: &Word) -> Result<(), PlaneError> {
        let proxy = self.options.proxy.as_ref();
        let told = match word {
            Word::Pardon { client, seconds } => plane::lasting(*seconds).map(|lasts| {
                let text = format!("guard: {client} is let in for {seconds} s, by an operator");
                (proxy.is_some_and(|proxy| proxy.pardon(*client, lasts)), text)
            }),
            Word::StandDown { seconds } => plane::lasting(*seconds).map(|lasts| {
                let text = format!("guard: it only observes for {seconds} s, by an operator");
                (proxy.is_some_and(|proxy| proxy.stand_down(Some(lasts))), text)
            }),
            _ => {
                let text = "guard: it acts again as configured, by an operator".to_owned();
                Ok((proxy.is_some_and(|proxy| proxy.stand_down(None)), text))
            }
        };
        match told {
            Ok((true, text)) => {
                self.write(&Entry::Told { time: now, text });
                Ok(())
            }
            Ok((false, _)) => Err(PlaneError::Refused { why: "this service has no guard".to_owned() }),
            Err(why) => Err(PlaneError::Refused { why }),
        }
    }

    /// Publishes what there is to see.
    pub(super) fn show(&mut self, now: Timestamp, window: &Window, ticked: &Ticked, watch: Stopwatch) {
        let paid = self.seen.as_ref().map_or(0, |s| s.replicas.ready.0 + s.replicas.starting.0);
        if let Some(last) = self.last_now.replace(now) {
            self.replica_seconds += f64::from(paid) * now.since(last).as_secs_f64();
        }
        let real = |rps: f64| self.options.tempo.real_rate(rps);
        let baseline = self.options.brain.controller().and_then(|c| c.virtual_replicas()).map(|(_, b)| b.ready.0);
        let point = HistoryPoint {
            time: now,
            load_rps: ticked.record.observation.value(Metric::RequestRate).map(real),
            saturated: window.saturated,
            ready: self.seen.as_ref().map_or(0, |s| s.replicas.ready.0),
            desired: ticked.record.decision.desired.0,
            baseline: baseline.unwrap_or(ticked.record.baseline.0),
            late: window.late,
            requests: window.completed + window.errors,
            p99_ms: window.p99_ms,
        };
        {
            let mut history = self.handle.points.lock().unwrap_or_else(PoisonError::into_inner);
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(point);
        }
        let took = watch.seconds();
        self.cpu_s += took;
        if self.tick_ms.len() == 1_000 {
            self.tick_ms.pop_front();
        }
        self.tick_ms.push_back(1_000.0 * took);
        let sight = view::Sight {
            options: &self.options,
            now,
            ticked,
            window,
            seen: self.seen.as_ref(),
            stats: self.before.as_ref().map(|(stats, _)| stats),
            standing: &self.league.standing(),
            learner: &self.learner,
            alerts: self.alerts.views(),
            prints: self.prints.as_ref(),
            guard: self.options.proxy.as_ref().and_then(|proxy| proxy.guard_account()),
            accuracy: self.expectations.as_ref().map(Expectations::accuracy).unwrap_or_default(),
            tick_ms: &self.tick_ms,
            cpu_s: self.cpu_s,
            replica_seconds: self.replica_seconds,
            orders: self.orders,
        };
        self.handle.view.store(Arc::new(view::view(sight)));
        self.handle.beat.store(Arc::new(now));
        self.handle.changed.send_modify(|n| *n += 1);
    }
}

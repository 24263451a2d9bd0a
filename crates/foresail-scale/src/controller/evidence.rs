//! What a tick begins with: what can be believed, what the load did on the virtual plants, who decides from here on.

use foresail_core::{Metric, Observation, Quality, Timestamp};

use super::Controller;
use super::alert::{Alert, News};
use super::shadow::Shadow;
use super::verdict::{Seat, verdict};
use crate::staleness::{Look, Rung};

impl Controller {
    /// What can be believed, and the alarms of the ladder.
    pub(super) fn look(&mut self, now: Timestamp, observation: &Observation, news: &mut News) -> Look {
        let state = &mut self.state;
        let look = state.staleness.look(now, observation, self.reactive.metrics(), &self.options.staleness);
        state.startup.observe(now, observation.replicas);
        self.reactive.observe(&look.new);
        state.usual.clone_from(self.reactive.usual());
        let handed_back = look.rung == Rung::HandBack;
        news.follow(&mut state.told.silent, look.rung != Rung::Fresh, Alert::Silent { age: look.age });
        if state.told.handed_back && !handed_back {
            news.began.push(Alert::TakenBack);
        }
        news.follow(&mut state.told.handed_back, handed_back, Alert::HandedBack { age: look.age });
        look
    }

    /// Lets the load of the tick that has ended act on the virtual plants, and scores both.
    pub(super) fn settle(&mut self, now: Timestamp, look: &Look, observation: &Observation) {
        let service = self.options.service;
        let start = self.options.rails.limits.clamp(observation.replicas.desired);
        let (champion, baseline) =
            self.shadows.get_or_insert_with(|| (Shadow::new(service, start), Shadow::new(service, start)));
        let Some(last) = self.state.last_tick else { return };
        let load = observed_load(look, observation, self.state.size * service.capacity_rps());
        let outcomes = champion.advance(last, now, load).zip(baseline.advance(last, now, load));
        if let Some((champion, baseline)) = outcomes {
            self.state.card.add(last, now.since(last).as_secs_f64(), &champion, &baseline);
        }
    }

    /// Changes the seat on evidence.
    pub(super) fn judge(&mut self, now: Timestamp, news: &mut News) {
        let state = &mut self.state;
        let from = *state.judged_from.get_or_insert(now);
        let ruling = verdict(state.seat, &state.card, now, from, self.options.late_fraction, &self.options.trial);
        let Some(why) = ruling else { return };
        state.judged_from = Some(now);
        state.expected = None;
        match state.seat {
            Seat::Champion => {
                state.seat = Seat::Baseline;
                // The guardrails go on from what was needed and changed under the champion.
                state.baseline_plan = state.champion_plan.clone();
                news.began.push(Alert::Demoted { why });
            }
            Seat::Baseline => {
                state.seat = Seat::Champion;
                state.champion_plan = state.baseline_plan.clone();
                news.began.push(Alert::Readmitted { why });
                news.ended.push("demoted");
            }
        }
    }
}

/// The load of the tick that has ended: requests a second as counted, or as utilisation and capacity say; none on an
/// attack, which proves nothing.
fn observed_load(look: &Look, observation: &Observation, capacity_rps: f64) -> Option<f64> {
    let of = |metric| look.held.iter().find(|s| s.metric == metric && s.quality != Quality::Attack);
    let by_utilisation = || {
        let utilisation = of(Metric::Utilisation)?.value;
        Some(utilisation * observation.replicas.ready.as_f64() * capacity_rps)
    };
    match look.held.iter().any(|s| s.metric == Metric::RequestRate) {
        true => of(Metric::RequestRate).map(|s| s.value),
        false => by_utilisation(),
    }
}

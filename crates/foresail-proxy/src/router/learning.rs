//! The router's learner, on a thread beside the workers, and what of it outlives a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use foresail_route::{RouteOutcome, Router, RouterConfig, RouterModel, SavedRouter};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::{SharedRouter, TICK};
use crate::config::RouterSettings;
use crate::fleet::fnv1a;
use crate::shared::{Phase, Shared};
use crate::stats::RouterStats;
use crate::{clock, learned_state};

/// How often the learner says how it stands.
const REPORT_TICKS: u32 = 25;

/// A router in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// What it was learned under.
    learn: RouterConfig,
    /// Names of classes.
    classes: BTreeMap<u64, String>,
    router: SavedRouter,
}

/// A router that learns.
#[derive(Debug)]
pub(crate) struct Learning {
    router: Router,
    /// How far its clock is ahead of the proxy's, which begins anew with each proxy. The router's goes on where it stood when
    /// it was saved: time in which nothing was learned is none in which to forget, to serve a ban or to hold a contest.
    ahead_ms: u64,
    next_save: Instant,
}

impl Learning {
    /// Goes on from the state in the settings, if there is one that fits; with the names of classes that it knows.
    ///
    /// # Errors
    /// For settings out of range.
    pub(super) fn start(settings: &RouterSettings) -> Result<(Self, BTreeMap<u64, String>), crate::Error> {
        let mut learning =
            Self { router: fresh(settings)?, ahead_ms: 0, next_save: clock::now() + learned_state::EVERY };
        let Some(path) = settings.state.as_deref() else { return Ok((learning, BTreeMap::new())) };
        let Some(kept) = learned_state::read::<Kept>(path, "router") else { return Ok((learning, BTreeMap::new())) };
        let path = path.display();
        match resumed(settings, &kept.learn, kept.router) {
            Ok(router) => {
                tracing::info!(%path, answers = router.report().outcomes, "the router goes on as it was saved");
                (learning.ahead_ms, learning.router) = (router.now_ms(), router);
                Ok((learning, kept.classes))
            }
            Err(why) => {
                tracing::warn!(%path, why, "the state of the router does not fit, it begins anew");
                Ok((learning, BTreeMap::new()))
            }
        }
    }

    fn save(&self, path: &Path, classes: BTreeMap<u64, String>, learn: RouterConfig) {
        learned_state::write(path, "router", &Kept { learn, classes, router: self.router.save() });
    }

    /// What is known now.
    pub(super) fn model(&mut self) -> RouterModel {
        self.router.model()
    }

    /// Takes over changed settings: other `learn` begin anew, other services do not.
    fn configure(&mut self, old: Option<&RouterSettings>, wanted: &RouterSettings) {
        if old.is_none_or(|old| old.learn != wanted.learn) {
            match fresh(wanted) {
                Ok(router) => self.router = router,
                Err(error) => tracing::error!(%error, "the router goes on as before"),
            }
        }
        self.router.follow(&keys(wanted));
    }

    /// Learns from what workers have told, in the order of time. Whether there is anything new to know.
    fn observe(&mut self, mut outcomes: Vec<RouteOutcome>) -> bool {
        outcomes.sort_by_key(|outcome| outcome.at_ms);
        for outcome in &mut outcomes {
            outcome.at_ms = outcome.at_ms.saturating_add(self.ahead_ms);
            self.router.observe(outcome);
        }
        let is_due = self.router.is_fit_due();
        if is_due {
            self.router.fit();
        }
        is_due || !outcomes.is_empty()
    }

    /// How it stands; also names what is new among the classes, and forgets what is gone.
    fn report(&self, place: &SharedRouter, settings: &RouterSettings) {
        let report = self.router.report();
        // The first class is what found no place.
        let classes = report.services.first().map(|service| service.classes.iter().skip(1).map(|class| class.class));
        place.names.follow(&classes.into_iter().flatten().collect::<BTreeSet<u64>>());
        let services = settings.names().map(|name| (fnv1a(name.as_bytes()), name.to_owned())).collect();
        let stats = RouterStats { services, classes: BTreeMap::new(), report, lost: 0 };
        place.report.store(Some(Arc::new(stats)));
    }
}

/// Learns until the proxy drains.
pub(crate) async fn learn(shared: Arc<Shared>, mut learning: Learning) {
    let Some(place) = &shared.router else { return };
    let mut settings = shared.config().router.clone();
    let mut generation = shared.config_generation();
    let mut phase = shared.phase.subscribe();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0_u32.. {
        let is_end = tokio::select! {
            _ = ticks.tick() => false,
            _ = phase.wait_for(|phase| *phase != Phase::Running) => true,
        };
        let mut is_news = false;
        if shared.config_generation() != generation {
            generation = shared.config_generation();
            let wanted = shared.config().router.clone();
            if let Some(wanted) = wanted.as_ref().filter(|_| wanted != settings) {
                learning.configure(settings.as_ref(), wanted);
                is_news = true;
            }
            settings = wanted;
        }
        let waiting = place.outcomes.iter().filter_map(|part| part.swap(None));
        is_news |= learning.observe(waiting.flat_map(Arc::unwrap_or_clone).collect());
        if is_news {
            place.publish(learning.model());
        }
        if let Some(settings) = &settings {
            if tick % REPORT_TICKS == 0 {
                learning.report(place, settings);
            }
            let is_due = is_end || clock::now() >= learning.next_save;
            if let Some(path) = settings.state.as_deref().filter(|_| is_due) {
                learning.next_save = clock::now() + learned_state::EVERY;
                learning.save(path, place.names.all(), settings.learn.clone());
            }
        }
        if is_end {
            return;
        }
    }
}

fn fresh(settings: &RouterSettings) -> Result<Router, crate::Error> {
    // The hasher's keys are the one source of entropy that the standard library offers.
    let mut router = Router::new(settings.learn.clone(), RandomState::new().hash_one("router"))?;
    router.follow(&keys(settings));
    Ok(router)
}

/// A router that goes on from what was learned under `learn`.
///
/// # Errors
/// Why it does not.
fn resumed(settings: &RouterSettings, learn: &RouterConfig, saved: SavedRouter) -> Result<Router, String> {
    if *learn != settings.learn {
        return Err("it was learned under other settings".to_owned());
    }
    let mut router = fresh(settings).map_err(|error| error.to_string())?;
    router.restore(saved).map_err(|error| error.to_string())?;
    let known: BTreeSet<u64> = router.report().services.iter().map(|service| service.key).collect();
    if !settings.services.keys().any(|name| known.contains(&fnv1a(name.as_bytes()))) {
        return Err("it is of other services".to_owned());
    }
    router.follow(&keys(settings));
    Ok(router)
}

/// Keys of the services, in the order of their names.
pub(super) fn keys(settings: &RouterSettings) -> Vec<u64> {
    settings.names().map(|name| fnv1a(name.as_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use foresail_route::{Acting, Phase as Routing, Reason, RouteRequest};

    use super::*;

    fn settings(names: &[&str], path: &Path) -> RouterSettings {
        let services = names.iter().map(|name| ((*name).to_owned(), [format!("{name}-1")].into())).collect();
        let learn = RouterConfig { cold_start: 60, refit: Duration::from_secs(3600), ..RouterConfig::default() };
        RouterSettings { services, learn, state: Some(path.to_owned()) }
    }

    /// Answers for so long, 20 a second: the router's own take ten times as long as those held out and least-request's.
    fn play(learning: &mut Learning, from_ms: u64, seconds: u64) {
        for at_ms in (from_ms..from_ms + 1000 * seconds).step_by(50) {
            let reason = match learning.router.phase() {
                Routing::Learned if at_ms % 1000 == 0 => Reason::HoldOut,
                Routing::Learned => Reason::Learned,
                Routing::Baseline => Reason::Baseline,
                Routing::ColdStart => Reason::ColdStart,
            };
            let latency = if reason == Reason::Learned { 200.0 } else { 20.0 };
            let request = RouteRequest { class: 1, context: None, size: 1.0, complexity: 0.0, day_share: 0.5 };
            learning.observe(vec![RouteOutcome {
                request,
                service: fnv1a(b"a"),
                in_flight: 1,
                weight: 1.0,
                reason,
                latency_ms: Some(latency * (1.0 + 0.1 * ((at_ms / 50) % 7) as f64)),
                resource: None,
                at_ms,
            }]);
        }
    }

    fn save(learning: &Learning, settings: &RouterSettings) {
        let path = settings.state.as_deref().unwrap();
        learning.save(path, [(1, "GET /a".to_owned())].into(), settings.learn.clone());
    }

    /// The proxy's clock begins anew with each start. A ban that was given after a day must not last for another day.
    #[test]
    fn a_ban_goes_on_over_a_restart_and_ends() {
        const DAY_MS: u64 = 86_400_000;
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&["a", "b"], &folder.path().join("router.json"));
        let (mut learning, _) = Learning::start(&settings).unwrap();
        let mut at_ms = DAY_MS;
        while learning.router.report().acting != Acting::Baseline {
            assert!(at_ms < 2 * DAY_MS, "never stopped");
            play(&mut learning, at_ms, 60);
            at_ms += 60_000;
        }
        save(&learning, &settings);
        let (mut learning, classes) = Learning::start(&settings).unwrap();
        assert_eq!(classes.into_iter().collect::<Vec<_>>(), [(1, "GET /a".to_owned())]);
        assert_eq!(learning.router.report().acting, Acting::Baseline, "it stays banned");
        play(&mut learning, 0, 65);
        assert_eq!(learning.router.report().acting, Acting::Contest, "it is tried again");
        assert!(learning.router.now_ms() > DAY_MS + 60_000);
    }

    #[test]
    fn what_does_not_fit_is_not_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let first = settings(&["a", "b"], &folder.path().join("router.json"));
        let (mut learning, _) = Learning::start(&first).unwrap();
        play(&mut learning, 0, 10);
        save(&learning, &first);
        let learned = |settings: &RouterSettings| Learning::start(settings).unwrap().0.router.report().outcomes;
        let with = |names: &[&str]| settings(names, first.state.as_deref().unwrap());
        assert_eq!(learned(&first), 200);
        assert_eq!(learned(&with(&["a", "new"])), 200, "a service more or less is followed, as without a restart");
        assert_eq!(learned(&with(&["c", "d"])), 0);
        let other = RouterConfig { resource_weight: 1.0, ..first.learn.clone() };
        assert_eq!(learned(&RouterSettings { learn: other, ..first.clone() }), 0);
        assert_eq!(learned(&RouterSettings { state: Some(folder.path().join("none")), ..first.clone() }), 0);
        let path = first.state.as_deref().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        for damaged in [text.replace("\"version\":1", "\"version\":9"), text[..text.len() / 2].to_owned()] {
            std::fs::write(path, damaged).unwrap();
            assert_eq!(learned(&first), 0);
        }
    }
}

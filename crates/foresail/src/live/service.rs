//! One live service: its data plane and its copies, which stay, and its loop, which turns anew when it is configured anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use foresail_actuate::Actuator;
use foresail_actuate::process::ProcessActuator;
use foresail_core::{Sample, TimeZone};
use foresail_proxy::{Endpoint, Proxy, ProxyConfig};
use foresail_scale::CapacityLearner;
use foresail_scale::controller::{Controller, ControllerState, Entry};
use foresail_scale::discrepancy::{Discrepancies, DiscrepancyOptions, DiscrepancyState};
use foresail_scale::policies::{PolicyOptions, build};
use foresail_server::api::plane::{Actor, Role, Word};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::brain::{Brain, controller_options};
use super::config::ServiceConfig;
use super::engine::{Engine, EngineOptions, Handle};
use super::exchange::{Exchange, Exchanged};
use super::feed::{self, Feed};
use super::fingerprint::{Prints, State as PrintsState};
use super::keeper::Keeper;
use super::league::LeagueOptions;
use super::notices::Notices;
use super::outside::Outside;
use super::own_metrics::OwnMetrics;
use super::past::past;
use super::wiring::{endpoint, follow, rehearse, until};
use crate::clock::Tempo;
use crate::output::note;

/// How long copies that another run left may take to be known as ready.
const ADOPTION: Duration = Duration::from_secs(10);
/// Time for requests on their way when a service ends.
const GRACE: Duration = Duration::from_secs(10);

/// Ticks that a policy rehearses at most: 17 days of quarter minutes.
const REHEARSED: usize = 100_000;

/// What every service shares.
#[derive(Clone)]
pub(super) struct House {
    pub(super) data: PathBuf,
    pub(super) keeper: Keeper,
    pub(super) notices: Notices,
    pub(super) changed: watch::Sender<u64>,
    /// Whether another run served these addresses until now.
    pub(super) takes_over: bool,
}

/// A service that runs.
pub(super) struct Live {
    name: String,
    config: ServiceConfig,
    proxy: Option<Arc<Proxy>>,
    actuator: Option<Arc<ProcessActuator>>,
    following: Option<JoinHandle<()>>,
    turning: Option<Turning>,
    handle: Handle,
}

/// A loop that turns.
struct Turning {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Turning {
    async fn end(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            // A loop that panicked has said so; what it leaves is still to be ended.
            let _ = task.await;
        }
    }
}

impl Live {
    /// Starts everything: around `serving`, a data plane that serves already, where there is one; sharing its addresses
    /// with the one of the run before, if this run takes over.
    ///
    /// # Errors
    /// If a part cannot be started.
    pub(super) async fn start(
        house: &House,
        name: &str,
        config: &ServiceConfig,
        serving: Option<Arc<Proxy>>,
    ) -> anyhow::Result<Self> {
        let actuator = match &config.process {
            Some(process) => Some(Arc::new(ProcessActuator::start(process.clone()).await?)),
            None => None,
        };
        let mut known: Vec<Endpoint> = config.endpoints.iter().map(|address| endpoint(address, *address)).collect();
        if let (true, Some(actuator)) = (house.takes_over, &actuator) {
            // Clients come at once: those copies that serve already have to be known.
            let mut copies = actuator.endpoints();
            let ready = timeout(ADOPTION, copies.wait_for(|copies| !copies.is_empty())).await;
            if let Ok(Ok(ready)) = ready {
                known = ready.iter().map(|copy| endpoint(&copy.id, copy.address)).collect();
            }
        }
        let proxy = match (serving, &config.proxy) {
            (Some(serving), _) => Some(serving),
            (None, Some(proxy)) => Some(Arc::new(Proxy::start(settings(house, config, proxy), known)?)),
            (None, None) => None,
        };
        let following = actuator.as_ref().zip(proxy.as_ref());
        let following =
            following.map(|(actuator, proxy)| tokio::spawn(follow(actuator.endpoints(), Arc::clone(proxy))));
        let parts = Parts { proxy: proxy.clone(), actuator: actuator.clone(), before: None };
        let (handle, turning) = turn(house, name, config, parts).await?;
        let (name, config, turning) = (name.to_owned(), config.clone(), Some(turning));
        Ok(Self { name, config, proxy, actuator, following, turning, handle })
    }

    /// What others may see of it and say to it.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// How it is configured.
    pub(super) fn config(&self) -> &ServiceConfig {
        &self.config
    }

    /// One line a listener: where clients come in.
    pub(super) fn announce(&self) {
        let Some(proxy) = &self.proxy else { return };
        let addresses: Vec<String> = proxy.addresses().iter().map(ToString::to_string).collect();
        note(&format!("{}: listening on {}", self.name, addresses.join(", ")));
    }

    /// Hands new settings to the data plane.
    ///
    /// # Errors
    /// If they cannot be used without a restart; nothing has changed then.
    pub(super) fn reload_proxy(&self, house: &House, config: &ServiceConfig) -> anyhow::Result<()> {
        anyhow::ensure!(config.process == self.config.process, "service.{}.process needs a restart", self.name);
        anyhow::ensure!(config.endpoints == self.config.endpoints, "service.{}.endpoints needs a restart", self.name);
        match (&self.proxy, &config.proxy) {
            (Some(proxy), Some(wanted)) => {
                proxy.reload(settings(house, config, wanted)).with_context(|| format!("service.{}.proxy", self.name))
            }
            (None, None) => Ok(()),
            _ => anyhow::bail!("service.{}.proxy needs a restart", self.name),
        }
    }

    /// Ends the loop and starts it anew as configured, from its saved state. Traffic and copies go on. If that cannot be,
    /// it goes on as before.
    ///
    /// # Errors
    /// Why it goes on as before.
    pub(super) async fn turn_anew(&mut self, house: &House, config: &ServiceConfig) -> anyhow::Result<()> {
        if let Some(turning) = self.turning.take() {
            turning.end().await;
        }
        let (mode, config) = (self.config.mode, config.clone());
        let begun = match turn(house, &self.name, &config, self.parts()).await {
            Ok(begun) => {
                self.config = config;
                Ok(begun)
            }
            Err(error) => {
                let again = turn(house, &self.name, &self.config, self.parts()).await;
                (self.handle, self.turning) = again.map(|(handle, turning)| (handle, Some(turning)))?;
                Err(error)
            }
        };
        let (handle, turning) = begun?;
        (self.handle, self.turning) = (handle, Some(turning));
        if self.config.mode != mode {
            // Operators' words outlive a restart; a mode changed in the file is a newer word than theirs.
            let actor = Actor { name: "configuration".to_owned(), role: Role::Operate };
            self.handle.tell(&actor, Word::Mode { mode: self.config.mode }).await?;
        }
        Ok(())
    }

    fn parts(&self) -> Parts {
        Parts { proxy: self.proxy.clone(), actuator: self.actuator.clone(), before: Some(self.handle.clone()) }
    }

    /// Ends the loop, drains the proxy, and ends the copies as configured.
    pub(super) async fn end(mut self) {
        self.rest().await;
        if let Some(proxy) = self.proxy {
            drain(&self.name, proxy, Proxy::shutdown).await;
        }
        if let Some(actuator) = self.actuator
            && let Err(error) = actuator.close().await
        {
            note(&format!("{}: its copies were not ended: {error}", self.name));
        }
    }

    /// Ends the loop and leaves the copies; what serves goes on serving those it knows.
    pub(super) async fn give_up(mut self) -> Option<Arc<Proxy>> {
        self.rest().await;
        if let Some(actuator) = self.actuator
            && let Err(error) = actuator.detach().await
        {
            note(&format!("{}: its copies were not left: {error}", self.name));
        }
        self.proxy
    }

    async fn rest(&mut self) {
        if let Some(turning) = self.turning.take() {
            turning.end().await;
        }
        if let Some(following) = self.following.take() {
            following.abort();
            // It was aborted.
            let _ = following.await;
        }
    }
}

/// Lets the proxy of the service `name` finish what it has, `by` the way given.
pub(super) async fn drain(name: &str, proxy: Arc<Proxy>, by: fn(Proxy, Duration)) {
    match Arc::try_unwrap(proxy) {
        // A thread that panicked has said so.
        Ok(proxy) => drop(tokio::task::spawn_blocking(move || by(proxy, GRACE)).await),
        Err(_) => tracing::error!("{name}: its proxy is still held by somebody, and ends without a grace"),
    }
}

/// The proxy's settings: a run that takes over shares addresses with the one before, and requests are looked at for the
/// fingerprint where that is wanted.
fn settings(house: &House, config: &ServiceConfig, proxy: &ProxyConfig) -> ProxyConfig {
    let mut settings = ProxyConfig { fingerprint: config.fingerprint.on, ..proxy.clone() };
    settings.listen.iter_mut().for_each(|listen| listen.share |= house.takes_over);
    settings
}

/// What a loop turns around, and the loop before it.
struct Parts {
    proxy: Option<Arc<Proxy>>,
    actuator: Option<Arc<ProcessActuator>>,
    before: Option<Handle>,
}

/// Starts a loop from what is kept of the service.
async fn turn(house: &House, name: &str, config: &ServiceConfig, parts: Parts) -> anyhow::Result<(Handle, Turning)> {
    let kept = house.keeper.restore::<ControllerState>(name, "controller")?;
    let tempo = Tempo::wall(kept.as_ref().map(|(_, time)| *time));
    let (service, limits, zone) = (config.service()?, config.limits(), config.zone()?);
    let feed = match &config.prometheus {
        Some(prometheus) => Some(Feed {
            service: name.to_owned(),
            source: prometheus.source()?,
            query: prometheus.query.clone(),
            step: config.tick,
            tempo: tempo.clone(),
        }),
        None => None,
    };
    let history = past(config, &house.keeper, name, feed.as_ref(), tempo.now()).await?;

    let mut options = PolicyOptions::new(limits);
    options.late_fraction = config.late_fraction;
    options.zone = zone.clone();
    let mut champion = build(&config.policy, &service, &options)?;
    let baseline = build(&config.baseline, &service, &options)?;
    if let Some(history) = &history {
        let (end, tick) = (history.end(), config.tick);
        let loads = history.target()[history.len().saturating_sub(REHEARSED)..].to_vec();
        // Days of ticks take seconds: not on a thread that others wait for.
        let rehearsed = tokio::task::spawn_blocking(move || {
            rehearse(champion.as_mut(), service, limits, tick, end, loads).map(|()| champion)
        });
        champion = rehearsed.await??;
    }
    let mut options = controller_options(service, config.guardrails(), config.mode, config.late_fraction);
    options.staleness.scrape = config.tick;
    let journal = house.data.join(format!("{name}.journal.jsonl"));
    let controller = match kept {
        Some((state, _)) => {
            let mut controller = Controller::restore(options, champion, baseline, state)?;
            // Operators' words that were journalled and not yet saved when the last run ended. A decision is made anew.
            for entry in foresail_store::entries_after::<Entry>(&journal, house.keeper.journalled(name)?)? {
                if let Entry::Commanded { time, command } = entry
                    && let Err(refused) = controller.command(time, &command)
                {
                    tracing::info!("{name}: a command of {time} no longer applies: {refused}");
                }
            }
            controller
        }
        None => Controller::new(options, champion, baseline)?,
    };
    let learner = house.keeper.restore::<CapacityLearner>(name, "capacity")?.map(|(learner, _)| learner);
    let learner = learner.filter(|l| l.is_sound() && l.began_with(service.capacity_rps(), service.workers()));

    let watched = house.keeper.restore::<DiscrepancyState>(name, "discrepancies")?.map(|(state, _)| state);
    let watched = watched.and_then(|state| Discrepancies::restore(DiscrepancyOptions::default(), state).ok());
    let discrepancies = match watched {
        Some(watched) => watched,
        None => Discrepancies::new(DiscrepancyOptions::default())?,
    };

    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    let fingerprint = if parts.proxy.is_some() && config.fingerprint.on {
        let saved = house.keeper.restore::<PrintsState>(name, "fingerprint")?.map(|(state, _)| state);
        let interval = config.fingerprint.interval;
        let (mut names, mut values) = (Vec::new(), watch::channel(Vec::new()).1);
        if let Some(metrics) = &config.fingerprint.metrics {
            let queries: Vec<(String, String)> = metrics.queries.clone().into_iter().collect();
            names.extend(queries.iter().map(|(name, _)| name.clone()));
            let source = metrics.source()?;
            let asking = OwnMetrics { service: name.to_owned(), source, queries, interval, tempo: tempo.clone() };
            let sender = watch::Sender::default();
            values = sender.subscribe();
            tasks.push(tokio::spawn(asking.run(sender)));
        }
        Some(Prints::new(interval, names, values, saved)?)
    } else {
        None
    };

    let mut exchanged = Exchanged::default();
    if let (Some(config), Some(proxy)) = (&config.exchange, &parts.proxy) {
        let exchange = Exchange::new(name, config, &tempo)?;
        exchanged = exchange.seen();
        let (running, stopped) = (exchange.run(Arc::clone(proxy), exchanged.clone()), until(stopped.clone()));
        tasks.push(tokio::spawn(async move {
            tokio::select! {
                () = running => {}
                () = stopped => {}
            }
        }));
    }

    // Where there is a proxy, it knows the load of now.
    let feed = feed.filter(|_| parts.proxy.is_none());
    let samples: Option<mpsc::Receiver<Sample>> = feed.map(|feed| {
        let (sender, samples) = mpsc::channel(feed::QUEUE);
        tasks.push(tokio::spawn(feed.run(sender)));
        samples
    });
    let (outside, known) = Outside::open(name, &config.known, &zone, &tempo).await?;
    let mut heard = known.subscribe();
    if outside.is_whole() {
        // Else the controller goes by what it kept, rather than by a part.
        heard.mark_changed();
    }
    tasks.push(tokio::spawn(outside.run(known)));
    let (engine, handle) = Engine::new(EngineOptions {
        name: name.to_owned(),
        tempo,
        tick: config.tick,
        service,
        limits: (config.min, config.max),
        learn_capacity: config.learn_capacity,
        learner,
        make_up: config.make_up,
        discrepancies: Some(discrepancies),
        brain: Brain::Guarded(Box::new(controller)),
        proxy: parts.proxy,
        samples,
        exchanged,
        actuator: parts.actuator.map(|a| a as Arc<dyn Actuator>),
        known: heard,
        fingerprint,
        league: league(config, zone),
        history,
        journal,
        changed: house.changed.clone(),
        keeper: Some(house.keeper.clone()),
        notices: house.notices.clone(),
        points: parts.before.map(|handle| handle.points).unwrap_or_default(),
        policy: config.policy.clone(),
        baseline: config.baseline.clone(),
    })?;
    tasks.insert(0, tokio::spawn(engine.run(until(stopped))));
    Ok((handle, Turning { stop, tasks }))
}

/// The league of models: steps of a minute or a tick, an hour ahead, refitted four times a day.
fn league(config: &ServiceConfig, zone: TimeZone) -> LeagueOptions {
    let step = config.tick.max(Duration::from_secs(60));
    let a_day = (86_400.0 / step.as_secs_f64()) as usize;
    LeagueOptions {
        step,
        horizon: 60,
        scored: ((config.startup + config.tick).as_secs_f64() / step.as_secs_f64()).ceil() as usize,
        seasons: vec![Duration::from_secs(86_400), Duration::from_secs(7 * 86_400)],
        memory: 15 * a_day,
        refit: a_day / 4,
        zone,
        seed: 0,
    }
}

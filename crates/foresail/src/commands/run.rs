//! `foresail run`: the control plane beside live services.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use foresail_actuate::Actuator;
use foresail_actuate::process::ProcessActuator;
use foresail_core::{Column, Frame, Metric, Timestamp};
use foresail_ingest::{ReadOptions, Source, read};
use foresail_proxy::{Endpoint, Proxy};
use foresail_scale::MetricSpec;
use foresail_scale::controller::{Controller, ControllerOptions, ControllerState, Entry, replay_journal};
use foresail_scale::policies::{PolicyOptions, build};
use foresail_server::api::Server;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::clock::Tempo;
use crate::lab::ticks::{Scale, load_on_ticks};
use crate::live::config::{Config, ServiceConfig};
use crate::live::{Brain, Engine, EngineOptions, Handle, Keeper, LeagueOptions, Plane, follow, rehearse};
use crate::logging;
use crate::output::note;

/// Run the control plane: measure, decide, and as far as its mode allows, act.
///
/// Every service starts in the mode `recommend`: decisions are offered on the dashboard and carried out when approved.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "foresail.toml")]
    config: PathBuf,
}

/// Time for requests on their way when Foresail ends.
const GRACE: Duration = Duration::from_secs(10);
/// History that policies rehearse, at most.
const REHEARSAL: Duration = Duration::from_secs(14 * 86_400);

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(&self.config)?;
        logging::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config))
    }
}

/// A service that is running.
struct Running {
    name: String,
    proxy: Arc<Proxy>,
    actuator: Option<Arc<ProcessActuator>>,
    tasks: Vec<JoinHandle<()>>,
}

async fn serve(config: Config) -> anyhow::Result<()> {
    std::fs::create_dir_all(&config.data).with_context(|| format!("cannot create {}", config.data.display()))?;
    let keeper = Keeper::open(&config.data.join("state.sqlite"))?;
    let (stop, stopped) = watch::channel(false);
    let (changed, seen) = watch::channel(0);
    let mut running = Vec::new();
    let mut handles = Vec::new();
    for (name, service) in &config.service {
        let (handle, live) = start(&config, name, service, &keeper, changed.clone(), stopped.clone())
            .await
            .with_context(|| format!("service {name}"))?;
        handles.push((name.clone(), handle, service.late_fraction));
        running.push(live);
    }
    let plane = Arc::new(Plane::new(handles, seen)?);
    let server = Server::bind(&config.server, plane).await?;
    note(&format!("dashboard and API: {}", server.url()));
    for live in &running {
        let addresses: Vec<String> = live.proxy.addresses().iter().map(ToString::to_string).collect();
        note(&format!("{}: listening on {}", live.name, addresses.join(", ")));
    }
    let end = stopped.clone();
    let serving = tokio::spawn(server.run(until(end)));
    signalled().await?;
    note("stopping");
    stop.send_replace(true);
    for live in running {
        live.end().await;
    }
    serving.await.context("the server ended badly")
}

impl Running {
    /// Drains the proxy, then ends the copies as configured.
    async fn end(self) {
        for task in self.tasks {
            // A loop that panicked has said so; what it leaves is still to be ended.
            let _ = task.await;
        }
        if let Ok(proxy) = Arc::try_unwrap(self.proxy) {
            let _ = tokio::task::spawn_blocking(move || proxy.shutdown(GRACE)).await;
        }
        if let Some(actuator) = self.actuator
            && let Err(error) = actuator.close().await
        {
            note(&format!("{}: its copies were not ended: {error}", self.name));
        }
    }
}

/// Resolves once the watch says so.
pub(crate) async fn until(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone has stopped too.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Resolves at SIGINT or SIGTERM.
///
/// # Errors
/// If no handler can be set.
pub(crate) async fn signalled() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = term.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

async fn start(
    config: &Config,
    name: &str,
    service_config: &ServiceConfig,
    keeper: &Keeper,
    changed: watch::Sender<u64>,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<(Handle, Running)> {
    let tempo = Tempo::wall();
    let (service, limits, zone) = (service_config.service()?, service_config.limits(), service_config.zone()?);
    let journal = config.data.join(format!("{name}.journal.jsonl"));
    let now = tempo.now();
    let history = history(service_config, keeper, name, now)?;

    let mut options = PolicyOptions::new(limits);
    options.late_fraction = service_config.late_fraction;
    options.zone = zone.clone();
    let mut champion = build(&service_config.policy, &service, &options)?;
    let baseline = build(&service_config.baseline, &service, &options)?;
    if let Some(history) = &history {
        let loads = history.target().to_vec();
        rehearse(champion.as_mut(), service, limits, service_config.tick, history.end(), loads)?;
    }
    let metric = MetricSpec { metric: Metric::RequestRate, capacity_per_replica: service.capacity_rps(), target: 1.0 };
    let mut controller_options = ControllerOptions::new(service, vec![metric], service_config.guardrails());
    controller_options.mode = service_config.mode;
    controller_options.late_fraction = service_config.late_fraction;
    controller_options.startup_p90 = service_config.startup;
    controller_options.staleness.scrape = service_config.tick;
    let controller = match keeper.restore::<ControllerState>(name, "controller")? {
        Some((state, _)) => {
            let mut controller = Controller::restore(controller_options, champion, baseline, state)?;
            // What was journalled and not yet saved when the last run ended.
            let missing = foresail_store::entries_after::<Entry>(&journal, keeper.journalled(name)?)?;
            if let Err(difference) = replay_journal(&missing, &mut controller) {
                tracing::warn!("{name}: the end of the journal does not replay after the restart: {difference}");
            }
            controller
        }
        None => Controller::new(controller_options, champion, baseline)?,
    };

    let proxy_config = service_config.proxy.clone().unwrap_or_default();
    let fixed = service_config.endpoints.iter();
    let endpoints = fixed.map(|a| Endpoint { id: a.to_string(), address: *a, weight: 1.0, tls: None }).collect();
    let proxy = Arc::new(Proxy::start(proxy_config, endpoints)?);
    let mut tasks = Vec::new();
    let actuator = match &service_config.process {
        Some(process) => {
            let actuator = Arc::new(ProcessActuator::start(process.clone()).await?);
            let following = follow(actuator.endpoints(), Arc::clone(&proxy));
            let end = stopped.clone();
            tasks.push(tokio::spawn(async move {
                tokio::select! { () = following => {}, () = until(end) => {} }
            }));
            Some(actuator)
        }
        None => None,
    };
    let step = service_config.tick.max(Duration::from_secs(60));
    let a_day = (86_400.0 / step.as_secs_f64()) as usize;
    let engine_options = EngineOptions {
        name: name.to_owned(),
        tempo,
        tick: service_config.tick,
        service,
        limits: (service_config.min, service_config.max),
        learn_capacity: service_config.learn_capacity,
        make_up: service_config.make_up,
        brain: Brain::Guarded(Box::new(controller)),
        proxy: Some(Arc::clone(&proxy)),
        actuator: actuator.clone().map(|a| a as Arc<dyn Actuator>),
        league: LeagueOptions {
            step,
            horizon: 60,
            scored: ((service_config.startup + service_config.tick).as_secs_f64() / step.as_secs_f64()).ceil() as usize,
            seasons: vec![Duration::from_secs(86_400), Duration::from_secs(7 * 86_400)],
            memory: 15 * a_day,
            refit: a_day / 4,
            zone,
            seed: 0,
        },
        history,
        journal,
        changed,
        keeper: Some(keeper.clone()),
        policy: service_config.policy.clone(),
        baseline: service_config.baseline.clone(),
    };
    let (engine, handle) = Engine::new(engine_options)?;
    tasks.push(tokio::spawn(engine.run(until(stopped))));
    Ok((handle, Running { name: name.to_owned(), proxy, actuator, tasks }))
}

/// The load before `now`, requests a second by tick, from what was kept, or else from the configured file.
fn history(config: &ServiceConfig, keeper: &Keeper, name: &str, now: Timestamp) -> anyhow::Result<Option<Frame>> {
    let kept = keeper.samples(name, now - REHEARSAL, now)?;
    let rates: Vec<(Timestamp, f64)> =
        kept.iter().filter(|s| s.metric == Metric::RequestRate).map(|s| (s.time, s.value)).collect();
    if let (Some(first), Some(last)) = (rates.first(), rates.last())
        && last.0.since(first.0) > Duration::from_secs(3_600)
    {
        return Ok(Some(on_grid(&rates, config)?));
    }
    let Some(file) = &config.history else { return Ok(None) };
    let options = ReadOptions { values: vec![file.value.clone()], ..ReadOptions::default() };
    let frame = read(Source::from(file.file.as_path()), &options)?.frame;
    let mut loads = load_on_ticks(&frame, config.tick, file.per, Scale::Factor(1.0))?.rps;
    // The file's days teach ours at the same time of day: what follows that time on its last day is left out.
    let day = Duration::from_secs(86_400);
    let of_day = |time: Timestamp| time.since(time.floor_to(day)).as_secs_f64();
    let end = now.floor_to(config.tick);
    let over = (of_day(frame.start() + config.tick * loads.len() as u32) - of_day(end)).rem_euclid(86_400.0);
    loads.truncate(loads.len().saturating_sub((over / config.tick.as_secs_f64()).round() as usize));
    if loads.is_empty() {
        return Ok(None);
    }
    let start = end - config.tick * loads.len() as u32;
    let column = Column::new("load", loads.into_iter().map(Some));
    Ok(Some(Frame::new(start, config.tick, config.zone()?, vec![column])?))
}

/// Samples on the grid of the ticks; gaps hold the last value.
fn on_grid(rates: &[(Timestamp, f64)], config: &ServiceConfig) -> anyhow::Result<Frame> {
    let (first, last) = (rates[0].0.floor_to(config.tick), rates[rates.len() - 1].0);
    let steps = (last.since(first).as_secs_f64() / config.tick.as_secs_f64()) as usize + 1;
    let mut row = vec![None; steps];
    for (time, rate) in rates {
        let index = (time.since(first).as_secs_f64() / config.tick.as_secs_f64()) as usize;
        row[index.min(steps - 1)] = Some(*rate);
    }
    Ok(Frame::new(first, config.tick, config.zone()?, vec![Column::new("load", row)])?)
}

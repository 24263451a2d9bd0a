//! `foresail demo`: a real service behind our proxy, real requests, and the loop that scales it, in five minutes.
//!
//! Nothing is simulated: copies of a sample service start and stop as processes, an open-loop generator sends requests,
//! and the loop decides on what the proxy measures. Only time is short: a day lasts two and a half minutes, and every
//! policy's constants run as many times fast.

pub(crate) mod load;
mod plan;
mod score;
pub(crate) mod service;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use foresail_actuate::process::{OnCrash, ProcessActuator, ProcessConfig};
use foresail_actuate::{Actuator, Observed};
use foresail_core::{Limits, Mode, Replicas, TimeZone, Timestamp};
use foresail_ingest::{ReadOptions, Source, read};
use foresail_proxy::{Admission, GuardConfig, GuardMode, ListenConfig, Proxy, ProxyConfig};
use foresail_scale::Service;
use foresail_scale::controller::{Controller, Entry};
use foresail_scale::discrepancy::{Discrepancies, DiscrepancyOptions};
use foresail_scale::planner::{DownRules, Guardrails};
use foresail_scale::policies::{PolicyOptions, build};
use foresail_server::api::{ControlPlane, Server, ServerConfig};
use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep_until};

use self::load::{LoadGenerator, LoadOptions, LoadPlan, Spread};
use self::plan::Plan;
use self::score::{Peak, Summary};
use self::service::client;
use crate::clock::Tempo;
use crate::live::{
    Bare, Brain, Engine, EngineOptions, Exchanged, Handle, Keeper, LeagueOptions, Notices, Plane, Prints,
    controller_options, follow, rehearse, signalled, until,
};
use crate::logging;
use crate::output::note;

/// What a copy of the sample service can do: this many requests at a time, each of this length.
const WORKERS: u32 = 2;
const SERVICE_TIME_MS: u64 = 40;
/// Most copies.
const MOST: u32 = 40;
/// How long what is measured is kept.
const KEEP: Duration = Duration::from_secs(86_400);
/// A request is late from here on, from its intended send.
const LATE_MS: u64 = 250;
/// Of those, what a request may wait for a worker.
const WAIT_MS: u64 = 200;
/// Time on which the demonstration's clock stands at its start: a Monday's midnight.
const ORIGIN: i64 = 1_767_571_200;
/// Constants of a service that starts in a minute and decides every 15 s, run this many times fast.
const FAST: f64 = 12.0;
/// The same with `--fast`.
const FASTER: f64 = 60.0;

/// What is played, and how.
#[derive(Clone, Debug)]
pub(crate) struct DemoOptions {
    /// Folder for everything that is written.
    pub(crate) folder: PathBuf,
    /// The policy that decides.
    pub(crate) policy: String,
    /// About a minute instead of five.
    pub(crate) fast: bool,
    /// A measured load instead of the generated one: file and column.
    pub(crate) trace: Option<(PathBuf, String)>,
    /// Requests a second at noon.
    pub(crate) peak_rps: f64,
    /// Multiplies the load from a moment on, to see what a sudden rise does: seconds since the start, factor.
    pub(crate) jump: Option<(f64, f64)>,
    /// Where the dashboard listens.
    pub(crate) listen: SocketAddr,
    /// Keep the dashboard up after the end, until interrupted.
    pub(crate) stay: bool,
    /// Share of requests that may be late, above 0 and below 1: what the policy is asked to keep.
    pub(crate) late_fraction: f64,
    /// Seed of load and draws.
    pub(crate) seed: u64,
}

/// Who the clients are, and who floods: addresses that are nobody's.
const CLIENTS: (Ipv4Addr, u32) = (Ipv4Addr::new(198, 18, 0, 0), 1 << 13);
const FLOODER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
/// When the flood begins and how long it lasts, in days; in the night between the two. Its rate, over that of noon.
const FLOOD: (f64, f64) = (0.94, 0.1);
const FLOOD_RATE: f64 = 0.7;

/// On the service's clock: time between two decisions, length of a day, time a copy takes to start.
const TICK: Duration = Duration::from_secs(15);
const DAY: Duration = Duration::from_secs(1_800);
const STARTUP: Duration = Duration::from_secs(60);

/// How time runs.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Seconds of the service's clock in a second.
    speed: f64,
    /// Length of a tick in real time.
    tick: Duration,
    /// Length of a day in real time.
    cycle: Duration,
    /// Time a copy takes to start, in real time.
    startup: Duration,
}

impl Pace {
    fn new(fast: bool) -> Self {
        let speed = if fast { FASTER } else { FAST };
        let real = |span: Duration| span.div_f64(speed);
        Self { speed, tick: real(TICK), cycle: real(DAY), startup: real(STARTUP) }
    }
}

/// Plays the demonstration to its end, or until it is interrupted.
///
/// # Errors
/// If a part cannot be started.
pub(crate) async fn play(options: DemoOptions) -> anyhow::Result<Summary> {
    logging::start();
    let pace = Pace::new(options.fast);
    let mut plan = match &options.trace {
        None => Plan::generated(pace.cycle, pace.tick, options.peak_rps, options.seed),
        Some((file, column)) => {
            let reading = ReadOptions { values: vec![column.clone()], ..ReadOptions::default() };
            let frame = read(Source::from(file.as_path()), &reading)?.frame;
            Plan::measured(&frame, pace.cycle, pace.tick, options.peak_rps)
        }
    };
    if let Some((at, factor)) = options.jump {
        plan.jump(at, factor);
    }
    let stage = Stage::set(&options, &plan, pace).await?;
    let played = stage.perform(&options, &plan).await;
    let summary = stage.strike(&options, &plan, pace).await?;
    played?;
    Ok(summary)
}

/// Everything that runs.
struct Stage {
    actuator: Arc<ProcessActuator>,
    proxy: Arc<Proxy>,
    plane: Arc<Plane>,
    handle: Handle,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    load: LoadGenerator,
    flood: LoadGenerator,
    watched: Arc<std::sync::Mutex<Vec<Peak>>>,
    url: String,
    begun: Instant,
}

impl Stage {
    async fn set(options: &DemoOptions, plan: &Plan, pace: Pace) -> anyhow::Result<Self> {
        prepare(&options.folder)?;
        let capacity_rps = f64::from(WORKERS) * 1_000.0 / SERVICE_TIME_MS as f64;
        let limits = Limits { min: Replicas(2), max: Replicas(MOST) };
        let first = limits.clamp(Replicas::holding(plan.rates[0] / capacity_rps / 0.7));
        let actuator = Arc::new(ProcessActuator::start(fleet(options, pace, first)?).await?);
        let proxy = Arc::new(Proxy::start(front(), Vec::new())?);
        let following = follow(actuator.endpoints(), Arc::clone(&proxy));
        let (stop, stopped) = watch::channel(false);
        let end = stopped.clone();
        let mut tasks = vec![tokio::spawn(async move {
            tokio::select! { () = following => {}, () = until(end) => {} }
        })];
        ready(&actuator, first).await?;

        let tempo = Tempo::paced(Timestamp::from_secs(ORIGIN), pace.speed);
        let service = Service::request(tempo.rate(capacity_rps), STARTUP)?
            .with_workers(WORKERS)?
            .with_wait_slo(Duration::from_millis(WAIT_MS).mul_f64(pace.speed))?
            .with_client_timeout(Duration::from_secs(2).mul_f64(pace.speed))?;
        let (changed, seen) = watch::channel(0);
        let keeper = Keeper::open(&options.folder, KEEP)?;
        let is_ours = options.policy.split('@').next() == Some("foresail");
        let engine_options = EngineOptions {
            exchanged: Exchanged::default(),
            name: "sample".to_owned(),
            tick: TICK,
            service,
            limits: (limits.min.0, limits.max.0),
            learn_capacity: is_ours,
            learner: None,
            make_up: is_ours,
            discrepancies: is_ours.then(watch_for).transpose()?,
            brain: brain(options, service, limits, &tempo, plan, is_ours)?,
            proxy: Some(Arc::clone(&proxy)),
            samples: None,
            actuator: Some(Arc::clone(&actuator) as Arc<dyn Actuator>),
            known: watch::channel(Arc::default()).1,
            // Workers hand over four times a second, which is a long time on this clock.
            fingerprint: Some(Prints::without_metrics(Duration::from_secs(5).mul_f64(pace.speed).max(TICK))?),
            league: LeagueOptions {
                step: TICK,
                horizon: 24,
                scored: 5,
                seasons: vec![DAY],
                memory: plan.before.len() + plan.rates.len(),
                refit: 60,
                zone: TimeZone::utc(),
                seed: options.seed,
            },
            history: Some(plan.history(tempo.now(), TICK)?),
            journal: options.folder.join("journal.jsonl"),
            changed,
            keeper: Some(keeper),
            notices: Notices::default(),
            points: Default::default(),
            policy: options.policy.clone(),
            baseline: "hpa@0.7".to_owned(),
            tempo,
        };
        let (engine, handle) = Engine::new(engine_options)?;
        let plane = Arc::new(Plane::new(seen));
        plane.show([("sample".to_owned(), handle.clone(), options.late_fraction)])?;
        let server = bind(options.listen, Arc::clone(&plane)).await?;
        let url = server.url();
        note(&format!("dashboard: {url}"));
        tasks.push(tokio::spawn(server.run(until(stopped.clone()))));
        let address = *proxy.addresses().first().context("the proxy has no address")?;
        let sent = LoadPlan::new(plan.rates.clone(), plan.step)?;
        let load = LoadGenerator::start(LoadOptions {
            late_after: Duration::from_millis(LATE_MS),
            spread: Spread::Constant,
            clients: Some(CLIENTS),
            ..LoadOptions::new(address, sent, options.seed)
        })?;
        let flood = LoadGenerator::start(LoadOptions {
            clients: Some((FLOODER, 1)),
            connections: 64,
            ..LoadOptions::new(address, plan.flood(FLOOD, FLOOD_RATE * options.peak_rps)?, options.seed + 1)
        })?;
        tasks.push(tokio::spawn(engine.run(until(stopped))));
        let (watched, begun) = (Arc::default(), load.started());
        Ok(Self { actuator, proxy, plane, handle, stop, tasks, load, flood, watched, url, begun })
    }

    /// Lets it play, says how it goes, and makes the faults happen.
    async fn perform(&self, options: &DemoOptions, plan: &Plan) -> anyhow::Result<()> {
        let mut lines = interval(if options.fast { Duration::from_secs(2) } else { Duration::from_secs(5) });
        let mut looks = interval(Duration::from_millis(100));
        let end = self.begun + plan.length();
        let mut faults = faults(plan);
        let mut flood = Some(plan.cycle.mul_f64(FLOOD.0));
        let interrupted = signalled();
        tokio::pin!(interrupted);
        loop {
            tokio::select! {
                stopped = &mut interrupted => return stopped,
                () = sleep_until(end) => break,
                _ = lines.tick() => {
                    if let Some(view) = self.plane.view("sample") {
                        note(&score::line(self.begun.elapsed(), &view, &self.load.counters().read()));
                    }
                }
                _ = looks.tick() => {
                    self.watch_peaks(plan).await;
                    if flood.take_if(|at| self.begun.elapsed() >= *at).is_some() {
                        let rate = FLOOD_RATE * options.peak_rps;
                        note(&format!("a flood: {FLOODER} asks {rate:.0} times a second from now on"));
                    }
                    while faults.first().is_some_and(|f| self.begun.elapsed() >= f.at) {
                        let fault = faults.remove(0);
                        self.inflict(&fault).await;
                    }
                }
            }
        }
        if options.stay {
            note(&format!("the load has ended; the dashboard stays at {} until Ctrl-C", self.url));
            return interrupted.await;
        }
        Ok(())
    }

    /// At the instant a day's peak begins: is what it needs ready?
    async fn watch_peaks(&self, plan: &Plan) {
        let elapsed = self.begun.elapsed();
        let seen = self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).len();
        let Some((step, load)) = plan.peaks().get(seen).copied() else { return };
        if elapsed < plan.step * step as u32 {
            return;
        }
        let Ok(Observed { replicas, .. }) = self.actuator.observe().await else { return };
        let capacity = replicas.ready.as_f64() * f64::from(WORKERS) * 1_000.0 / SERVICE_TIME_MS as f64;
        let peak =
            Peak { at_s: elapsed.as_secs_f64(), load_rps: load, ready_rps: capacity, is_ready: capacity >= load };
        self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(peak);
    }

    async fn inflict(&self, fault: &Fault) {
        let Ok(seen) = self.actuator.observe().await else { return };
        let Some(copy) = seen.copies.iter().find(|c| c.id == fault.copy) else { return };
        note(&format!("copy {}: {}", fault.copy, fault.what));
        if let Err(error) = client::post(copy.address, fault.path).await {
            note(&format!("copy {} takes no fault: {error}", fault.copy));
        }
    }

    /// Ends everything, in order, and sums up.
    async fn strike(self, options: &DemoOptions, plan: &Plan, pace: Pace) -> anyhow::Result<Summary> {
        // The last answers are waited for, unless it was cut short.
        let last = tokio::time::timeout(Duration::from_secs(3), self.load.finished()).await;
        let counts = last.unwrap_or_else(|_| self.load.counters().read());
        let flood = self.flood.counters().read();
        drop((self.load, self.flood));
        let view = self.plane.view("sample").context("the service is gone")?;
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has said so; the copies are still to be ended.
            let _ = task.await;
        }
        let ended = self.actuator.shutdown().await;
        drop((self.plane, self.handle));
        if let Ok(proxy) = Arc::try_unwrap(self.proxy) {
            tokio::task::spawn_blocking(move || proxy.shutdown(Duration::from_secs(2))).await?;
        }
        ended.context("the copies were not ended")?;
        let peaks = self.watched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let told = told(&options.folder.join("journal.jsonl"))?;
        Ok(Summary::new(options, plan, pace.speed, (&counts, &flood), peaks, told, &view))
    }
}

/// What a journal tells beside decisions.
fn told(journal: &Path) -> anyhow::Result<Vec<String>> {
    let entries = foresail_store::entries_after::<Entry>(journal, 0)?;
    let text = |entry| if let Entry::Told { text, .. } = entry { Some(text) } else { None };
    Ok(entries.into_iter().filter_map(text).collect())
}

/// What goes otherwise than predicted, told within a demonstration's two days.
fn watch_for() -> anyhow::Result<Discrepancies> {
    let mut options = DiscrepancyOptions::default();
    options.load.warm_up = 60;
    options.memory.slot = Duration::from_secs(60);
    options.efficiency.slot = Duration::from_secs(60);
    Ok(Discrepancies::new(options)?)
}

/// An empty folder of the demonstration's own.
fn prepare(folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        let ours = folder.join("journal.jsonl").is_file() || std::fs::read_dir(folder)?.next().is_none();
        ensure!(ours, "{} is a folder that no demonstration made; name another with --output", folder.display());
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

fn fleet(options: &DemoOptions, pace: Pace, first: Replicas) -> anyhow::Result<ProcessConfig> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let program = program.to_str().context("this program's path is no text")?.to_owned();
    let startup = pace.startup.saturating_sub(Duration::from_millis(20));
    let command = [
        program,
        "sample-service".to_owned(),
        "--port={port}".to_owned(),
        "--id={id}".to_owned(),
        format!("--workers={WORKERS}"),
        format!("--service-time={SERVICE_TIME_MS}ms"),
        "--distribution=fixed".to_owned(),
        format!("--start-up={}ms", startup.as_millis()),
        "--start-up-spread=0.1".to_owned(),
        "--drain=1s".to_owned(),
        format!("--seed={}", options.seed),
    ];
    let mut config = ProcessConfig::new(command, options.folder.join("copies"));
    config.initial = first.0;
    config.max_copies = MOST;
    config.drain = Duration::from_millis(50);
    config.grace = Duration::from_secs(2);
    config.on_crash = OnCrash::Stop;
    config.readiness.interval = Duration::from_millis(50);
    Ok(config)
}

fn front() -> ProxyConfig {
    ProxyConfig {
        listen: vec![ListenConfig::default()],
        workers: 2,
        late_after: Duration::from_millis(LATE_MS),
        admission: Admission::default(),
        // The generator is the proxy in front that says who its clients are.
        trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")],
        guard: Some(GuardConfig { mode: GuardMode::Enforce, clients: 1 << 16, ..GuardConfig::default() }),
        fingerprint: true,
        ..ProxyConfig::default()
    }
}

/// Waits until `wanted` copies serve.
async fn ready(actuator: &ProcessActuator, wanted: Replicas) -> anyhow::Result<()> {
    let mut copies = actuator.endpoints();
    let all = copies.wait_for(|ready| ready.len() >= wanted.0 as usize);
    tokio::time::timeout(Duration::from_secs(60), all).await.context("the sample service does not start")??;
    Ok(())
}

/// The dashboard, on another port where the usual one is taken.
async fn bind(listen: SocketAddr, plane: Arc<Plane>) -> anyhow::Result<Server> {
    let at = |listen| ServerConfig { listen, ..ServerConfig::default() };
    let plane: Arc<dyn ControlPlane> = plane;
    match Server::bind(&at(listen), Arc::clone(&plane)).await {
        Ok(server) => Ok(server),
        Err(_) if listen.port() != 0 => Ok(Server::bind(&at(SocketAddr::new(listen.ip(), 0)), plane).await?),
        Err(error) => Err(error.into()),
    }
}

/// Our policy with its guardrails, or a rival's as its users have it.
fn brain(
    demo: &DemoOptions,
    service: Service,
    limits: Limits,
    tempo: &Tempo,
    plan: &Plan,
    is_ours: bool,
) -> anyhow::Result<Brain> {
    let mut options = PolicyOptions::new(limits);
    options.day = DAY;
    options.late_fraction = demo.late_fraction;
    let mut champion = build(&demo.policy, &service, &options)?;
    let loads = plan.before.iter().map(|rps| tempo.rate(*rps)).collect();
    rehearse(champion.as_mut(), service, limits, TICK, tempo.now(), loads)?;
    if !is_ours {
        return Ok(Brain::Bare(Bare::new(champion, service, limits)));
    }
    let baseline = build("hpa@0.7", &service, &options)?;
    // Removal by the policy's own holds; the guardrail is what the autoscaler it is compared with has.
    let down = DownRules { hold: Duration::from_secs(60), share: 1.0, ..DownRules::default() };
    let rails = Guardrails { down, ..Guardrails::new(limits) };
    let options = controller_options(service, rails, Mode::Act, demo.late_fraction);
    Ok(Brain::Guarded(Box::new(Controller::new(options, champion, baseline)?)))
}

/// Something that goes wrong with a copy.
struct Fault {
    at: Duration,
    copy: u64,
    path: &'static str,
    what: &'static str,
}

/// One copy becomes five times as slow for a while, another fails three requests in ten for a while.
fn faults(plan: &Plan) -> Vec<Fault> {
    let at = |cycles: f64| plan.cycle.mul_f64(cycles);
    vec![
        Fault { at: at(0.42), copy: 1, path: "/fault?slow=5", what: "five times as slow from now on" },
        Fault { at: at(0.62), copy: 1, path: "/fault?slow=1", what: "as fast as before again" },
        Fault { at: at(1.25), copy: 2, path: "/fault?failing=0.3", what: "fails three requests in ten from now on" },
        Fault { at: at(1.45), copy: 2, path: "/fault?failing=0", what: "fails no more" },
    ]
}

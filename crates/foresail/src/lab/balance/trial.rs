//! One trial: a contender before the fleet of a scenario, for some seconds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use super::config::{Wiring, config};
use super::contender::Contender;
use super::fleet::BAD;
use super::order::Cell;
use crate::commands::sample_load::Outcome;
use crate::demo::service::client;
use crate::lab::peers::{Installed, Program};
use crate::lab::process::{Running, free_ports, local};

/// From when on after its fault the share of the bad endpoint is looked at.
const NOTICED: Duration = Duration::from_secs(2);
/// When the generator gives a request up: later than any proxy gives an endpoint up.
const GIVEN_UP: &str = "2s";

/// How long a trial is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Pace {
    /// What a trial takes in all, its start and last answers included.
    pub(crate) fn trial(self) -> Duration {
        self.warm_up + self.measured + Duration::from_millis(1_500)
    }
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Measured {
    pub(crate) seed: u64,
    /// Requests after the warm-up.
    pub(crate) sent: u64,
    /// Of good answers, from the intended time of their requests.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) mean_ms: f64,
    /// Share of the requests without a good answer.
    pub(crate) errors: f64,
    /// The bad endpoint's share of what arrived from two seconds after its fault on.
    pub(crate) bad_share: Option<f64>,
    /// CPU time of the proxy a request, microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// By how much the generator was behind its plan at most: what a busy machine adds.
    pub(crate) behind_ms: f64,
}

/// Where trials are played: a folder of their own, gone with it.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    program: PathBuf,
    installed: Installed,
    pace: Pace,
}

impl Stage {
    /// # Errors
    /// If there is no room for the folder.
    pub(crate) fn new(installed: Installed, pace: Pace) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("foresail-balance-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let program = std::env::current_exe().context("cannot find this program")?;
        Ok(Self { folder, program, installed, pace })
    }

    /// Plays a trial.
    ///
    /// # Errors
    /// If a process cannot be started or says what is not understood.
    pub(crate) async fn play(&self, cell: Cell, contender: Contender, seed: u64) -> anyhow::Result<Measured> {
        let ports = free_ports(cell.scenario.fleet().len() + 1)?;
        let (port, endpoints) = (ports[0], &ports[1..]);
        let _fleet = self.fleet(cell, endpoints, seed).await?;
        let mut proxy = self.proxy(contender, &Wiring { port, endpoints, folder: &self.folder })?;
        proxy.listens(port).await.with_context(|| contender.name())?;

        let begun = Instant::now();
        let load = self.load(cell, port, seed)?;
        let fault_at = begun + self.pace.warm_up;
        sleep_until(fault_at).await;
        if let Some(fault) = cell.scenario.fault() {
            client::post(local(endpoints[BAD]), fault).await.context("the endpoint takes no fault")?;
        }
        let cpu_before = proxy.cpu_s();
        sleep_until(fault_at + NOTICED.min(self.pace.measured / 2)).await;
        let noticed = arrivals(endpoints).await?;
        sleep_until(fault_at + self.pace.measured).await;
        let (cpu_after, arrived) = (proxy.cpu_s(), arrivals(endpoints).await?);
        let outcome = tokio::task::spawn_blocking(move || load.outcome()).await??;

        let since: Vec<f64> = arrived.iter().zip(&noticed).map(|(now, then)| now - then).collect();
        let sent = outcome.sent.max(1) as f64;
        let cpu_s = cpu_after.zip(cpu_before).map(|(after, before)| after - before);
        let good = |latency: Option<f64>| latency.context("no request was answered well");
        Ok(Measured {
            seed,
            sent: outcome.sent,
            p50_ms: good(outcome.good.p50_ms)?,
            p99_ms: good(outcome.good.p99_ms)?,
            mean_ms: good(outcome.good.mean_ms)?,
            errors: outcome.errors as f64 / sent,
            bad_share: cell.scenario.fault().map(|_| since[BAD] / since.iter().sum::<f64>().max(1.0)),
            cpu_us: cpu_s.map(|cpu_s| 1e6 * cpu_s / sent),
            behind_ms: outcome.generator_behind_ms,
        })
    }

    async fn fleet(&self, cell: Cell, ports: &[u16], seed: u64) -> anyhow::Result<Vec<Running>> {
        let mut fleet = Vec::new();
        for (index, (nature, port)) in cell.scenario.fleet().iter().zip(ports).enumerate() {
            let mut command = Command::new(&self.program);
            command.arg("sample-service").args([
                format!("--port={port}"),
                format!("--id={}", index + 1),
                format!("--workers={}", nature.workers),
                format!("--service-time={}ms", nature.service_ms),
                "--distribution=lognormal".to_owned(),
                "--queue=100000".to_owned(),
                format!("--seed={seed}"),
            ]);
            fleet.push(Running::start(&mut command, &format!("endpoint-{index}"), &self.folder)?);
        }
        for (running, port) in fleet.iter_mut().zip(ports) {
            running.listens(*port).await?;
        }
        Ok(fleet)
    }

    fn proxy(&self, contender: Contender, wiring: &Wiring<'_>) -> anyhow::Result<Running> {
        let name = contender.name();
        let file = self.folder.join(format!("{name}.conf"));
        std::fs::write(&file, config(contender, wiring))?;
        let program = contender.program();
        let path = self.installed.path(program).unwrap_or(&self.program);
        let mut command = Command::new(path);
        match program {
            Program::Ours => {
                let endpoints = wiring.endpoints.iter().map(|port| local(*port).to_string());
                command.arg("sample-proxy").arg(&file).args(endpoints)
            }
            Program::Nginx => command.arg("-p").arg(&self.folder).arg("-c").arg(&file),
            Program::Haproxy => command.arg("-f").arg(&file),
        };
        Running::start(&mut command, name, &self.folder)
    }

    /// The generator is a process of its own and knows nothing but when to send.
    fn load(&self, cell: Cell, port: u16, seed: u64) -> anyhow::Result<Load> {
        let Pace { warm_up, measured } = self.pace;
        let mut command = Command::new(&self.program);
        command.arg("sample-load").arg(local(port).to_string()).args([
            format!("--rate={}", cell.scenario.rate_rps(cell.load)),
            format!("--for={}s", (warm_up + measured).as_secs()),
            format!("--warm-up={}s", warm_up.as_secs()),
            format!("--timeout={GIVEN_UP}"),
            "--connections=4096".to_owned(),
            format!("--seed={seed}"),
        ]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start the load")?;
        Ok(Load(child))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left of it is the system's to clear.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// The generator at work.
struct Load(std::process::Child);

impl Load {
    /// Waits for its end.
    fn outcome(mut self) -> anyhow::Result<Outcome> {
        let said = self.0.stdout.take().context("the load has no output")?;
        let outcome = serde_json::from_reader(said).context("the load says what is not understood")?;
        ensure!(self.0.wait()?.success(), "the load has failed");
        Ok(outcome)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// How many requests have come to each endpoint.
async fn arrivals(endpoints: &[u16]) -> anyhow::Result<Vec<f64>> {
    let mut counts = Vec::new();
    for port in endpoints {
        counts.push(arrived(local(*port)).await.context("an endpoint does not say how many requests came")?);
    }
    Ok(counts)
}

async fn arrived(endpoint: SocketAddr) -> anyhow::Result<f64> {
    let text = client::get(endpoint, "/metrics").await?;
    let line = text.lines().find_map(|line| line.strip_prefix("foresail_sample_arrived_total "));
    Ok(line.context("no such count")?.parse()?)
}

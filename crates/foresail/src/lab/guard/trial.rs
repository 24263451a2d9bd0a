//! One trial: a contender in front of the origin, the mix, and an attack that begins when the warm-up ends.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use foresail_core::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::config::{Wiring, config};
use super::contender::Contender;
use super::ground::{Cost, Ground, SERVICE_MS};
use super::measured::Measured;
use super::players::{Played, attackers, on_a_thread, people};
use super::threat::Threat;
use crate::lab::peers::{Installed, Program};
use crate::lab::process::{Running, free_ports, local};

/// Requests that may wait at the origin; it refuses more.
const QUEUE: u32 = 64;

/// How long a trial is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Of well-meant clients alone.
    pub(crate) warm_up: Duration,
    /// Of the attack.
    pub(crate) measured: Duration,
    /// Of that, what a defence has to notice it.
    pub(crate) grace: Duration,
}

impl Pace {
    /// What a trial takes in all, its start and last answers included.
    pub(crate) fn trial(self) -> Duration {
        self.warm_up + self.measured + Duration::from_millis(1_500)
    }
}

/// Where trials are played: a folder of their own, gone with it.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
    program: PathBuf,
    installed: Installed,
    pace: Pace,
    /// Requests a second of floods.
    rate: f64,
    /// Of one seed: a site takes some room.
    ground: Option<Ground>,
}

impl Stage {
    /// # Errors
    /// If there is no room for the folder.
    pub(crate) fn new(installed: Installed, pace: Pace, rate: f64) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("foresail-guard-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let program = std::env::current_exe().context("cannot find this program")?;
        Ok(Self { folder, program, installed, pace, rate, ground: None })
    }

    /// Learns the mix of `seed` over so many days that end `now`, before it is played. What a decision costs, and how many
    /// requests the origin does at once.
    ///
    /// # Errors
    /// If what is learned cannot be written.
    pub(crate) async fn learn(&mut self, seed: u64, days: u32, now: Timestamp) -> anyhow::Result<(Cost, u32)> {
        let folder = self.folder.clone();
        let learned = on_a_thread(async move { Ground::learn(seed, days, now, &folder) })?;
        let ground = learned.await.context("the replay has failed")??;
        let told = (ground.cost, ground.workers);
        self.ground = Some(ground);
        Ok(told)
    }

    /// Plays a trial.
    ///
    /// # Errors
    /// If the seed was not learned last, or a process cannot be started.
    pub(crate) async fn play(&self, threat: Threat, contender: Contender, seed: u64) -> anyhow::Result<Measured> {
        let ground =
            self.ground.as_ref().filter(|ground| ground.seed == seed).context("nothing was learned of this seed")?;
        let ports = free_ports(2)?;
        let (port, origin) = (ports[0], ports[1]);
        let mut served = self.origin(ground, origin)?;
        served.listens(origin).await?;
        let (workers, state) = (ground.workers, ground.state.as_path());
        let mut proxy = self.proxy(contender, &Wiring { port, origin, workers, state, folder: &self.folder })?;
        proxy.listens(port).await.with_context(|| contender.name())?;

        let Pace { warm_up, measured, .. } = self.pace;
        let begun = Instant::now();
        let crowd = on_a_thread(people(ground.world.plan(warm_up + measured), local(port), begun))?;
        let attack = match threat.attack() {
            Some(attack) => {
                let plan = attack.plan(ground.world.legit().site(), threat.rate(self.rate), seed);
                Some(on_a_thread(attackers(plan, measured, local(port), begun + warm_up))?)
            }
            None => None,
        };
        sleep_until(begun + warm_up + measured).await;
        let memory_mib = proxy.most_resident_mib();
        let crowd = crowd.await.context("the mix has failed")?;
        let attack = match attack {
            Some(attack) => attack.await.context("the attack has failed")?,
            None => Played::default(),
        };
        Ok(Measured { memory_mib, ..Measured::of(seed, self.pace, threat.may_pass(), &crowd, &attack) })
    }

    fn origin(&self, ground: &Ground, port: u16) -> anyhow::Result<Running> {
        let mut command = Command::new(&self.program);
        command.arg("sample-service").args([
            format!("--port={port}"),
            format!("--workers={}", ground.workers),
            format!("--service-time={SERVICE_MS}ms"),
            "--distribution=exponential".to_owned(),
            format!("--queue={QUEUE}"),
            format!("--seed={}", ground.seed),
        ]);
        Running::start(&mut command, "origin", &self.folder)
    }

    fn proxy(&self, contender: Contender, wiring: &Wiring<'_>) -> anyhow::Result<Running> {
        let name = contender.name();
        let file = self.folder.join(format!("{name}.conf"));
        std::fs::write(&file, config(contender, wiring))?;
        let program = contender.program();
        let mut command = Command::new(self.installed.path(program).unwrap_or(&self.program));
        match program {
            Program::Ours => command.arg("sample-proxy").arg(&file).arg(local(wiring.origin).to_string()),
            Program::Nginx => command.arg("-p").arg(&self.folder).arg("-c").arg(&file),
            Program::Haproxy => command.arg("-f").arg(&file),
        };
        Running::start(&mut command, name, &self.folder)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left of it is the system's to clear.
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

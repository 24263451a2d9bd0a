//! `foresail bench guard`: our guard beside HAProxy's stick tables and nginx's limit_req, all of them real processes on this
//! machine, while well-meant clients ask and somebody attacks.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::rounds;
use crate::clock;
use crate::failure::usage;
use crate::lab::guard::{Cell, Confusion, Contender, Cost, Measured, Pace, Stage, Threat, confusion, report, table};
use crate::lab::peers::Installed;
use crate::live::signalled;
use crate::output::{note, print, print_json};
use crate::progress;

/// Our guard beside HAProxy and nginx: real processes, well-meant clients and floods.
#[derive(Args, Debug)]
pub(crate) struct Guard {
    /// What is played beside the well-meant mix; by default flood, botnet, botnet-mimic, cache-busting, and always none
    #[arg(long, value_enum, value_delimiter = ',')]
    attacks: Vec<Threat>,
    /// Who is compared; all but unguarded by default
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// Rounds, each with a mix of its own
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// Seed of the first round; the guard's thresholds were chosen on 1 to 3
    #[arg(long, default_value_t = 101)]
    first_seed: u64,
    /// Days of the mix that our guard has learned from, and 14 hours more, in virtual time
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=28))]
    days: u32,
    /// Requests a second of an attack
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    rate: u32,
    /// Seconds of an attack
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=3_600))]
    seconds: u32,
    /// Of these, how many a defence has to notice it: what passes is counted from then on
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    grace: u32,
    /// Seconds before, of well-meant clients alone
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    warm_up: u32,
    /// Minutes that the trials may take in all: rounds that do not fit are left out
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    suite: &'static str,
    seeds: Vec<u64>,
    days: u32,
    rate_rps: u32,
    seconds: u32,
    grace_s: u32,
    warm_up_s: u32,
    /// What the other proxies say of their versions.
    versions: Vec<String>,
    /// Contenders whose program is not installed.
    absent: Vec<&'static str>,
    /// Of each seed: requests that the origin does at once, and what a decision costs.
    origin_workers: Vec<u32>,
    decision: Vec<Cost>,
    cells: Vec<Cell>,
    confusion: Vec<Confusion>,
}

/// What was played: trials by attack and contender, and of each seed what a decision costs and the origin's workers.
struct Played {
    trials: Vec<Vec<Vec<Measured>>>,
    costs: Vec<Cost>,
    workers: Vec<u32>,
}

impl Guard {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.grace >= self.seconds {
            return Err(usage(format!("--grace is {}; expected less than --seconds, {}", self.grace, self.seconds)));
        }
        let installed = Installed::find();
        let wanted = if self.contenders.is_empty() { &Contender::USUAL[..] } else { &self.contenders };
        let (contenders, absent): (Vec<Contender>, Vec<Contender>) =
            wanted.iter().partition(|contender| installed.has(contender.program()));
        let absent: Vec<&str> = absent.into_iter().map(Contender::name).collect();
        if !absent.is_empty() {
            note(&format!("not installed, left out: {}", absent.join(", ")));
        }
        if contenders.is_empty() {
            return Err(usage("none of the contenders is installed"));
        }
        let asked = if self.attacks.is_empty() { &Threat::USUAL[..] } else { &self.attacks };
        let others = asked.iter().copied().filter(|threat| *threat != Threat::None);
        let threats: Vec<Threat> = std::iter::once(Threat::None).chain(others).collect();
        let second = |count: u32| Duration::from_secs(u64::from(count));
        let pace = Pace { warm_up: second(self.warm_up), measured: second(self.seconds), grace: second(self.grace) };
        let rounds = rounds(self.seeds, self.minutes, pace.trial(), threats.len() * contenders.len())?;
        let seeds: Vec<u64> = (0..u64::from(rounds)).map(|round| self.first_seed.wrapping_add(round)).collect();
        let versions = installed.versions();
        let stage = Stage::new(installed, pace, f64::from(self.rate))?;

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let played = runtime.block_on(async {
            tokio::select! {
                played = self.play(stage, &threats, &contenders, &seeds) => played,
                stopped = signalled() => {
                    stopped?;
                    anyhow::bail!("interrupted");
                }
            }
        })?;
        let mut cells: Vec<Cell> = Vec::new();
        for (threat, trials) in threats.iter().zip(played.trials) {
            let trials: Vec<_> = contenders.iter().copied().zip(trials).collect();
            let cell = report(*threat, &trials, cells.first());
            cells.push(cell);
        }
        let document = Document {
            suite: "guard",
            seeds,
            days: self.days,
            rate_rps: self.rate,
            seconds: self.seconds,
            grace_s: self.grace,
            warm_up_s: self.warm_up,
            versions,
            absent,
            origin_workers: played.workers,
            decision: played.costs,
            confusion: confusion(&cells),
            cells,
        };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }

    async fn play(
        &self,
        mut stage: Stage,
        threats: &[Threat],
        contenders: &[Contender],
        seeds: &[u64],
    ) -> anyhow::Result<Played> {
        let bar = progress::bar((seeds.len() * threats.len() * contenders.len()) as u64, "learning");
        let trials = vec![vec![Vec::new(); contenders.len()]; threats.len()];
        let mut played = Played { trials, costs: Vec::new(), workers: Vec::new() };
        for seed in seeds {
            bar.set_message("learning");
            bar.tick();
            let (cost, workers) = stage.learn(*seed, self.days, clock::wall_now()).await?;
            played.costs.push(cost);
            played.workers.push(workers);
            bar.set_message("trials");
            for (threat, of_threat) in threats.iter().zip(&mut played.trials) {
                for (contender, trials) in contenders.iter().zip(of_threat) {
                    trials.push(stage.play(*threat, *contender, *seed).await?);
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        Ok(played)
    }
}

fn human(document: &Document) -> String {
    let Document { seeds, days, rate_rps, seconds, grace_s, warm_up_s, .. } = document;
    let mut text = format!(
        "{} rounds, {rate_rps} requests/s of attack for {seconds} s after {warm_up_s} s of warm-up, what passes counted after {grace_s} \
         s; our guard knows {days} days of the mix\n",
        seeds.len()
    );
    for version in &document.versions {
        text.push_str(&format!("{version}\n"));
    }
    if !document.absent.is_empty() {
        text.push_str(&format!("not installed: {}\n", document.absent.join(", ")));
    }
    for ((seed, workers), cost) in seeds.iter().zip(&document.origin_workers).zip(&document.decision) {
        text.push_str(&format!(
            "seed {seed}: the origin does {workers} requests at once, 40 ms each; a decision takes {:.0} ns (p99 {:.0}), of strangers {:.0} \
             ns (p99 {:.0})\n",
            cost.usual_p50_ns, cost.usual_p99_ns, cost.strangers_p50_ns, cost.strangers_p99_ns
        ));
    }
    format!("{text}\n{}", table(&document.cells, &document.confusion))
}

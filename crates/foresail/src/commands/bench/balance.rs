//! `foresail bench balance`: our balancers beside nginx and HAProxy before uneven, slow, failing and frozen endpoints, all of
//! them real processes on this machine.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::rounds;
use crate::failure::usage;
use crate::lab::balance::{CellReport, Contender, Measured, Pace, Scenario, Stage, cells, order, report, table};
use crate::lab::peers::Installed;
use crate::live::signalled;
use crate::output::{note, print, print_json};
use crate::progress;

/// Our balancers beside nginx and HAProxy: real processes, uneven and failing endpoints.
#[derive(Args, Debug)]
pub(crate) struct Balance {
    /// What is played; all of it by default
    #[arg(long, value_enum, value_delimiter = ',')]
    scenario: Vec<Scenario>,
    /// Loads in percent of what the sound endpoints can do, 1 to 99
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', value_parser = load, default_value = "60,80")]
    load: Vec<f64>,
    /// Who is compared; all but learned-contest by default
    #[arg(long, value_enum, value_delimiter = ',')]
    contenders: Vec<Contender>,
    /// Rounds, each with arrivals and service times of its own
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// Seconds that are measured
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// Seconds before, in which all endpoints are sound
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    warm_up: u32,
    /// Minutes that all of it may take: rounds that do not fit are left out
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: u32,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn load(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok().filter(|percent: &f64| (1.0..=99.0).contains(percent));
    percent.ok_or_else(|| format!("{text:?} is not accepted; expected 1 to 99"))
}

#[derive(Serialize)]
struct Document {
    suite: &'static str,
    seeds: u32,
    seconds: u32,
    warm_up_s: u32,
    /// What the other proxies say of their versions.
    versions: Vec<String>,
    /// Contenders whose program is not installed.
    absent: Vec<&'static str>,
    cells: Vec<CellReport>,
}

impl Balance {
    pub(crate) fn run(self) -> anyhow::Result<()> {
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
        let scenarios =
            if self.scenario.is_empty() { <Scenario as clap::ValueEnum>::value_variants() } else { &self.scenario };
        let loads: Vec<f64> = self.load.iter().map(|percent| percent / 100.0).collect();
        let cells = cells(scenarios, &loads);
        let second = |count: u32| Duration::from_secs(u64::from(count));
        let pace = Pace { warm_up: second(self.warm_up), measured: second(self.seconds) };
        let seeds = rounds(self.seeds, self.minutes, pace.trial(), cells.len() * contenders.len())?;
        let versions = installed.versions();
        let stage = Stage::new(installed, pace)?;

        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let played = runtime.block_on(async {
            let bar = progress::bar(u64::from(seeds) * (cells.len() * contenders.len()) as u64, "trials");
            let mut trials = vec![vec![Vec::<Measured>::new(); contenders.len()]; cells.len()];
            let all = async {
                for seed in 1..=u64::from(seeds) {
                    for (at, cell) in cells.iter().enumerate() {
                        for contender in order(&contenders, seed, at) {
                            let measured = stage.play(*cell, contender, seed).await?;
                            let place = contenders.iter().position(|other| *other == contender).unwrap_or_default();
                            trials[at][place].push(measured);
                            bar.inc(1);
                        }
                    }
                }
                anyhow::Ok(())
            };
            tokio::select! {
                played = all => played?,
                stopped = signalled() => {
                    stopped?;
                    anyhow::bail!("interrupted");
                }
            }
            bar.finish_and_clear();
            Ok(trials)
        })?;
        let cells = cells
            .iter()
            .zip(played)
            .map(|(cell, trials)| report(*cell, &contenders.iter().copied().zip(trials).collect::<Vec<_>>()));
        let document = Document {
            suite: "balance",
            seeds,
            seconds: self.seconds,
            warm_up_s: self.warm_up,
            versions,
            absent,
            cells: cells.collect(),
        };
        if self.json { print_json(&document) } else { print(&human(&document)) }
    }
}

fn human(document: &Document) -> String {
    let Document { seeds, seconds, warm_up_s, .. } = document;
    let mut text = format!(
        "{seeds} rounds of {seconds} s after {warm_up_s} s of warm-up; latency of good answers from the intended time of their \
         requests; no second attempts\n"
    );
    for version in &document.versions {
        text.push_str(&format!("{version}\n"));
    }
    if !document.absent.is_empty() {
        text.push_str(&format!("not installed: {}\n", document.absent.join(", ")));
    }
    format!("{text}\n{}", table(&document.cells))
}

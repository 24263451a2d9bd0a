//! `foresail demo`: the live demonstration, or the offline one.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::commands::tour::Tour;
use crate::demo::{DemoOptions, play};
use crate::failure::usage;
use crate::output::{print, print_json, write_file};

/// Show Foresail at work: a real service, real traffic, and the loop that scales it ahead of the load.
///
/// Starts copies of a sample service, our proxy in front of them and an open-loop load generator, plays two short days
/// with a crowd, a slow copy, a failing one and a flood, scales by forecast and holds the flood back. A dashboard shows it live; at the end stands a
/// scorecard against Kubernetes' HPA. Everything is local and ends with the command.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Folder for journal, state, logs and the summary
    #[arg(long, value_name = "DIR", default_value = "foresail-demo")]
    output: PathBuf,
    /// The policy that decides: foresail, or a rival as its users have it (hpa, hpa@0.6, keda, seed-reactive, …)
    #[arg(long, default_value = "foresail")]
    policy: String,
    /// About a minute instead of five
    #[arg(long)]
    fast: bool,
    /// Play a measured load instead: FILE, or FILE:COLUMN
    #[arg(long, value_name = "FILE")]
    trace: Option<String>,
    /// Requests a second at the daily peak
    #[arg(long, value_name = "RPS", default_value_t = 900.0, value_parser = peak)]
    peak: f64,
    /// Multiply the load from a moment on: FACTOR@SECONDS
    #[arg(long, value_name = "JUMP", value_parser = jump)]
    jump: Option<(f64, f64)>,
    /// Where the dashboard listens; another port if that one is taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8390")]
    listen: SocketAddr,
    /// Keep the dashboard up when the load has ended, until Ctrl-C
    #[arg(long)]
    stay: bool,
    /// Share of requests that may be late, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0, value_parser = percent)]
    late: f64,
    /// Seed of the load and of whatever is random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    /// No live service: forecast and replay three weeks of generated load instead, and write a report
    #[arg(long, conflicts_with_all = ["policy", "fast", "trace", "peak", "jump", "late", "listen", "stay", "json"])]
    offline: bool,
    /// With --offline: four days instead of three weeks, and no sweep of settings
    #[arg(long, requires = "offline")]
    quick: bool,
}

fn peak(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (10.0..=20_000.0).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is not accepted; expected 10 to 20000"))
}

fn percent(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.01..=50.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is not accepted; expected 0.01 to 50"))
}

fn jump(text: &str) -> Result<(f64, f64), String> {
    let number = |text: &str, most: f64| text.parse().ok().filter(|n: &f64| (0.0..=most).contains(n));
    let parsed = text.split_once('@').and_then(|(factor, at)| Some((number(at, 3_600.0)?, number(factor, 10.0)?)));
    parsed.ok_or_else(|| format!("{text:?} is not accepted; expected FACTOR@SECONDS, such as 3@40"))
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        if self.offline {
            return Tour { output: self.output, quick: self.quick, seed: self.seed }.run();
        }
        let trace = self.trace.as_deref().map(file_and_column);
        let options = DemoOptions {
            folder: self.output.clone(),
            policy: self.policy,
            fast: self.fast,
            trace: trace.transpose()?,
            peak_rps: self.peak,
            jump: self.jump,
            listen: self.listen,
            stay: self.stay,
            late_fraction: self.late / 100.0,
            seed: self.seed,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let summary = runtime.block_on(play(options))?;
        let text = serde_json::to_string_pretty(&summary).context("the summary cannot be written")?;
        write_file(&self.output.join("summary.json"), &text)?;
        if self.json { print_json(&summary) } else { print(&summary.text()) }
    }
}

/// `FILE:COLUMN`; the column is the usual one where none is named.
fn file_and_column(text: &str) -> anyhow::Result<(PathBuf, String)> {
    let (file, column) = text.rsplit_once(':').unwrap_or((text, "requests"));
    if file.is_empty() || column.is_empty() {
        return Err(usage(format!("--trace {text}: expected FILE or FILE:COLUMN")));
    }
    Ok((PathBuf::from(file), column.to_owned()))
}

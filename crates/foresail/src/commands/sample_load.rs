//! `foresail sample-load`: the demonstration's load generator by itself, for measurements.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use foresail_core::humane;
use serde::{Deserialize, Serialize};

use crate::demo::load::{Histogram, LoadGenerator, LoadOptions, LoadPlan};
use crate::output::print_json;

/// Send requests at a rate, whatever becomes of those before, and print what came of them as JSON.
#[derive(Args, Debug)]
pub(crate) struct SampleLoad {
    /// Where to
    #[arg(value_name = "ADDRESS")]
    target: SocketAddr,
    /// Requests a second on the mean, 1 to 100,000
    #[arg(long, value_parser = rate, default_value = "100")]
    rate: f64,
    /// For how long
    #[arg(long = "for", value_name = "TIME", value_parser = time, default_value = "1m")]
    length: Duration,
    /// Of that, what is sent before anything is counted
    #[arg(long, value_name = "TIME", value_parser = time)]
    warm_up: Option<Duration>,
    /// When a request is given up
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "2s")]
    timeout: Duration,
    /// Share by which the rate swings up and down, 0 to 1
    #[arg(long, value_parser = share, default_value = "0")]
    swing: f64,
    /// Length of a swing
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5m")]
    cycle: Duration,
    /// Path of the requests
    #[arg(long, default_value = "/")]
    path: String,
    /// Most connections
    #[arg(long, default_value = "256")]
    connections: usize,
    /// Seed of the arrivals
    #[arg(long, default_value = "0")]
    seed: u64,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| (1.0..=100_000.0).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is not accepted; expected 1 to 100000"))
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is not accepted; expected 0 to 1"))
}

fn time(text: &str) -> Result<Duration, String> {
    let time = humane::parse(text).filter(|time| *time >= Duration::from_secs(1));
    time.ok_or_else(|| format!("{text:?} is not accepted; expected 1s or more, such as 30m"))
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Requests whose time had come.
    pub(crate) sent: u64,
    ok: u64,
    late: u64,
    /// Those without a good answer in time.
    pub(crate) errors: u64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    /// Of the good answers alone.
    pub(crate) good: Latency,
    /// By how much the generator was behind its plan at most.
    pub(crate) generator_behind_ms: f64,
}

/// Latencies in ms; none of nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean_ms: Option<f64>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

fn ms(latency: Option<Duration>) -> Option<f64> {
    latency.map(|latency| 1_000.0 * latency.as_secs_f64())
}

impl From<&Histogram> for Latency {
    fn from(seen: &Histogram) -> Self {
        let at = |level| ms(seen.quantile(level));
        Self { mean_ms: ms(seen.mean()), p50_ms: at(0.5), p99_ms: at(0.99) }
    }
}

impl SampleLoad {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let seconds = self.length.as_secs();
        let swing = |second: u64| {
            let phase = second as f64 / self.cycle.as_secs_f64() * std::f64::consts::TAU;
            self.rate * (1.0 + self.swing * phase.sin())
        };
        let plan = LoadPlan::new((0..seconds).map(swing).collect(), Duration::from_secs(1))?;
        let options = LoadOptions {
            connections: self.connections,
            path: self.path,
            warm_up: self.warm_up.unwrap_or_default(),
            timeout: self.timeout,
            ..LoadOptions::new(self.target, plan, self.seed)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counts = runtime.block_on(async { anyhow::Ok(LoadGenerator::start(options)?.finished().await) })?;
        print_json(&Outcome {
            sent: counts.sent,
            ok: counts.ok,
            late: counts.late,
            errors: counts.errors,
            p50_ms: ms(counts.latency(0.5)),
            p99_ms: ms(counts.latency(0.99)),
            good: Latency::from(&counts.good),
            generator_behind_ms: 1_000.0 * counts.longest_delay.as_secs_f64(),
        })
    }
}

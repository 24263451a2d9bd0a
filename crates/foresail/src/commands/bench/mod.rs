//! `foresail bench forecast|scale|features|balance|guard`: Foresail measured.

mod balance;
mod features;
mod forecast;
mod gift;
mod guard;
mod load;
mod loads;
mod scale;
mod series;
mod speed;

use std::time::Duration;

use clap::{Args, Subcommand};

use crate::failure::usage;
use crate::output::note;

/// Measure Foresail itself.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Rows a second through all 72 features, on one core
    Features(features::Features),
    /// Accuracy and time of every model
    Forecast(forecast::Forecast),
    /// Foresail against the best settings of HPA, KEDA and AWS
    Scale(scale::Scale),
    /// Our balancers beside nginx and HAProxy: real processes, uneven and failing endpoints
    Balance(balance::Balance),
    /// Our guard beside HAProxy and nginx: real processes, well-meant clients and floods
    Guard(guard::Guard),
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Features(bench) => bench.run(),
            What::Forecast(bench) => bench.run(),
            What::Scale(bench) => bench.run(),
            What::Balance(bench) => bench.run(),
            What::Guard(bench) => bench.run(),
        }
    }
}

/// As many rounds of so many trials as were asked for, or as many as there is time for.
///
/// # Errors
/// If there is time for none.
fn rounds(seeds: u32, minutes: u32, trial: Duration, trials: usize) -> anyhow::Result<u32> {
    let round_s = trials as f64 * trial.as_secs_f64();
    let fitting = (60.0 * f64::from(minutes) / round_s) as u32;
    if fitting == 0 {
        let needed = (round_s / 60.0).ceil();
        return Err(usage(format!("one round takes {needed} minutes; --minutes is {minutes}")));
    }
    if fitting < seeds {
        note(&format!("{fitting} of {seeds} rounds fit into {minutes} minutes"));
    }
    Ok(fitting.min(seeds))
}

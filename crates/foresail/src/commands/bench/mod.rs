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

use clap::{Args, Subcommand};

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

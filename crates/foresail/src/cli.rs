//! The command line: one line of help a command; each command's own arguments stand in its file.

use clap::{Parser, Subcommand};

use crate::commands::{
    backtest, batch, bench, completions, config, demo, explain, features, fingerprint, forecast, generate, man, picks,
    run, sample_load, sample_proxy, simulate,
};
use crate::demo::service;

/// Forecast load, decide scale, and prove it against the autoscalers you would use instead.
#[derive(Parser, Debug)]
#[command(name = "foresail", version, about, max_term_width = 100, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Show Foresail at work: a real service, real traffic, a dashboard, a scorecard
    Demo(demo::Demo),
    /// Run the control plane beside live services
    Run(run::Run),
    /// Check or show a configuration, or print its schema
    Config(config::Config),
    /// Predict the next steps of a series, with intervals
    Forecast(forecast::Forecast),
    /// Measure models on windows at the end of a series
    Backtest(backtest::Backtest),
    /// Measure models on many series, on many machines
    Batch(batch::Batch),
    /// Replay a load against scaling policies and compare lateness and cost
    Simulate(simulate::Simulate),
    /// Compute the features that models see, row by row
    Features(features::Features),
    /// Tell from a log of requests which kinds of work a service did when
    Fingerprint(fingerprint::Fingerprint),
    /// Tell from picks that a proxy wrote down what other balancers would have cost
    Picks(picks::Picks),
    /// Write a seeded load with its ground truth
    Generate(generate::Generate),
    /// Measure Foresail itself
    Bench(bench::Bench),
    /// Say why a recorded decision was made
    Explain(explain::Explain),
    /// Print completions for a shell
    Completions(completions::Completions),
    /// Print the manual page
    Man(man::Man),
    /// Serve as a copy of the demonstration's sample service
    #[command(hide = true)]
    SampleService(service::ServiceOptions),
    /// Send the demonstration's load
    #[command(hide = true)]
    SampleLoad(sample_load::SampleLoad),
    /// Proxy to fixed endpoints
    #[command(hide = true)]
    SampleProxy(sample_proxy::SampleProxy),
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// What the command reports.
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Demo(command) => command.run(),
            Command::Forecast(command) => command.run(),
            Command::Backtest(command) => command.run(),
            Command::Batch(command) => command.run(),
            Command::Simulate(command) => command.run(),
            Command::Features(command) => command.run(),
            Command::Fingerprint(command) => command.run(),
            Command::Picks(command) => command.run(),
            Command::Generate(command) => command.run(),
            Command::Bench(command) => command.run(),
            Command::Explain(command) => command.run(),
            Command::Completions(command) => command.run(),
            Command::Man(command) => command.run(),
            Command::Run(command) => command.run(),
            Command::Config(command) => command.run(),
            Command::SampleLoad(command) => command.run(),
            Command::SampleProxy(command) => command.run(),
            Command::SampleService(options) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(service::serve(options))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}

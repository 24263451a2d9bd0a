//! Foresail: a learning control plane for services. This is the command line; what learns and decides lives in the
//! libraries, which are handed their data, their clock and their randomness.

mod args;
mod cli;
mod clock;
mod commands;
mod demo;
mod failure;
mod known;
mod lab;
mod live;
mod logging;
mod output;
mod progress;
mod reports;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::Cli::try_parse() {
        Ok(cli) => failure::exit_code(cli.run()),
        Err(refusal) => failure::refused(&refusal),
    }
}

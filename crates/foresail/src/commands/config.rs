//! `foresail config`: a configuration checked or shown, and the schema of all of them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::live::config::{Config as File, schema};
use crate::output::print;

/// Check or show a configuration, or print its schema.
#[derive(Args, Debug)]
pub(crate) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Say whether a file is a configuration that can be run, and if not, which line is wrong and what is accepted
    Check(Where),
    /// Print a file with every default filled in
    Show(Where),
    /// Print the JSON Schema of configurations, by which editors complete and check them
    Schema,
}

#[derive(Args, Debug)]
struct Where {
    /// The configuration
    #[arg(value_name = "FILE", default_value = "foresail.toml")]
    file: PathBuf,
}

impl Config {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.action {
            Action::Check(at) => {
                let config = File::read(&at.file)?;
                let names: Vec<&str> = config.service.keys().map(String::as_str).collect();
                print(&format!("{} is valid; services: {}\n", at.file.display(), names.join(", ")))
            }
            Action::Show(at) => print(&toml::to_string_pretty(&File::read(&at.file)?)?),
            Action::Schema => print(&format!("{}\n", serde_json::to_string_pretty(&schema())?)),
        }
    }
}

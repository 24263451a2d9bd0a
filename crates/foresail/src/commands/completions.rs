//! `foresail completions SHELL`.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output;

/// Print completions for a shell.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell: source its output, or put it where the shell looks for completions
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "foresail", &mut script);
        output::print(&String::from_utf8_lossy(&script))
    }
}

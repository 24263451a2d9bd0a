//! `foresail man`.

use clap::{Args, CommandFactory};

use crate::cli::Cli;
use crate::output;

/// Print the manual page.
#[derive(Args, Debug)]
pub(crate) struct Man {
    /// The page of one command instead of the overview
    command: Option<String>,
}

impl Man {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut root = Cli::command();
        root.build();
        let page = match &self.command {
            None => clap_mangen::Man::new(root),
            Some(name) => {
                let found = root.get_subcommands().find(|c| c.get_name() == name).cloned();
                let shown = root.get_subcommands().filter(|c| !c.is_hide_set());
                let names: Vec<&str> = shown.map(clap::Command::get_name).collect();
                let command = found.ok_or_else(|| {
                    crate::failure::usage(format!("there is no command {name:?}; there are {}", names.join(", ")))
                })?;
                clap_mangen::Man::new(command)
            }
        };
        let mut text = Vec::new();
        page.render(&mut text)?;
        output::print(&String::from_utf8_lossy(&text))
    }
}

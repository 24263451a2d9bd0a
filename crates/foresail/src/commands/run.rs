//! `foresail run`: the control plane beside live services.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::live::config::Config;
use crate::live::{Fleet, signalled};
use crate::logging;
use crate::output::note;

/// Run the control plane: measure, decide, and as far as its mode allows, act.
///
/// Every service starts in the mode `recommend`: decisions are offered on the dashboard and carried out when approved.
/// SIGHUP reads the configuration again; SIGTERM and SIGINT end it.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "foresail.toml")]
    config: PathBuf,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(&self.config)?;
        logging::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config, &self.config))
    }
}

async fn serve(config: Config, file: &Path) -> anyhow::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    let mut fleet = Fleet::start(config).await?;
    let ended = signalled();
    tokio::pin!(ended);
    loop {
        tokio::select! {
            ended = &mut ended => break ended?,
            Some(()) = hangups.recv() => {}
        }
        // A signal to end waits until this is done.
        let reloaded = match Config::read(file) {
            Ok(config) => fleet.reload(config).await,
            Err(error) => Err(error),
        };
        match reloaded {
            Ok(()) => note("configuration reloaded"),
            Err(error) => note(&format!("the configuration was not reloaded: {error:#}")),
        }
    }
    note("stopping");
    fleet.end().await;
    Ok(())
}

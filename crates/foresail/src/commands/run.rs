//! `foresail run`: the control plane beside live services.

use std::path::{Path, PathBuf};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::live::config::Config;
use crate::live::{Door, Fleet, Predecessor, signalled};
use crate::logging;
use crate::output::note;

/// Run the control plane: measure, decide, and as far as its mode allows, act.
///
/// Every service starts in the mode `recommend`: decisions are offered on the dashboard and carried out when approved.
/// SIGHUP reads the configuration again; SIGTERM and SIGINT end it. With --take-over, another run on the same data folder
/// hands its work to this one, and no request is lost: so a new version or a setting that needs a restart goes live.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "foresail.toml")]
    config: PathBuf,
    /// Take over from the run that has the data folder, if there is one
    #[arg(long)]
    take_over: bool,
}

impl Run {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let config = Config::read(&self.config)?;
        logging::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(serve(config, &self.config, self.take_over))
    }
}

async fn serve(config: Config, file: &Path, take_over: bool) -> anyhow::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    let ended = signalled();
    tokio::pin!(ended);
    let data = config.data.clone();
    let before = if take_over { Predecessor::ask(&data).await? } else { None };
    let mut fleet = Fleet::start(config, before.is_some()).await?;
    let mut door = Door::open(&data);
    if let Some(before) = before
        && let Err(error) = before.relieve().await
    {
        note(&format!("the run before has gone away: {error}"));
    }
    loop {
        tokio::select! {
            ended = &mut ended => break ended?,
            Some(()) = hangups.recv() => reload(&mut fleet, file).await,
            mut heir = door.asked() => {
                note("giving up to another run");
                drop(door);
                let given = fleet.give_up().await;
                match heir.takes().await {
                    Ok(()) => {
                        given.leave().await;
                        return Ok(());
                    }
                    Err(error) => note(&format!("nobody took over, going on: {error}")),
                }
                fleet = Fleet::take_back(given).await?;
                door = Door::open(&data);
            }
        }
    }
    note("stopping");
    fleet.end().await;
    Ok(())
}

/// Takes the file over, or says why not. A signal to end waits until this is done.
async fn reload(fleet: &mut Fleet, file: &Path) {
    let reloaded = match Config::read(file) {
        Ok(config) => fleet.reload(config).await,
        Err(error) => Err(error),
    };
    match reloaded {
        Ok(()) => note("configuration reloaded"),
        Err(error) => note(&format!("the configuration was not reloaded: {error:#}")),
    }
}

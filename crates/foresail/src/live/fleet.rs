//! Every service of a configuration, and what happens when the configuration changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use foresail_proxy::Proxy;
use foresail_server::api::Server;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::config::Config;
use super::keeper::Keeper;
use super::notices::Notices;
use super::plane::Plane;
use super::service::{House, Live, drain};
use super::wiring::until;
use crate::clock::wall_now;
use crate::output::note;

/// Tenths of a second that another run may take to let go of what it gave up.
const LETTING_GO: u32 = 100;
/// How often days that are over are looked for.
const ARCHIVE: Duration = Duration::from_secs(3_600);

/// All that runs.
pub(crate) struct Fleet {
    config: Config,
    house: House,
    services: BTreeMap<String, Live>,
    plane: Arc<Plane>,
    url: String,
    stop: watch::Sender<bool>,
    /// The server, the archive.
    tasks: Vec<JoinHandle<()>>,
    tellers: Vec<JoinHandle<()>>,
}

impl Fleet {
    /// Starts everything that is configured; `takes_over` if another run served the addresses until now.
    ///
    /// # Errors
    /// If a part cannot be started, naming it.
    pub(crate) async fn start(config: Config, takes_over: bool) -> anyhow::Result<Self> {
        Self::around(config, takes_over, BTreeMap::new()).await
    }

    /// Takes back what was given up, for nobody took it.
    ///
    /// # Errors
    /// As [`Fleet::start`].
    pub(crate) async fn take_back(given: Given) -> anyhow::Result<Self> {
        Self::around(given.config, false, given.serving).await
    }

    async fn around(
        config: Config,
        takes_over: bool,
        mut serving: BTreeMap<String, Arc<Proxy>>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data).with_context(|| format!("cannot create {}", config.data.display()))?;
        let keeper = keeper(&config, takes_over).await?;
        let (stop, stopped) = watch::channel(false);
        let (changed, seen) = watch::channel(0);
        let notices = Notices::default();
        let house = House { data: config.data.clone(), keeper, notices, changed, takes_over };
        let plane = Arc::new(Plane::new(seen));
        let server = Server::bind(&config.server, Arc::clone(&plane) as Arc<_>).await?;
        let url = server.url();
        let tellers = house.notices.point_at(&config.notify, &url, &house.keeper, &stopped)?;
        let mut services = BTreeMap::new();
        for (name, service) in &config.service {
            let live = Live::start(&house, name, service, serving.remove(name)).await;
            let live = live.with_context(|| format!("service {name}"))?;
            services.insert(name.clone(), live);
        }
        let tasks = vec![
            tokio::spawn(server.run(until(stopped.clone()))),
            tokio::spawn(archive(house.keeper.clone(), stopped)),
        ];
        let fleet = Self { config, house, services, plane, url, stop, tasks, tellers };
        fleet.show()?;
        note(&format!("dashboard and API: {}", fleet.url));
        fleet.services.values().for_each(Live::announce);
        Ok(fleet)
    }

    /// Takes over a new configuration, without a restart: services come and go, and loops turn anew from their saved
    /// state, while requests go on.
    ///
    /// # Errors
    /// If something in it needs a restart, or cannot be used; everything goes on as before then, but for services named as
    /// failed.
    pub(crate) async fn reload(&mut self, config: Config) -> anyhow::Result<()> {
        ensure!(config.data == self.config.data, "data needs a restart");
        ensure!(config.retain == self.config.retain, "retain needs a restart");
        ensure!(config.server == self.config.server, "server needs a restart");
        let mut reloaded: Vec<&Live> = Vec::new();
        for (name, service) in &config.service {
            let Some(live) = self.services.get(name) else { continue };
            if let Err(error) = live.reload_proxy(&self.house, service) {
                for live in reloaded {
                    // It was in force a moment ago.
                    let _ = live.reload_proxy(&self.house, live.config());
                }
                return Err(error);
            }
            reloaded.push(live);
        }
        if config.notify != self.config.notify {
            let stopped = self.stop.subscribe();
            let tellers = self.house.notices.point_at(&config.notify, &self.url, &self.house.keeper, &stopped)?;
            for teller in std::mem::replace(&mut self.tellers, tellers) {
                // It ends with what it was doing.
                let _ = teller.await;
            }
        }
        let gone: Vec<String> = self.services.keys().filter(|n| !config.service.contains_key(*n)).cloned().collect();
        let mut failed = Vec::new();
        for (name, service) in &config.service {
            if let Some(live) = self.services.get_mut(name) {
                if live.config() != service
                    && let Err(error) = live.turn_anew(&self.house, service).await
                {
                    failed.push(format!("{name}: {error:#}"));
                }
                continue;
            }
            match Live::start(&self.house, name, service, None).await {
                Ok(live) => {
                    live.announce();
                    self.services.insert(name.clone(), live);
                }
                Err(error) => failed.push(format!("{name}: {error:#}")),
            }
        }
        let ended: Vec<Live> = gone.iter().filter_map(|name| self.services.remove(name)).collect();
        self.show()?;
        for live in ended {
            live.end().await;
        }
        self.config = config;
        ensure!(failed.is_empty(), "not taken over: {}", failed.join("; "));
        Ok(())
    }

    /// Ends everything, in order.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        for live in self.services.into_values() {
            live.end().await;
        }
        ended(self.tasks.into_iter().chain(self.tellers)).await;
    }

    /// Ends everything but what serves, and leaves the copies: another run may take the data folder now.
    pub(crate) async fn give_up(self) -> Given {
        self.stop.send_replace(true);
        let mut serving = BTreeMap::new();
        for (name, live) in self.services {
            serving.extend(live.give_up().await.map(|proxy| (name, proxy)));
        }
        ended(self.tasks.into_iter().chain(self.tellers)).await;
        Given { config: self.config, serving }
    }

    /// Shows the services that there are.
    fn show(&self) -> anyhow::Result<()> {
        let seen =
            self.services.iter().map(|(name, live)| (name.clone(), live.handle().clone(), live.config().late_fraction));
        self.plane.show(seen)
    }
}

/// The stores; a run that gives them up may take a moment to let go.
async fn keeper(config: &Config, takes_over: bool) -> anyhow::Result<Keeper> {
    for _ in 0..if takes_over { LETTING_GO } else { 0 } {
        if let Ok(keeper) = Keeper::open(&config.data, config.retain) {
            return Ok(keeper);
        }
        sleep(Duration::from_millis(100)).await;
    }
    Keeper::open(&config.data, config.retain)
}

/// What still serves after a fleet was given up.
pub(crate) struct Given {
    config: Config,
    serving: BTreeMap<String, Arc<Proxy>>,
}

impl Given {
    /// Another run serves the addresses by now: the last requests here finish.
    pub(crate) async fn leave(self) {
        let drains = self
            .serving
            .into_iter()
            .map(|(name, proxy)| tokio::spawn(async move { drain(&name, proxy, Proxy::hand_over).await }));
        ended(drains.collect::<Vec<_>>()).await;
    }
}

/// Waits for tasks that were told to end.
async fn ended(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        // One that panicked has said so.
        let _ = task.await;
    }
}

/// Moves days that are over to the history.
async fn archive(keeper: Keeper, stopped: watch::Receiver<bool>) {
    let mut turns = interval(ARCHIVE);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = until(stopped);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            _ = turns.tick() => {}
        }
        match keeper.archive(wall_now()).await {
            Ok(done) if done.days > 0 || done.forgotten > 0 => {
                tracing::info!("history: {} days written, {} forgotten", done.days, done.forgotten);
            }
            Ok(_) => {}
            Err(error) => tracing::error!("history cannot be written: {error}"),
        }
    }
}

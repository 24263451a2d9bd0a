//! The proxy as its owner sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use foresail_guard::{Account, ClientId};
use foresail_route::SharedStatistics;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::time::{sleep, sleep_until, timeout};

use crate::access_log;
use crate::config::{OtlpConfig, UpstreamTls};
use crate::connection::Kind;
use crate::guard::Said;
use crate::otlp::{self, Exporter};
use crate::outlets::Outlets;
use crate::router::{self, SharedRouter};
use crate::shared::{Phase, Shared};
use crate::supervisor::{self, Certificates, Charge};
use crate::tls::{ClientTls, ServerTls};
use crate::vouch::{Names, SystemNames};
use crate::worker::Worker;
use crate::workload::{self, Workload};
use crate::{Endpoint, EndpointStats, Error, ProxyConfig, ProxyStats, clock, geoip, listen, picks};

/// How often idle upstream connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// A running reverse proxy. Dropping it stops it at once; [`shutdown`](Self::shutdown) lets requests finish.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    certificates: Certificates,
    threads: Vec<JoinHandle<()>>,
    exporter: Option<Exporter>,
    /// TLS towards endpoints, by its settings; also keeps changes of the set one at a time.
    client_tls: Mutex<BTreeMap<UpstreamTls, Arc<ClientTls>>>,
}

impl Proxy {
    /// Starts the threads; when this returns, connections are accepted.
    ///
    /// # Errors
    /// Any [`Error`]: settings out of range, addresses taken, certificates or databases that are no good, an id given twice.
    pub fn start(config: ProxyConfig, endpoints: Vec<Endpoint>) -> Result<Self, Error> {
        Self::start_with_names(config, endpoints, Arc::new(SystemNames))
    }

    /// As [`start`](Self::start), asking `names` rather than the system who the bots of
    /// [`GuardConfig::bots`](crate::GuardConfig::bots) are.
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::needless_pass_by_value, reason = "the owner has no further use for either")]
    pub fn start_with_names(
        config: ProxyConfig,
        endpoints: Vec<Endpoint>,
        names: Arc<dyn Names>,
    ) -> Result<Self, Error> {
        config.check()?;
        let workers = match config.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            some => some,
        };
        let mut client_tls = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for endpoint in &endpoints {
            if !ids.insert(&endpoint.id) {
                return Err(Error::DuplicateEndpoint(endpoint.id.clone()));
            }
            if let Some(tls) = &endpoint.tls {
                client_tls.insert(tls.clone(), Arc::new(ClientTls::load(tls)?));
            }
        }
        let (mut addresses, mut certificates, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        let mut sockets: Vec<Vec<(StdListener, Kind)>> = (0..workers).map(|_| Vec::new()).collect();
        let stamps = config.listen.iter().filter_map(|l| l.tls.as_ref()).map(supervisor::stamp).collect();
        for listen in &config.listen {
            let tls = listen.tls.as_ref().map(ServerTls::load).transpose()?.map(Arc::new);
            certificates.extend(listen.tls.clone().zip(tls.clone()));
            kinds.push(Kind { tls, proxy_protocol: listen.proxy_protocol, is_shared: listen.share });
        }
        let geoip = config.guard.as_ref().map_or(&[][..], |guard| &guard.geoip);
        let watcher = geoip::Watcher::new(geoip);
        let databases = geoip::load(geoip)?;
        for (listen, kind) in config.listen.iter().zip(&kinds) {
            let (address, listeners) = listen::bind(listen, workers)?;
            addresses.push(address);
            for (own, listener) in sockets.iter_mut().zip(listeners) {
                own.push((listener, kind.clone()));
            }
        }
        let mut threads = Vec::new();
        let mut outlets = Outlets::default();
        if let Some(settings) = &config.access_log {
            let (sender, thread) = access_log::start(settings)?;
            outlets.log = Some(sender);
            threads.push(thread);
        }
        if let Some(settings) = &config.picks {
            let (sender, thread) = picks::start(settings)?;
            outlets.picks = Some(sender);
            threads.push(thread);
        }
        let otlp = config.otlp.clone();
        let router = config.router.as_ref().map(|settings| SharedRouter::new(settings, workers)).transpose()?;
        let (router, learner) = router.map(|(shared, learner)| (Arc::new(shared), learner)).unzip();
        let shared = Arc::new(Shared::new(config, workers, router));
        if let Some(guard) = &shared.guard {
            guard.set_databases(databases);
        }
        let mut proxy = Self {
            shared: Arc::clone(&shared),
            addresses,
            certificates: certificates.clone(),
            threads,
            exporter: None,
            client_tls: Mutex::new(client_tls),
        };
        if let Some(settings) = &otlp {
            let (sender, exporter) = otlp::start(settings, Arc::clone(&shared))?;
            outlets.spans = Some(sender);
            proxy.exporter = Some(exporter);
        }
        proxy.set_endpoints(endpoints.clone());
        for (index, sockets) in sockets.into_iter().enumerate() {
            let (shared, outlets) = (Arc::clone(&shared), outlets.clone());
            proxy.spawn(format!("proxy-{index}"), move || work(Worker::new(index, shared, outlets), sockets))?;
        }
        if let Some(learner) = learner {
            let shared = Arc::clone(&shared);
            proxy.spawn("proxy-router".to_owned(), move || on_this_thread(router::learn(shared, learner)))?;
        }
        let supervised = Arc::clone(&shared);
        let charge = Charge { certificates, stamps, databases: watcher, names };
        proxy.spawn("proxy-supervisor".to_owned(), move || {
            on_this_thread(async move { supervisor::run(supervised, charge).await });
        })?;
        Ok(proxy)
    }

    fn spawn(&mut self, name: String, run: impl FnOnce() + Send + 'static) -> Result<(), Error> {
        let thread = std::thread::Builder::new().name(name).spawn(run).map_err(Error::Worker)?;
        self.threads.push(thread);
        Ok(())
    }

    /// Where it listens, in the order of the settings, with the ports that were found free.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.addresses.clone()
    }

    /// Brings the endpoints to this set. Those that keep id, address and TLS keep their statistics and connections; those
    /// that are gone get no new requests and finish what they have. Of two with one id the first counts; one whose
    /// authorities cannot be read is left out.
    #[expect(clippy::needless_pass_by_value, reason = "the set is handed over")]
    pub fn set_endpoints(&self, endpoints: Vec<Endpoint>) {
        let mut client_tls = self.client_tls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted: Vec<Endpoint> = Vec::with_capacity(endpoints.len());
        for endpoint in &endpoints {
            if wanted.iter().any(|earlier| earlier.id == endpoint.id) {
                tracing::warn!(endpoint = endpoint.id, "given twice, the first counts");
                continue;
            }
            if let Some(tls) = &endpoint.tls
                && !client_tls.contains_key(tls)
            {
                match ClientTls::load(tls) {
                    Ok(loaded) => {
                        client_tls.insert(tls.clone(), Arc::new(loaded));
                    }
                    Err(error) => {
                        tracing::error!(endpoint = endpoint.id, %error, "left out");
                        continue;
                    }
                }
            }
            wanted.push(endpoint.clone());
        }
        client_tls.retain(|tls, _| wanted.iter().any(|e| e.tls.as_ref() == Some(tls)));
        self.shared.fleets.replace(&wanted, &client_tls, self.shared.ms_at(clock::now()));
        self.shared.ring_all();
        self.shared.alarm.notify_one();
    }

    /// What has been counted so far. Costs some µs per worker and endpoint.
    pub fn stats(&self) -> ProxyStats {
        let mut stats = ProxyStats::default();
        self.shared.counters.iter().for_each(|counters| counters.add_to(&mut stats));
        stats.spans_exported = self.shared.spans_exported.load(Ordering::Relaxed);
        stats.spans_failed = self.shared.spans_failed.load(Ordering::Relaxed);
        stats.queued = self.shared.queued.load(Ordering::Relaxed) as u64;
        let now_ms = self.shared.ms_at(clock::now());
        let fleet = self.shared.fleets.load();
        let draining = fleet.draining.iter().filter(|slot| slot.in_flight.taken() > 0);
        stats.balancers = self.shared.balancers.iter().filter_map(|report| report.load().as_deref().cloned()).collect();
        stats.router = self.shared.router.as_ref().and_then(|router| router.stats());
        stats.guard =
            self.shared.guard.as_ref().and_then(|guard| guard.account.load().as_deref().map(|account| account.summary));
        let learned = |key| {
            let arms = stats.balancers.iter().flat_map(|report| &report.arms).filter(|arm| arm.key == key);
            arms.max_by(|a, b| a.trials.total_cmp(&b.trials)).copied()
        };
        let endpoints = fleet.slots.iter().chain(draining);
        stats.endpoints =
            endpoints.map(|slot| EndpointStats { learned: learned(slot.key), ..slot.stats(now_ms) }).collect();
        stats
    }

    /// What the balancers of all workers have learned from their answers, for other proxies of the same endpoints; none where
    /// the policy does not exchange, or nothing has been answered yet.
    pub fn statistics(&self) -> Option<SharedStatistics> {
        let memory = self.shared.config().balancer.exchanged_memory()?;
        let parts: Vec<_> = self.shared.statistics.iter().filter_map(ArcSwapOption::load_full).collect();
        let now_ms = self.shared.ms_at(clock::now());
        SharedStatistics::pooled(self.shared.name, now_ms, memory, parts.iter().map(AsRef::as_ref))
    }

    /// Takes what another proxy has learned, for the workers to take from here at their next exchange. Its own words change
    /// nothing. Endpoints are found by their ids, so the proxies must agree on those.
    pub fn hear(&self, statistics: &SharedStatistics) {
        if statistics.sender() != self.shared.name {
            self.shared.hear(statistics, clock::now());
        }
    }

    /// All that there is to see of the guard, as of half a second ago at most; none if there is no guard.
    pub fn guard_account(&self) -> Option<Arc<Account>> {
        self.shared.guard.as_ref()?.account.load_full()
    }

    /// Lets a client in for so long, whatever it does, from half a second on; its network of 64 bits if it has an IPv6
    /// address. Whether there is a guard to tell.
    pub fn pardon(&self, client: IpAddr, lasts: Duration) -> bool {
        self.tell_guard(&Said::Pardon { client: ClientId::of(client), until: clock::wall() + lasts })
    }

    /// Lets everything through for so long, from half a second on, while the guard goes on judging; with none, it acts again
    /// as configured. Whether there is a guard to tell.
    pub fn stand_down(&self, lasts: Option<Duration>) -> bool {
        self.tell_guard(&Said::StandDown { until: lasts.map(|lasts| clock::wall() + lasts) })
    }

    fn tell_guard(&self, said: &Said) -> bool {
        self.shared.guard.as_ref().map(|guard| guard.tell(said)).is_some()
    }

    /// Requests that have arrived, as in [`ProxyStats::arrivals`]: one number a worker, for those who look often.
    pub fn arrivals(&self) -> u64 {
        self.shared.counters.iter().map(|counters| counters.arrivals.read()).sum()
    }

    /// What requests there were since it was last asked for, all workers together; none if there were none, or
    /// [`ProxyConfig::fingerprint`] is off. Workers hand over four times a second while requests come, else once,
    /// so what ended last may be missing.
    pub fn take_workload(&self) -> Option<Workload> {
        workload::take(&self.shared.workloads)
    }

    /// Requests in flight at the endpoint named `id`, counting those that drain; 0 if there is none.
    pub fn in_flight(&self, id: &str) -> usize {
        let fleet = self.shared.fleets.load();
        let named = fleet.slots.iter().chain(&fleet.draining).filter(|slot| slot.id == id);
        named.map(|slot| slot.in_flight.taken() as usize).sum()
    }

    /// Takes over new settings: balancer, router, limits, deadlines, retries, health, trusted proxies, admission and the ratio of
    /// recorded traces hold from the next request or connection on, and certificates and GeoIP databases are read again.
    ///
    /// # Errors
    /// [`Error::NeedsRestart`] if listeners, workers, the access log, the file of picks or the export of spans differ, or what the
    /// guard remembers; any other if the settings, the certificates or the databases are no good. Nothing changes then.
    pub fn reload(&self, config: ProxyConfig) -> Result<(), Error> {
        config.check()?;
        let old = self.shared.config();
        for (same, what) in [
            (config.listen == old.listen, "listen"),
            (config.workers == old.workers, "workers"),
            (config.access_log == old.access_log, "access_log"),
            (config.picks.as_ref().map(|p| &p.path) == old.picks.as_ref().map(|p| &p.path), "picks.path"),
            (exporter_of(&config) == exporter_of(&old), "otlp"),
            (config.router.is_some() == old.router.is_some(), "whether there is a router"),
            (guarded(&config) == guarded(&old), "guard.clients, or whether there is a guard"),
        ] {
            if !same {
                return Err(Error::NeedsRestart(what));
            }
        }
        for (settings, _) in &self.certificates {
            ServerTls::load(settings)?;
        }
        let databases = geoip::load(config.guard.as_ref().map_or(&[], |guard| &guard.geoip))?;
        for (settings, tls) in &self.certificates {
            tls.reload(settings)?;
        }
        if let Some(guard) = &self.shared.guard {
            guard.set_databases(databases);
        }
        self.shared.set_config(config);
        self.shared.ring_all();
        Ok(())
    }

    /// As [`shutdown`](Self::shutdown), for a proxy whose addresses another one shares by now: what is on its way here while
    /// the listeners close goes there.
    pub fn hand_over(self, grace: Duration) {
        self.shared.is_succeeded.store(true, Ordering::Relaxed);
        self.shutdown(grace);
    }

    /// Accepts no more, lets requests finish for at most `grace`, then ends all that is left and waits for the threads.
    pub fn shutdown(mut self, grace: Duration) {
        self.stop(grace);
    }

    fn stop(&mut self, grace: Duration) {
        self.shared.drain(grace);
        for thread in self.threads.drain(..).rev() {
            if thread.join().is_err() {
                tracing::error!("a proxy thread has panicked");
            }
        }
        // Last, for the workers have spans to hand out until their end.
        if let Some(exporter) = self.exporter.take() {
            exporter.finish();
        }
    }
}

/// What of the export of spans is settled when the proxy starts: all but the ratio.
fn exporter_of(config: &ProxyConfig) -> Option<OtlpConfig> {
    config.otlp.clone().map(|otlp| OtlpConfig { sample: 0.0, ..otlp })
}

/// What of the guard is settled when the proxy starts: whether there is one, and how many clients it remembers.
fn guarded(config: &ProxyConfig) -> Option<usize> {
    config.guard.as_ref().map(|guard| guard.clients)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

fn on_this_thread(future: impl Future<Output = ()>) {
    let mut builder = Builder::new_current_thread();
    match builder.enable_io().enable_time().build_local(LocalOptions::default()) {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => tracing::error!(%error, "a proxy thread has no runtime"),
    }
}

/// A worker's thread.
fn work(worker: Worker, sockets: Vec<(StdListener, Kind)>) {
    on_this_thread(async move {
        let worker = Rc::new(worker);
        let mut accepting = Vec::with_capacity(sockets.len());
        for (socket, kind) in sockets {
            match TcpListener::from_std(socket) {
                Ok(listener) => {
                    accepting.push(tokio::task::spawn_local(listen::accept(Rc::clone(&worker), listener, kind)));
                }
                Err(error) => tracing::error!(%error, "a worker cannot listen"),
            }
        }
        drop(tokio::task::spawn_local(keep_house(Rc::clone(&worker))));
        let mut phase = worker.shared.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase != Phase::Running).await;
        worker.announce_end();
        let idle = clock::now() + worker.idle_grace();
        // They end now, and have let in by then whoever was at the door.
        for accepting in accepting {
            let _ = accepting.await;
        }
        drain(&worker, idle).await;
    });
}

/// Answers the bell and sweeps, for as long as the worker lives.
async fn keep_house(worker: Rc<Worker>) {
    let bell = &worker.shared.doors[worker.index].bell;
    loop {
        tokio::select! {
            () = bell.notified() => {
                worker.fleet();
                worker.queue.wake_front();
            }
            () = sleep(SWEEP) => {}
        }
        worker.sweep(clock::now());
    }
}

/// Waits until all connections have ended or the time is over. Those that are idle at the instant `idle` are closed.
async fn drain(worker: &Rc<Worker>, idle: Instant) {
    let mut phase = worker.shared.phase.subscribe();
    let mut is_idle_closed = false;
    while !worker.is_deserted() {
        let Phase::Draining(until) = *phase.borrow_and_update() else { return };
        if clock::now() >= until {
            break;
        }
        tokio::select! {
            () = worker.deserted() => {}
            () = sleep_until(until.into()) => {}
            _ = phase.changed() => {}
            () = sleep_until(idle.into()), if !is_idle_closed => {
                worker.close_idle();
                is_idle_closed = true;
            }
        }
    }
    worker.kill_connections();
    let _ = timeout(Duration::from_millis(200), async {
        while !worker.is_deserted() {
            worker.deserted().await;
        }
    })
    .await;
}

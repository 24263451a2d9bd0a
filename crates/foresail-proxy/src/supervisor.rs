//! The thread beside the workers: judges endpoints by their answers and by probes, lets new ones grow into their share,
//! reads certificates and GeoIP databases again when their files change, and has the names of bots looked up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use foresail_route::{Outliers, Sample, Standing, is_panic};
use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use sha2::{Digest, Sha256};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::ProxyConfig;
use crate::body::UpBody;
use crate::clock;
use crate::config::{ActiveCheck, TlsConfig};
use crate::fleet::Slot;
use crate::geoip::Watcher;
use crate::guard::Teacher;
use crate::pool::LocalEndpoint;
use crate::shared::{Phase, Shared};
use crate::tls::ServerTls;
use crate::vouch::{Names, Verifier};

/// How often it looks without being called.
const TICK: Duration = Duration::from_millis(100);
/// How often files of certificates and databases are looked at.
const FILES: Duration = Duration::from_secs(5);

/// Certificates in use, with the files they are from.
pub(crate) type Certificates = Vec<(TlsConfig, Arc<ServerTls>)>;

/// Digests of the files of each; to be taken before they are read.
pub(crate) type Stamps = Vec<[u8; 32]>;

/// What it is given beside what all share.
pub(crate) struct Charge {
    pub(crate) certificates: Certificates,
    pub(crate) stamps: Stamps,
    pub(crate) databases: Watcher,
    pub(crate) names: Arc<dyn Names>,
}

/// Runs until the proxy drains.
pub(crate) async fn run(shared: Arc<Shared>, charge: Charge) {
    let Charge { certificates, stamps, databases, names } = charge;
    let mut phase = shared.phase.subscribe();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut supervisor = Supervisor {
        outliers: Outliers::new(),
        probes: BTreeMap::new(),
        results: Rc::default(),
        teacher: shared
            .guard
            .as_ref()
            .zip(shared.config().guard.as_ref())
            .map(|(guard, config)| Teacher::new(config, guard, clock::now())),
        verifier: shared.config().guard.as_ref().map(|config| Verifier::new(config, names)),
        certificates,
        stamps,
        databases,
        next_look: clock::now() + FILES,
        shared: Arc::clone(&shared),
    };
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shared.alarm.notified() => {}
            _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
        }
        supervisor.look(clock::now());
    }
    if let Some(teacher) = &supervisor.teacher {
        teacher.save(&shared, &shared.config());
    }
}

struct Supervisor {
    shared: Arc<Shared>,
    outliers: Outliers,
    probes: BTreeMap<String, Probe>,
    results: Rc<RefCell<Vec<(String, bool)>>>,
    teacher: Option<Teacher>,
    verifier: Option<Verifier>,
    certificates: Certificates,
    stamps: Stamps,
    databases: Watcher,
    next_look: Instant,
}

/// What probes have found of one endpoint.
struct Probe {
    due: Instant,
    /// Results in a row that contradict the present verdict.
    against: u32,
    is_unhealthy: bool,
}

impl Supervisor {
    fn look(&mut self, now: Instant) {
        let config = self.shared.config();
        let fleet = self.shared.fleets.load();
        let changed = self.judge_answers(&config, &fleet.slots, now) | self.judge_probes(&config, &fleet.slots, now);
        let usable = fleet.slots.iter().filter(|slot| slot.health.is_usable(false)).count();
        let panic = is_panic(usable, fleet.slots.len(), config.health.outlier.panic_floor);
        let panicked = self.shared.fleets.panic.swap(panic, Ordering::Relaxed);
        if panic != panicked {
            tracing::warn!(
                panic,
                usable,
                total = fleet.slots.len(),
                "health is ignored while too few endpoints are sound"
            );
        }
        if changed || panic != panicked {
            self.shared.ring_all();
        }
        if let Some(teacher) = &mut self.teacher {
            teacher.look(&self.shared, &config, usable, now);
        }
        let guarded = self.shared.guard.as_ref().zip(config.guard.as_ref());
        if let Some((verifier, (guard, settings))) = self.verifier.as_mut().zip(guarded) {
            verifier.look(guard, settings, clock::wall());
        }
        if now >= self.next_look {
            self.next_look = now + FILES;
            if let Some((guard, settings)) = guarded {
                self.databases.look(&settings.geoip, guard);
            }
            self.look_at_certificates();
        }
    }

    fn judge_answers(&mut self, config: &ProxyConfig, slots: &[Arc<Slot>], now: Instant) -> bool {
        let now_ms = self.shared.ms_at(now);
        let samples: Vec<Sample<'_>> = slots
            .iter()
            .map(|slot| {
                let (successes, failures) = slot.counts();
                let consecutive_failures = u64::from(slot.consecutive_failures.load(Ordering::Relaxed));
                Sample { id: &slot.identity, successes, failures, consecutive_failures }
            })
            .collect();
        let standings = self.outliers.tick(&config.health.outlier, now_ms, &samples);
        let mut changed = false;
        for (slot, standing) in slots.iter().zip(standings) {
            let was_usable = slot.health.is_usable(false);
            let ramp = config.health.slow_start;
            let age = Duration::from_millis(now_ms.saturating_sub(slot.added_ms));
            match standing {
                Standing::Ejected { until_ms } => slot.health.set_ejected(Some(until_ms)),
                Standing::Healthy | Standing::Probation => slot.health.set_ejected(None),
            }
            slot.set_weight_factor(if standing == Standing::Probation { ramp.floor } else { ramp.factor(age) });
            let ejections = self.outliers.ejections(&slot.identity);
            if slot.health.ejections.swap(ejections, Ordering::Relaxed) < ejections {
                tracing::warn!(endpoint = slot.id, "ejected after failures");
            }
            changed |= slot.health.is_usable(false) != was_usable;
        }
        changed
    }

    fn judge_probes(&mut self, config: &ProxyConfig, slots: &[Arc<Slot>], now: Instant) -> bool {
        let Some(check) = &config.health.active else {
            let any = !self.probes.is_empty();
            self.probes.clear();
            slots.iter().for_each(|slot| slot.health.set_unhealthy(false));
            return any;
        };
        self.probes.retain(|id, _| slots.iter().any(|slot| slot.identity == *id));
        let mut changed = false;
        for (id, sound) in self.results.take() {
            let Some(probe) = self.probes.get_mut(&id) else { continue };
            if sound != probe.is_unhealthy {
                probe.against = 0;
                continue;
            }
            probe.against += 1;
            let needed = if sound { check.healthy_after } else { check.unhealthy_after };
            if probe.against >= needed {
                (probe.is_unhealthy, probe.against) = (!sound, 0);
                tracing::info!(endpoint = id, sound, "probes have changed their verdict");
                changed = true;
            }
        }
        for slot in slots {
            let fresh = Probe { due: now, against: 0, is_unhealthy: false };
            let probe = self.probes.entry(slot.identity.clone()).or_insert(fresh);
            slot.health.set_unhealthy(probe.is_unhealthy);
            if now >= probe.due {
                probe.due = now + check.interval;
                let (slot, check, results) = (Arc::clone(slot), check.clone(), Rc::clone(&self.results));
                tokio::task::spawn_local(async move {
                    let sound = matches!(timeout(check.timeout, ask(&slot, &check)).await, Ok(true));
                    results.borrow_mut().push((slot.identity.clone(), sound));
                });
            }
        }
        changed
    }

    fn look_at_certificates(&mut self) {
        for ((config, tls), known) in self.certificates.iter().zip(&mut self.stamps) {
            let current = stamp(config);
            if current == *known {
                continue;
            }
            // Key and certificate may be written one after the other: what does not fit is tried again next time.
            match tls.reload(config) {
                Ok(()) => {
                    *known = current;
                    tracing::info!(certificate = %config.certificate.display(), "certificates read again");
                }
                Err(error) => tracing::warn!(%error, "changed certificates are no good, the old ones stay"),
            }
        }
    }
}

/// Digest of what the files hold: the time of a change would not do, a file system's clock ticks only every few
/// milliseconds, and tools that unpack or copy set it back.
pub(crate) fn stamp(config: &TlsConfig) -> [u8; 32] {
    let more = config.more.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
    let mut digest = Sha256::new();
    for path in [&config.certificate, &config.key].into_iter().chain(more) {
        let content = std::fs::read(path).unwrap_or_default();
        digest.update((content.len() as u64).to_be_bytes());
        digest.update(content);
    }
    digest.finalize().into()
}

/// Whether an endpoint answers a probe with a status below 400.
async fn ask(slot: &Arc<Slot>, check: &ActiveCheck) -> bool {
    let endpoint = LocalEndpoint::new(Arc::clone(slot));
    let Ok(mut link) = endpoint.connect(clock::now() + check.timeout).await else { return false };
    let Ok(uri) = check.path.parse::<Uri>() else { return false };
    let mut request = Request::new(UpBody::empty());
    *request.uri_mut() = uri;
    let host = slot.tls.as_ref().map_or_else(|| slot.address.to_string(), |(tls, _)| tls.server_name.clone());
    let Ok(host) = HeaderValue::from_str(&host) else { return false };
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("foresail-probe"));
    link.sender.send_request(request).await.is_ok_and(|response| response.status().as_u16() < 400)
}

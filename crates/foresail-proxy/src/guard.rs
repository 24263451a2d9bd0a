//! The guard at the door: what it is told of a request, and how its verdicts are answered.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use foresail_core::{SeededRng, Timestamp};
use foresail_guard::bots::{Claim, Verification, Vouched};
use foresail_guard::challenge::{self, ANSWER_PATH};
use foresail_guard::geo::{Coverage, Databases, Geo};
use foresail_guard::{
    Account, Action, Arrival, Challenge, ClientId, Common, Fingerprint, Guard, GuardConfig, Kind, Label, Learner,
    LearnerState, Load, Model, Outcome, Report, Saved, Secrets,
};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, Version};

use crate::shared::Shared;
use crate::vouch::Bouncer;
use crate::watch::Watch;
use crate::{ProxyConfig, ProxyStats, clock, learned_state};

const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// How often workers report, and how often the learner looks.
const REPORT: Duration = Duration::from_millis(250);
const TICK: Duration = Duration::from_millis(500);

/// What the guards of all workers and their learner share: snapshots only.
#[derive(Debug)]
pub(crate) struct SharedGuard {
    common: Common,
    secrets: Secrets,
    /// What was learned before a restart, until the learner takes it.
    learned: ArcSwapOption<LearnerState>,
    model: ArcSwapOption<Model>,
    generation: AtomicU64,
    /// What workers have seen and the learner has not yet taken.
    reports: Vec<ArcSwapOption<Report>>,
    pub(crate) account: ArcSwapOption<Account>,
    /// What operators have said and the learner has not yet taken.
    said: ArcSwap<Vec<Said>>,
    /// Where addresses are, if the operator has databases.
    pub(crate) databases: ArcSwapOption<Databases>,
    /// Addresses that are known to be of bots, and those that workers were told are and nobody has looked up yet.
    vouched: ArcSwap<Vouched>,
    pub(crate) claims: Vec<ArcSwapOption<Vec<Claim>>>,
}

/// What an operator says to the guard.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Pardon { client: ClientId, until: Timestamp },
    StandDown { until: Option<Timestamp> },
}

impl SharedGuard {
    /// With the secrets and what was learned of `config`'s state, if there is one; otherwise with new secrets.
    pub(crate) fn new(workers: usize, config: &GuardConfig) -> Self {
        let (secrets, learned) = match config.state.as_deref().and_then(|path| learned_state::read(path, "guard")) {
            Some(Saved { secrets, learned }) => (secrets, Some(Arc::new(learned))),
            None => (fresh_secrets(), None),
        };
        Self {
            common: Common::new(&secrets, None),
            secrets,
            learned: ArcSwapOption::new(learned),
            model: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            reports: (0..workers).map(|_| ArcSwapOption::empty()).collect(),
            account: ArcSwapOption::empty(),
            said: ArcSwap::default(),
            databases: ArcSwapOption::empty(),
            vouched: ArcSwap::from_pointee(Verification::new(&config.bots).snapshot()),
            claims: (0..workers).map(|_| ArcSwapOption::empty()).collect(),
        }
    }

    /// Workers ask these databases from now on, or none.
    pub(crate) fn set_databases(&self, databases: Option<Arc<Databases>>) {
        self.databases.store(databases);
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// What workers go by from now on where somebody claims to be a bot.
    pub(crate) fn set_vouched(&self, vouched: Vouched) {
        self.vouched.store(Arc::new(vouched));
        self.generation.fetch_add(1, Ordering::Release);
    }

    fn coverage(&self) -> Coverage {
        self.databases.load().as_ref().map(|databases| databases.coverage()).unwrap_or_default()
    }

    /// Tells the learner, who looks twice a second.
    pub(crate) fn tell(&self, said: &Said) {
        self.said.rcu(|waiting| waiting.iter().chain([said]).cloned().collect::<Vec<_>>());
    }
}

/// The hasher's keys are the one source of entropy that the standard library offers: 128 bits, of which each word is a keyed
/// hash.
fn fresh_secrets() -> Secrets {
    let state = RandomState::new();
    let word = |n: u64| state.hash_one(n);
    let mut signing = [0; 32];
    for (n, bytes) in signing.chunks_exact_mut(8).enumerate() {
        bytes.copy_from_slice(&word(n as u64).to_le_bytes());
    }
    Secrets { hash: [word(10), word(11)], signing }
}

/// One worker's guard.
pub(crate) struct Sentry {
    shared: Arc<SharedGuard>,
    index: usize,
    guard: RefCell<Guard>,
    databases: RefCell<Option<Arc<Databases>>>,
    bouncer: Bouncer,
    generation: Cell<u64>,
    config: RefCell<GuardConfig>,
    next_report: Cell<Instant>,
}

/// An answer in the place of the endpoint's.
pub(crate) type Held = Response<Bytes>;

impl Sentry {
    pub(crate) fn new(index: usize, shared: Arc<SharedGuard>, config: &GuardConfig) -> Self {
        let workers = shared.reports.len();
        let rng = SeededRng::seed_from_u64(RandomState::new().hash_one(index));
        Self {
            guard: RefCell::new(Guard::new(config, shared.common.clone(), workers, rng)),
            databases: RefCell::new(None),
            bouncer: Bouncer::new(shared.vouched.load_full()),
            generation: Cell::new(0),
            config: RefCell::new(config.clone()),
            next_report: Cell::new(clock::now()),
            index,
            shared,
        }
    }

    /// How a request is written; to be taken before its head is changed.
    pub(crate) fn fingerprint(&self, parts: &Parts) -> Fingerprint {
        let version = if parts.version == Version::HTTP_2 { 20 } else { 11 };
        let headers = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        Fingerprint::of(self.shared.common.key(), headers, version, 0)
    }

    /// Judges a request; the answer, if it is not to go on.
    pub(crate) fn judge(
        &self,
        config: &ProxyConfig,
        parts: &Parts,
        client: IpAddr,
        fingerprint: Fingerprint,
        watch: &Watch,
        now: Instant,
    ) -> Option<Held> {
        self.refresh(config);
        let value = |name: &HeaderName| parts.headers.get(name).map(HeaderValue::as_bytes);
        let (path, query) = (parts.uri.path(), parts.uri.query());
        let at = clock::wall();
        let mut guard = self.guard.borrow_mut();
        if path == ANSWER_PATH {
            let answer = guard.answer(query.unwrap_or(""), client, fingerprint, at, watch.is_tls);
            return Some(match answer {
                Ok(cookie) => cleared(&cookie, query),
                Err(refused) => text(StatusCode::FORBIDDEN, &format!("{refused}\n")),
            });
        }
        let agent = value(&header::USER_AGENT).unwrap_or(&[]);
        let arrival = Arrival {
            at,
            client,
            kind: Kind::of(parts.method.as_str(), path, value(&header::ACCEPT), value(&SEC_FETCH_DEST)),
            path,
            query,
            agent,
            fingerprint,
            cookie: value(&header::COOKIE),
            is_verified_bot: self.bouncer.is_verified(agent, client, fingerprint, at),
        };
        let verdict = guard.decide(&arrival);
        if verdict.label != Label::Benign {
            tracing::debug!(%client, path, %verdict, "guard");
        }
        let held = match verdict.action {
            Action::Allow => None,
            Action::Throttle { retry_after_s } => Some(wait(StatusCode::TOO_MANY_REQUESTS, retry_after_s)),
            Action::Block { seconds } => Some(wait(StatusCode::FORBIDDEN, seconds)),
            Action::Challenge(kind) => {
                let puzzle = guard.pose(&arrival, kind);
                let captcha = config.guard.as_ref().and_then(|c| c.captcha.as_ref());
                Some(match captcha.filter(|_| kind == Challenge::Captcha) {
                    Some(captcha) => {
                        let target = parts.uri.path_and_query().map_or("/", |p| p.as_str());
                        redirect(&challenge::captcha_address(captcha, &puzzle, target))
                    }
                    None => page(&puzzle, kind),
                })
            }
        };
        drop(guard);
        self.report(now);
        held
    }

    /// Reports what was seen, if it is time.
    pub(crate) fn report(&self, now: Instant) {
        if now >= self.next_report.get() {
            self.next_report.set(now + REPORT);
            let report = self.guard.borrow_mut().report();
            self.hand_in(report);
            self.bouncer.hand_in(&self.shared, self.index);
        }
    }

    /// Tells what came of a request that an endpoint took so long for.
    pub(crate) fn observe(&self, client: IpAddr, status: StatusCode, taken: Duration) {
        let origin_ms = taken.as_secs_f32() * 1000.0;
        let outcome = Outcome { status: status.as_u16(), origin_ms, bytes: 0, is_miss: false };
        self.guard.borrow_mut().observe(client, &outcome);
    }

    fn refresh(&self, config: &ProxyConfig) {
        let generation = self.shared.generation.load(Ordering::Acquire);
        if generation == self.generation.get() {
            return;
        }
        self.generation.set(generation);
        let mut guard = self.guard.borrow_mut();
        if let Some(model) = self.shared.model.load_full() {
            guard.set_model(model);
        }
        let databases = self.shared.databases.load_full();
        if databases.as_ref().map(Arc::as_ptr) != self.databases.borrow().as_ref().map(Arc::as_ptr) {
            guard.set_geo(databases.clone().map(|databases| databases as Arc<dyn Geo>));
            *self.databases.borrow_mut() = databases;
        }
        self.bouncer.set_vouched(self.shared.vouched.load_full());
        if let Some(fresh) = config.guard.as_ref().filter(|fresh| **fresh != *self.config.borrow()) {
            guard.set_config(fresh);
            *self.config.borrow_mut() = fresh.clone();
        }
    }

    fn hand_in(&self, mut report: Report) {
        let place = &self.shared.reports[self.index];
        if let Some(waiting) = place.swap(None) {
            report.merge(&waiting);
        }
        place.store(Some(Arc::new(report)));
    }
}

/// The learner, in the thread beside the workers.
pub(crate) struct Teacher {
    learner: Learner,
    next: Instant,
    next_save: Instant,
    before: ProxyStats,
}

impl Teacher {
    pub(crate) fn new(config: &GuardConfig, guard: &SharedGuard, now: Instant) -> Self {
        let rng = SeededRng::seed_from_u64(RandomState::new().hash_one(0));
        let restored = guard.learned.swap(None).and_then(|learned| {
            let restored = Learner::restore(config, Arc::unwrap_or_clone(learned), rng.clone());
            restored.inspect_err(|error| tracing::warn!(%error, "the guard begins anew")).ok()
        });
        let learner = restored.unwrap_or_else(|| Learner::new(config, rng));
        Self { learner, next: now, next_save: now + learned_state::EVERY, before: ProxyStats::default() }
    }

    /// Saves what is learned, where that is wanted.
    pub(crate) fn save(&self, shared: &Shared, config: &ProxyConfig) {
        let path = config.guard.as_ref().and_then(|settings| settings.state.as_deref());
        if let Some((guard, path)) = shared.guard.as_ref().zip(path) {
            let saved = Saved { secrets: guard.secrets.clone(), learned: self.learner.state() };
            learned_state::write(path, "guard", &saved);
        }
    }

    /// Takes in what workers have seen, if it is time, and publishes what they are to judge by.
    pub(crate) fn look(&mut self, shared: &Shared, config: &ProxyConfig, endpoints: usize, now: Instant) {
        let (Some(guard), Some(settings)) = (&shared.guard, &config.guard) else { return };
        if now < self.next {
            return;
        }
        self.next = now + TICK;
        let mut report = Report::default();
        for waiting in &guard.reports {
            if let Some(theirs) = waiting.swap(None) {
                report.merge(&theirs);
            }
        }
        let mut stats = ProxyStats::default();
        shared.counters.iter().for_each(|counters| counters.add_to(&mut stats));
        stats.queued = shared.queued.load(Ordering::Relaxed) as u64;
        let load = load(&stats, &self.before, config, endpoints);
        self.before = stats;
        self.learner.set_config(settings);
        self.learner.set_coverage(guard.coverage());
        for said in guard.said.swap(Arc::default()).iter() {
            match *said {
                Said::Pardon { client, until } => self.learner.pardon(client, until),
                Said::StandDown { until } => self.learner.stand_down(until),
            }
        }
        let model = self.learner.tick(clock::wall(), &report, &load);
        guard.model.store(Some(model));
        guard.account.store(Some(Arc::new(self.learner.account())));
        guard.generation.fetch_add(1, Ordering::Release);
        if now >= self.next_save {
            self.next_save = now + learned_state::EVERY;
            self.save(shared, config);
        }
    }
}

/// How the endpoints bear it, by what the proxy has counted between two looks.
fn load(stats: &ProxyStats, before: &ProxyStats, config: &ProxyConfig, endpoints: usize) -> Load {
    let latency = stats.latency.since(&before.latency);
    let target_ms = config.late_after.as_secs_f64() * 1000.0;
    let ended = latency.count() + stats.rejected.saturating_sub(before.rejected);
    let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let admission = &config.admission;
    let room = f64::from(admission.in_flight_per_endpoint) * endpoints as f64;
    Load {
        // A single late answer among a handful is no percentile.
        p99_over_target: latency.quantile(0.99).filter(|_| latency.count() >= 50).map(|ms| ms / target_ms),
        utilisation: share(stats.in_flight as f64, room),
        queue: share(stats.queued as f64, admission.queue as f64),
        failures: share(stats.rejected.saturating_sub(before.rejected) as f64, ended.max(50) as f64),
    }
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Held {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn text(status: StatusCode, body: &str) -> Held {
    answer(status, "text/plain; charset=utf-8", body.to_owned())
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn wait(status: StatusCode, seconds: u32) -> Held {
    let mut response = text(status, "Too much is asked of this site at the moment. Please come back later.\n");
    put(response.headers_mut(), header::RETRY_AFTER, &seconds.max(1).to_string());
    response
}

fn page(puzzle: &str, kind: Challenge) -> Held {
    let mut response = answer(StatusCode::FORBIDDEN, "text/html; charset=utf-8", challenge::page(puzzle, kind));
    put(response.headers_mut(), header::CONTENT_SECURITY_POLICY, &challenge::page_policy());
    put(response.headers_mut(), header::REFERRER_POLICY, "same-origin");
    response
}

fn redirect(address: &str) -> Held {
    let mut response = text(StatusCode::SEE_OTHER, "");
    put(response.headers_mut(), header::LOCATION, address);
    response
}

/// Clearance was given: the page asks again by itself, whoever comes from the operator's service is sent where he was going.
fn cleared(cookie: &str, query: Option<&str>) -> Held {
    let target = query.and_then(|q| q.split('&').find_map(|pair| pair.strip_prefix("return=")));
    let mut response = match target {
        Some(target) => redirect(challenge::safe_return(target)),
        None => text(StatusCode::NO_CONTENT, ""),
    };
    put(response.headers_mut(), header::SET_COOKIE, cookie);
    response
}

//! A site in virtual time: the mix, the guard, an origin that queues, and an attack.

use std::fmt;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use foresail_guard::{
    Action, Arrival, Challenge, Common, Guard, GuardConfig, Kind, Label, Learner, Load, Mode, Outcome, Secrets, Verdict,
};
use sha2::{Digest, Sha256};

use crate::attacks::Attack;
use crate::legit::{Answer, Ask, CLASSES, Legit};

/// A Sunday, midnight.
const START: i64 = 1_772_323_200_000_000;
const SECOND: i64 = 1_000_000;
/// How often the learner looks; while nothing happens, less often than it would live.
const TICK: i64 = SECOND / 2;
const CALM_TICK: i64 = 2 * SECOND;
/// The origin can do so many times the work that the mix asks of it in the busiest minute of the week.
const HEADROOM: f64 = 4.0;
/// Seconds of work that its queue holds before it drops the rest.
const QUEUE_S: f64 = 2.0;
/// Latency without a queue, and what it should be at most, in ms.
const BASE_MS: f64 = 60.0;
const TARGET_MS: f64 = 250.0;
/// How long an attack lasts and how long after its beginning it is judged.
const LASTS: i64 = 60 * SECOND;
const GRACE: i64 = 10 * SECOND;

/// What became of well-meant requests, by class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    counts: [[u64; 4]; CLASSES.len()],
}

impl Tally {
    fn count(&mut self, class: usize, action: Action) {
        let column = match action {
            Action::Allow => 0,
            Action::Challenge(_) => 1,
            Action::Throttle { .. } => 2,
            Action::Block { .. } => 3,
        };
        self.counts[class][column] += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.counts.iter_mut().zip(&other.counts) {
            ours.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }

    /// Shares challenged, throttled and blocked of all, in per cent.
    fn shares(&self) -> [f64; 3] {
        let total: u64 = self.counts.iter().flatten().sum();
        [1, 2, 3].map(|column| {
            let sum: u64 = self.counts.iter().map(|row| row[column]).sum();
            100.0 * sum as f64 / total.max(1) as f64
        })
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!("{:16} {:>9} {:>10} {:>10} {:>8}", "", "passed", "challenged", "throttled", "blocked");
        for (name, row) in CLASSES.iter().zip(&self.counts) {
            text += &format!("\n{name:16} {:>9} {:>10} {:>10} {:>8}", row[0], row[1], row[2], row[3]);
        }
        let [challenged, throttled, blocked] = self.shares();
        text + &format!("\nall, per cent              {challenged:>10.3} {throttled:>10.3} {blocked:>8.3}")
    }
}

/// How an attack went.
pub(crate) struct Report {
    attack: Attack,
    requests: u64,
    passed: f64,
    /// Seconds until no second let more through than may pass.
    stopped: Option<i64>,
    legit: [f64; 3],
    /// Latency of well-meant requests, 99th percentile after the grace, over what it is without attack.
    late: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may = self.attack.may_pass();
        let [challenged, throttled, blocked] = self.legit;
        let met = may.is_none_or(|may| self.passed <= may && self.stopped.is_some_and(|s| s <= 5));
        let good = blocked + throttled <= 0.1 && challenged <= 3.0 && self.late <= 2.0;
        write!(
            f,
            "{:16} {:>9} {:>8.2} {:>7} {:>9} {blocked:>8.3} {throttled:>10.3} {challenged:>9.3} {:>9.2}  {}",
            format!("{:?}", self.attack),
            self.requests,
            100.0 * self.passed,
            may.map_or("-".to_owned(), |may| format!("{:.0}", 100.0 * may)),
            self.stopped.map_or("never".to_owned(), |s| s.to_string()),
            self.late,
            if met && good {
                "yes"
            } else if met {
                "NOT FOR PEOPLE"
            } else {
                "NO"
            }
        )
    }
}

#[derive(Clone)]
pub(crate) struct World {
    legit: Legit,
    guard: Guard,
    learner: Learner,
    config: GuardConfig,
    rng: SeededRng,
    now: i64,
    next_tick: i64,
    tick: i64,
    /// Milliseconds of work that wait, and that were asked for since the last tick.
    backlog: f64,
    asked: f64,
    served_to: i64,
    /// Milliseconds of work a second.
    capacity: f64,
    minute: (i64, f64, f64),
    pub(crate) tally: Tally,
    latencies: Vec<f32>,
    /// Why the first well-meant request was not let through.
    pub(crate) why: Option<String>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let config = GuardConfig { mode: Mode::Observe, clients: 1 << 18, ..GuardConfig::default() };
        let common = Common::new(&Secrets { hash: [seed, 77], signing: [9; 32] }, None);
        Self {
            legit: Legit::new(seed, START),
            guard: Guard::new(&config, common, 1, SeededRng::seed_from_u64(seed).fork(1)),
            learner: Learner::new(&config, SeededRng::seed_from_u64(seed).fork(2)),
            config,
            rng: SeededRng::seed_from_u64(seed).fork(3),
            now: START,
            next_tick: START,
            tick: CALM_TICK,
            backlog: 0.0,
            asked: 0.0,
            served_to: START,
            capacity: f64::INFINITY,
            minute: (0, 0.0, 0.0),
            tally: Tally::default(),
            latencies: Vec::new(),
            why: None,
        }
    }

    /// Gives the origin its capacity, by what it had to do so far.
    pub(crate) fn settle(&mut self) {
        self.capacity = HEADROOM * self.minute.2 / 60.0;
    }

    pub(crate) fn enforce(&mut self) {
        self.config.mode = Mode::Enforce;
        self.tick = TICK;
        self.guard.set_config(&self.config);
        self.tally = Tally::default();
    }

    pub(crate) fn run_days(&mut self, days: i64) {
        self.run_hours(24 * days);
    }

    pub(crate) fn run_hours(&mut self, hours: i64) {
        let end = self.now + hours * 3600 * SECOND;
        while self.now < end {
            self.one_legit(end);
        }
    }

    /// Well-meant traffic, and beside it a program that grows from nothing to as much again.
    pub(crate) fn ramp(&mut self, hours: i64) {
        let (begin, end) = (self.now, self.now + hours * 3600 * SECOND);
        let mut next = begin;
        while self.now < end {
            if next < self.legit.next_at() {
                self.turn_to(next);
                let ask = Attack::CacheBusting.ask(&self.legit.site.clone(), None, &mut self.rng);
                let ask =
                    Ask { cost_ms: 10.0, fingerprint: foresail_guard::Fingerprint { shape: 31_337, stable: 1 }, ..ask };
                self.serve(next, &ask, true);
                let share = (next - begin) as f64 / (end - begin) as f64;
                next += ((1e6 / (20.0 * share).max(0.05)) * self.rng.exponential()) as i64;
            } else {
                self.one_legit(end);
            }
        }
    }

    fn one_legit(&mut self, end: i64) {
        let at = self.legit.next_at();
        if at >= end {
            self.turn_to(end);
            return;
        }
        self.turn_to(at);
        let (at, place, ask) = self.legit.next();
        let class = self.legit.class(place);
        let verdict = self.serve(at, &ask, false);
        self.tally.count(class, verdict.action);
        if verdict.action != Action::Allow && self.why.is_none() {
            self.why = Some(format!("{} {:?}: {verdict}", CLASSES[class], ask.kind));
        }
        let answer = match verdict.action {
            Action::Allow => Answer::Passed,
            Action::Challenge(challenge) if ask.kind == Kind::Navigation && class != 9 => {
                match self.solve(at, &ask, challenge) {
                    Some((cookie, after)) => Answer::Cleared { cookie, after },
                    None => Answer::Refused,
                }
            }
            _ => Answer::Refused,
        };
        self.legit.answered(place, at, answer);
    }

    /// What a browser does with the page: finds the number, sends it, keeps the cookie.
    fn solve(&mut self, at: i64, ask: &Ask, challenge: Challenge) -> Option<(String, i64)> {
        let arrival = arrival(at, ask);
        let puzzle = self.guard.pose(&arrival, challenge);
        let bits = match challenge {
            Challenge::Script => 8,
            Challenge::Work(bits) => bits,
            Challenge::Captcha => return None,
        };
        let number = (0_u64..).find(|n| {
            let hash = Sha256::digest(format!("{puzzle}.{n}"));
            u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros() >= u32::from(bits)
        })?;
        // 200,000 hashes a second, as on a telephone, and two journeys.
        let after = 400_000 + (number * 5) as i64;
        let answered = Timestamp::from_micros(at + after);
        let query = format!("p={puzzle}&n={number}");
        let cookie = self.guard.answer(&query, ask.ip, ask.fingerprint, answered, true).ok()?;
        Some((cookie.split(';').next()?.to_owned(), after))
    }

    /// Ticks that are due before `at`.
    fn turn_to(&mut self, at: i64) {
        while self.next_tick <= at {
            let tick = self.next_tick;
            self.work_to(tick);
            let seconds = self.tick as f64 / 1e6;
            let wait_ms = 1000.0 * self.backlog / self.capacity;
            let load = Load {
                p99_over_target: Some((BASE_MS + wait_ms) / TARGET_MS),
                utilisation: Some(self.asked / (self.capacity * seconds)),
                queue: Some(self.backlog / (QUEUE_S * self.capacity)),
                failures: None,
            };
            self.asked = 0.0;
            let report = self.guard.report();
            let model = self.learner.tick(Timestamp::from_micros(tick), &report, &load);
            self.guard.set_model(model);
            self.next_tick += self.tick;
        }
        self.now = at;
    }

    fn work_to(&mut self, at: i64) {
        let passed = (at - self.served_to).max(0) as f64 / 1e6;
        self.backlog = (self.backlog - passed * self.capacity).max(0.0);
        self.served_to = self.served_to.max(at);
    }

    fn serve(&mut self, at: i64, ask: &Ask, is_attack: bool) -> Verdict {
        let verdict = self.guard.decide(&arrival(at, ask));
        if verdict.action == Action::Allow {
            self.work_to(at);
            let wait_ms = 1000.0 * self.backlog / self.capacity;
            let is_dropped = self.backlog > QUEUE_S * self.capacity;
            if !is_dropped {
                self.backlog += f64::from(ask.cost_ms);
                self.asked += f64::from(ask.cost_ms);
                let minute = at / (60 * SECOND);
                if minute != self.minute.0 {
                    self.minute = (minute, 0.0, self.minute.2.max(self.minute.1));
                }
                self.minute.1 += f64::from(ask.cost_ms);
            }
            let status = if is_dropped { 503 } else { 200 };
            let outcome = Outcome { status, origin_ms: ask.cost_ms, bytes: 1000, is_miss: ask.query.is_some() };
            self.guard.observe(ask.ip, &outcome);
            if !is_attack {
                self.latencies.push((BASE_MS + wait_ms) as f32);
            }
        }
        verdict
    }

    pub(crate) fn attack(&mut self, attack: Attack) -> Report {
        let begin = self.now + 600 * SECOND;
        self.run_to(begin);
        let calm = self.p99();
        let stolen = self.stolen();
        self.why = None;
        self.tally = Tally::default();
        let lasts = if attack == Attack::FlashCrowd { 3 * LASTS } else { LASTS };
        let end = begin + lasts;
        if attack == Attack::FlashCrowd {
            self.legit.surge(5.0);
        }
        let mut rng = self.rng.fork(attack as u64);
        let site = self.legit.site.clone();
        let mut next = begin;
        let (mut requests, mut late_requests, mut passed) = (0, 0, 0);
        let mut by_second = vec![(0_u64, 0_u64); (lasts / SECOND) as usize];
        let mut is_graced = false;
        while self.now < end {
            if !is_graced && self.now >= begin + GRACE {
                is_graced = true;
                self.latencies.clear();
            }
            if attack == Attack::FlashCrowd || next >= self.legit.next_at() || next >= end {
                self.one_legit(end);
                continue;
            }
            self.turn_to(next);
            let ask = attack.ask(&site, stolen.as_deref(), &mut rng);
            let verdict = self.serve(next, &ask, true);
            let is_through = verdict.action == Action::Allow;
            requests += 1;
            let second = &mut by_second[((next - begin) / SECOND) as usize];
            second.0 += 1;
            second.1 += u64::from(is_through);
            if next >= begin + GRACE {
                late_requests += 1;
                passed += u64::from(is_through);
            }
            debug_assert!(verdict.label == Label::Attack || is_through || verdict.label == Label::Suspect);
            next += ((1e6 / attack.rate()) * rng.exponential()).max(1.0) as i64;
        }
        let may = attack.may_pass().unwrap_or(1.0).max(0.1);
        let is_over = |(all, through): &(u64, u64)| *all > 0 && *through as f64 > may * *all as f64;
        let stopped = by_second.iter().rposition(is_over).map_or(0, |last| last as i64 + 1);
        Report {
            attack,
            requests,
            passed: passed as f64 / f64::from(late_requests.max(1)),
            stopped: (stopped < lasts / SECOND).then_some(stopped),
            legit: self.tally.shares(),
            late: self.p99() / calm,
        }
    }

    fn run_to(&mut self, end: i64) {
        self.latencies.clear();
        while self.now < end {
            self.one_legit(end);
        }
    }

    fn p99(&mut self) -> f64 {
        self.latencies.sort_unstable_by(f32::total_cmp);
        let at = (0.99 * self.latencies.len() as f64) as usize;
        self.latencies.get(at).map_or(BASE_MS, |ms| f64::from(*ms))
    }

    /// A clearance that somebody was given at another address.
    fn stolen(&mut self) -> Option<String> {
        let ask = Attack::StolenClearance.ask(&self.legit.site.clone(), None, &mut self.rng);
        let ask = Ask { ip: "198.51.100.99".parse().unwrap(), ..ask };
        self.solve(self.now, &ask, Challenge::Script).map(|(cookie, _)| cookie)
    }

    pub(crate) fn thresholds(&self) -> String {
        let s = self.learner.summary();
        format!(
            "client limit {:.2} requests/s and {:.0} ms/s, forest {}, {:.1} requests/s now, origin {:.0} ms/s",
            s.limit_rps,
            s.limit_cost,
            s.forest_p99.map_or("none".to_owned(), |p| format!("{p:.4}")),
            s.arrival_rps,
            self.capacity
        )
    }

    /// By what share any threshold of `other` is above this one's: limits, the forest's, and usual shares of groups that
    /// are a hundredth of the traffic and more.
    pub(crate) fn largest_move(&self, other: &Self) -> f64 {
        let (a, b) = (self.learner.summary(), other.learner.summary());
        let mut most: f64 = f64::from(b.limit_rps / a.limit_rps).max(f64::from(b.limit_cost / a.limit_cost)) - 1.0;
        most = most.max(b.forest_p99.zip(a.forest_p99).map_or(0.0, |(b, a)| (b / a - 1.0).abs()));
        for (a, b) in self.learner.usual_shares().into_iter().zip(other.learner.usual_shares()) {
            if a >= 0.01 {
                most = most.max(f64::from(b / a) - 1.0);
            } else {
                most = most.max(f64::from(b - 0.01) / 0.01);
            }
        }
        most
    }
}

fn arrival(at: i64, ask: &Ask) -> Arrival<'_> {
    Arrival {
        at: Timestamp::from_micros(at) + Duration::ZERO,
        client: ask.ip,
        kind: ask.kind,
        path: &ask.path,
        query: ask.query.as_deref(),
        agent: b"",
        fingerprint: ask.fingerprint,
        cookie: ask.cookie.as_deref().map(str::as_bytes),
        is_verified_bot: ask.is_verified_bot,
    }
}

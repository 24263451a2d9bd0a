//! A site in virtual time: the mix, the guard, an origin that queues, and an attack.

use std::fmt;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use foresail_guard::{
    Action, Arrival, Challenge, Common, Guard, GuardConfig, Kind, Label, Learner, Load, Mode, Outcome, Saved, Secrets,
    Verdict, challenge,
};

use super::attack::Attack;
use super::legit::{Answer, Ask, CLASSES, Legit, Planned};
use super::wire::Prints;

/// A Sunday, midnight.
const START: Timestamp = Timestamp::from_secs(1_772_323_200);
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
pub struct Tally {
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

    /// Takes in another's.
    pub fn add(&mut self, other: &Self) {
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

    /// A line a class, and the shares of all.
    pub fn table(&self) -> String {
        let mut text = format!("{:16} {:>9} {:>10} {:>10} {:>8}", "", "passed", "challenged", "throttled", "blocked");
        for (name, row) in CLASSES.iter().zip(&self.counts) {
            text += &format!("\n{name:16} {:>9} {:>10} {:>10} {:>8}", row[0], row[1], row[2], row[3]);
        }
        let [challenged, throttled, blocked] = self.shares();
        text + &format!("\nall, per cent              {challenged:>10.3} {throttled:>10.3} {blocked:>8.3}")
    }
}

/// How an attack went.
#[derive(Clone, Debug)]
pub struct Report {
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

/// The site with its guard.
#[derive(Clone, Debug)]
pub struct World {
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
    tally: Tally,
    latencies: Vec<f32>,
    /// Why the first well-meant request was not let through.
    why: Option<String>,
    /// Where requests are told of as over the wire: mean time at the origin, and fingerprints.
    wire: Option<(f32, Prints)>,
    secrets: Secrets,
}

impl World {
    /// The site of `seed` on a Sunday at midnight, its guard ignorant.
    pub fn new(seed: u64) -> Self {
        Self::beginning(seed, START, None)
    }

    /// The same from `midnight` on, which is midnight where its people live, its guard told of requests as that of a proxy is:
    /// fingerprints are of [`headers`](super::headers) over HTTP/1.1 without TLS, each request takes `service_ms` of the origin on
    /// the mean (exponentially distributed), and nothing is said of caches, bytes and verified bots. What it learns is good for a
    /// proxy that gets [`plan`](Self::plan) and [`Attack::plan`].
    pub fn on_the_wire(seed: u64, midnight: Timestamp, service_ms: f32) -> Self {
        Self::beginning(seed, midnight, Some(service_ms))
    }

    fn beginning(seed: u64, midnight: Timestamp, service_ms: Option<f32>) -> Self {
        let config = GuardConfig { mode: Mode::Observe, clients: 1 << 18, ..GuardConfig::default() };
        let secrets = Secrets { hash: [seed, 77], signing: [9; 32] };
        let common = Common::new(&secrets, None);
        let wire = service_ms.map(|service_ms| (service_ms, Prints::new(common.key())));
        let start = midnight.as_micros();
        Self {
            legit: Legit::new(seed, midnight),
            guard: Guard::new(&config, common, 1, SeededRng::seed_from_u64(seed).fork(1)),
            learner: Learner::new(&config, SeededRng::seed_from_u64(seed).fork(2)),
            config,
            rng: SeededRng::seed_from_u64(seed).fork(3),
            now: start,
            next_tick: start,
            tick: CALM_TICK,
            backlog: 0.0,
            asked: 0.0,
            served_to: start,
            capacity: f64::INFINITY,
            minute: (0, 0.0, 0.0),
            tally: Tally::default(),
            latencies: Vec::new(),
            why: None,
            wire,
            secrets,
        }
    }

    /// Gives the origin its capacity, by what it had to do so far.
    pub fn settle(&mut self) {
        self.capacity = HEADROOM * self.minute.2 / 60.0;
    }

    /// Milliseconds of work that the origin can do a second; infinite before [`settle`](Self::settle).
    pub fn capacity(&self) -> f64 {
        self.capacity
    }

    /// What its guard needs to go on elsewhere.
    pub fn saved(&self) -> Saved {
        Saved { secrets: self.secrets.clone(), learned: self.learner.state() }
    }

    /// What well-meant clients ask in the next `length`, if every request is answered at once.
    pub fn plan(&self, length: Duration) -> Vec<Planned> {
        self.legit.clone().plan_from(self.now, length)
    }

    /// The mix, as it goes on from now.
    pub fn legit(&self) -> &Legit {
        &self.legit
    }

    /// What became of well-meant requests since the last attack began.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Why the first well-meant request was not let through, if one was not.
    pub fn why(&self) -> Option<&str> {
        self.why.as_deref()
    }

    /// Has the guard judge a request, [`told`](Self::told) before, at the instant that the site has come to, beside all else.
    pub fn judge(&mut self, ask: &Ask) -> Verdict {
        self.guard.decide(&arrival(self.now, ask))
    }

    /// The request as the guard is told of it.
    pub fn told(&mut self, ask: Ask) -> Ask {
        let Some((service_ms, prints)) = &mut self.wire else { return ask };
        let cost_ms = *service_ms * self.rng.exponential() as f32;
        Ask { fingerprint: prints.of(&ask), is_verified_bot: false, cost_ms, ..ask }
    }

    /// The guard acts from now on.
    pub fn enforce(&mut self) {
        self.config.mode = Mode::Enforce;
        self.tick = TICK;
        self.guard.set_config(&self.config);
        self.tally = Tally::default();
    }

    /// So many days of well-meant traffic.
    pub fn run_days(&mut self, days: i64) {
        self.run_hours(24 * days);
    }

    /// So many hours of it.
    pub fn run_hours(&mut self, hours: i64) {
        let end = self.now + hours * 3600 * SECOND;
        while self.now < end {
            self.one_legit(end);
        }
    }

    /// Well-meant traffic, and beside it a program that grows from nothing to as much again.
    pub fn ramp(&mut self, hours: i64) {
        let (begin, end) = (self.now, self.now + hours * 3600 * SECOND);
        let mut next = begin;
        while self.now < end {
            if next < self.legit.next_at() {
                self.turn_to(next);
                let ask = Attack::CacheBusting.ask(&self.legit.site().clone(), None, &mut self.rng);
                let fingerprint = foresail_guard::Fingerprint { shape: 31_337, stable: 1 };
                let ask = self.told(Ask { cost_ms: 10.0, fingerprint, ..ask });
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
        let ask = self.told(ask);
        let class = self.legit.class(place);
        let verdict = self.serve(at, &ask, false);
        self.tally.count(class, verdict.action);
        if verdict.action != Action::Allow && self.why.is_none() {
            self.why = Some(format!("{} {:?}: {verdict}", CLASSES[class], ask.kind));
        }
        let answer = match verdict.action {
            Action::Allow => Answer::Passed,
            Action::Challenge(asked) if ask.kind == Kind::Navigation && class != 9 => {
                match self.solve(at, &ask, asked) {
                    Some((cookie, after)) => Answer::Cleared { cookie, after },
                    None => Answer::Refused,
                }
            }
            _ => Answer::Refused,
        };
        self.legit.answered(place, at, answer);
    }

    /// What a browser does with the page: finds the number, sends it, keeps the cookie.
    fn solve(&mut self, at: i64, ask: &Ask, asked: Challenge) -> Option<(String, i64)> {
        let arrival = arrival(at, ask);
        let puzzle = self.guard.pose(&arrival, asked);
        let bits = match asked {
            Challenge::Script => 8,
            Challenge::Work(bits) => bits,
            Challenge::Captcha => return None,
        };
        let number = challenge::solve(&puzzle, bits);
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
            let (bytes, is_miss) = if self.wire.is_some() { (0, false) } else { (1000, ask.query.is_some()) };
            let outcome = Outcome { status, origin_ms: ask.cost_ms, bytes, is_miss };
            self.guard.observe(ask.ip, &outcome);
            if !is_attack {
                self.latencies.push((BASE_MS + wait_ms) as f32);
            }
        }
        verdict
    }

    /// Ten minutes without and then one with `attack`.
    pub fn attack(&mut self, attack: Attack) -> Report {
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
        let site = self.legit.site().clone();
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
            let ask = self.told(ask);
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
        let ask = Attack::StolenClearance.ask(&self.legit.site().clone(), None, &mut self.rng);
        let ask = self.told(Ask { ip: std::net::Ipv4Addr::new(198, 51, 100, 99).into(), ..ask });
        self.solve(self.now, &ask, Challenge::Script).map(|(cookie, _)| cookie)
    }

    /// What its guard goes by, in one line.
    pub fn thresholds(&self) -> String {
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
    pub fn largest_move(&self, other: &Self) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// An hour told as over the wire teaches a guard that goes on elsewhere with the same secrets.
    #[test]
    fn what_is_learned_on_the_wire_is_saved_and_read() {
        let mut world = World::on_the_wire(3, START, 40.0);
        world.run_hours(2);
        world.settle();
        assert!((100.0..10_000.0).contains(&world.capacity()), "{}", world.capacity());
        let text = serde_json::to_string(&world.saved()).unwrap();
        let saved: Saved = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&saved).unwrap(), text);
        let learner = Learner::restore(&GuardConfig::default(), saved.learned, SeededRng::seed_from_u64(1)).unwrap();
        assert_eq!(learner.usual_shares(), world.learner.usual_shares());
        let planned = world.plan(Duration::from_secs(60));
        assert!(planned.len() > 60 && planned[0].after < Duration::from_secs(10), "{}", planned.len());
        let ask = world.told(planned[0].ask.clone());
        assert_eq!(world.judge(&ask).action, Action::Allow);
    }
}

//! People and programs that mean well: browsers, pollers, an app, feeds, hooks, checks, two large doors, a search engine.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use foresail_guard::{Fingerprint, Kind};

/// Classes of well-meaning clients, as they are told apart in tables.
pub const CLASSES: [&str; 10] = [
    "browser",
    "slow 3G",
    "spa poller",
    "mobile app",
    "feed reader",
    "webhook",
    "health check",
    "office of 200",
    "carrier of 2000",
    "search engine",
];

const SECOND: i64 = 1_000_000;

/// One request, whoever makes it.
#[derive(Clone, Debug)]
pub struct Ask {
    /// From whom.
    pub ip: IpAddr,
    /// What kind of answer it can take.
    pub kind: Kind,
    /// Path without the query.
    pub path: String,
    /// The query, if there is one.
    pub query: Option<String>,
    /// Which program writes it; see [`headers`](super::headers) for how.
    pub fingerprint: Fingerprint,
    /// The clearance it holds, if any.
    pub cookie: Option<String>,
    /// Whether it is a bot that its network vouches for.
    pub is_verified_bot: bool,
    /// What it costs the origin, in milliseconds.
    pub cost_ms: f32,
}

/// A well-meant request that is planned.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When, from the beginning of the plan on.
    pub after: Duration,
    /// Who makes it: nobody else in the mix has this number.
    pub actor: u64,
    /// Its place among [`CLASSES`].
    pub class: usize,
    /// What is asked.
    pub ask: Ask,
}

/// What a site has, and how often it is asked for.
#[derive(Clone, Debug)]
pub struct Site {
    items: usize,
    words: usize,
    /// Seeded, so that popularity differs from mix to mix.
    skew: f64,
}

impl Site {
    fn zipf(&self, n: usize, rng: &mut SeededRng) -> usize {
        ((n as f64).powf(rng.uniform().powf(self.skew)) as usize).min(n) - 1
    }

    /// A page as people choose it.
    pub(crate) fn page(&self, rng: &mut SeededRng) -> (String, Option<String>, f32) {
        match rng.below(100) {
            0..30 => ("/".into(), None, 20.0),
            30..70 => (format!("/item/{}", self.zipf(self.items, rng)), None, 30.0),
            70..85 => (format!("/category/c{}", (b'a' + rng.below(20) as u8) as char), None, 40.0),
            85..92 => ("/search".into(), Some(format!("q=word{}", self.zipf(self.words, rng))), 250.0),
            _ => ("/help/contact".into(), None, 10.0),
        }
    }
}

/// Programs people use: how they write requests for pages, for parts and for data.
const BROWSERS: usize = 8;

/// Where the numbers begin that stand for how browsers write, and how standing programs do.
pub(crate) const SHAPE_OF_BROWSERS: u64 = 1_000;
pub(crate) const SHAPE_OF_CLASSES: u64 = 100;

pub(crate) fn browser_print(browser: usize, kind: Kind, person: u64) -> Fingerprint {
    Fingerprint { shape: SHAPE_OF_BROWSERS + 10 * browser as u64 + kind as u64, stable: person }
}

pub(crate) fn any_browser(rng: &mut SeededRng) -> usize {
    // Some are far more frequent than others.
    ((BROWSERS as f64) * rng.uniform().powi(2)) as usize
}

pub(crate) const APP_PRINT: Fingerprint = Fingerprint { shape: 50, stable: 51 };

#[derive(Clone, Debug)]
enum Plan {
    /// Pages left, parts of this one left, microseconds between parts.
    Browse {
        pages: u32,
        parts: u32,
        gap: i64,
    },
    Poll {
        left: u32,
    },
    App {
        rounds: u32,
        burst: u32,
    },
    /// For ever, so often, give or take.
    Beat {
        every: i64,
        jitter: i64,
        path: &'static str,
    },
    /// For ever, at random.
    Random {
        mean: i64,
        path: &'static str,
    },
    Crawl {
        mean: i64,
    },
}

/// Someone who makes requests.
#[derive(Clone, Debug)]
struct Actor {
    number: u64,
    class: usize,
    ip: IpAddr,
    browser: usize,
    person: u64,
    cookie: Option<String>,
    plan: Plan,
    /// Tries of what was refused.
    tries: u32,
}

/// How an actor goes on.
pub(crate) enum Answer {
    Passed,
    /// Solved the puzzle, which took so long, and asks again.
    Cleared {
        cookie: String,
        after: i64,
    },
    Refused,
}

/// The mix, always on.
#[derive(Clone, Debug)]
pub struct Legit {
    rng: SeededRng,
    site: Site,
    actors: Vec<Option<Actor>>,
    free: Vec<usize>,
    events: BinaryHeap<Reverse<(i64, u64, usize)>>,
    number: u64,
    spawned_to: i64,
    midnight: i64,
    regulars: Vec<IpAddr>,
    scale: f64,
    office: IpAddr,
    carrier: IpAddr,
}

impl Legit {
    /// The mix of `seed`, from `midnight` on, which is midnight where its people live.
    pub fn new(seed: u64, midnight: Timestamp) -> Self {
        let from = midnight.as_micros();
        let mut rng = SeededRng::seed_from_u64(seed);
        let site = Site { items: 300 + rng.below(400), words: 1500 + rng.below(1500), skew: 1.2 + rng.uniform() };
        let regulars = (0..4000).map(|_| address(&mut rng)).collect();
        let (office, carrier) = (address(&mut rng), address(&mut rng));
        let scale = 0.8 + 0.4 * rng.uniform();
        let mut legit = Self {
            rng,
            site,
            actors: Vec::new(),
            free: Vec::new(),
            events: BinaryHeap::new(),
            number: 0,
            spawned_to: from,
            midnight: from,
            regulars,
            scale,
            office,
            carrier,
        };
        for _ in 0..300 {
            legit.standing(4, Plan::Beat { every: 1800 * SECOND, jitter: 60 * SECOND, path: "/feed" }, from);
        }
        legit.standing(5, Plan::Random { mean: SECOND / 2, path: "/hooks/order" }, from);
        for _ in 0..3 {
            legit.standing(6, Plan::Beat { every: 10 * SECOND, jitter: SECOND / 50, path: "/healthz" }, from);
        }
        legit.standing(9, Plan::Crawl { mean: 2 * SECOND }, from);
        legit
    }

    fn standing(&mut self, class: usize, plan: Plan, from: i64) {
        let ip = address(&mut self.rng);
        let person = self.rng.next_u64();
        let after = (self.rng.uniform() * 1800e6) as i64;
        self.begin(Actor { number: 0, class, ip, browser: 0, person, cookie: None, plan, tries: 0 }, from + after);
    }

    fn begin(&mut self, actor: Actor, at: i64) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.actors.push(None);
            self.actors.len() - 1
        });
        self.actors[place] = Some(Actor { number: self.number, ..actor });
        self.schedule(place, at);
    }

    fn schedule(&mut self, place: usize, at: i64) {
        self.number += 1;
        self.events.push(Reverse((at, self.number, place)));
    }

    /// Those who come in the next minute.
    fn spawn(&mut self) {
        let from = self.spawned_to;
        self.spawned_to += 60 * SECOND;
        let hour = ((from - self.midnight) / SECOND % 86_400) as f64 / 3600.0;
        let day = 0.35 + 0.65 * (1.0 - ((hour - 4.0) / 12.0 * std::f64::consts::PI).cos()) / 2.0;
        let work = if (8.0..18.0).contains(&hour) { 1.0 } else { 0.05 };
        let rates = [(0, 11.0 * day), (1, 0.6 * day), (2, 1.2 * day), (3, 14.0 * day), (7, 3.0 * work), (8, 6.0 * day)];
        for (class, per_minute) in rates {
            for _ in 0..poisson(per_minute * self.scale, &mut self.rng) {
                let at = from + (self.rng.uniform() * 60e6) as i64;
                let actor = self.visitor(class);
                self.begin(actor, at);
            }
        }
    }

    fn visitor(&mut self, class: usize) -> Actor {
        let rng = &mut self.rng;
        let ip = match class {
            7 => self.office,
            8 => self.carrier,
            _ if rng.uniform() < 0.5 => self.regulars[rng.below(self.regulars.len())],
            _ => address(rng),
        };
        let is_app = class == 3 || (class == 8 && rng.uniform() < 0.5);
        let plan = if is_app {
            Plan::App { rounds: 1 + (8.0 * rng.exponential()) as u32, burst: 4 }
        } else {
            let gap = if class == 1 { 1_500_000 } else { 20_000 + rng.below(100_000) as i64 };
            Plan::Browse { pages: 1 + (4.0 * rng.exponential()) as u32, parts: 0, gap }
        };
        let (browser, person) = (any_browser(rng), rng.next_u64() % 300);
        Actor { number: 0, class, ip, browser, person, cookie: None, plan, tries: 0 }
    }

    /// What is asked in the next `length`, if every request is answered at once.
    pub fn plan(&mut self, length: Duration) -> Vec<Planned> {
        let from = self.next_at();
        self.plan_from(from, length)
    }

    /// As [`plan`](Self::plan), counted from the instant `from`.
    pub(crate) fn plan_from(&mut self, from: i64, length: Duration) -> Vec<Planned> {
        let end = from.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX));
        let mut planned = Vec::new();
        while self.next_at() < end {
            let (at, place, ask) = self.next();
            let (class, actor) = (self.class(place), self.actors[place].as_ref().map_or(0, |actor| actor.number));
            self.answered(place, at, Answer::Passed);
            planned.push(Planned { after: Duration::from_micros((at - from).max(0) as u64), actor, class, ask });
        }
        planned
    }

    /// What it asks for.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// When the next request is, who makes it, and the request.
    pub(crate) fn next(&mut self) -> (i64, usize, Ask) {
        loop {
            while self.events.peek().is_none_or(|Reverse((at, _, _))| *at >= self.spawned_to) {
                self.spawn();
            }
            let Some(Reverse((at, _, place))) = self.events.pop() else { continue };
            let Some(actor) = self.actors[place].clone() else { continue };
            return (at, place, self.ask(&actor));
        }
    }

    /// So many times as many people from the next minute on.
    pub(crate) fn surge(&mut self, factor: f64) {
        self.scale *= factor;
    }

    /// When the next request is.
    pub(crate) fn next_at(&mut self) -> i64 {
        while self.events.peek().is_none_or(|Reverse((at, _, _))| *at >= self.spawned_to) {
            self.spawn();
        }
        self.events.peek().map_or(i64::MAX, |Reverse((at, _, _))| *at)
    }

    pub(crate) fn class(&self, place: usize) -> usize {
        self.actors[place].as_ref().map_or(0, |actor| actor.class)
    }

    fn ask(&mut self, actor: &Actor) -> Ask {
        let rng = &mut self.rng;
        let mut query = None;
        let (kind, path, cost_ms) = match &actor.plan {
            Plan::Browse { parts: 0, .. } => {
                let (path, asked, cost) = self.site.page(rng);
                query = asked;
                (Kind::Navigation, path, cost)
            }
            Plan::Browse { .. } => (Kind::Asset, format!("/static/{}.js", (b'a' + rng.below(26) as u8) as char), 1.0),
            Plan::Poll { .. } => (Kind::Api, "/api/poll".into(), 5.0),
            Plan::App { .. } => {
                let path = ["/app/sync", "/app/feed", "/app/items"][rng.below(3)];
                (Kind::Api, path.into(), 12.0)
            }
            Plan::Beat { path, .. } | Plan::Random { path, .. } => (Kind::Api, (*path).into(), 8.0),
            Plan::Crawl { .. } => (Kind::Navigation, format!("/item/{}", rng.below(self.site.items)), 30.0),
        };
        let fingerprint = match actor.plan {
            Plan::Browse { .. } | Plan::Poll { .. } => browser_print(actor.browser, kind, actor.person),
            Plan::App { .. } => APP_PRINT,
            _ => Fingerprint { shape: SHAPE_OF_CLASSES + actor.class as u64, stable: actor.class as u64 },
        };
        Ask {
            ip: actor.ip,
            kind,
            path,
            query,
            fingerprint,
            cookie: actor.cookie.clone(),
            is_verified_bot: actor.class == 9,
            cost_ms,
        }
    }

    /// Goes on after an answer.
    pub(crate) fn answered(&mut self, place: usize, at: i64, answer: Answer) {
        let Some(mut actor) = self.actors[place].take() else { return };
        let rng = &mut self.rng;
        let next = match answer {
            Answer::Cleared { cookie, after } => {
                actor.cookie = Some(cookie);
                Some(after)
            }
            // Somebody who is told to wait waits, and gives up in the end.
            Answer::Refused if matches!(actor.plan, Plan::Browse { parts: 0, .. }) => {
                actor.tries += 1;
                (actor.tries <= 2).then_some(10 * SECOND)
            }
            Answer::Refused | Answer::Passed => Self::go_on(&mut actor, rng),
        };
        match next {
            Some(after) => {
                self.actors[place] = Some(actor);
                self.schedule(place, at + after);
            }
            None => self.free.push(place),
        }
    }

    fn go_on(actor: &mut Actor, rng: &mut SeededRng) -> Option<i64> {
        let is_spa = actor.class == 2;
        match &mut actor.plan {
            Plan::Browse { pages, parts, gap } => {
                if *parts == 0 {
                    *parts = 1 + 6 + rng.below(12) as u32;
                    return Some(80_000 + *gap);
                }
                *parts -= 1;
                if *parts > 1 {
                    return Some((*gap as f64 * rng.exponential()) as i64);
                }
                *parts = 0;
                *pages -= 1;
                let think = (18.0 * (1.0 * rng.normal()).exp() * 1e6) as i64;
                if *pages == 0 {
                    if !is_spa {
                        return None;
                    }
                    actor.plan = Plan::Poll { left: 60 + rng.below(120) as u32 };
                }
                Some(think)
            }
            Plan::Poll { left } => {
                *left -= 1;
                (*left > 0).then(|| 5 * SECOND + (rng.normal() * 5e4) as i64)
            }
            Plan::App { rounds, burst } => {
                if *burst > 1 {
                    *burst -= 1;
                    return Some((3e5 * rng.exponential()) as i64);
                }
                *rounds -= 1;
                *burst = 3;
                (*rounds > 0).then(|| (30e6 * (0.5 + rng.exponential())) as i64)
            }
            Plan::Beat { every, jitter, .. } => Some((*every + (*jitter as f64 * rng.normal()) as i64).max(1)),
            Plan::Random { mean, .. } | Plan::Crawl { mean } => Some((*mean as f64 * rng.exponential()) as i64),
        }
    }
}

/// Somewhere on the Internet: clustered as people are, three in ten with IPv6.
pub(crate) fn address(rng: &mut SeededRng) -> IpAddr {
    let region = 1 + (220.0 * rng.uniform().powf(1.5)) as u32;
    if rng.uniform() < 0.3 {
        let top = 0x2000_0000_0000_0000_u64 | u64::from(region) << 40 | rng.next_u64() >> 40;
        return Ipv6Addr::from(u128::from(top) << 64 | u128::from(rng.next_u64())).into();
    }
    Ipv4Addr::from(region << 24 | rng.below(1 << 24) as u32).into()
}

fn poisson(mean: f64, rng: &mut SeededRng) -> usize {
    let mut left = mean;
    let mut count = 0;
    loop {
        left -= rng.exponential();
        if left < 0.0 {
            return count;
        }
        count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: Timestamp = Timestamp::from_secs(1_772_323_200);

    fn text(plan: &[Planned]) -> String {
        plan.iter().map(|p| format!("{:?} {} {} {:?}\n", p.after, p.actor, p.class, p.ask)).collect()
    }

    #[test]
    fn a_plan_repeats_is_the_same_whenever_it_begins_and_differs_from_seed_to_seed() {
        let hour = Duration::from_secs(3_600);
        let plan = |seed, midnight: Timestamp| Legit::new(seed, midnight).plan_from(midnight.as_micros(), hour);
        let first = plan(1, MIDNIGHT);
        assert!(first.len() > 5_000, "{}", first.len());
        assert_eq!(text(&first), text(&plan(1, MIDNIGHT)));
        assert_eq!(text(&first), text(&plan(1, MIDNIGHT + Duration::from_secs(12_345))));
        assert_ne!(text(&first), text(&plan(2, MIDNIGHT)));
        assert!(first.iter().all(|p| p.after < hour && p.class < CLASSES.len()));
        assert!(first.windows(2).all(|pair| pair[0].after <= pair[1].after));
    }

    #[test]
    fn an_actor_is_one_client_of_one_class() {
        let mut of = std::collections::BTreeMap::new();
        for planned in Legit::new(4, MIDNIGHT).plan(Duration::from_secs(3_600)) {
            let client = (planned.class, planned.ask.ip);
            assert_eq!(*of.entry(planned.actor).or_insert(client), client);
        }
        assert!(of.len() > 300, "{}", of.len());
    }
}

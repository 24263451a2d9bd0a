//! What a decision costs in time and in memory.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foresail_core::{SeededRng, Timestamp};
use foresail_guard::geo::{Databases, Geo, MaxMind};
use foresail_guard::{Arrival, Common, Fingerprint, Guard, GuardConfig, Kind, Learner, Load, Outcome, Secrets};
use foresail_sim::site::{Ask, Legit};

use crate::mmdb::{Value, database_of};

const START: Timestamp = Timestamp::from_secs(1_772_323_200);

fn guard(geo: Option<Arc<dyn Geo>>) -> (Guard, Learner) {
    let config = GuardConfig::default();
    let mut learner = Learner::new(&config, SeededRng::seed_from_u64(2));
    learner.set_coverage(geo.as_ref().map(|geo| geo.coverage()).unwrap_or_default());
    let common = Common::new(&Secrets { hash: [11, 12], signing: [13; 32] }, geo);
    (Guard::new(&config, common, 1, SeededRng::seed_from_u64(1)), learner)
}

/// Two databases about as large as GeoLite2-Country and GeoLite2-ASN: half a million networks each, 250 countries, 75,000 systems.
fn databases() -> Arc<dyn Geo> {
    let all = |kind: &str, record: &dyn Fn(u32) -> Value| {
        let networks =
            (0..1_u32 << 19).map(|n| (Ipv4Addr::from(n << 13).into(), 19, record(n.wrapping_mul(0x9e37_79b9) >> 8)));
        MaxMind::new(database_of(kind, networks)).expect("as it should be")
    };
    let letter = |n: u32| char::from(b'A' + (n % 16) as u8);
    let countries =
        all("GeoLite2-Country", &|n| Value::country(&[letter(n), letter(n / 16)].iter().collect::<String>()));
    let systems = all("GeoLite2-ASN", &|n| Value::system(n % 75_000));
    Arc::new(Databases::new(vec![countries, systems]))
}

/// Resident memory, in MiB.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0 / 1_048_576.0
}

/// Sees so many different clients, five requests each, so that all are worth remembering.
pub(crate) fn memory(sources: u64) {
    let (mut guard, mut learner) = guard(None);
    let requests = if sources > 10_000_000 { sources } else { 5 * sources };
    let start = Instant::now();
    let mut most: f64 = 0.0;
    for n in 0..requests {
        let at = START + Duration::from_micros(20 * n);
        let source = if sources == requests { n } else { n / 5 };
        // Every source is a network of IPv6 of its own.
        let bits = 0x2000_0000_0000_0000 | source.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4;
        let arrival = Arrival {
            at,
            client: std::net::Ipv6Addr::from(u128::from(bits) << 64).into(),
            kind: Kind::Navigation,
            path: "/",
            query: None,
            agent: b"x",
            fingerprint: Fingerprint { shape: n % 7, stable: n % 97 },
            cookie: None,
            is_verified_bot: false,
        };
        black_box(guard.decide(&arrival));
        if n % 25_000 == 0 {
            let report = guard.report();
            guard.set_model(learner.tick(at, &report, &Load::default()));
            if n % 1_000_000 == 0 {
                most = most.max(resident());
            }
        }
    }
    let ns = start.elapsed().as_nanos() as f64 / requests as f64;
    println!(
        "{sources} sources, {requests} requests: resident {:.1} MiB at most {most:.1}, of which the guard's tables {:.1}; {ns:.0} ns a request",
        resident(),
        guard.bytes() as f64 / 1_048_576.0
    );
}

/// Times decisions without and with GeoIP, and what asking the databases takes by itself.
pub(crate) fn cost() {
    println!("without a database");
    decisions(None);
    let geo = databases();
    println!("with databases of countries and of autonomous systems");
    decisions(Some(Arc::clone(&geo)));
    let address = |n: u32| Ipv4Addr::from(n.wrapping_mul(0x9e37_79b9)).into();
    let begun = Instant::now();
    for n in 0..1_000_000 {
        black_box(geo.locate(address(n)));
    }
    println!("both databases asked for an address {:.0} ns", begun.elapsed().as_nanos() as f64 / 1e6);
}

/// Times decisions one by one over usual traffic and over strangers.
fn decisions(geo: Option<Arc<dyn Geo>>) {
    let (mut guard, mut learner) = guard(geo);
    let mut legit = Legit::new(1, START);
    let plan = legit.plan(Duration::from_secs(86_400)).into_iter().take(400_000);
    let asks: Vec<(i64, Ask)> = plan.map(|planned| ((START + planned.after).as_micros(), planned.ask)).collect();
    let overhead = {
        let mut times: Vec<u128> = (0..100_000)
            .map(|_| {
                let t = Instant::now();
                t.elapsed().as_nanos()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    let headers: [(&str, &[u8]); 9] = [
        ("host", b"shop.example"),
        ("user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("accept", b"text/html,application/xhtml+xml"),
        ("accept-language", b"en-GB,en;q=0.7"),
        ("accept-encoding", b"gzip, deflate, br"),
        ("referer", b"https://shop.example/"),
        ("cookie", b"session=0123456789"),
        ("sec-fetch-dest", b"document"),
        ("sec-fetch-mode", b"navigate"),
    ];
    let key = foresail_guard::HashKey::new([1, 2]);
    let mut run = |name: &str, strangers: bool| {
        let (mut decide, mut print, mut tell) = (Vec::new(), Vec::new(), Vec::new());
        let mut next_tick = 0;
        for (n, (at, ask)) in asks.iter().enumerate() {
            let at = Timestamp::from_micros(*at);
            if at.as_micros() >= next_tick {
                next_tick = at.as_micros() + 500_000;
                let report = guard.report();
                guard.set_model(learner.tick(at, &report, &Load::default()));
            }
            let client =
                if strangers { std::net::Ipv4Addr::from((n as u32).wrapping_mul(0x9e37_79b9)).into() } else { ask.ip };
            let begun = Instant::now();
            let fingerprint = Fingerprint::of(key, headers, 11, 0);
            print.push(begun.elapsed().as_nanos());
            let arrival = Arrival {
                at,
                client,
                kind: ask.kind,
                path: &ask.path,
                query: ask.query.as_deref(),
                agent: b"x",
                fingerprint: Fingerprint { shape: fingerprint.shape ^ ask.fingerprint.shape, ..ask.fingerprint },
                cookie: None,
                is_verified_bot: false,
            };
            let begun = Instant::now();
            black_box(guard.decide(black_box(&arrival)));
            decide.push(begun.elapsed().as_nanos());
            let begun = Instant::now();
            guard.observe(client, &Outcome { status: 200, origin_ms: 5.0, bytes: 1000, is_miss: false });
            tell.push(begun.elapsed().as_nanos());
        }
        let quantiles = |times: &mut Vec<u128>| {
            times.sort_unstable();
            let at = |q: f64| times[(q * times.len() as f64) as usize].saturating_sub(overhead);
            format!("p50 {:4} p99 {:5}", at(0.5), at(0.99))
        };
        println!(
            "{name:10} ns (clock's {overhead} taken off): decide {}, fingerprint {}, feedback {}",
            quantiles(&mut decide),
            quantiles(&mut print),
            quantiles(&mut tell)
        );
    };
    run("usual", false);
    run("usual", false);
    run("strangers", true);
}

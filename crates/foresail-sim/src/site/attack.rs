//! Attacks of the design note, section 4.2, as far as they are made of requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use foresail_core::SeededRng;
use foresail_guard::{Fingerprint, Kind};

use super::legit::{APP_PRINT, Ask, Site, address, any_browser, browser_print};

/// A kind of attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// One address, 20,000 requests a second.
    Flood,
    /// 10,000 addresses, one request a second each, all written by one program that is no browser.
    Botnet,
    /// The same, written as browsers write them, for pages that people ask for.
    BotnetMimic,
    /// The same, written as the app writes them, for what the app asks for.
    BotnetApp,
    /// A million addresses, one request each, within a minute.
    OneShot,
    /// One network of IPv6, /64, another address each time.
    Rotating64,
    /// 65,536 networks of one /48.
    Rotating48,
    /// 2,000 addresses, one request a second each, for one page with a query that is another each time.
    CacheBusting,
    /// 500 addresses, one request a second each, for what costs most.
    ExpensivePath,
    /// 300 addresses, 20 requests a second each, another program and another path each time.
    Rotation,
    /// 5,000 addresses, one request a second each, all with one clearance that one of them was given.
    StolenClearance,
    /// One address, a page every three seconds: no more than a nuisance, which passes.
    Crawler,
    /// No attack: five times as many people as usual, for the page that everybody talks about.
    FlashCrowd,
}

impl Attack {
    /// All of them but the crowd.
    pub const ALL: [Self; 12] = [
        Self::Flood,
        Self::Botnet,
        Self::BotnetMimic,
        Self::BotnetApp,
        Self::OneShot,
        Self::Rotating64,
        Self::Rotating48,
        Self::CacheBusting,
        Self::ExpensivePath,
        Self::Rotation,
        Self::StolenClearance,
        Self::Crawler,
    ];

    /// Requests a second.
    pub fn rate(self) -> f64 {
        match self {
            Self::Flood => 20_000.0,
            Self::Botnet | Self::BotnetMimic | Self::BotnetApp => 10_000.0,
            Self::OneShot => 16_667.0,
            Self::Rotating64 | Self::Rotating48 | Self::StolenClearance => 5_000.0,
            Self::CacheBusting => 2_000.0,
            Self::ExpensivePath => 500.0,
            Self::Rotation => 6_000.0,
            Self::Crawler => 0.33,
            Self::FlashCrowd => 0.0,
        }
    }

    /// Share that may pass after ten seconds, where the issue names one.
    pub fn may_pass(self) -> Option<f64> {
        match self {
            Self::Flood | Self::Rotating64 => Some(0.01),
            Self::Botnet | Self::BotnetMimic | Self::BotnetApp | Self::OneShot | Self::Rotating48 => Some(0.10),
            Self::Rotation | Self::StolenClearance | Self::ExpensivePath => Some(0.10),
            Self::CacheBusting => Some(0.05),
            Self::Crawler | Self::FlashCrowd => None,
        }
    }

    fn sources(self) -> u32 {
        match self {
            Self::Botnet | Self::BotnetMimic | Self::BotnetApp => 10_000,
            Self::CacheBusting => 2_000,
            Self::ExpensivePath => 500,
            Self::Rotation => 300,
            Self::StolenClearance => 5_000,
            Self::OneShot => u32::MAX,
            _ => 1,
        }
    }

    /// Its requests, `rate` a second at random instants from its beginning on, without an end: when, and what. It holds no
    /// clearance.
    pub fn plan(self, site: &Site, rate: f64, seed: u64) -> impl Iterator<Item = (Duration, Ask)> + use<> {
        let site = site.clone();
        let mut rng = SeededRng::seed_from_u64(seed).fork(self as u64);
        let mut after_s = 0.0;
        std::iter::repeat_with(move || {
            after_s += rng.exponential() / rate;
            (Duration::from_secs_f64(after_s), self.ask(&site, None, &mut rng))
        })
    }

    /// Its next request; `stolen` is a clearance of somebody else's.
    pub(crate) fn ask(self, site: &Site, stolen: Option<&str>, rng: &mut SeededRng) -> Ask {
        let source = match self.sources() {
            u32::MAX => address(rng),
            n => spread(rng.below(n as usize) as u32),
        };
        let tool = Fingerprint { shape: 7_777, stable: 7_778 };
        let browser = any_browser(rng);
        let person = u64::from(hash(source)) % 300;
        let mimic = browser_print(browser, Kind::Navigation, person);
        let (page, query, cost) = site.page(rng);
        let nav = |fingerprint| Ask {
            ip: source,
            kind: Kind::Navigation,
            path: page.clone(),
            query: query.clone(),
            fingerprint,
            cookie: None,
            is_verified_bot: false,
            cost_ms: cost,
        };
        match self {
            Self::Flood => Ask { kind: Kind::Api, path: "/".into(), query: None, cost_ms: 20.0, ..nav(tool) },
            Self::Botnet => nav(tool),
            Self::BotnetMimic | Self::OneShot | Self::FlashCrowd => nav(mimic),
            Self::BotnetApp => {
                let path = ["/app/sync", "/app/feed", "/app/items"][rng.below(3)].into();
                Ask { kind: Kind::Api, path, query: None, cost_ms: 12.0, ..nav(APP_PRINT) }
            }
            Self::Rotating64 => Ask { ip: six(0x2400_1234_5678_9abc, rng), ..nav(mimic) },
            Self::Rotating48 => Ask { ip: six(0x2400_1234_5678_0000 | rng.below(65_536) as u64, rng), ..nav(mimic) },
            Self::CacheBusting => {
                let query = Some(format!("cb={}", rng.next_u64()));
                Ask { path: "/item/7".into(), query, cost_ms: 30.0, ..nav(mimic) }
            }
            Self::ExpensivePath => {
                let query = Some(format!("q={}", rng.next_u64()));
                Ask { path: "/search".into(), query, cost_ms: 250.0, ..nav(mimic) }
            }
            Self::Rotation => {
                let fingerprint = Fingerprint { shape: rng.next_u64(), stable: rng.next_u64() };
                let letters: String = (0..8).map(|_| (b'a' + rng.below(26) as u8) as char).collect();
                Ask { path: format!("/{letters}"), query: None, cost_ms: 10.0, ..nav(fingerprint) }
            }
            Self::StolenClearance => {
                let fingerprint = browser_print(0, Kind::Navigation, 1);
                Ask { cookie: stolen.map(str::to_owned), ..nav(fingerprint) }
            }
            Self::Crawler => nav(tool),
        }
    }
}

/// The address of the nth bot: anywhere, the same in every run.
fn spread(n: u32) -> IpAddr {
    let bits = n.wrapping_add(1).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    Ipv4Addr::from((bits % 0xdf00_0000) + 0x0100_0000).into()
}

fn six(top: u64, rng: &mut SeededRng) -> IpAddr {
    Ipv6Addr::from(u128::from(top) << 64 | u128::from(rng.next_u64())).into()
}

fn hash(ip: IpAddr) -> u32 {
    match ip {
        IpAddr::V4(v4) => u32::from(v4) >> 3,
        IpAddr::V6(v6) => (u128::from(v6) >> 70) as u32,
    }
}

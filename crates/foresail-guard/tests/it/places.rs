//! Countries and autonomous systems as groups: what there is too much of is called by its name, and a database that comes or goes
//! turns nobody into an attacker.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use foresail_core::{SeededRng, Timestamp};
use foresail_guard::geo::{Databases, Geo, MaxMind, Origin};
use foresail_guard::{
    Action, Arrival, Common, Dimension, Fingerprint, Guard, GuardConfig, Kind, Learner, Load, Mode, Reason, Secrets,
    Verdict,
};

use crate::mmdb::{Value, database};

const PRESSED: Load = Load { p99_over_target: Some(5.0), utilisation: Some(1.0), queue: None, failures: None };

/// Visitors from two countries and three systems, and another country with one system.
fn atlas() -> Arc<dyn Geo> {
    let countries = [("10.0.0.0/9", "DE"), ("10.128.0.0/9", "FR"), ("203.0.0.0/8", "BR")];
    let systems =
        [("10.0.0.0/10", 64_501), ("10.64.0.0/10", 64_502), ("10.128.0.0/9", 64_503), ("203.0.0.0/8", 64_999)];
    let read = |bytes| MaxMind::new(bytes).unwrap();
    Arc::new(Databases::new(vec![
        read(database("GeoLite2-Country", countries.map(|(network, code)| (network, Value::country(code))))),
        read(database("GeoLite2-ASN", systems.map(|(network, number)| (network, Value::system(number))))),
    ]))
}

struct Site {
    guard: Guard,
    learner: Learner,
    rng: SeededRng,
    now: Timestamp,
}

impl Site {
    /// One that knows two hours of usual traffic.
    fn experienced(geo: Option<Arc<dyn Geo>>) -> Self {
        let config = GuardConfig { mode: Mode::Enforce, clients: 4096, ..GuardConfig::default() };
        let coverage = geo.as_ref().map(|geo| geo.coverage()).unwrap_or_default();
        let common = Common::new(&Secrets { hash: [1, 2], signing: [3; 32] }, geo);
        let mut site = Self {
            guard: Guard::new(&config, common, 1, SeededRng::seed_from_u64(4)),
            learner: Learner::new(&config, SeededRng::seed_from_u64(5)),
            rng: SeededRng::seed_from_u64(6),
            now: Timestamp::from_secs(1_772_366_400),
        };
        site.learner.set_coverage(coverage);
        for _ in 0..2 * 720 + 20 {
            for _ in 0..20 {
                site.ask(0x0a00_0000, 24, Duration::from_millis(250));
            }
            site.tick(&Load::default());
        }
        site
    }

    /// A request from somewhere in a network, for whatever people ask for, however they write it.
    fn ask(&mut self, network: u32, bits: u32, after: Duration) -> Verdict {
        self.now = self.now + after;
        let client = IpAddr::from(Ipv4Addr::from(network + self.rng.below(1 << bits) as u32));
        let arrival = Arrival {
            at: self.now,
            client,
            kind: Kind::Navigation,
            path: ["/", "/a", "/b", "/c"][self.rng.below(4)],
            query: None,
            agent: b"x",
            fingerprint: Fingerprint { shape: self.rng.below(4) as u64, stable: 2 },
            cookie: None,
            is_verified_bot: false,
        };
        self.guard.decide(&arrival)
    }

    fn tick(&mut self, load: &Load) {
        let report = self.guard.report();
        self.guard.set_model(self.learner.tick(self.now, &report, load));
    }

    /// Seconds under pressure in which everybody comes as always, and so many more from elsewhere; who was held of either.
    fn press(&mut self, seconds: u32, more: usize) -> (Vec<Verdict>, Vec<Verdict>) {
        let (mut people, mut others) = (Vec::new(), Vec::new());
        for _ in 0..2 * seconds {
            let apart = Duration::from_millis(500) / (2 + more as u32);
            people.extend((0..2).map(|_| self.ask(0x0a00_0000, 24, apart)));
            others.extend((0..more).map(|_| self.ask(0xcb00_0000, 24, apart)));
            self.tick(&PRESSED);
        }
        let held = |verdicts: Vec<Verdict>| verdicts.into_iter().filter(|v| v.action != Action::Allow).collect();
        (held(people), held(others))
    }
}

#[test]
fn a_country_beyond_its_share_is_held_and_called_by_its_name() {
    let mut site = Site::experienced(Some(atlas()));
    let (people, others) = site.press(20, 150);
    assert!(others.len() > 4_000 && people.is_empty(), "{} of them, {} people", others.len(), people.len());
    let groups = site.learner.account().groups;
    let named =
        |dimension| groups.iter().find(|group| group.dimension == dimension).map(|group| group.subject().to_string());
    assert_eq!(named(Dimension::Place).as_deref(), Some("requests from country BR"), "{groups:?}");
    assert_eq!(named(Dimension::Network).as_deref(), Some("requests from AS64999"), "{groups:?}");
    let told = others.iter().find(|v| matches!(v.reason, Reason::Crowd { origin: Some(Origin::System(64_999)), .. }));
    assert!(told.expect("a verdict names it").to_string().contains(": requests from AS64999 are 9"), "{told:?}");
    // Whoever comes often is shown with where he is.
    for _ in 0..40 {
        site.ask(0xcb00_7107, 0, Duration::from_millis(20));
    }
    site.tick(&PRESSED);
    let account = site.learner.account();
    let client = account.clients.iter().find(|client| client.client.to_string() == "203.0.113.7").unwrap();
    assert_eq!((client.location.country.unwrap().to_string().as_str(), client.location.system), ("BR", Some(64_999)));
}

#[test]
fn a_database_that_comes_or_goes_makes_nobody_an_attacker() {
    for comes in [true, false] {
        let (before, after) = if comes { (None, Some(atlas())) } else { (Some(atlas()), None) };
        let mut site = Site::experienced(before);
        site.learner.set_coverage(after.as_ref().map(|geo| geo.coverage()).unwrap_or_default());
        site.guard.set_geo(after);
        // Five times as many as always, and pressure.
        for _ in 0..40 {
            for _ in 0..10 {
                let verdict = site.ask(0x0a00_0000, 24, Duration::from_millis(50));
                assert_eq!(verdict.action, Action::Allow, "{verdict}");
            }
            site.tick(&PRESSED);
        }
        // What is learned by country is not taken for what was learned by network after a restart either.
        let state = serde_json::to_string(&site.learner.state()).unwrap();
        assert!(state.contains(&format!("\"countries\":{comes}")), "{}", &state[..state.len().min(2_000)]);
        let state = serde_json::from_str(&state).unwrap();
        let mut restored = Learner::restore(&GuardConfig::default(), state, SeededRng::seed_from_u64(5)).unwrap();
        let usual = restored.usual_shares();
        restored.set_coverage(if comes { atlas().coverage() } else { Default::default() });
        assert_eq!(restored.usual_shares(), usual);
    }
}

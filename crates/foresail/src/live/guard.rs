//! What the proxy's guard does, live: told when it begins to hold requests and when that is over, and shown.

use std::time::Duration;

use foresail_core::{Quality, Timestamp};
use foresail_guard::geo::{Location, Origin};
use foresail_proxy::GuardAccount;
use foresail_scale::controller::Entry;
use foresail_server::api::plane::{GuardClientView, GuardGroupView, GuardTotals, GuardVerdictView, GuardView};

use crate::clock::Tempo;

/// From so many requests a second taken for an attack while the guard acts, there is one.
const BEGUN_RPS: f64 = 1.0;
/// The load is doubtful if more than this share of what passed is, and it is not but a few requests.
const DOUBTFUL: f64 = 0.2;
const FEW: u64 = 5;
/// Without one for so long, it is over.
const OVER: Duration = Duration::from_secs(60);

/// Watches the guard for what is worth a line in the journal.
#[derive(Debug, Default)]
pub(super) struct GuardWatch {
    attack: Option<Attack>,
    /// As of which account, what had passed by then and what of it was doubtful; and what that makes of the load.
    counted: Option<(Timestamp, u64, u64)>,
    quality: Quality,
}

#[derive(Clone, Copy, Debug)]
struct Attack {
    began: Timestamp,
    last: Timestamp,
    held_before: u64,
    most_rps: f64,
}

impl GuardWatch {
    /// What the load measured at the proxy is worth: where much of what passed was doubtful, it is nothing to learn from, and
    /// under pressure it is an attack, for which nobody should scale without bound.
    pub(super) fn quality(&mut self, account: &GuardAccount) -> Quality {
        let totals = &account.summary.totals;
        let before = self.counted.filter(|(at, ..)| *at != account.at);
        if self.counted.is_none() || before.is_some() {
            self.counted = Some((account.at, totals.passed, totals.doubtful));
        }
        if let Some((_, passed, doubtful)) = before {
            let (passed, doubtful) = (totals.passed.saturating_sub(passed), totals.doubtful.saturating_sub(doubtful));
            let is_doubtful = doubtful >= FEW && doubtful as f64 > DOUBTFUL * passed as f64;
            self.quality = match (is_doubtful, account.summary.is_engaged) {
                (false, _) => Quality::Good,
                (true, false) => Quality::Suspect,
                (true, true) => Quality::Attack,
            };
        }
        self.quality
    }

    /// What is to be journalled at `now`, if an attack has begun or ended.
    pub(super) fn tick(&mut self, now: Timestamp, account: &GuardAccount, tempo: &Tempo) -> Option<Entry> {
        let summary = &account.summary;
        let goes_on = summary.is_engaged && summary.attack_rps >= BEGUN_RPS;
        match &mut self.attack {
            None if goes_on => {
                let held_before = held(account);
                self.attack = Some(Attack { began: now, last: now, held_before, most_rps: summary.attack_rps });
                Some(Entry::Told { time: now, text: begun(account) })
            }
            Some(attack) if goes_on => {
                (attack.last, attack.most_rps) = (now, attack.most_rps.max(summary.attack_rps));
                None
            }
            Some(attack) if now.since(attack.last).div_f64(tempo.speed().max(1.0)) >= OVER => {
                let lasted = attack.last.since(attack.began).as_secs_f64() / tempo.speed().max(1.0);
                let text = format!(
                    "guard: the attack is over after {lasted:.0} s; {} requests were held, {:.0} a second at most were taken for parts of it",
                    held(account).saturating_sub(attack.held_before),
                    attack.most_rps,
                );
                self.attack = None;
                Some(Entry::Told { time: now, text })
            }
            _ => None,
        }
    }
}

fn held(account: &GuardAccount) -> u64 {
    let totals = &account.summary.totals;
    totals.challenged + totals.throttled + totals.blocked
}

/// Why the guard acts, in a line.
fn begun(account: &GuardAccount) -> String {
    let summary = &account.summary;
    let does = if account.stands_down_until.is_some() { "would act" } else { account.mode.verb() };
    let mut text = format!(
        "guard: it {does} at pressure {:.2}; {:.0} of {:.0} requests a second are taken for an attack",
        summary.pressure, summary.attack_rps, summary.arrival_rps
    );
    if let Some(group) = account.groups.first() {
        text += &format!(
            "; {} are {:.1} % of all, {:.1} % at most in seven days",
            group.subject(),
            100.0 * group.share,
            100.0 * group.usual
        );
    }
    if let Some(note) = account.notes.first() {
        text += &format!("; last {}: {}", note.client, note.verdict);
    }
    text
}

/// Where a client is, if that is known.
fn origin(location: Location) -> Option<String> {
    let country = location.country.map(|country| Origin::Country(country).to_string());
    let system = location.system.map(|system| Origin::System(system).to_string());
    let known: Vec<String> = country.into_iter().chain(system).collect();
    (!known.is_empty()).then(|| known.join(", "))
}

/// What there is to see, on the service's clock, where it is `now`.
pub(super) fn view(account: &GuardAccount, now: Timestamp, tempo: &Tempo) -> GuardView {
    let summary = &account.summary;
    let totals = &summary.totals;
    let ago = |at: Timestamp| now - account.at.since(at).mul_f64(tempo.speed());
    let ahead = |until: Timestamp| now + until.since(account.at).mul_f64(tempo.speed());
    let rounded = |x: f32| (f64::from(x) * 1_000.0).round() / 1_000.0;
    GuardView {
        mode: account.mode.to_string(),
        pressure: summary.pressure,
        is_engaged: summary.is_engaged,
        arrival_rps: summary.arrival_rps,
        attack_rps: summary.attack_rps,
        limit_rps: rounded(summary.limit_rps),
        totals: GuardTotals {
            arrivals: totals.arrivals,
            attack: totals.attack,
            passed: totals.passed,
            challenged: totals.challenged,
            throttled: totals.throttled,
            blocked: totals.blocked,
        },
        clients: account
            .clients
            .iter()
            .map(|client| GuardClientView {
                client: client.client.to_string(),
                origin: origin(client.location),
                rps: rounded(client.rps),
                limit_rps: rounded(client.limit_rps),
                ms_per_s: rounded(client.ms_per_s),
                strikes: client.strikes,
                blocked_s: rounded(client.blocked_s),
            })
            .collect(),
        groups: account
            .groups
            .iter()
            .map(|group| GuardGroupView {
                dimension: group.dimension.name().to_owned(),
                origin: group.origin.map(|origin| origin.to_string()),
                share: rounded(group.share),
                usual: rounded(group.usual),
                evidence: rounded(group.evidence),
            })
            .collect(),
        verdicts: account
            .notes
            .iter()
            .map(|note| GuardVerdictView {
                time: ago(note.at),
                client: note.client.to_string(),
                path: note.path.clone(),
                agent: note.agent.clone(),
                count: note.count,
                action: note.verdict.would.to_string(),
                is_observed: note.verdict.action != note.verdict.would,
                reason: note.verdict.reason.to_string(),
            })
            .collect(),
        pardons: account.pardons.iter().map(|(client, until)| (client.to_string(), ahead(*until))).collect(),
        stands_down_until: account.stands_down_until.map(ahead),
    }
}

#[cfg(test)]
mod tests {
    use foresail_core::SeededRng;
    use foresail_guard::geo::Country;
    use foresail_guard::{Arrival, Common, Fingerprint, Guard, GuardConfig, Kind, Learner, Load, Mode, Secrets};

    use super::*;

    const TICK: Duration = Duration::from_millis(500);

    /// A guard of a site that one client floods, in virtual time.
    struct Site {
        guard: Guard,
        learner: Learner,
        now: Timestamp,
    }

    impl Site {
        fn new(mode: Mode) -> Self {
            let config = GuardConfig { mode, clients: 1024, ..GuardConfig::default() };
            let common = Common::new(&Secrets { hash: [1, 2], signing: [3; 32] }, None);
            let guard = Guard::new(&config, common, 1, SeededRng::seed_from_u64(4));
            let learner = Learner::new(&config, SeededRng::seed_from_u64(5));
            Self { guard, learner, now: Timestamp::from_secs(1_772_366_400) }
        }

        /// Half a second in which a client asks so often, and the endpoints are so hard pressed.
        fn tick(&mut self, asked: u32, pressed: f64) -> GuardAccount {
            for i in 0..asked {
                let arrival = Arrival {
                    at: self.now + TICK * i / asked,
                    client: "192.0.2.7".parse().unwrap(),
                    kind: Kind::Api,
                    path: "/search",
                    query: None,
                    agent: b"bot",
                    fingerprint: Fingerprint { shape: 1, stable: 2 },
                    cookie: None,
                    is_verified_bot: false,
                };
                self.guard.decide(&arrival);
            }
            self.now = self.now + TICK;
            let load = Load { utilisation: Some(pressed), ..Load::default() };
            let model = self.learner.tick(self.now, &self.guard.report(), &load);
            self.guard.set_model(model);
            self.learner.account()
        }
    }

    #[test]
    fn an_attack_is_told_once_with_its_reason_and_when_it_is_over() {
        let (mut site, mut watch, tempo) = (Site::new(Mode::Enforce), GuardWatch::default(), Tempo::wall(None));
        let mut told = Vec::new();
        for second in 0..600 {
            let (asked, pressed) = if (20..140).contains(&second) { (200, 1.0) } else { (0, 0.1) };
            let account = site.tick(asked, pressed);
            told.extend(watch.tick(site.now, &account, &tempo));
        }
        let [Entry::Told { text: begun, .. }, Entry::Told { text: over, .. }] = &told[..] else { panic!("{told:?}") };
        assert!(begun.starts_with("guard: it acts at pressure ") && begun.contains("last 192.0.2.7: "), "{begun}");
        assert!(over.starts_with("guard: the attack is over after ") && over.contains(" requests were held"), "{over}");
    }

    #[test]
    fn a_load_of_doubtful_requests_is_nothing_to_learn_from() {
        let (mut site, mut watch) = (Site::new(Mode::Observe), GuardWatch::default());
        let mut quality = |asked, pressed| watch.quality(&site.tick(asked, pressed));
        assert_eq!(quality(2, 0.1), Quality::Good);
        quality(200, 0.1);
        assert_eq!(quality(200, 0.1), Quality::Suspect, "fast, and nobody minds");
        quality(200, 1.0);
        assert_eq!(quality(200, 1.0), Quality::Attack);
        for _ in 0..200 {
            quality(0, 0.1);
        }
        assert_eq!(quality(2, 0.1), Quality::Good);
        // What is held does not count: the rest is sound.
        let (mut site, mut watch) = (Site::new(Mode::Enforce), GuardWatch::default());
        for _ in 0..20 {
            watch.quality(&site.tick(200, 1.0));
        }
        assert_eq!(watch.quality(&site.tick(200, 1.0)), Quality::Good);
    }

    #[test]
    fn where_a_client_is_is_told_as_far_as_it_is_known() {
        let country = Country::new(b"DE");
        assert_eq!(origin(Location { country, system: Some(64_500) }).as_deref(), Some("country DE, AS64500"));
        assert_eq!(origin(Location { country, system: None }).as_deref(), Some("country DE"));
        assert_eq!(origin(Location::default()), None);
    }

    #[test]
    fn what_is_shown_is_on_the_service_s_clock() {
        let mut site = Site::new(Mode::Observe);
        for _ in 0..20 {
            site.tick(200, 1.0);
        }
        let until = site.now + Duration::from_secs(60);
        site.learner.pardon(foresail_guard::ClientId::of("192.0.2.9".parse().unwrap()), until);
        let account = site.learner.account();
        let (now, tempo) = (Timestamp::from_secs(5_000), Tempo::wall(None));
        let shown = view(&account, now, &tempo);
        assert_eq!((shown.mode.as_str(), shown.is_engaged, shown.clients.len()), ("observe", true, 1));
        assert_eq!(shown.pardons, [("192.0.2.9".to_owned(), Timestamp::from_secs(5_060))]);
        let [verdict] = &shown.verdicts[..] else { panic!("{:?}", shown.verdicts) };
        assert!(verdict.is_observed && verdict.count > 100 && verdict.time <= now, "{verdict:?}");
        assert!(now.since(verdict.time) < Duration::from_secs(1), "{verdict:?}");
        assert_eq!(begun(&account).split(" at pressure").next(), Some("guard: it would act"));
    }
}

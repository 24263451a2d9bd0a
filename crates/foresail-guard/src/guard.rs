//! One worker's guard: judges each request by the model of the hour and by what it remembers of the client itself.

use std::sync::Arc;

use foresail_core::{SeededRng, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Standing;
use crate::challenge::{self, Checker, Refused, Spent};
use crate::clearance::{self, Keys};
use crate::client::ClientId;
use crate::config::{GuardConfig, Mode};
use crate::geo::{Country, Geo};
use crate::hash::HashKey;
use crate::ladder::{self, Case};
use crate::mix::{Conduct, Traits, UNJUDGED, part, path_form};
use crate::model::Model;
use crate::profile::{Profile, Slot, TICKS, Table, seconds, ticks};
use crate::report::Report;
use crate::request::{Arrival, Fingerprint, Kind, Outcome};
use crate::seed::{SeedRequest, SeedSystem, SeedVerdict};
use crate::sketch::{CountMin, Seen};
use crate::verdict::{Action, Challenge, Label, Reason, Verdict};
use crate::whereabouts::Whereabouts;

/// Requests from which on a client is remembered.
const REMEMBERED: u8 = 4;
/// How long the count of those before lasts, in seconds.
const SKETCH_S: u32 = 60;
/// Bytes of that count.
const SKETCH: usize = 1 << 22;
/// Bits of the filter of targets seen.
const TARGETS: usize = 1 << 22;
/// Requests in memory up to which all of a client's count among the groups: two a second. Beyond, each counts for less, so
/// that no client shifts what is usual by more.
const COUNTED: f32 = 20.0;
/// Seconds after which a client without fault may lend itself to training.
const SEASONED_S: f32 = 600.0;

/// What nobody outside may know. All guards of a service share it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// Of the sketches and hashes.
    pub hash: [u64; 2],
    /// Of clearances and puzzles.
    pub signing: [u8; 32],
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// What all guards of a service share: secrets, puzzles answered, and where addresses are.
#[derive(Clone)]
pub struct Common {
    key: HashKey,
    keys: Keys,
    spent: Arc<Spent>,
    geo: Option<Arc<dyn Geo>>,
}

impl std::fmt::Debug for Common {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Common").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Common {
    /// Under these secrets, with a GeoIP database if there is one.
    pub fn new(secrets: &Secrets, geo: Option<Arc<dyn Geo>>) -> Self {
        let key = HashKey::new(secrets.hash);
        Self { key, keys: Keys::new(&secrets.signing), spent: Spent::new(key), geo }
    }

    /// The hash that fingerprints are made with.
    pub fn key(&self) -> HashKey {
        self.key
    }
}

/// The guard of one worker. Nothing in it grows: what it remembers of clients takes 72 bytes for each of a fixed number.
#[derive(Clone, Debug)]
pub struct Guard {
    config: GuardConfig,
    common: Common,
    rng: SeededRng,
    table: Table,
    sketch: CountMin,
    sketch_until: Option<u32>,
    targets: Seen,
    whereabouts: Whereabouts,
    model: Arc<Model>,
    report: Report,
    seed: SeedSystem,
}

impl Guard {
    /// One of `workers` guards of a service. `rng` must be seeded with what nobody can guess: puzzles are told apart by it.
    pub fn new(config: &GuardConfig, common: Common, workers: usize, rng: SeededRng) -> Self {
        Self {
            whereabouts: Whereabouts::new(common.geo.clone()),
            common,
            rng,
            table: Table::new(config.clients / workers.max(1)),
            sketch: CountMin::new(SKETCH / workers.max(1)),
            sketch_until: None,
            targets: Seen::new(TARGETS),
            model: Arc::new(Model::ignorant(config.least_limit_rps)),
            report: Report::default(),
            seed: SeedSystem::default(),
            config: config.clone(),
        }
    }

    /// Judges by this from now on.
    pub fn set_model(&mut self, model: Arc<Model>) {
        self.model = model;
    }

    /// Goes by other settings from now on; the number of clients remembered stays.
    pub fn set_config(&mut self, config: &GuardConfig) {
        self.config = config.clone();
    }

    /// Asks another database from now on, or none. The learner is to be told what it covers.
    pub fn set_geo(&mut self, geo: Option<Arc<dyn Geo>>) {
        self.whereabouts = Whereabouts::new(geo);
    }

    /// What was seen since this was last asked for.
    pub fn report(&mut self) -> Report {
        std::mem::take(&mut self.report)
    }

    /// Bytes that it takes, all but small change and what is shared.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.sketch.bytes() + self.whereabouts.bytes() + TARGETS / 8
    }

    /// Judges a request. Some 300 ns.
    pub fn decide(&mut self, arrival: &Arrival<'_>) -> Verdict {
        let verdict = if self.config.allow.iter().any(|network| network.contains(&arrival.client)) {
            Verdict { action: Action::Allow, would: Action::Allow, label: Label::Benign, reason: Reason::AllowList }
        } else if self.config.mode == Mode::Seed {
            self.as_published(arrival)
        } else {
            self.judge(arrival)
        };
        let report = &mut self.report;
        report.sights.note(arrival, &verdict);
        report.arrivals += 1;
        report.attack += u64::from(verdict.label == Label::Attack);
        match verdict.action {
            Action::Allow => {
                report.passed += 1;
                report.doubtful += u64::from(verdict.label != Label::Benign);
            }
            Action::Challenge(_) => report.challenged += 1,
            Action::Throttle { .. } => report.throttled += 1,
            Action::Block { .. } => report.blocked += 1,
        }
        verdict
    }

    fn judge(&mut self, arrival: &Arrival<'_>) -> Verdict {
        let now = ticks(arrival.at);
        let client = ClientId::of(arrival.client);
        let path = self.path_hash(arrival.path);
        let target = self.common.key.bytes(arrival.path.as_bytes())
            ^ arrival.query.map_or(0, |q| self.common.key.bytes(q.as_bytes()).rotate_left(7));
        let is_new_target = !self.targets.insert(target);
        let (slot, few, since) = self.remember(client, arrival, now, path);
        let traits = self.traits(arrival, client, path, is_new_target, slot, few, now);
        let (places, location) = (traits.places(), traits.location);
        let model = Arc::clone(&self.model);
        let case = Case { location, ..self.case(&model, client, slot, &places, now) };
        self.report.origins.note(&model, &places, location);
        let is_pardoned = model.is_pardoned(client);
        if let Some(slot) = slot {
            let Case { rps, limit_rps, cost: ms_per_s, strikes, blocked_s, .. } = case;
            let at = arrival.at;
            self.report.sights.see(&Standing { at, client, location, rps, limit_rps, ms_per_s, strikes, blocked_s });
            if is_pardoned {
                self.table.at(slot).pardon(now);
            }
        }
        let mut verdict = self.rule(&model, &case, arrival, client, slot, now, since, &places);
        if is_pardoned && verdict.would != Action::Allow {
            // It goes through; what is usual is not learned from it.
            let label = Label::Suspect;
            verdict = Verdict { action: Action::Allow, would: Action::Allow, label, reason: Reason::Pardoned };
        }
        let weight = (COUNTED / traits.conduct.recent.max(COUNTED)).min(1.0);
        self.report.count(&places, weight, verdict.label == Label::Benign);
        if verdict.label == Label::Benign
            && !model.is_engaged
            && let Some(slot) = slot
        {
            self.offer_row(slot, model.hour, client);
        }
        verdict
    }

    /// Counts the request to its client's record, which it begins if the client has come often enough. The record, how many
    /// requests of the client there were if it has none, and seconds since the one before.
    fn remember(&mut self, client: ClientId, arrival: &Arrival<'_>, now: u32, path: u64) -> (Option<Slot>, u8, f32) {
        let hash = self.common.key.word(client.word());
        let mut slot = self.table.find(client, hash);
        let mut few = 0;
        if slot.is_none() {
            if self.sketch_until.is_none_or(|until| seconds(now, until) <= 0.0) {
                self.sketch.clear();
                self.sketch_until = Some(now.wrapping_add(SKETCH_S * TICKS));
            }
            few = self.sketch.add(hash);
            if few >= REMEMBERED {
                let tokens = 2.0 * self.model.limit_rps;
                slot = Some(self.table.insert(client, hash, Profile::new(now, tokens)));
            }
        }
        let Some(found) = slot else { return (None, few, 0.0) };
        let profile = self.table.at(found);
        let since = seconds(profile.last, now);
        if let Some((rps, cost)) = profile.arrive(now, arrival.kind, path, arrival.fingerprint.stable) {
            self.report.rates.add(rps);
            self.report.costs.add(cost);
            if rps > 0.5 * self.model.limit_rps {
                self.report.name_busy(client, rps);
            }
        }
        let is_due = profile.count >= 8 && (profile.count.is_power_of_two() || profile.count.is_multiple_of(64));
        if is_due && let Some(judge) = &self.model.judge {
            profile.oddness = judge.oddness(&profile.features());
        }
        (slot, few, since)
    }

    fn path_hash(&self, path: &str) -> u64 {
        let mut form = [b'/'; 52];
        let mut end = 0;
        for step in path_form(path) {
            form[end + 1..end + 1 + step.len()].copy_from_slice(step);
            end += 1 + step.len();
        }
        self.common.key.bytes(&form[..end])
    }

    #[expect(clippy::too_many_arguments, reason = "they are what is known of one request")]
    fn traits(
        &mut self,
        arrival: &Arrival<'_>,
        client: ClientId,
        path: u64,
        is_new_query: bool,
        slot: Option<Slot>,
        few: u8,
        now: u32,
    ) -> Traits {
        let key = self.common.key;
        let location = self.whereabouts.locate(client, arrival.client);
        let conduct = match slot.map(|slot| self.table.at(slot)) {
            Some(profile) => Conduct {
                kind: arrival.kind,
                age_s: seconds(profile.first, now),
                recent: profile.recent(),
                purity: profile.purity(),
                regularity: profile.regularity(),
            },
            None => Conduct {
                kind: arrival.kind,
                age_s: 0.0,
                recent: f32::from(few),
                purity: arrival.kind as usize,
                regularity: 0,
            },
        };
        let oddness = slot.map_or(UNJUDGED, |slot| self.table.at(slot).oddness.min(UNJUDGED));
        Traits {
            fingerprint: arrival.fingerprint.shape,
            place: location.country.map_or_else(|| key.word(client.region()), |country| key.pair(1, country.word())),
            network: location.system.map_or_else(|| key.word(client.network()), |system| key.pair(2, system.into())),
            location,
            path,
            is_new_query,
            conduct,
            oddness,
        }
    }

    /// What there is to hold against the request.
    fn case(
        &mut self,
        model: &Model,
        client: ClientId,
        slot: Option<Slot>,
        places: &crate::mix::Places,
        now: u32,
    ) -> Case {
        let needed = self.config.evidence + (1.0 - model.pressure) * self.config.slack;
        let mut case = Case { evidence: model.evidence(places), needed, ..Case::default() };
        if let Some(slot) = slot {
            let profile = self.table.at(slot);
            profile.settle(now);
            case.rps = profile.rps();
            case.limit_rps = if case.rps > model.limit_rps { model.limit_of(client) } else { model.limit_rps };
            case.cost = profile.cost_rate();
            case.limit_cost = model.limit_cost * (case.limit_rps / model.limit_rps);
            case.blocked_s = profile.blocked_s(now);
            case.strikes = profile.strikes;
            // What was held against its earlier requests speaks against this one, too.
            case.evidence += ladder::RECORD * f32::from(profile.strikes.min(ladder::HEEDLESS));
            case.is_shared = profile.is_shared();
        }
        case
    }

    #[expect(clippy::too_many_arguments, reason = "they are what is known of one request")]
    fn rule(
        &mut self,
        model: &Model,
        case: &Case,
        arrival: &Arrival<'_>,
        client: ClientId,
        slot: Option<Slot>,
        now: u32,
        since: f32,
        places: &crate::mix::Places,
    ) -> Verdict {
        let reason = match case.foremost() {
            ladder::Against::Nothing => Reason::Usual,
            ladder::Against::Crowd => {
                let (dimension, share, usual) = model.foremost(places);
                let (evidence, needed, pressure) = (case.evidence, case.needed, model.pressure);
                let origin = case.location.origin(dimension);
                Reason::Crowd { evidence, needed, dimension, origin, share, usual, pressure }
            }
            ladder::Against::Speed => {
                Reason::TooFast { rps: case.rps, limit_rps: case.limit_rps, pressure: model.pressure }
            }
            ladder::Against::Heedlessness => Reason::Heedless { strikes: case.strikes },
            ladder::Against::Cost => {
                Reason::TooDear { ms_per_s: case.cost, limit: case.limit_cost, pressure: model.pressure }
            }
        };
        let label = case.label(model.is_engaged, self.config.evidence);
        let pass = |label, reason| Verdict { action: Action::Allow, would: Action::Allow, label, reason };
        if arrival.is_verified_bot {
            return pass(Label::Benign, Reason::VerifiedBot);
        }
        let is_held = case.blocked_s > 0.0 || (model.is_engaged && case.is_against());
        if !is_held {
            return pass(label, reason);
        }
        let cookie = arrival.cookie;
        if let Some(cookie) = cookie
            && clearance::find(&self.common.keys, cookie, client, arrival.fingerprint, arrival.at).is_some()
        {
            return self.let_cleared(client, arrival, now);
        }
        if case.blocked_s > 0.0 {
            let blocks = slot.map_or(0, |slot| self.table.at(slot).blocks);
            let would = Action::Block { seconds: case.blocked_s.ceil() as u32 };
            return self.acted(would, Label::Attack, Reason::Blocked { blocks });
        }
        let is_gentle = self.config.throttle_only.iter().any(|path| arrival.path.starts_with(path.as_str()));
        let Some(slot) = slot else {
            // Too few requests to remember: only what stands out is stopped.
            if case.severity() < 1.0 {
                return pass(label, reason);
            }
            return self.acted(ladder::refuse(arrival.kind, is_gentle, case, &self.config), label, reason);
        };
        let profile = self.table.at(slot);
        // The first rung: a trickle goes through, of one who is merely fast as much as it may make.
        let (per_s, most) =
            if case.is_crowd() { (0.2, 5.0) } else { (case.limit_rps, (2.0 * case.limit_rps).max(1.0)) };
        let may_trickle = !case.is_heedless() && (case.severity() < 1.0 || !case.is_crowd());
        if may_trickle && profile.withdraw(since, per_s, most) {
            return pass(label, reason);
        }
        let is_ignored = arrival.kind == Kind::Navigation || case.severity() >= 3.0;
        profile.strike(now, is_ignored);
        let may_block = !is_gentle && !case.is_shared && profile.strikes >= ladder::HEEDLESS;
        if may_block && (self.config.captcha.is_none() || profile.strikes >= 2 * ladder::HEEDLESS) {
            let (first, longest) = (self.config.first_block.as_secs_f32(), self.config.longest_block.as_secs_f32());
            let block_s = (first * f32::from(profile.blocks).min(20.0).exp2()).min(longest);
            let strikes = profile.strikes;
            profile.block(now, block_s);
            return self.acted(Action::Block { seconds: block_s as u32 }, label, Reason::Heedless { strikes });
        }
        let case = Case { strikes: profile.strikes, ..*case };
        self.acted(ladder::refuse(arrival.kind, is_gentle, &case, &self.config), label, reason)
    }

    /// Who holds clearance is let in as fast as clearance allows, in an account of its own.
    fn let_cleared(&mut self, client: ClientId, arrival: &Arrival<'_>, now: u32) -> Verdict {
        let limit_rps = self.config.clearance_rps;
        let own = ClientId::from_word(self.common.key.pair(client.word(), arrival.fingerprint.stable) | 1 << 63);
        let hash = self.common.key.word(own.word());
        let slot = match self.table.find(own, hash) {
            Some(slot) => slot,
            None => self.table.insert(own, hash, Profile::new(now, 6.0 * limit_rps)),
        };
        let profile = self.table.at(slot);
        let since = seconds(profile.last, now);
        profile.arrive(now, arrival.kind, 0, 0);
        if profile.withdraw(since, limit_rps, 6.0 * limit_rps) {
            let action = Action::Allow;
            return Verdict { action, would: action, label: Label::Benign, reason: Reason::Cleared };
        }
        let rps = profile.rps();
        self.acted(Action::Throttle { retry_after_s: 2 }, Label::Attack, Reason::ClearedTooFast { rps, limit_rps })
    }

    fn acted(&self, would: Action, label: Label, reason: Reason) -> Verdict {
        let stays_its_hand = self.config.mode == Mode::Observe || self.model.stands_down;
        let action = if stays_its_hand { Action::Allow } else { would };
        Verdict { action, would, label, reason }
    }

    /// What a client without fault looks like, once an hour, if it has been here for long.
    fn offer_row(&mut self, slot: Slot, hour: u8, client: ClientId) {
        let profile = self.table.at(slot);
        let is_seasoned =
            seconds(profile.first, profile.last) >= SEASONED_S && profile.strikes == 0 && profile.blocks == 0;
        if is_seasoned && profile.count >= 16 && profile.sample_once(hour) {
            let row = profile.features();
            self.report.offer_row(row, part(self.common.key.word(client.region())));
        }
    }

    /// Takes in what came of a request of `client` that was let through.
    pub fn observe(&mut self, client: std::net::IpAddr, outcome: &Outcome) {
        let client = ClientId::of(client);
        let hash = self.common.key.word(client.word());
        if let Some(slot) = self.table.find(client, hash) {
            self.table.at(slot).outcome(outcome.origin_ms, outcome.status >= 400, outcome.is_miss);
        }
    }

    /// A puzzle for a client that is challenged, to be put into the page.
    pub fn pose(&mut self, arrival: &Arrival<'_>, challenge: Challenge) -> String {
        let (client, salt) = (ClientId::of(arrival.client), self.rng.next_u64());
        challenge::pose(&self.common.keys, challenge, client, arrival.fingerprint, arrival.at, salt)
    }

    /// Checks the answer to a puzzle, the query of a request for [`ANSWER_PATH`](crate::challenge::ANSWER_PATH); the value of
    /// `Set-Cookie` that gives clearance.
    ///
    /// # Errors
    /// [`Refused`], the cause.
    pub fn answer(
        &mut self,
        query: &str,
        client: std::net::IpAddr,
        fingerprint: Fingerprint,
        at: Timestamp,
        is_tls: bool,
    ) -> Result<String, Refused> {
        let client = ClientId::of(client);
        let Common { keys, spent, .. } = &self.common;
        let checker = Checker { keys, captcha: self.config.captcha.as_ref(), spent };
        let level = checker.check(query, client, fingerprint, at)?;
        let lasts = self.config.clearance;
        let token = clearance::issue(keys, client, fingerprint, level, at + lasts);
        if let Some(slot) = self.table.find(client, self.common.key.word(client.word())) {
            self.table.at(slot).strikes = 0;
        }
        let secure = if is_tls { "; Secure" } else { "" };
        let seconds = lasts.as_secs();
        Ok(format!("{}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}", clearance::COOKIE))
    }

    fn as_published(&mut self, arrival: &Arrival<'_>) -> Verdict {
        let key = self.common.key;
        let client = ClientId::of(arrival.client);
        let country = self.whereabouts.locate(client, arrival.client).country;
        let request = SeedRequest {
            at: arrival.at,
            size: (arrival.path.len() + arrival.query.map_or(0, str::len)) as u64,
            country: country.map_or(0, Country::word),
            agent: key.bytes(arrival.agent),
            path: key.bytes(arrival.path.as_bytes()),
        };
        let (would, label, threat) = match self.seed.analyze(arrival.client, &request, &mut self.rng) {
            SeedVerdict::Allow => (Action::Allow, Label::Benign, 0.0),
            SeedVerdict::Challenge { level, threat } => {
                let challenge = match level {
                    1 => Challenge::Script,
                    2 if self.config.captcha.is_some() => Challenge::Captcha,
                    level => Challenge::Work(u8::try_from(level).unwrap_or(24).clamp(SEED_BITS, 24)),
                };
                (Action::Challenge(challenge), Label::Suspect, threat)
            }
            SeedVerdict::Block { seconds, threat } => (Action::Block { seconds }, Label::Attack, threat),
        };
        let is_cleared = matches!(would, Action::Challenge(_))
            && arrival.cookie.is_some_and(|cookie| {
                clearance::find(&self.common.keys, cookie, client, arrival.fingerprint, arrival.at).is_some()
            });
        if is_cleared {
            return Verdict {
                action: Action::Allow,
                would: Action::Allow,
                label: Label::Benign,
                reason: Reason::Cleared,
            };
        }
        let reason = if would == Action::Allow { Reason::Usual } else { Reason::Seed { threat: threat as f32 } };
        Verdict { action: would, would, label, reason }
    }
}

/// The exercise counts difficulty in no unit; fewer zero bits than these are no work.
const SEED_BITS: u8 = 8;

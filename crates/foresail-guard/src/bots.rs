//! Bots whose networks vouch for them: the name of the address must be of the bot's domain, and the address of that name
//! must be the one that asked (reverse and forward DNS). Looking names up is the edge's work; what is to be looked up, and for
//! how long the answer is good, is decided here, and told in [`Arrival::is_verified_bot`](crate::Arrival::is_verified_bot).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use foresail_core::Timestamp;

use crate::client::ClientId;
use crate::config::BotRule;

/// Bytes of an agent's name that are looked at.
const AGENT: usize = 512;
/// How long findings are good, and after how long one that an address is the bot's is checked again, while it is still good.
const VERIFIED: Duration = Duration::from_secs(24 * 3600);
const CHECKED_AGAIN: Duration = Duration::from_secs(12 * 3600);
const REFUTED: Duration = Duration::from_secs(3600);
const FAILED: Duration = Duration::from_secs(300);
/// Findings kept, claims that may wait to be looked up, and of those the most from one network.
const MOST_KNOWN: usize = 8192;
const MOST_WAITING: usize = 256;
const MOST_WAITING_OF_ONE: usize = 16;

/// The rule of the bot that an agent claims to be, if there is one.
pub fn claimed<'a>(rules: &'a [BotRule], agent: &[u8]) -> Option<&'a BotRule> {
    rules.iter().find(|rule| is_named(agent, rule.agent.as_bytes()))
}

/// Whether `name` is in `agent`, in whichever case. Most bytes are told by the first letter alone.
fn is_named(agent: &[u8], name: &[u8]) -> bool {
    let agent = &agent[..agent.len().min(AGENT)];
    let (Some((first, rest)), Some(last)) = (name.split_first(), agent.len().checked_sub(name.len())) else {
        return false;
    };
    (0..=last)
        .any(|at| agent[at].eq_ignore_ascii_case(first) && agent[at + 1..at + name.len()].eq_ignore_ascii_case(rest))
}

/// Whether a name, found for an address, is of the bot's domain; if not, it need not be looked up in turn.
pub fn is_theirs(rule: &BotRule, name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    rule.domains.iter().any(|domain| {
        let domain = domain.to_ascii_lowercase();
        name.strip_suffix(&domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Whether the names of `address` and the addresses of those names bear the claim out: `names` holds each name found for the
/// address, with the addresses found for the name.
pub fn is_verified(rule: &BotRule, address: IpAddr, names: &[(&str, &[IpAddr])]) -> bool {
    names.iter().any(|(name, addresses)| is_theirs(rule, name) && addresses.contains(&address))
}

/// An address that claims to be a bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Which rule's bot, and in which edition of the rules.
    rule: u16,
    edition: u32,
}

impl Claim {
    fn network(&self) -> u64 {
        ClientId::of(self.address).network()
    }
}

/// What came of looking names up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// They bear the claim out.
    Verified,
    /// They do not.
    Refuted,
    /// There was no answer.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    is_verified: bool,
    check_again: Timestamp,
    until: Timestamp,
}

/// What is known of addresses that claim to be bots, and what is to be looked up. Nothing in it grows beyond a bound, whoever
/// claims what: where there is no room, a bot is not verified.
#[derive(Clone, Debug)]
pub struct Verification {
    rules: Arc<[BotRule]>,
    edition: u32,
    known: BTreeMap<Claim, Known>,
    waiting: VecDeque<Claim>,
    /// Those that wait and those that are being looked up.
    open: BTreeSet<Claim>,
}

impl Verification {
    /// Nothing is known yet.
    pub fn new(rules: &[BotRule]) -> Self {
        Self {
            rules: rules.into(),
            edition: 0,
            known: BTreeMap::new(),
            waiting: VecDeque::new(),
            open: BTreeSet::new(),
        }
    }

    /// Goes by other rules from now on, for which nothing is known yet; whether they are others.
    pub fn set_rules(&mut self, rules: &[BotRule]) -> bool {
        let is_new = *self.rules != *rules;
        if is_new {
            *self = Self { edition: self.edition.wrapping_add(1), ..Self::new(rules) };
        }
        is_new
    }

    /// Takes in a claim to be looked up, unless that is known, under way, or there are too many.
    pub fn take_in(&mut self, claim: Claim, at: Timestamp) {
        let is_known = self.known.get(&claim).is_some_and(|known| at < known.check_again);
        let is_of_ours = claim.edition == self.edition && usize::from(claim.rule) < self.rules.len();
        if is_known || !is_of_ours || self.open.contains(&claim) || self.waiting.len() >= MOST_WAITING {
            return;
        }
        let of_one = self.waiting.iter().filter(|waiting| waiting.network() == claim.network()).count();
        if of_one < MOST_WAITING_OF_ONE {
            self.open.insert(claim);
            self.waiting.push_back(claim);
        }
    }

    /// The next claim to be looked up, with its rule.
    pub fn due(&mut self) -> Option<(Claim, BotRule)> {
        let claim = self.waiting.pop_front()?;
        let rule = self.rules.get(usize::from(claim.rule))?.clone();
        Some((claim, rule))
    }

    /// Takes in what came of a claim. Without an answer, what was known stays for as long as it is good.
    pub fn settle(&mut self, claim: Claim, finding: Finding, at: Timestamp) {
        if claim.edition != self.edition {
            return;
        }
        self.open.remove(&claim);
        let before = self.known.get(&claim).filter(|known| at < known.until).copied();
        let fresh = |is_verified, check_again: Duration, until: Duration| Known {
            is_verified,
            check_again: at + check_again,
            until: at + until,
        };
        let known = match (finding, before) {
            (Finding::Verified, _) => fresh(true, CHECKED_AGAIN, VERIFIED),
            (Finding::Refuted, _) => fresh(false, REFUTED, REFUTED),
            (Finding::Failed, Some(before)) => Known { check_again: at + FAILED, ..before },
            (Finding::Failed, None) => fresh(false, FAILED, FAILED),
        };
        if self.known.len() >= MOST_KNOWN && !self.known.contains_key(&claim) && !self.make_room(known, at) {
            return;
        }
        self.known.insert(claim, known);
    }

    /// Gives up what is no longer good, or else what matters least, if it matters less than what is to come.
    fn make_room(&mut self, newcomer: Known, at: Timestamp) -> bool {
        self.known.retain(|_, known| at < known.until);
        if self.known.len() < MOST_KNOWN {
            return true;
        }
        let worth = |known: &Known| (known.is_verified, known.until);
        let least = self.known.iter().min_by_key(|(_, known)| worth(known)).map(|(claim, known)| (*claim, *known));
        least.is_some_and(|(claim, known)| worth(&known) <= worth(&newcomer) && self.known.remove(&claim).is_some())
    }

    /// What is known, for those who judge.
    pub fn snapshot(&self) -> Vouched {
        let known = self.known.iter().map(|(claim, known)| (*claim, *known)).collect();
        Vouched { rules: Arc::clone(&self.rules), edition: self.edition, known }
    }
}

/// What is known of addresses that claim to be bots, at an instant.
#[derive(Clone, Debug)]
pub struct Vouched {
    rules: Arc<[BotRule]>,
    edition: u32,
    /// In order.
    known: Vec<(Claim, Known)>,
}

impl Vouched {
    /// Changes with the rules.
    pub fn edition(&self) -> u32 {
        self.edition
    }

    /// Whether there are any rules.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// The place of the rule whose bot an agent claims to be, if there is one. Costs a fraction of a microsecond for each ten
    /// rules.
    pub fn rule_of(&self, agent: &[u8]) -> Option<u16> {
        self.rules.iter().position(|rule| is_named(agent, rule.agent.as_bytes())).map(|place| place as u16)
    }

    /// Whether an address is known to be of the bot of a rule, and the claim to be looked up, if that is due.
    pub fn judge(&self, rule: u16, address: IpAddr, at: Timestamp) -> (bool, Option<Claim>) {
        let claim = Claim { address: address.to_canonical(), rule, edition: self.edition };
        let place = self.known.binary_search_by_key(&claim, |(claim, _)| *claim);
        let known = place.ok().map(|place| self.known[place].1);
        let is_verified = known.is_some_and(|known| known.is_verified && at < known.until);
        (is_verified, known.is_none_or(|known| at >= known.check_again).then_some(claim))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Timestamp = Timestamp::from_secs(1_772_366_400);

    fn rules() -> [BotRule; 2] {
        let rule = |agent: &str, domains: &[&str]| BotRule {
            agent: agent.into(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        };
        [rule("Googlebot", &["googlebot.com", "google.com"]), rule("bingbot", &["search.msn.com"])]
    }

    #[test]
    fn names_must_lead_both_ways() {
        let rules = rules();
        let rule = &rules[0];
        assert_eq!(claimed(&rules, b"Mozilla/5.0 (compatible; GoogleBot/2.1)"), Some(rule));
        assert_eq!(claimed(&rules, b"BINGBOT"), Some(&rules[1]));
        assert_eq!(claimed(&rules, b"curl"), None);
        assert_eq!(claimed(&rules, b"Googlebo"), None);
        let (theirs, other): (IpAddr, IpAddr) = ("66.249.66.1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        let check = |name: &str, found: IpAddr| is_verified(rule, theirs, &[(name, &[found])]);
        assert!(check("crawl-1.googlebot.com.", theirs));
        assert!(!check("crawl-1.googlebot.com", other));
        assert!(!check("crawl-1.notgooglebot.com", theirs));
        assert!(!check("googlebot.com.evil.example", theirs));
        assert!(!is_verified(rule, theirs, &[]));
    }

    /// Whether an address is let through as Google's at an instant, and what is to be looked up.
    fn judged(verification: &Verification, address: &str, at: Timestamp) -> (bool, Option<Claim>) {
        let vouched = verification.snapshot();
        vouched.judge(vouched.rule_of(b"x Googlebot/2.1").unwrap(), address.parse().unwrap(), at)
    }

    #[test]
    fn findings_are_good_for_a_while_and_checked_again_before_they_end() {
        let (bot, other) = ("66.249.66.1", "192.0.2.1");
        let mut verification = Verification::new(&rules());
        let hours = |hours: u64| NOON + Duration::from_secs(3600 * hours);
        for (address, finding) in [(bot, Finding::Verified), (other, Finding::Refuted)] {
            let (is_verified, claim) = judged(&verification, address, NOON);
            assert!(!is_verified, "nothing is known yet");
            verification.take_in(claim.unwrap(), NOON);
            verification.take_in(claim.unwrap(), NOON);
            let (claim, rule) = verification.due().unwrap();
            assert_eq!((rule.agent.as_str(), verification.due()), ("Googlebot", None));
            verification.take_in(claim, NOON);
            assert_eq!(verification.due(), None, "it is being looked up");
            verification.settle(claim, finding, NOON);
        }
        assert_eq!(judged(&verification, bot, hours(11)), (true, None));
        assert_eq!(judged(&verification, "::ffff:66.249.66.1", hours(11)), (true, None));
        assert_eq!(judged(&verification, other, NOON), (false, None));
        assert!(judged(&verification, other, hours(1)).1.is_some());
        // It is asked again in time, and a failure of DNS takes nothing away before its end.
        let (is_verified, again) = judged(&verification, bot, hours(12));
        assert!(is_verified);
        verification.take_in(again.unwrap(), hours(12));
        let (claim, _) = verification.due().unwrap();
        verification.settle(claim, Finding::Failed, hours(12));
        assert_eq!(judged(&verification, bot, hours(12)), (true, None));
        assert!(judged(&verification, bot, hours(13)).0);
        assert!(!judged(&verification, bot, hours(24)).0);
        verification.settle(claim, Finding::Failed, hours(24));
        assert_eq!(judged(&verification, bot, hours(24)), (false, None));
        assert!(judged(&verification, bot, hours(24) + FAILED).1.is_some());
        // Google's address is not Bing's.
        verification.settle(claim, Finding::Verified, hours(24));
        let vouched = verification.snapshot();
        assert!(!vouched.judge(vouched.rule_of(b"bingbot").unwrap(), bot.parse().unwrap(), hours(24)).0);
    }

    #[test]
    fn other_rules_know_nothing_and_answers_to_old_ones_are_dropped() {
        let mut verification = Verification::new(&rules());
        let (_, claim) = judged(&verification, "66.249.66.1", NOON);
        verification.take_in(claim.unwrap(), NOON);
        let (claim, _) = verification.due().unwrap();
        verification.settle(claim, Finding::Verified, NOON);
        assert!(!verification.set_rules(&rules()));
        assert!(verification.set_rules(&rules()[..1]));
        verification.settle(claim, Finding::Verified, NOON);
        verification.take_in(claim, NOON);
        assert_eq!(verification.due(), None);
        assert!(!judged(&verification, "66.249.66.1", NOON).0);
        assert!(verification.snapshot().edition() != claim.edition && verification.snapshot().has_rules());
    }

    #[test]
    fn a_flood_of_claims_is_bounded_and_costs_no_bot_its_place() {
        let mut verification = Verification::new(&rules());
        let claim = |address: u32| Claim { address: std::net::Ipv4Addr::from(address).into(), rule: 0, edition: 0 };
        // One network cannot fill the queue, many can.
        (0..256).for_each(|n| verification.take_in(claim(0xc000_0200 + n), NOON));
        assert_eq!(verification.waiting.len(), MOST_WAITING_OF_ONE);
        (0..10_000).for_each(|n| verification.take_in(claim(0x0a00_0000 + 256 * n), NOON));
        assert_eq!((verification.waiting.len(), verification.open.len()), (MOST_WAITING, MOST_WAITING));
        for n in 0..100 {
            verification.settle(claim(n), Finding::Verified, NOON);
        }
        for n in 0..MOST_KNOWN as u32 + 500 {
            let finding = if n % 2 == 0 { Finding::Refuted } else { Finding::Failed };
            verification.settle(claim(0x0b00_0000 + n), finding, NOON + Duration::from_secs(u64::from(n) / 100));
        }
        assert_eq!(verification.known.len(), MOST_KNOWN);
        let vouched = verification.snapshot();
        assert!((0..100).all(|n| vouched.judge(0, claim(n).address, NOON).0));
    }

    proptest! {
        /// The scan by first letters finds what a plain comparison in small letters does.
        #[test]
        fn names_are_found_wherever_they_stand(agent in "[aAbBoO/ ]{0,40}", name in "[abo]{1,4}") {
            let plain = agent.to_ascii_lowercase().contains(&name);
            prop_assert_eq!(is_named(agent.as_bytes(), name.as_bytes()), plain);
        }
    }
}

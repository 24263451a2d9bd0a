//! Bots whose networks vouch for them: names are looked up beside the traffic, a few at a time, and workers read what is known.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use dns_lookup::{LookupErrorKind, lookup_addr, lookup_host};
use foresail_core::Timestamp;
use foresail_guard::bots::{self, Claim, Finding, Verification, Vouched};
use foresail_guard::{BotRule, Fingerprint, GuardConfig};

use crate::guard::SharedGuard;

/// Lookups at a time. As the supervisor looks ten times a second, they are no more than forty a second whoever claims what.
const AT_ONCE: usize = 4;
/// Claims that a worker keeps until they are taken.
const CLAIMS: usize = 32;
/// Agents whose claims a worker remembers, a power of two.
const AGENTS: usize = 256;

/// Names of addresses, and addresses of names. Both may block for as long as it takes; they are called in threads of their own.
pub trait Names: Send + Sync {
    /// The names of an address; none if it has none.
    ///
    /// # Errors
    /// If there was no answer, so that asking again may help.
    fn names(&self, address: IpAddr) -> io::Result<Vec<String>>;

    /// The addresses of a name; none if it has none.
    ///
    /// # Errors
    /// If there was no answer, so that asking again may help.
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// What the system's resolver says, as it is configured: its timeouts, its caches, its file of hosts.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn names(&self, address: IpAddr) -> io::Result<Vec<String>> {
        answered(lookup_addr(&address).map(|name| vec![name]))
    }

    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        answered(lookup_host(name).map(Iterator::collect))
    }
}

/// That there is nothing is an answer, too.
fn answered<T>(found: Result<Vec<T>, dns_lookup::LookupError>) -> io::Result<Vec<T>> {
    match found {
        Err(error) if matches!(error.kind(), LookupErrorKind::NoName | LookupErrorKind::NoData) => Ok(Vec::new()),
        found => Ok(found?),
    }
}

/// Whether an address is of a rule's bot.
fn verify(names: &dyn Names, rule: &BotRule, address: IpAddr) -> Finding {
    let Ok(found) = names.names(address) else { return Finding::Failed };
    let mut finding = Finding::Refuted;
    for name in found.iter().filter(|name| bots::is_theirs(rule, name)) {
        match names.addresses(name) {
            Ok(addresses) if bots::is_verified(rule, address, &[(name, &addresses)]) => return Finding::Verified,
            Ok(_) => {}
            Err(_) => finding = Finding::Failed,
        }
    }
    finding
}

/// What came of a lookup.
type Found = (Claim, Finding);

/// Has claims looked up, beside the workers.
pub(crate) struct Verifier {
    verification: Verification,
    names: Arc<dyn Names>,
    found: (Sender<Found>, Receiver<Found>),
    under_way: usize,
}

impl Verifier {
    pub(crate) fn new(config: &GuardConfig, names: Arc<dyn Names>) -> Self {
        Self { verification: Verification::new(&config.bots), names, found: channel(), under_way: 0 }
    }

    /// Takes in what workers were told and what was found, begins what is next, and publishes what is new.
    pub(crate) fn look(&mut self, guard: &SharedGuard, config: &GuardConfig, at: Timestamp) {
        let mut is_new = self.verification.set_rules(&config.bots);
        for (claim, finding) in self.found.1.try_iter() {
            self.under_way -= 1;
            tracing::debug!(address = %claim.address, ?finding, "a bot's names were looked up");
            self.verification.settle(claim, finding, at);
            is_new = true;
        }
        for claim in guard.claims.iter().filter_map(|claims| claims.swap(None)).flat_map(|claims| claims.to_vec()) {
            self.verification.take_in(claim, at);
        }
        while self.under_way < AT_ONCE
            && let Some((claim, rule)) = self.verification.due()
        {
            self.under_way += 1;
            self.begin(claim, rule);
        }
        if is_new {
            guard.set_vouched(self.verification.snapshot());
        }
    }

    /// Looks names up in a thread that nobody waits for: the resolver cannot be told to stop, only to be quick.
    fn begin(&self, claim: Claim, rule: BotRule) {
        let names = Arc::clone(&self.names);
        let answer = Answer { claim, finding: Finding::Failed, to: self.found.0.clone() };
        let lookup = move || {
            // All of it comes along, to be dropped here.
            let mut answer = answer;
            answer.finding = verify(&*names, &rule, claim.address);
        };
        if let Err(error) = std::thread::Builder::new().name("proxy-names".to_owned()).spawn(lookup) {
            tracing::warn!(%error, "names cannot be looked up");
        }
    }
}

/// Tells what was found when it is dropped, so that a lookup that panics, or never begins, has failed.
struct Answer {
    claim: Claim,
    finding: Finding,
    to: Sender<Found>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Nobody asks any more once the proxy has gone.
        let _ = self.to.send((self.claim, self.finding));
    }
}

/// What one worker knows of bots.
pub(crate) struct Bouncer {
    vouched: RefCell<Arc<Vouched>>,
    /// What was made of agents lately: the part of the fingerprint that follows from the agent, and the rule it claims.
    agents: RefCell<Vec<(u64, Option<u16>)>>,
    edition: Cell<u32>,
    claims: RefCell<Vec<Claim>>,
}

impl Bouncer {
    pub(crate) fn new(vouched: Arc<Vouched>) -> Self {
        Self {
            edition: Cell::new(vouched.edition()),
            vouched: RefCell::new(vouched),
            agents: RefCell::new(vec![(0, None); AGENTS]),
            claims: RefCell::default(),
        }
    }

    pub(crate) fn set_vouched(&self, vouched: Arc<Vouched>) {
        if self.edition.replace(vouched.edition()) != vouched.edition() {
            self.agents.borrow_mut().fill((0, None));
        }
        *self.vouched.borrow_mut() = vouched;
    }

    /// Whether a request is a bot's that its network vouches for. What is not known is noted, to be looked up.
    pub(crate) fn is_verified(&self, agent: &[u8], client: IpAddr, fingerprint: Fingerprint, at: Timestamp) -> bool {
        let vouched = self.vouched.borrow();
        if !vouched.has_rules() || agent.is_empty() {
            return false;
        }
        let Some(rule) = self.rule_of(&vouched, agent, fingerprint) else { return false };
        let (is_verified, claim) = vouched.judge(rule, client, at);
        if let Some(claim) = claim {
            let mut claims = self.claims.borrow_mut();
            if claims.len() < CLAIMS && !claims.contains(&claim) {
                claims.push(claim);
            }
        }
        is_verified
    }

    fn rule_of(&self, vouched: &Vouched, agent: &[u8], fingerprint: Fingerprint) -> Option<u16> {
        let known = &mut self.agents.borrow_mut()[fingerprint.stable as usize % AGENTS];
        if known.0 != fingerprint.stable {
            *known = (fingerprint.stable, vouched.rule_of(agent));
        }
        known.1
    }

    /// Hands over what was noted, to what has not been taken yet.
    pub(crate) fn hand_in(&self, guard: &SharedGuard, index: usize) {
        let mut claims = self.claims.take();
        if claims.is_empty() {
            return;
        }
        let place = &guard.claims[index];
        if let Some(waiting) = place.swap(None) {
            claims.extend(waiting.iter().take(CLAIMS));
        }
        place.store(Some(Arc::new(claims)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two names for every address, of which the second leads back; nothing where the last part is 9.
    struct Fake;

    impl Names for Fake {
        fn names(&self, address: IpAddr) -> io::Result<Vec<String>> {
            match address.to_string().rsplit('.').next() {
                Some("9") => Err(io::ErrorKind::TimedOut.into()),
                Some("8") => Ok(Vec::new()),
                _ => Ok(vec![format!("x.{address}.example"), format!("{address}.bot.example.")]),
            }
        }

        fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
            assert!(name.ends_with(".bot.example."), "only names of the bot are looked up: {name}");
            match name.strip_suffix(".bot.example.") {
                Some("192.0.2.5") => Ok(vec!["192.0.2.6".parse().unwrap()]),
                Some("192.0.2.4") => Err(io::ErrorKind::TimedOut.into()),
                address => Ok(address.and_then(|address| address.parse().ok()).into_iter().collect()),
            }
        }
    }

    #[test]
    fn only_an_answer_settles_a_claim() {
        let rule = BotRule { agent: "Bot".into(), domains: vec!["bot.example".into()] };
        let check = |address: &str, expected| {
            assert_eq!(verify(&Fake, &rule, address.parse().unwrap()), expected, "{address}");
        };
        check("192.0.2.1", Finding::Verified);
        check("192.0.2.5", Finding::Refuted);
        check("192.0.2.8", Finding::Refuted);
        check("192.0.2.9", Finding::Failed);
        check("192.0.2.4", Finding::Failed);
        let elsewhere = BotRule { agent: "Bot".into(), domains: vec!["other.example".into()] };
        assert_eq!(verify(&Fake, &elsewhere, "192.0.2.1".parse().unwrap()), Finding::Refuted);
    }

    #[test]
    fn the_system_knows_its_own_name() {
        // The file of hosts answers, without a network.
        let localhost: IpAddr = "127.0.0.1".parse().unwrap();
        let names = SystemNames.names(localhost).unwrap();
        assert!(names.iter().any(|name| SystemNames.addresses(name).unwrap().contains(&localhost)), "{names:?}");
    }
}

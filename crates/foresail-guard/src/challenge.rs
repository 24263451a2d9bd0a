//! Challenges: puzzles that are signed instead of stored, the page that solves them, and the check of an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use foresail_core::Timestamp;
use hmac::Mac;
use sha2::{Digest, Sha256};

use crate::clearance::{Keys, Level, mac, unix};
use crate::client::ClientId;
use crate::config::Captcha;
use crate::hash::HashKey;
use crate::request::Fingerprint;
use crate::sketch::spot;
use crate::verdict::Challenge;

/// Where answers are sent: `?p=PUZZLE&n=ANSWER`.
pub const ANSWER_PATH: &str = "/.well-known/foresail/clearance";

/// How long a puzzle may be answered.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(300);

const VERSION: u8 = 1;
/// Version, key, what is asked, bits, when, and eight random bytes.
const FIELDS: usize = 16;
const PUZZLE: usize = FIELDS + 16;
/// Length of a puzzle as text: 32 bytes in base64url without padding.
const TEXT: usize = 43;
/// Digits that an answer may have, so that puzzle and answer fit one block of SHA-256.
const MOST_DIGITS: usize = 11;
/// Zero bits that a script must find: enough to show that it ran.
const SCRIPT_BITS: u8 = 8;

const PAGE: &str = include_str!("../assets/challenge.html");

/// Why an answer is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Not a puzzle with an answer.
    #[error("it is no answer to a puzzle")]
    Malformed,
    /// Not a puzzle of ours, or not this client's.
    #[error("the puzzle was not given to this client")]
    Forged,
    /// Answered too late.
    #[error("the puzzle has expired")]
    Expired,
    /// Answered before.
    #[error("the puzzle was answered before")]
    Spent,
    /// The wrong answer.
    #[error("the answer is wrong")]
    Wrong,
}

fn bound(client: ClientId, fingerprint: Fingerprint) -> [u8; 17] {
    let mut bytes = [b'p'; 17];
    bytes[1..9].copy_from_slice(&client.word().to_be_bytes());
    bytes[9..].copy_from_slice(&fingerprint.stable.to_be_bytes());
    bytes
}

/// A puzzle for a client and the program it speaks through. `salt` must be random.
pub fn pose(
    keys: &Keys,
    challenge: Challenge,
    client: ClientId,
    fingerprint: Fingerprint,
    at: Timestamp,
    salt: u64,
) -> String {
    let (kind, bits) = match challenge {
        Challenge::Script => (1, SCRIPT_BITS),
        Challenge::Work(bits) => (2, bits.min(30)),
        Challenge::Captcha => (3, 0),
    };
    let mut puzzle = [0; PUZZLE];
    puzzle[..4].copy_from_slice(&[VERSION, keys.id(), kind, bits]);
    puzzle[4..8].copy_from_slice(&unix(at).to_be_bytes());
    puzzle[8..FIELDS].copy_from_slice(&salt.to_be_bytes());
    let signature = keys.sign(&[&bound(client, fingerprint), &puzzle[..FIELDS]]);
    puzzle[FIELDS..].copy_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(puzzle)
}

/// Zero bits that the puzzle of a challenge asks for.
fn bits_of(challenge: Challenge) -> u8 {
    match challenge {
        Challenge::Script => SCRIPT_BITS,
        Challenge::Work(bits) => bits.min(30),
        Challenge::Captcha => 0,
    }
}

/// The page that solves a puzzle and comes back: whole in itself, it loads nothing from anywhere.
pub fn page(puzzle: &str, challenge: Challenge) -> String {
    PAGE.replace("@PUZZLE@", puzzle).replace("@BITS@", &bits_of(challenge).to_string()).replace("@ANSWER@", ANSWER_PATH)
}

/// The puzzle of a [`page`] and the zero bits that it asks for, for clients that are programs; none if it is another page.
pub fn read_page(page: &str) -> Option<(&str, u8)> {
    let (puzzle, rest) = page.split_once("\"puzzle\":\"")?.1.split_once("\",\"bits\":")?;
    Some((puzzle, rest.split_once(',')?.0.parse().ok()?))
}

/// The least number that solves a puzzle, found in 2^`bits` hashes on the mean; of more than 30 bits 30 count.
pub fn solve(puzzle: &str, bits: u8) -> u64 {
    let is_right = |n: &u64| is_solved(puzzle, &n.to_string(), bits);
    (0..=u64::MAX).find(is_right).expect("some number of eleven digits has a hash that begins with 30 zeros")
}

/// The `Content-Security-Policy` of the page: its own script, its own style, answers to its own site, nothing else.
pub fn page_policy() -> String {
    let script = PAGE.split_once("<script>\n").and_then(|(_, rest)| rest.split_once("</script>")).map_or("", |s| s.0);
    let hash = STANDARD.encode(Sha256::digest(format!("\n{script}")));
    format!(
        "default-src 'none'; script-src 'sha256-{hash}'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'"
    )
}

/// Where the operator's service is asked to convince itself, and to send people back to.
pub fn captcha_address(captcha: &Captcha, puzzle: &str, target: &str) -> String {
    let joint = if captcha.url.contains('?') { '&' } else { '?' };
    let mut encoded = String::new();
    for byte in safe_return(target).bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(byte.into());
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{}{joint}puzzle={puzzle}&return={encoded}", captcha.url)
}

/// A target on this site to go back to; the root for anything that could lead elsewhere.
pub fn safe_return(target: &str) -> &str {
    let leads_away = target.starts_with("//") || target.contains('\\');
    let is_plain = target.bytes().all(|b| b.is_ascii_graphic());
    if target.starts_with('/') && !leads_away && is_plain { target } else { "/" }
}

/// What an answer is checked with.
#[derive(Clone, Copy, Debug)]
pub struct Checker<'a> {
    /// The keys that puzzles are signed with.
    pub keys: &'a Keys,
    /// The operator's service, if there is one.
    pub captcha: Option<&'a Captcha>,
    /// The puzzles answered so far.
    pub spent: &'a Spent,
}

impl Checker<'_> {
    /// Checks the query of a request for [`ANSWER_PATH`]. A puzzle is good for one right answer.
    ///
    /// # Errors
    /// [`Refused`], the cause.
    pub fn check(
        &self,
        query: &str,
        client: ClientId,
        fingerprint: Fingerprint,
        at: Timestamp,
    ) -> Result<Level, Refused> {
        let field = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let (Some(text), Some(answer)) = (field("p"), field("n")) else { return Err(Refused::Malformed) };
        let mut puzzle = [0; PUZZLE];
        if text.len() != TEXT || URL_SAFE_NO_PAD.decode_slice(text, &mut puzzle) != Ok(PUZZLE) || puzzle[0] != VERSION {
            return Err(Refused::Malformed);
        }
        let (fields, signature) = puzzle.split_at(FIELDS);
        if !self.keys.is_signed(fields[1], &[&bound(client, fingerprint), fields], signature) {
            return Err(Refused::Forged);
        }
        let posed = u32::from_be_bytes([fields[4], fields[5], fields[6], fields[7]]);
        let age = unix(at).saturating_sub(posed);
        if u64::from(age) > ANSWER_WITHIN.as_secs() {
            return Err(Refused::Expired);
        }
        let is_right = match fields[2] {
            3 => self.is_confirmed(text, answer),
            _ => is_solved(text, answer, fields[3]),
        };
        if !is_right {
            return Err(Refused::Wrong);
        }
        if !self.spent.spend(text, unix(at)) {
            return Err(Refused::Spent);
        }
        Ok(Level(fields[2]))
    }

    fn is_confirmed(&self, puzzle: &str, answer: &str) -> bool {
        let Some(captcha) = self.captcha else { return false };
        let Ok(signature) = URL_SAFE_NO_PAD.decode(answer) else { return false };
        let mut mac = mac(captcha.secret.as_bytes());
        mac.update(puzzle.as_bytes());
        mac.verify_slice(&signature).is_ok()
    }
}

/// Whether SHA-256 of puzzle, dot and number begins with `bits` zero bits.
fn is_solved(puzzle: &str, answer: &str, bits: u8) -> bool {
    if answer.is_empty() || answer.len() > MOST_DIGITS || !answer.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let hash = Sha256::new().chain_update(puzzle).chain_update(b".").chain_update(answer).finalize();
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    first.leading_zeros() >= u32::from(bits.min(30))
}

/// Puzzles that were answered, known to all workers without a lock: two Bloom filters in turn, each key within one word, so
/// that of two who spend one puzzle at the same instant exactly one is first. May take a new puzzle for a spent one, then
/// the page asks for another.
#[derive(Debug)]
pub struct Spent {
    key: HashKey,
    words: [Vec<AtomicU64>; 2],
    /// The period that each of the two is of.
    periods: [AtomicU32; 2],
}

/// Words of each filter: 1 MiB.
const SPENT_WORDS: usize = 1 << 17;

impl Spent {
    /// Nothing is spent yet. `key` must be secret.
    pub fn new(key: HashKey) -> Arc<Self> {
        let words = || (0..SPENT_WORDS).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { key, words: [words(), words()], periods: [AtomicU32::new(0), AtomicU32::new(0)] })
    }

    /// Spends a puzzle; false if it was spent before.
    fn spend(&self, puzzle: &str, now: u32) -> bool {
        let period = now / ANSWER_WITHIN.as_secs() as u32;
        let current = (period & 1) as usize;
        let of = self.periods[current].load(Ordering::Acquire);
        if of != period
            && self.periods[current].compare_exchange(of, period, Ordering::AcqRel, Ordering::Acquire).is_ok()
        {
            self.words[current].iter().for_each(|word| word.store(0, Ordering::Release));
        }
        let (word, mask) = spot(self.key.bytes(puzzle.as_bytes()), SPENT_WORDS);
        let is_new = self.words[current][word].fetch_or(mask, Ordering::AcqRel) & mask != mask;
        let before = &self.words[1 - current];
        let is_recent = self.periods[1 - current].load(Ordering::Acquire) + 1 == period;
        is_new && !(is_recent && before[word].load(Ordering::Acquire) & mask == mask)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);
    const PRINT: Fingerprint = Fingerprint { shape: 1, stable: 2 };

    fn client(text: &str) -> ClientId {
        ClientId::of(text.parse().unwrap())
    }

    fn spent() -> Arc<Spent> {
        Spent::new(HashKey::new([1, 2]))
    }

    #[test]
    fn a_puzzle_is_good_for_one_answer_of_one_client() {
        let (keys, spent) = (Keys::new(&[7; 32]), spent());
        let checker = Checker { keys: &keys, captcha: None, spent: &spent };
        let (own, other) = (client("192.0.2.1"), client("192.0.2.2"));
        let puzzle = pose(&keys, Challenge::Work(10), own, PRINT, NOW, 5);
        assert_eq!(puzzle.len(), TEXT);
        let right = format!("p={puzzle}&n={}", solve(&puzzle, 10));
        let wrong = (0..).find(|n| !is_solved(&puzzle, &format!("{n}"), 10)).unwrap();
        let late = NOW + ANSWER_WITHIN + Duration::from_secs(1);
        assert_eq!(checker.check(&right, other, PRINT, NOW), Err(Refused::Forged));
        assert_eq!(checker.check(&right, own, Fingerprint { stable: 3, ..PRINT }, NOW), Err(Refused::Forged));
        assert_eq!(checker.check(&right, own, PRINT, late), Err(Refused::Expired));
        assert_eq!(checker.check(&format!("p={puzzle}&n={wrong}"), own, PRINT, NOW), Err(Refused::Wrong));
        assert_eq!(checker.check(&right, own, PRINT, NOW), Ok(Level(2)));
        assert_eq!(checker.check(&right, own, PRINT, NOW), Err(Refused::Spent));
        // In the next period, too, as long as it has not expired.
        let later = NOW + ANSWER_WITHIN - Duration::from_secs(1);
        assert_eq!(checker.check(&right, own, PRINT, later), Err(Refused::Spent));
        for query in ["", "p=&n=", "p=x&n=1", &format!("p={puzzle}"), &format!("p={puzzle}=&n=1")] {
            assert_eq!(checker.check(query, own, PRINT, NOW), Err(Refused::Malformed), "{query}");
        }
    }

    #[test]
    fn of_many_who_spend_one_puzzle_at_once_one_is_first() {
        let spent = spent();
        for round in 0..200 {
            let puzzle = format!("puzzle {round}");
            let first: usize = std::thread::scope(|scope| {
                let spenders: Vec<_> = (0..4).map(|_| scope.spawn(|| usize::from(spent.spend(&puzzle, 600)))).collect();
                spenders.into_iter().map(|s| s.join().unwrap()).sum()
            });
            assert_eq!(first, 1);
        }
    }

    #[test]
    fn the_operators_service_confirms_by_its_signature() {
        let captcha = Captcha { url: "https://check.example/?x=1".into(), secret: "0123456789abcdef".into() };
        let (keys, spent) = (Keys::new(&[7; 32]), spent());
        let checker = Checker { keys: &keys, captcha: Some(&captcha), spent: &spent };
        let own = client("192.0.2.1");
        let puzzle = pose(&keys, Challenge::Captcha, own, PRINT, NOW, 5);
        let mut signed = mac(captcha.secret.as_bytes());
        signed.update(puzzle.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signed.finalize().into_bytes());
        assert_eq!(checker.check(&format!("p={puzzle}&n=0"), own, PRINT, NOW), Err(Refused::Wrong));
        assert_eq!(checker.check(&format!("p={puzzle}&n={signature}"), own, PRINT, NOW), Ok(Level(3)));
        let address = captcha_address(&captcha, &puzzle, "/a b?c=d&e");
        assert_eq!(address, format!("https://check.example/?x=1&puzzle={puzzle}&return=/"));
        assert!(captcha_address(&captcha, "P", "/a?c=d&e").ends_with("&puzzle=P&return=/a%3Fc%3Dd%26e"));
    }

    #[test]
    fn people_are_sent_back_to_this_site_only() {
        for away in ["//evil.example", "https://evil.example", "/\\evil.example", "", "x", "/a\r\nb"] {
            assert_eq!(safe_return(away), "/", "{away:?}");
        }
        assert_eq!(safe_return("/a/b?c=//d"), "/a/b?c=//d");
    }

    #[test]
    fn the_page_is_whole_in_itself() {
        let puzzle = pose(&Keys::new(&[7; 32]), Challenge::Script, client("::1"), PRINT, NOW, 5);
        let page = page(&puzzle, Challenge::Script);
        assert_eq!((read_page(&page), read_page("<p>Not found")), (Some((&*puzzle, 8)), None));
        assert!(page.contains(&format!("\"puzzle\":\"{puzzle}\",\"bits\":8,\"answer\":\"{ANSWER_PATH}\"")));
        assert!(!page.contains('@') && !page.contains("src=") && !page.contains("http"));
        assert!(page.contains("lang=\"en\"") && page.contains("<noscript>") && page.contains("role=\"status\""));
        let policy = page_policy();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"));
        // Puzzle and answer fit one block of SHA-256, which is what the script can do.
        const { assert!(TEXT + 1 + MOST_DIGITS <= 55) };
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// No query breaks it, and none that was not signed is accepted.
        #[test]
        fn no_query_is_an_answer_by_chance(query in ".{0,120}", n in any::<u32>()) {
            let (keys, spent) = (Keys::new(&[7; 32]), spent());
            let checker = Checker { keys: &keys, captcha: None, spent: &spent };
            prop_assert!(checker.check(&query, client("::1"), PRINT, NOW).is_err());
            let made_up = format!("p={}&n={n}", "A".repeat(TEXT));
            prop_assert!(checker.check(&made_up, client("::1"), PRINT, NOW).is_err());
        }
    }
}

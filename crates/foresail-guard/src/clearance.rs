//! Clearance: a signed cookie that lets a client in who did what was asked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foresail_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::client::ClientId;
use crate::request::Fingerprint;

/// Name of the cookie.
pub const COOKIE: &str = "foresail_clearance";

const VERSION: u8 = 1;
/// Version, key, level, expiry in seconds of Unix time, signature.
const FIELDS: usize = 7;
const SIGNATURE: usize = 16;
const TOKEN: usize = FIELDS + SIGNATURE;
/// Length of a token as text: 23 bytes in base64url without padding.
const TEXT: usize = 31;
/// Tokens that are tried if there are several cookies of our name.
const MOST_TRIED: usize = 3;

/// The key that signs, and the one that signed before it: a key can be changed without taking clearance from anyone.
#[derive(Clone)]
pub struct Keys {
    id: u8,
    current: Hmac<Sha256>,
    previous: Option<Hmac<Sha256>>,
}

/// Not what it holds: it is a secret.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys {{ id: {} }}", self.id)
    }
}

impl Keys {
    /// Of one secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self { id: 0, current: mac(secret), previous: None }
    }

    /// Signs with a new secret from now on, and still believes the old one.
    pub fn rotate(&mut self, secret: &[u8; 32]) {
        self.previous = Some(std::mem::replace(&mut self.current, mac(secret)));
        self.id = self.id.wrapping_add(1);
    }

    fn by_id(&self, id: u8) -> Option<&Hmac<Sha256>> {
        match self.id.wrapping_sub(id) {
            0 => Some(&self.current),
            1 => self.previous.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn id(&self) -> u8 {
        self.id
    }

    /// The first 16 bytes of HMAC-SHA256 over the parts.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; SIGNATURE] {
        let mut mac = self.current.clone();
        parts.iter().for_each(|part| mac.update(part));
        let mut signature = [0; SIGNATURE];
        signature.copy_from_slice(&mac.finalize().into_bytes()[..SIGNATURE]);
        signature
    }

    /// Whether the key with that id has signed the parts so; in constant time.
    pub(crate) fn is_signed(&self, id: u8, parts: &[&[u8]], signature: &[u8]) -> bool {
        let Some(mac) = self.by_id(id).filter(|_| signature.len() == SIGNATURE) else { return false };
        let mut mac = mac.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.verify_truncated_left(signature).is_ok()
    }
}

pub(crate) fn mac(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// What a client has done to be let in: the higher, the harder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(pub u8);

/// What a signature is bound to: whose it is, and that it is a clearance and nothing else.
fn bound(client: ClientId, fingerprint: Fingerprint) -> [u8; 17] {
    let mut bytes = [b'c'; 17];
    bytes[1..9].copy_from_slice(&client.word().to_be_bytes());
    bytes[9..].copy_from_slice(&fingerprint.stable.to_be_bytes());
    bytes
}

/// Clearance for a client and the program it speaks through, until `expiry`, as the value of a cookie.
pub fn issue(keys: &Keys, client: ClientId, fingerprint: Fingerprint, level: Level, expiry: Timestamp) -> String {
    let mut token = [0; TOKEN];
    token[..3].copy_from_slice(&[VERSION, keys.id, level.0]);
    token[3..FIELDS].copy_from_slice(&unix(expiry).to_be_bytes());
    let signature = keys.sign(&[&bound(client, fingerprint), &token[..FIELDS]]);
    token[FIELDS..].copy_from_slice(&signature);
    URL_SAFE_NO_PAD.encode(token)
}

/// The clearance in the value of a `Cookie` header, if it holds one that is ours, unexpired, and this client's.
pub fn find(keys: &Keys, cookie: &[u8], client: ClientId, fingerprint: Fingerprint, now: Timestamp) -> Option<Level> {
    let ours = cookie.split(|b| *b == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"=")
    });
    ours.take(MOST_TRIED).find_map(|value| verify(keys, value, client, fingerprint, now))
}

fn verify(keys: &Keys, text: &[u8], client: ClientId, fingerprint: Fingerprint, now: Timestamp) -> Option<Level> {
    if text.len() != TEXT {
        return None;
    }
    let mut token = [0; TOKEN];
    if URL_SAFE_NO_PAD.decode_slice(text, &mut token) != Ok(TOKEN) {
        return None;
    }
    let (fields, signature) = token.split_at(FIELDS);
    let expiry = u32::from_be_bytes([fields[3], fields[4], fields[5], fields[6]]);
    let is_good = fields[0] == VERSION
        && expiry > unix(now)
        && keys.is_signed(fields[1], &[&bound(client, fingerprint), fields], signature);
    is_good.then_some(Level(fields[2]))
}

/// Seconds of Unix time, until 2106.
pub(crate) fn unix(at: Timestamp) -> u32 {
    u32::try_from(at.as_micros().div_euclid(1_000_000).max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_772_366_400);
    const PRINT: Fingerprint = Fingerprint { shape: 1, stable: 2 };

    fn client(text: &str) -> ClientId {
        ClientId::of(text.parse().unwrap())
    }

    fn cleared(keys: &Keys, cookie: &str, who: &str, print: Fingerprint, at: Timestamp) -> bool {
        find(keys, cookie.as_bytes(), client(who), print, at).is_some()
    }

    #[test]
    fn clearance_is_the_clients_own_and_ends() {
        let mut keys = Keys::new(&[7; 32]);
        let hour = Duration::from_secs(3600);
        let token = issue(&keys, client("192.0.2.1"), PRINT, Level(2), NOW + hour);
        assert_eq!(token.len(), TEXT);
        let cookie = format!("a=b; {COOKIE}={token}; {COOKIE}x=y");
        assert_eq!(find(&keys, cookie.as_bytes(), client("192.0.2.1"), PRINT, NOW), Some(Level(2)));
        // Stolen, by another address or another program; expired; of another key; not the value of that cookie.
        assert!(!cleared(&keys, &cookie, "192.0.2.2", PRINT, NOW));
        assert!(!cleared(&keys, &cookie, "192.0.2.1", Fingerprint { stable: 3, ..PRINT }, NOW));
        assert!(!cleared(&keys, &cookie, "192.0.2.1", PRINT, NOW + hour));
        assert!(!cleared(&Keys::new(&[8; 32]), &cookie, "192.0.2.1", PRINT, NOW));
        assert!(!cleared(&keys, &format!("x{COOKIE}={token}"), "192.0.2.1", PRINT, NOW));
        // Another address of the same IPv6 network of 64 bits is the same client.
        let six = issue(&keys, client("2001:db8::1"), PRINT, Level(1), NOW + hour);
        assert!(cleared(&keys, &format!("{COOKIE}={six}"), "2001:db8::2", PRINT, NOW));
        // A key that was replaced once is still believed, one replaced twice is not.
        keys.rotate(&[9; 32]);
        assert!(cleared(&keys, &cookie, "192.0.2.1", PRINT, NOW));
        keys.rotate(&[10; 32]);
        assert!(!cleared(&keys, &cookie, "192.0.2.1", PRINT, NOW));
        assert_eq!(format!("{keys:?}"), "Keys { id: 2 }");
    }

    proptest! {
        /// No bit of a token may be changed.
        #[test]
        fn forged_tokens_are_refused(at in 0..TOKEN, bit in 0..8_u8) {
            let keys = Keys::new(&[7; 32]);
            let token = issue(&keys, client("192.0.2.1"), PRINT, Level(2), NOW + Duration::from_secs(60));
            let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
            bytes[at] ^= 1 << bit;
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            let cookie = format!("{COOKIE}={forged}");
            prop_assert!(!cleared(&keys, &cookie, "192.0.2.1", PRINT, NOW));
        }

        /// No bytes break it, and none of them are clearance.
        #[test]
        fn no_bytes_are_clearance(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let keys = Keys::new(&[7; 32]);
            prop_assert_eq!(find(&keys, &bytes, client("192.0.2.1"), PRINT, NOW), None);
            let named = [COOKIE.as_bytes(), b"=", &bytes].concat();
            prop_assert_eq!(find(&keys, &named, client("192.0.2.1"), PRINT, NOW), None);
        }
    }
}

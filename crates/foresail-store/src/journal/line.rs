//! The text of a line, and its place in the chain.

use foresail_core::JournalRecord;

use crate::disk::sha256;

/// The first line, without its line feed.
pub(super) const HEADER: &str = r#"{"format":"foresail-journal","version":1}"#;

const OPEN: &[u8] = br#"{"chain":""#;
const MIDDLE: &[u8] = br#"","record":"#;
const CLOSE: &[u8] = b"}";
/// Digits of a chain.
const DIGITS: usize = 64;

/// The chain before the first record.
pub(super) fn genesis() -> String {
    sha256(&[HEADER.as_bytes()])
}

/// The line of the record with text `body`, line feed included, and the chain after it.
pub(super) fn compose(before: &str, body: &[u8]) -> (Vec<u8>, String) {
    let chain = sha256(&[before.as_bytes(), body]);
    let line = [OPEN, chain.as_bytes(), MIDDLE, body, CLOSE, b"\n"].concat();
    (line, chain)
}

/// Reads a line without its line feed: the record, and the chain after it. What is wrong, if anything is.
pub(super) fn parse(before: &str, line: &[u8]) -> Result<(JournalRecord, String), String> {
    let rest = line.strip_prefix(OPEN).ok_or("expected a record with its chain")?;
    let (chain, rest) = rest.split_at_checked(DIGITS).ok_or("the chain is cut short")?;
    let body = rest.strip_prefix(MIDDLE).and_then(|rest| rest.strip_suffix(CLOSE));
    let body = body.ok_or("expected a record after its chain")?;
    let expected = sha256(&[before.as_bytes(), body]);
    if chain != expected.as_bytes() {
        return Err("the chain is broken: this line or one before it was changed, moved or removed".to_owned());
    }
    let record = serde_json::from_slice(body).map_err(|e| format!("the record cannot be read: {e}"))?;
    Ok((record, expected))
}

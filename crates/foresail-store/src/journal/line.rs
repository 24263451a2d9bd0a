//! The text of a line, and its place in the chain.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::disk::sha256;

/// The first line of a journal, without its line feed.
pub(super) const HEADER: &str = r#"{"format":"foresail-journal","version":1}"#;

const FORMAT: &str = "foresail-journal";
const VERSION: u32 = 1;
const OPEN: &[u8] = br#"{"chain":""#;
const MIDDLE: &[u8] = br#"","record":"#;
const CLOSE: &[u8] = b"}";
/// Digits of a chain.
const DIGITS: usize = 64;

/// What the first line of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// The journal begins here.
    First,
    /// It goes on from an earlier file.
    Continued {
        /// Number of this file, from 2.
        part: u32,
        /// Records in all files before.
        records: u64,
        /// The chain after the last entry before.
        chain: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: String,
    version: u32,
    part: u32,
    records: u64,
    chain: String,
}

impl Header {
    pub(super) fn part(&self) -> u32 {
        if let Self::Continued { part, .. } = self { *part } else { 1 }
    }

    pub(super) fn records(&self) -> u64 {
        if let Self::Continued { records, .. } = self { *records } else { 0 }
    }

    /// Its line, without the line feed.
    pub(super) fn text(&self) -> String {
        match self {
            Self::First => HEADER.to_owned(),
            Self::Continued { part, records, chain } => {
                let text = Text {
                    format: FORMAT.to_owned(),
                    version: VERSION,
                    part: *part,
                    records: *records,
                    chain: chain.clone(),
                };
                serde_json::to_string(&text).expect("plain data with text keys always serialises")
            }
        }
    }

    /// The chain before the first entry of the file.
    pub(super) fn chain(&self) -> String {
        sha256(&[self.text().as_bytes()])
    }

    /// Reads a line without its line feed; `None` if it is no header this build can read.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        if line == HEADER.as_bytes() {
            return Some(Self::First);
        }
        let Text { part, records, chain, .. } = serde_json::from_slice(line).ok()?;
        let header = Self::Continued { part, records, chain };
        (part > 1 && header.text().as_bytes() == line).then_some(header)
    }
}

/// The line of the entry with text `body`, line feed included, and the chain after it.
pub(super) fn compose(before: &str, body: &[u8]) -> (Vec<u8>, String) {
    let chain = sha256(&[before.as_bytes(), body]);
    let line = [OPEN, chain.as_bytes(), MIDDLE, body, CLOSE, b"\n"].concat();
    (line, chain)
}

/// Reads a line without its line feed: the entry, and the chain after it. What is wrong, if anything is.
pub(super) fn parse<E: DeserializeOwned>(before: &str, line: &[u8]) -> Result<(E, String), String> {
    let rest = line.strip_prefix(OPEN).ok_or("expected a record with its chain")?;
    let (chain, rest) = rest.split_at_checked(DIGITS).ok_or("the chain is cut short")?;
    let body = rest.strip_prefix(MIDDLE).and_then(|rest| rest.strip_suffix(CLOSE));
    let body = body.ok_or("expected a record after its chain")?;
    let expected = sha256(&[before.as_bytes(), body]);
    if chain != expected.as_bytes() {
        return Err("the chain is broken: this line or one before it was changed, moved or removed".to_owned());
    }
    let entry = serde_json::from_slice(body).map_err(|e| format!("the record cannot be read: {e}"))?;
    Ok((entry, expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_nothing_else_is_one() {
        let header = Header::Continued { part: 3, records: 17, chain: "ab".repeat(32) };
        assert_eq!(Header::parse(header.text().as_bytes()), Some(header.clone()));
        assert_eq!(Header::parse(HEADER.as_bytes()), Some(Header::First));
        assert_ne!(header.chain(), Header::First.chain());
        for bad in [
            header.text().replace("\"version\":1", "\"version\":2"),
            header.text().replace("\"part\":3", "\"part\":1"),
            header.text().replace("foresail", "other"),
            format!("{} ", header.text()),
            String::new(),
        ] {
            assert_eq!(Header::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}

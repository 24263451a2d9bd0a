//! The common and the combined log format.

use foresail_core::Timestamp;

use super::LoggedRequest;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `host ident user [day/month/year:time zone] "method target version" status bytes "referer" "agent" duration`, of which what
/// follows the status may be missing.
pub(super) fn request(line: &str) -> Option<LoggedRequest> {
    let (_, rest) = line.split_once('[')?;
    let (stamp, rest) = rest.split_once(']')?;
    let (head, rest) = quoted(rest)?;
    let mut words = head.split(' ');
    let (method, target) = (words.next()?, words.next()?);
    let mut numbers = rest.split_ascii_whitespace();
    let status = numbers.next()?.parse().ok()?;
    let sent_bytes = numbers.next().and_then(amount);
    // Behind the quoted parts; a duration is the last word.
    let behind = rest.rsplit_once('"').map(|(_, behind)| behind).filter(|behind| !behind.trim().is_empty());
    let latency_ms = behind.and_then(|behind| {
        let word = behind.split_ascii_whitespace().next_back()?;
        Some(amount(word)? * if word.contains('.') { 1e3 } else { 1e-3 })
    });
    Some(LoggedRequest {
        time: time(stamp)?,
        method: method.to_owned(),
        target: target.to_owned(),
        status,
        latency_ms,
        sent_bytes,
        received_bytes: None,
        cost: None,
    })
}

fn amount(word: &str) -> Option<f64> {
    word.parse().ok().filter(|v: &f64| v.is_finite() && *v >= 0.0)
}

/// What stands between the first quotes, in which a backslash keeps a quote from ending it, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (_, text) = text.split_once('"')?;
    let mut is_escaped = false;
    let end = text.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        ends
    });
    let (end, _) = end?;
    Some((&text[..end], &text[end + 1..]))
}

/// `01/Mar/2026:13:00:00 +0100`.
fn time(stamp: &str) -> Option<Timestamp> {
    let (date, clock) = stamp.split_once(':')?;
    let mut parts = date.split('/');
    let (day, name, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|month| *month == name)? + 1;
    let (clock, zone) = clock.split_once(' ')?;
    let (hours, minutes) = zone.split_at_checked(3)?;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{clock}{hours}:{minutes}")).ok()
}

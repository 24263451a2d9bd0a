//! W3C Trace Context, Level 1: passed on as it is, or begun here.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Keeps a sound `traceparent`, so that the endpoint's spans join the client's trace; replaces a broken one, with its
/// `tracestate`, by a new trace. Adds nothing to a request that came without: not every service is traced.
pub(crate) fn pass_on(headers: &mut HeaderMap, mut random: impl FnMut() -> u64) {
    let Some(given) = headers.get(TRACEPARENT) else { return };
    if is_sound(given.as_bytes()) {
        return;
    }
    headers.remove(TRACESTATE);
    let fresh = format!("00-{:016x}{:016x}-{:016x}-00", random() | 1, random(), random() | 1);
    if let Ok(value) = HeaderValue::from_str(&fresh) {
        headers.insert(TRACEPARENT, value);
    }
}

/// `version-trace-parent-flags` in lower-case hexadecimal, ids not all zero; later versions may append fields.
pub fn is_sound(value: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (Some(head), rest) = (value.get(..55), value.get(55..).unwrap_or_default()) else { return false };
    let dashes = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
    let (version, trace, parent, flags) = (&head[..2], &head[3..35], &head[36..52], &head[53..55]);
    dashes
        && [version, trace, parent, flags].into_iter().all(hex)
        && version != b"ff"
        && trace.iter().any(|b| *b != b'0')
        && parent.iter().any(|b| *b != b'0')
        && (rest.is_empty() || (version != b"00" && rest[0] == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_ones_pass_and_broken_ones_are_replaced() {
        let sound = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_sound(sound.as_bytes()));
        assert!(is_sound(b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
        for broken in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert!(!is_sound(broken.as_bytes()), "{broken}");
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, HeaderValue::from_str(broken).unwrap());
            headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
            pass_on(&mut headers, || 0);
            assert!(is_sound(headers[TRACEPARENT].as_bytes()) && !headers.contains_key(TRACESTATE));
        }
    }
}

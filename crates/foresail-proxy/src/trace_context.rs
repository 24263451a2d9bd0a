//! W3C Trace Context: passed on as it is, or, where spans are exported, with a span of our own in between.

use std::fmt;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Flag of a trace that is recorded.
const SAMPLED: u8 = 1;
/// Flag of a trace whose id is random (Level 2).
const RANDOM: u8 = 2;
/// Length of the fields that every version has.
const LENGTH: usize = 55;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traceparent {
    /// The trace, not 0.
    pub trace: u128,
    /// The caller's span, not 0.
    pub span: u64,
    /// Bit 0: the trace is recorded; bit 1: its id is random.
    pub flags: u8,
}

impl Traceparent {
    /// Reads `version-trace-span-flags` in lower-case hexadecimal, ids not all zero; later versions may append fields.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (head, rest) = (value.get(..LENGTH)?, &value[LENGTH..]);
        let version = hex(&head[..2])?;
        let dashes = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
        let read = Self { trace: hex(&head[3..35])?, span: hex(&head[36..52])? as u64, flags: hex(&head[53..])? as u8 };
        let fields_end = rest.is_empty() || (version != 0 && rest[0] == b'-');
        (dashes && version != 0xff && read.trace != 0 && read.span != 0 && fields_end).then_some(read)
    }

    /// Whether the caller records the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }

    fn value(self) -> HeaderValue {
        HeaderValue::from_str(&self.to_string()).expect("hexadecimal digits and dashes are visible ASCII")
    }
}

/// As version 00 has it.
impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags)
    }
}

/// At most 32 digits in lower case.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// The one `traceparent` there is, if it is sound. Of two, nobody can tell which is meant.
fn given(headers: &HeaderMap) -> Option<Traceparent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (only, another) = (values.next()?, values.next());
    if another.is_some() { None } else { Traceparent::parse(only.as_bytes()) }
}

/// Keeps a sound `traceparent`, so that the endpoint's spans join the client's trace; replaces a broken one, with its
/// `tracestate`, by a new trace. Adds nothing to a request that came without: not every service is traced.
pub(crate) fn pass_on(headers: &mut HeaderMap, mut random: impl FnMut() -> u64) {
    if !headers.contains_key(TRACEPARENT) || given(headers).is_some() {
        return;
    }
    headers.remove(TRACESTATE);
    headers.insert(TRACEPARENT, fresh(&mut random).value());
}

/// A span of ours: a child of the caller's, or the root of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanContext {
    /// What the endpoint is told: our span is the parent of its own.
    pub(crate) own: Traceparent,
    /// The caller's span.
    pub(crate) parent: Option<u64>,
}

/// Begins a span in the caller's trace or, without one, in a trace of its own, and puts it in the caller's place. A
/// caller's decision whether to record is kept; a new trace is recorded with probability `sample`, decided by its id as
/// OpenTelemetry's `TraceIdRatioBased` does, so that all who decide by the same ratio decide alike.
pub(crate) fn begin_span(headers: &mut HeaderMap, sample: f64, mut random: impl FnMut() -> u64) -> SpanContext {
    let fresh = fresh(&mut random);
    let context = match given(headers) {
        Some(caller) => {
            let own = Traceparent { span: fresh.span, flags: caller.flags & (SAMPLED | RANDOM), ..caller };
            SpanContext { own, parent: Some(caller.span) }
        }
        None => {
            // State without a trace that it belongs to means nothing.
            headers.remove(TRACESTATE);
            let is_sampled = ((fresh.trace as u64) >> 1) < (sample * (1_u64 << 63) as f64) as u64;
            let flags = if is_sampled { RANDOM | SAMPLED } else { RANDOM };
            SpanContext { own: Traceparent { flags, ..fresh }, parent: None }
        }
    };
    headers.insert(TRACEPARENT, context.own.value());
    context
}

/// Ids that are not zero.
fn fresh(random: &mut impl FnMut() -> u64) -> Traceparent {
    let trace = u128::from(random().max(1)) << 64 | u128::from(random());
    Traceparent { trace, span: random().max(1), flags: 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOUND: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(parents: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for parent in parents {
            headers.append(TRACEPARENT, HeaderValue::from_str(parent).unwrap());
        }
        headers.insert(TRACESTATE, HeaderValue::from_static("a=b"));
        headers
    }

    fn told(headers: &HeaderMap) -> Traceparent {
        Traceparent::parse(headers[TRACEPARENT].as_bytes()).unwrap()
    }

    #[test]
    fn sound_ones_pass_and_broken_ones_are_replaced() {
        let read = Traceparent::parse(SOUND.as_bytes()).unwrap();
        let expected =
            Traceparent { trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, span: 0x00f0_67aa_0ba9_02b7, flags: 1 };
        assert_eq!((read, read.to_string().as_str()), (expected, SOUND));
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more";
        assert_eq!(Traceparent::parse(later.as_bytes()), Some(expected));
        let mut kept = headers(&[SOUND]);
        pass_on(&mut kept, || 0);
        assert_eq!((&kept[TRACEPARENT], &kept[TRACESTATE]), (&SOUND.parse().unwrap(), &"a=b".parse().unwrap()));
        for broken in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Traceparent::parse(broken.as_bytes()), None, "{broken}");
            let mut replaced = headers(&[broken]);
            pass_on(&mut replaced, || 0);
            assert!(!told(&replaced).is_sampled() && !replaced.contains_key(TRACESTATE));
        }
        let mut doubled = headers(&[SOUND, SOUND]);
        pass_on(&mut doubled, || 0);
        assert_eq!(doubled.get_all(TRACEPARENT).iter().count(), 1);
        assert_ne!(told(&doubled).trace, expected.trace);
    }

    #[test]
    fn a_span_goes_between_caller_and_endpoint() {
        for (flags, sampled) in [("00", false), ("01", true), ("03", true), ("ff", true)] {
            let caller = format!("{}{flags}", &SOUND[..53]);
            let mut headers = headers(&[&caller]);
            let context = begin_span(&mut headers, 0.5, || 7);
            assert_eq!(context.parent, Some(0x00f0_67aa_0ba9_02b7));
            assert_eq!(told(&headers), context.own);
            assert_eq!((context.own.span, context.own.is_sampled()), (7, sampled));
            assert_eq!(context.own.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
            assert!(context.own.flags <= 3 && headers.contains_key(TRACESTATE));
        }
    }

    #[test]
    fn roots_are_recorded_by_ratio() {
        for (sample, id, expected) in
            [(0.0, 0, false), (1.0, u64::MAX, true), (0.5, u64::MAX / 2 - 1, true), (0.5, u64::MAX / 2 + 9, false)]
        {
            let mut headers = headers(&[]);
            let context = begin_span(&mut headers, sample, || id);
            assert_eq!((context.parent, context.own.is_sampled()), (None, expected), "{sample} {id}");
            assert!(told(&headers) == context.own && !headers.contains_key(TRACESTATE));
        }
    }

    proptest! {
        /// What is written is read again, and what is told to an endpoint is always sound.
        #[test]
        fn written_is_read(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags: u8, words in any::<[u64; 3]>()) {
            let written = Traceparent { trace, span, flags };
            prop_assert_eq!(Traceparent::parse(written.to_string().as_bytes()), Some(written));
            let (mut headers, mut next) = (HeaderMap::new(), words.iter().cycle());
            let own = begin_span(&mut headers, 0.5, || *next.next().unwrap()).own;
            prop_assert_eq!(told(&headers), own);
        }
    }
}

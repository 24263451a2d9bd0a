//! How long a client says that it will wait: `x-request-timeout`, or gRPC's `grpc-timeout`.

use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

const X_REQUEST_TIMEOUT: HeaderName = HeaderName::from_static("x-request-timeout");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What a client said, and in which form: the endpoint is told in the same what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) time: Duration,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `1.5`
    Plain,
    /// `1.5s`
    Seconds,
    /// `1500ms`
    Millis,
    /// `1500m`, of gRPC
    Grpc,
}

impl Patience {
    /// What the head says, if it can be understood; gRPC's word counts before the other. What cannot be is left as it is.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let plain = || value(&X_REQUEST_TIMEOUT).and_then(plain);
        value(&GRPC_TIMEOUT).and_then(grpc).or_else(plain)
    }

    /// Tells the endpoint what is left.
    pub(crate) fn tell(self, left: Duration, headers: &mut HeaderMap) {
        let ms = left.as_millis();
        let (name, text) = match self.form {
            Form::Plain => (X_REQUEST_TIMEOUT, format!("{:.3}", left.as_secs_f64())),
            Form::Seconds => (X_REQUEST_TIMEOUT, format!("{:.3}s", left.as_secs_f64())),
            Form::Millis => (X_REQUEST_TIMEOUT, format!("{ms}ms")),
            // Eight digits are all that the form allows: more than a day.
            Form::Grpc => (GRPC_TIMEOUT, format!("{}m", ms.min(99_999_999))),
        };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

/// Seconds with or without their unit, or milliseconds with theirs.
fn plain(text: &str) -> Option<Patience> {
    let text = text.trim();
    let (number, form) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, Form::Millis),
        (None, Some(number)) => (number, Form::Seconds),
        (None, None) => (text, Form::Plain),
    };
    let is_number = (1..=12).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && number.bytes().any(|byte| byte.is_ascii_digit());
    let value: f64 = if is_number { number.parse().ok()? } else { return None };
    let seconds = if form == Form::Millis { value / 1_000.0 } else { value };
    Some(Patience { time: Duration::try_from_secs_f64(seconds).ok()?, form })
}

/// Up to eight digits and a unit: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn grpc(text: &str) -> Option<Patience> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    let time = match unit {
        "H" => Duration::from_secs(3_600 * value),
        "M" => Duration::from_secs(60 * value),
        "S" => Duration::from_secs(value),
        "m" => Duration::from_millis(value),
        "u" => Duration::from_micros(value),
        "n" => Duration::from_nanos(value),
        _ => return None,
    };
    Some(Patience { time, form: Form::Grpc })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heads(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn both_forms_are_understood_and_answered_in_kind() {
        let check = |name, value: &str, ms: u64, left: &str| {
            let mut headers = heads(name, value);
            let patience = Patience::of(&headers).unwrap();
            assert_eq!(patience.time, Duration::from_millis(ms), "{value}");
            patience.tell(Duration::from_millis(700), &mut headers);
            assert_eq!(headers[name], left);
        };
        check("x-request-timeout", "1.5", 1_500, "0.700");
        check("x-request-timeout", "2s", 2_000, "0.700s");
        check("x-request-timeout", "1500ms", 1_500, "700ms");
        check("grpc-timeout", "1500m", 1_500, "700m");
        check("grpc-timeout", "2S", 2_000, "700m");
        for value in ["", "-1", "1e3", "soon", "s", "ms", ".", "1.2.3", "9999999999999", "inf", "NaN"] {
            assert_eq!(Patience::of(&heads("x-request-timeout", value)), None, "{value}");
        }
        for value in ["", "m", "123456789m", "1.5S", "1x", "1\u{e9}"] {
            assert_eq!(grpc(value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,20}") {
            let _ = (plain(&text), grpc(&text));
        }
    }
}

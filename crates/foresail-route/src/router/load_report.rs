//! What a service says of itself in an answer's `x-foresail-load`.

/// Longest value that is read, bytes.
const LONGEST: usize = 128;
/// Numbers beyond this are refused.
const MOST: f64 = 1e9;

/// A service's word on an answer: a plain number, which is the resource used, or a list such as `rif=3;lat=12.5;cpu=4.2`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LoadReport {
    /// Requests in flight there, from whomever (`rif`).
    pub in_flight: Option<f64>,
    /// Its own view of its latency in ms (`lat`).
    pub latency_ms: Option<f64>,
    /// What the answer took of what is scarce there, in any unit that services have in common (`cpu`, or the plain number).
    pub resource: Option<f64>,
}

impl LoadReport {
    /// Reads a header's value. Numbers are plain decimals from 0 to 10⁹; a name comes once at most, none but these three;
    /// spaces may stand around names and numbers. `None` for anything else, and for more than 128 bytes.
    pub fn parse(value: &[u8]) -> Option<Self> {
        if value.len() > LONGEST {
            return None;
        }
        let text = std::str::from_utf8(value).ok()?.trim_matches(' ');
        if !text.contains('=') {
            return Some(Self { resource: Some(number(text)?), ..Self::default() });
        }
        let mut report = Self::default();
        for item in text.split(';') {
            let (name, value) = item.split_once('=')?;
            let place = match name.trim_matches(' ') {
                "rif" => &mut report.in_flight,
                "lat" => &mut report.latency_ms,
                "cpu" => &mut report.resource,
                _ => return None,
            };
            if place.replace(number(value.trim_matches(' '))?).is_some() {
                return None;
            }
        }
        Some(report)
    }
}

/// A decimal such as `12` or `0.5`: no sign, no exponent, digits on both sides of a point.
fn number(text: &str) -> Option<f64> {
    let mut parts = text.splitn(2, '.');
    let is_sound = parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let value: f64 = if is_sound { text.parse().ok()? } else { return None };
    (value <= MOST).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_well_formed_is_read_and_nothing_else() {
        let of = |text: &str| LoadReport::parse(text.as_bytes());
        let cpu = |value| Some(LoadReport { resource: Some(value), ..LoadReport::default() });
        assert_eq!(of("12.5"), cpu(12.5));
        assert_eq!(of(" cpu = 3 "), cpu(3.0));
        let whole = LoadReport { in_flight: Some(3.0), latency_ms: Some(12.5), resource: Some(0.25) };
        assert_eq!(of("rif=3;lat=12.5;cpu=0.25"), Some(whole));
        assert_eq!(of("cpu=0.25; lat=12.5 ;rif=3"), Some(whole));
        for bad in [
            "",
            " ",
            "-1",
            "+1",
            "1e3",
            "inf",
            "NaN",
            ".5",
            "5.",
            "1.2.3",
            "0x1",
            "1,5",
            "10000000000",
            "cpu",
            "cpu=",
            "=1",
            "cpu=1;",
            ";cpu=1",
            "cpu=1;cpu=1",
            "CPU=1",
            "cpu=1,lat=2",
            "mem=1",
            "cpu=1;mem=2",
            "cpu=1\n",
            "cpu==1",
        ] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
        assert_eq!(of(&"1".repeat(129)), None);
        assert_eq!(LoadReport::parse(&[0xff, b'1']), None);
    }

    proptest! {
        /// Whatever comes, what is read is in range.
        #[test]
        fn numbers_are_in_range(bytes in proptest::collection::vec(any::<u8>(), 0..160), text in "(rif|lat|cpu|x)?=?[0-9.e;= ]{0,20}") {
            for value in [bytes.as_slice(), text.as_bytes()] {
                if let Some(report) = LoadReport::parse(value) {
                    for number in [report.in_flight, report.latency_ms, report.resource].into_iter().flatten() {
                        prop_assert!((0.0..=MOST).contains(&number));
                    }
                }
            }
        }
    }
}
